package sandbox

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sendpace/sendpace/sendapi"
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

// Fault is something that goes wrong with the calls of a page: it refuses them, drops their connection, or makes their
// answer late. With neither For nor Times it stays until it is cleared.
type Fault struct {
	// Code and Subcode refuse the call with the platform's error object.
	Code, Subcode int
	// Status is the HTTP status, 200 to 599; 0 means the usual one of Code. Without a Code the body is
	// HTML, as from a proxy.
	Status int
	// Message is the text of the error object; empty means one that names the sandbox.
	Message string
	// Transient makes the error object say is_transient. Codes 2 and 1200 always say so.
	Transient bool
	// RetryAfter is the wait that the usage header announces, in minutes, rounded up; 0 announces none.
	RetryAfter time.Duration
	// Delay makes the answer slower, in addition to Config.Latency. A fault that does nothing else lets the next one
	// act too, unless it is for a number of Times: it would hide it for ever.
	Delay time.Duration
	// DelayUpTo makes the delay random, from Delay up to this; 0 means that it is Delay.
	DelayUpTo time.Duration
	// Drop closes the connection without an answer; empty answers.
	Drop Drop
	// Chance is the share of the calls that it hits, above 0 to 1; 0 means all. The choice is pseudo-random, from
	// Config.Seed.
	Chance float64
	// Person limits it to calls to one recipient: a page-scoped id, or an address as in sendapi.Recipient.Address.
	// Empty means any.
	Person string
	// MediaURL limits it to messages and uploads with media by a URL that begins so. With code 100 and subcode 2018008 it is
	// media that the platform cannot fetch. Empty means any call.
	MediaURL string
	// For is how long the fault lasts, from the moment it is set.
	For time.Duration
	// Times is how many calls it hits.
	Times int
}

// refuses tells apart faults that only delay or drop.
func (f Fault) refuses() bool { return f.Code != 0 || f.Status != 0 }

// maxFaults bounds what the control interface may set.
const maxFaults = 1000

// faults are the active ones by page.
type faults map[string][]*active

type active struct {
	Fault
	until time.Time // zero: no end
	left  int       // calls, where Times is set
}

// target is what a fault looks at in a call.
type target struct{ page, address, mediaURL string }

// Fail sets a fault for a page, or for AllPages. The faults of a page apply one after the other, in the order in
// which they were set; those for all pages come after its own. One that does not concern a call, or by its Chance
// spares it, leaves it to the next.
func (s *Server) Fail(pageID string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &active{Fault: f, left: f.Times}
	if a.Person != "" {
		a.Person = addressOf(a.Person)
	}
	if f.For > 0 {
		a.until = time.Now().Add(f.For)
	}
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

// next returns the fault that hits a call, and uses it up by one. Its Delay is that of all faults that hit.
func (fs faults) next(to target, now time.Time, random *rand.Rand) Fault {
	var delay time.Duration
	for _, page := range [...]string{to.page, AllPages} {
		fs.prune(page, now)
		for _, a := range fs[page] {
			if !a.hits(to, random) {
				continue
			}
			a.left--
			delay += a.delay(random)
			if a.refuses() || a.Drop != "" || a.Times > 0 {
				hit := a.Fault
				hit.Delay = delay
				return hit
			}
		}
	}
	return Fault{Delay: delay}
}

func (a *active) hits(to target, random *rand.Rand) bool {
	return (a.Person == "" || a.Person == to.address) &&
		(a.MediaURL == "" || to.mediaURL != "" && strings.HasPrefix(to.mediaURL, a.MediaURL)) &&
		(a.Chance == 0 || random.Float64() < a.Chance)
}

func (a *active) delay(random *rand.Rand) time.Duration {
	if a.DelayUpTo <= a.Delay {
		return a.Delay
	}
	return a.Delay + time.Duration(random.Int64N(int64(a.DelayUpTo-a.Delay)+1))
}

func (a *active) over(now time.Time) bool {
	return !a.until.IsZero() && !now.Before(a.until) || a.Times > 0 && a.left <= 0
}

// prune forgets the faults of a page that are over.
func (fs faults) prune(page string, now time.Time) {
	if len(fs[page]) == 0 {
		return
	}
	fs[page] = slices.DeleteFunc(fs[page], func(a *active) bool { return a.over(now) })
	if len(fs[page]) == 0 {
		delete(fs, page)
	}
}

func (fs faults) count() (n int) {
	for _, list := range fs {
		n += len(list)
	}
	return n
}

func (f Fault) problems(page string) sendapi.Problems {
	var c checker
	c.check(page == AllPages || isPage(page), "page", "must be decimal digits")
	c.check(f.Status == 0 || 200 <= f.Status && f.Status < 600, "status", "must be 200 to 599")
	c.check(f.Code != 0 || f.Subcode == 0, "subcode", "needs a code")
	c.check(f.Code >= 0 && f.Subcode >= 0, "code", "must not be negative")
	c.check(f.refuses() || f.Drop != "" || max(f.Delay, f.DelayUpTo) > 0,
		"code", "needs one of code, status, drop and delay")
	c.check(f.Drop == "" || f.Drop == DropBefore || f.Drop == DropAfter, "drop", "must be before or after")
	c.check(0 <= f.Delay && f.Delay <= maxDelay, "delay", "must be 0 to "+maxDelayText)
	c.check(f.DelayUpTo == 0 || f.Delay <= f.DelayUpTo && f.DelayUpTo <= maxDelay,
		"delay_up_to", "must be from delay to "+maxDelayText)
	c.check(f.RetryAfter >= 0, "retry_after", "must not be negative")
	c.check(0 <= f.Chance && f.Chance <= 1, "chance", "must be 0 to 1")
	c.check(f.Person == "" || isAddress(f.Person), "person", notAddress)
	c.check(f.For >= 0, "for", "must not be negative")
	c.check(f.Times >= 0, "times", "must not be negative")
	return c.problems
}

// faultStatus is a fault with the page that it was set for and what is left of it.
type faultStatus struct {
	page  string
	fault Fault
	left  int           // calls; 0: any number
	ends  time.Duration // 0: does not
}

// list returns the active faults, by page and in the order in which they apply.
func (fs faults) list(now time.Time) []faultStatus {
	var all []faultStatus
	for page, list := range fs {
		for _, a := range list {
			if a.over(now) {
				continue
			}
			status := faultStatus{page: page, fault: a.Fault, left: max(0, a.left)}
			if !a.until.IsZero() {
				status.ends = a.until.Sub(now)
			}
			all = append(all, status)
		}
	}
	slices.SortStableFunc(all, func(a, b faultStatus) int { return cmp.Compare(a.page, b.page) })
	return all
}
