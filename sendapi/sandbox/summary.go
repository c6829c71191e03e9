package sandbox

import (
	"net/http"
	"time"
)

// PageCalls sums up the calls of one page.
type PageCalls struct {
	// Count is the number of calls: Accepted, Refused and those whose connection was dropped unaccepted.
	Count int `json:"count"`
	// Accepted is the number of messages and sender actions that were accepted.
	Accepted int `json:"accepted"`
	// Refused is the number of calls that got an error.
	Refused int `json:"refused"`
	// Dropped is the number of calls without an answer, accepted or not.
	Dropped int `json:"dropped"`
	// Pace is how all of the calls came.
	Pace Pace `json:"pace"`
}

// Summary returns the remembered calls by page.
func (s *Server) Summary() map[string]PageCalls {
	pages := make(map[string]PageCalls)
	times := make(map[string][]time.Time)
	s.log.all(func(c *Call) bool {
		p := pages[c.PageID]
		p.Count++
		switch {
		case c.Accepted:
			p.Accepted++
		case c.Status != 0:
			p.Refused++
		}
		if c.Status == 0 {
			p.Dropped++
		}
		pages[c.PageID] = p
		times[c.PageID] = append(times[c.PageID], c.At)
		return false
	})
	for id, p := range pages {
		p.Pace = Measure(times[id])
		pages[id] = p
	}
	return pages
}

func (s *Server) serveCalls(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{"pages": s.Summary(), "forgotten": s.Dropped()})
}
