package sendapi

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Usage is how much of its limits a response says is used up. A header that did not come, or that cannot be read,
// is unknown, which is not the same as unused.
// https://developers.facebook.com/docs/graph-api/overview/rate-limiting
type Usage struct {
	// App is the app's allowance, a rolling hour (X-App-Usage).
	App Load
	// Page is the older allowance of a page (X-Page-Usage).
	Page Load
	// Business is what X-Business-Use-Case-Usage lists. Empty means unknown.
	Business []BusinessUsage
}

// Load is how much of one allowance is used, in percent: calls may be refused from 100 on, and it can go above.
type Load struct {
	// Known is false when the response did not say; the rest is then 0.
	Known bool
	// Calls, CPU and Elapsed are the use of calls, of CPU time and of time, in percent.
	Calls, CPU, Elapsed float64
}

// BusinessUsage is one allowance of one object, such as messenger of a Page.
type BusinessUsage struct {
	// ObjectID is the Page's id for calls with a Page token.
	ObjectID string
	// Type is the use case: messenger, pages, and others that are data here.
	Type string
	// Load is the use.
	Load Load
	// Wait is how long until calls are possible again, at most a day; 0 is no estimate, not "now".
	Wait time.Duration
}

// Max returns the highest of the percentages, 0 when unknown.
func (l Load) Max() float64 { return max(l.Calls, l.CPU, l.Elapsed) }

// Messaging returns the highest load of a page's messaging: of X-Page-Usage and of the messenger and pages
// entries of the page. The page id "" or "me" takes the entries of any object.
func (u Usage) Messaging(pageID string) Load {
	highest := u.Page
	for _, b := range u.Business {
		if b.concerns(pageID) && (!highest.Known || b.Load.Known && b.Load.Max() > highest.Max()) {
			highest = b.Load
		}
	}
	return highest
}

// Wait returns the longest wait among the messenger and pages entries of a page, 0 when none is known.
func (u Usage) Wait(pageID string) time.Duration {
	var longest time.Duration
	for _, b := range u.Business {
		if b.concerns(pageID) {
			longest = max(longest, b.Wait)
		}
	}
	return longest
}

func (b BusinessUsage) concerns(pageID string) bool {
	return (b.Type == "messenger" || b.Type == "pages") &&
		(pageID == "" || pageID == "me" || pageID == b.ObjectID)
}

// longestWait is the longest window of a documented limit. A longer wait is a mistake of whoever sent it, and
// must not stop a page for years.
const longestWait = 24 * time.Hour

// maxEntries bounds what one header may make this package keep; the platform sends at most 32.
const maxEntries = 64

type loadHeader struct {
	Calls   *float64 `json:"call_count"`
	CPU     *float64 `json:"total_cputime"`
	Elapsed *float64 `json:"total_time"`
}

func (h loadHeader) load() Load {
	var l Load
	for from, to := range map[*float64]*float64{h.Calls: &l.Calls, h.CPU: &l.CPU, h.Elapsed: &l.Elapsed} {
		if from != nil {
			l.Known, *to = true, *from
		}
	}
	return l
}

func parseUsage(h http.Header) Usage {
	return Usage{
		App:      parseLoad(h.Get("X-App-Usage")),
		Page:     parseLoad(h.Get("X-Page-Usage")),
		Business: parseBusiness(h.Get("X-Business-Use-Case-Usage")),
	}
}

func parseLoad(value string) Load {
	var h loadHeader
	if value == "" || json.Unmarshal([]byte(value), &h) != nil {
		return Load{}
	}
	return h.load()
}

func parseBusiness(value string) []BusinessUsage {
	var objects map[string]json.RawMessage
	if value == "" || json.Unmarshal([]byte(value), &objects) != nil {
		return nil
	}
	var all []BusinessUsage
	for _, id := range slices.Sorted(maps.Keys(objects)) {
		var entries []struct {
			loadHeader
			Type    string  `json:"type"`
			Minutes float64 `json:"estimated_time_to_regain_access"`
		}
		if json.Unmarshal(objects[id], &entries) != nil {
			continue
		}
		for _, e := range entries {
			if len(all) == maxEntries {
				return all
			}
			all = append(all, BusinessUsage{id, e.Type, e.load(), bounded(e.Minutes * float64(time.Minute))})
		}
	}
	return all
}

// retryAfter reads a Retry-After header in either of its forms. The platform documents none, but a proxy may
// send it.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		return bounded(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return bounded(float64(at.Sub(now)))
	}
	return 0
}

func bounded(nanoseconds float64) time.Duration {
	if math.IsNaN(nanoseconds) {
		return 0
	}
	return time.Duration(min(max(nanoseconds, 0), float64(longestWait)))
}
