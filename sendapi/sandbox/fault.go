package sandbox

import (
	"slices"
	"time"
)

// AllPages as a page id makes a fault hold for every page.
const AllPages = ""

// Drop closes the connection instead of answering.
type Drop string

// When a connection is dropped.
const (
	// DropBefore drops it before the message was accepted.
	DropBefore Drop = "before"
	// DropAfter drops it after the call was decided, so that the caller cannot know the outcome.
	DropAfter Drop = "after"
)

// Fault is something that goes wrong with the calls of a page. With neither For nor Times it stays until it is
// cleared.
type Fault struct {
	// Code and Subcode refuse the call with the platform's error object.
	Code, Subcode int
	// Status is the HTTP status, 200 to 599; 0 means the usual one of Code. Without a Code the body is
	// HTML, as from a proxy.
	Status int
	// Message is the text of the error object; empty means one that names the sandbox.
	Message string
	// RetryAfter is the wait that the usage header announces, in minutes, rounded up; 0 announces none.
	RetryAfter time.Duration
	// Delay makes the answer slower, in addition to Config.Latency.
	Delay time.Duration
	// Drop closes the connection without an answer; empty answers.
	Drop Drop
	// For is how long the fault lasts, from the moment it is set.
	For time.Duration
	// Times is how many calls it hits.
	Times int
}

// refuses tells apart faults that only delay or drop.
func (f Fault) refuses() bool { return f.Code != 0 || f.Status != 0 }

// faults are the active ones by page.
type faults map[string][]*active

type active struct {
	Fault
	until time.Time // zero: no end
	left  int
}

// Fail sets a fault for a page, or for AllPages. The faults of a page apply one after the other, in the order in
// which they were set; those for all pages come after its own.
func (s *Server) Fail(pageID string, f Fault) {
	a := &active{Fault: f, left: f.Times}
	if f.For > 0 {
		a.until = time.Now().Add(f.For)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[pageID] = append(s.faults[pageID], a)
}

// Clear ends the faults of a page, or with AllPages all faults of all pages.
func (s *Server) Clear(pageID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pageID == AllPages {
		clear(s.faults)
	}
	delete(s.faults, pageID)
}

// next returns the fault that hits a call, and uses it up by one.
func (fs faults) next(pageID string, now time.Time) Fault {
	for _, page := range [...]string{pageID, AllPages} {
		fs[page] = slices.DeleteFunc(fs[page], func(a *active) bool {
			return !a.until.IsZero() && !now.Before(a.until)
		})
		if len(fs[page]) == 0 {
			delete(fs, page)
			continue
		}
		first := fs[page][0]
		if first.left--; first.left == 0 {
			fs[page] = fs[page][1:]
		}
		return first.Fault
	}
	return Fault{}
}
