package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// usage is what the headers of an answer say: percentages of what is allowed, and the page's wait.
type usage struct {
	app, page float64
	wait      time.Duration
}

// exhaust makes the headers fit the refusal of a limit. A wait is announced for the page, whatever refused it.
func (u *usage) exhaust(c codes, wait time.Duration) {
	switch {
	case c.code == 4 && c.subcode == 0 || c.code == 341 || c == codes{613, 1996}:
		u.app = max(u.app, 100)
	case c.code == 32 || c.code == 613 && c.subcode != 2018338 || 80000 <= c.code && c.code <= 80014:
		u.page = max(u.page, 100)
	}
	if wait > 0 {
		u.page, u.wait = max(u.page, 100), max(u.wait, wait)
	}
}

// addTo sets the headers. As at the platform there is none while its figure is effectively 0.
// https://developers.facebook.com/docs/graph-api/overview/rate-limiting
func (u usage) addTo(a *reply, page string) {
	if u.app >= 1 {
		a.setHeader("X-App-Usage", string(appendLoad([]byte{'{'}, u.app))+"}")
	}
	if u.page >= 1 || u.wait > 0 {
		a.setHeader("X-Business-Use-Case-Usage", businessUsage(page, u.page, u.wait))
	}
}

// businessUsage is the header of one page. Its wait is in whole minutes, rounded up; 0 means that there is no
// estimate.
func businessUsage(page string, percent float64, wait time.Duration) string {
	b := make([]byte, 0, 160)
	b = append(b, '{')
	b = strconv.AppendQuote(b, page)
	b = append(b, `:[{"type":"messenger",`...)
	b = appendLoad(b, percent)
	b = append(b, `,"estimated_time_to_regain_access":`...)
	b = strconv.AppendInt(b, int64((wait+time.Minute-1)/time.Minute), 10)
	return string(append(b, "}]}"...))
}

// appendLoad writes the calls; the platform counts processor time as well, which no sandbox can know, so that it is a
// quarter here.
func appendLoad(b []byte, percent float64) []byte {
	b = append(b, `"call_count":`...)
	b = strconv.AppendInt(b, int64(percent), 10)
	b = append(b, `,"total_cputime":`...)
	b = strconv.AppendInt(b, int64(percent/4), 10)
	b = append(b, `,"total_time":`...)
	return strconv.AppendInt(b, int64(percent/4), 10)
}

func (a *reply) setHeader(name, value string) {
	if a.header == nil {
		a.header = make(http.Header, 2)
	}
	a.header.Set(name, value)
}
