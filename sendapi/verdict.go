package sendapi

import (
	"net/http"
	"slices"
)

// verdict is what a code means for a sender.
type verdict struct {
	kind    Kind
	scope   Scope
	retries int
}

// after is the same verdict for a fault that sometimes goes away by itself.
func (v verdict) after(retries int) verdict {
	v.retries = retries
	return v
}

// rule is one row of the verdict table.
type rule struct {
	code, subcode int // subcode 0: whatever subcode has no rule of its own
	verdict
	source string
}

type codes struct{ code, subcode int }

var (
	byCodes  = index(rules)
	byNumber = index(numbers)
)

func index(rows []rule) map[codes]verdict {
	m := make(map[codes]verdict, len(rows))
	for _, r := range rows {
		m[codes{r.code, r.subcode}] = r.verdict
	}
	return m
}

// shortRange is how many codes a range has at most whose codes are known one by one.
const shortRange = 20

// Codes returns the error codes that are known to this package, in order, for labels and tables that must be complete. The
// platform uses others as well; of its long ranges, such as 200 to 299, only those that it documents are in it.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
func Codes() []int {
	var list []int
	for _, r := range slices.Concat(rules, numbers) {
		list = append(list, r.code)
	}
	for _, r := range ranges {
		for code := r.from; r.to-r.from < shortRange && code <= r.to; code++ {
			list = append(list, code)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// judge finds the verdict for an error that the platform explained: by code and subcode; by a number
// that is documented bare and comes as either of the two; by the code; by a range. For a code that nothing
// is known about, the platform's own hint counts, then the HTTP status.
func judge(status, code, subcode int, hint bool) verdict {
	if v, ok := byCodes[codes{code, subcode}]; ok && subcode != 0 {
		return v
	}
	for _, number := range [...]int{subcode, code} {
		if v, ok := byNumber[codes{code: number}]; ok {
			return v
		}
	}
	if v, ok := byCodes[codes{code: code}]; ok {
		return v
	}
	for _, r := range ranges {
		if r.from <= code && code <= r.to {
			return r.verdict
		}
	}
	return judgeUnknown(status, hint)
}

// judgeUnknown decides for a code without a verdict. The platform did answer, so nothing was sent.
func judgeUnknown(status int, hint bool) verdict {
	switch {
	case hint || status >= http.StatusInternalServerError:
		return transient
	case status == http.StatusTooManyRequests:
		return pageLimit
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return auth
	}
	return invalid
}

// judgeStatus decides when the body says nothing: it was cut off, too large, or not the platform's, as from a
// proxy. With a 3xx or 4xx nothing was sent; since nobody said that the message is at fault, it must not be lost
// to that answer. Of a 5xx or an unreadable 200 nobody knows.
func judgeStatus(status int) verdict {
	switch status {
	case http.StatusTooManyRequests:
		return pageLimit
	case http.StatusRequestEntityTooLarge:
		return invalid
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired, http.StatusGone:
		// The address or the access is wrong, which holds for every message of the page.
		return auth
	}
	if 300 <= status && status < 500 {
		return transient
	}
	return unknown
}
