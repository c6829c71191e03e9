package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sendpace/sendpace/producer"
)

// The rules. Each is one promise.
const (
	RuleLost     = "lost"     // a stored job ends
	RuleTwice    = "twice"    // in one outcome
	RuleUntrue   = "untrue"   // that says what the platform saw
	RuleDouble   = "double"   // and is accepted once, but where the outcome says that the first send's end was unknown
	RuleOvertook = "overtook" // messages of a lane to a recipient arrive in the order of enqueueing
	RuleBetween  = "between"  // and none between the tries or the steps of another
	RuleWindow   = "window"   // no second has more calls than a page's limits allow
	RuleThread   = "thread"   // and no recipient gets one sooner after the other than the page's spacing
	RulePause    = "pause"    // after a refusal that stops a page none is made until the stop ends
	RuleTime     = "time"     // none is made before its time, after its expiry or after its end
	RuleCount    = "count"    // the counts of a page are those of its outcomes
)

// grace is how long after a fact the fleet may still act on what was true before it: a job asks for its permit a moment
// before it is sent, and an answer takes a moment to be read and told to the others.
const grace = 250 * time.Millisecond

// Violation is a promise that was broken.
type Violation struct {
	Rule string
	// Label names the job.
	Label string
	Text  string
}

// String is one line.
func (v Violation) String() string { return fmt.Sprintf("%s: job %s: %s", v.Rule, v.Label, v.Text) }

// Report is what a run showed.
type Report struct {
	Violations []Violation
	// Calls and Accepted are how many there were; Resent how many sends the outcomes call repeats of an unknown end; Doubles
	// how many messages the platform accepted more than once.
	Jobs, Calls, Accepted, Resent, Doubles int
	// Windows and Stops are how many were judged, the Blurred and Deaf ones how many were not.
	Windows, Blurred, Stops, Deaf int
	// AtRisk is how many jobs were touched when Redis may have lost something, and were judged by less.
	AtRisk int
	// Kinds counts the outcomes.
	Kinds map[producer.OutcomeKind]int
	// Answers counts the refusals by what they ask for.
	Answers map[string]int
}

// String is a summary in one line.
func (r Report) String() string {
	return fmt.Sprintf("%d jobs, %d calls, %d accepted; outcomes %v; refusals %v; resent %d, accepted twice %d; "+
		"windows judged %d (left out %d); stops judged %d (left out %d); at risk %d; violations %d",
		r.Jobs, r.Calls, r.Accepted, r.Kinds, r.Answers, r.Resent, r.Doubles,
		r.Windows, r.Blurred, r.Stops, r.Deaf, r.AtRisk, len(r.Violations))
}

// trial is a record sorted for the rules.
type trial struct {
	Record
	Report
	jobs    []*life
	byLabel map[string]*life
	// pages are the calls by page, threads the jobs by page and recipient, both in order.
	pages   map[string][]Call
	threads map[string][]*life
}

// life is one job with all that is known of it.
type life struct {
	Job
	calls    []Call
	outcomes []producer.Outcome
	atRisk   bool
}

// Judge holds a record against the promises. It changes nothing in it.
func Judge(r Record) Report {
	t := newTrial(r)
	for _, j := range t.jobs {
		t.judgeEnd(j)
		t.judgeDoubles(j)
		t.judgeTimes(j)
	}
	for _, jobs := range t.threads {
		t.judgeOrder(jobs)
		t.judgeSpacing(jobs)
	}
	t.judgeCounts()
	for page := range t.pages {
		t.judgeRates(page)
		t.judgeStops(page)
	}
	slices.SortFunc(t.Violations, func(a, b Violation) int {
		return strings.Compare(a.Rule+a.Label, b.Rule+b.Label)
	})
	return t.Report
}

func newTrial(r Record) *trial {
	t := &trial{
		Record: r, byLabel: map[string]*life{}, pages: map[string][]Call{}, threads: map[string][]*life{},
		Report: Report{Jobs: len(r.Jobs), Calls: len(r.Calls), Kinds: map[producer.OutcomeKind]int{}, Answers: map[string]int{}},
	}
	for _, job := range r.Jobs {
		j := &life{Job: job}
		t.byLabel[job.Label] = j
		t.jobs = append(t.jobs, j)
		t.threads[job.PageID+":"+job.Recipient] = append(t.threads[job.PageID+":"+job.Recipient], j)
	}
	calls := slices.Clone(r.Calls)
	slices.SortStableFunc(calls, func(a, b Call) int { return a.At.Compare(b.At) })
	for _, c := range calls {
		t.addCall(c)
	}
	for _, o := range r.Outcomes {
		t.addOutcome(o)
	}
	for _, j := range t.jobs {
		if j.atRisk = t.isAtRisk(j); j.atRisk {
			t.AtRisk++
		}
	}
	return t
}

func (t *trial) addCall(c Call) {
	j := t.byLabel[c.Label]
	t.pages[c.PageID] = append(t.pages[c.PageID], c)
	switch {
	case c.Accepted:
		t.Accepted++
	case c.Code != 0:
		t.Answers[string(c.answer().effect)]++
	}
	if j == nil {
		t.breaks(RuleUntrue, c.Label, "a call for a job that was never offered")
		return
	}
	j.calls = append(j.calls, c)
}

func (t *trial) addOutcome(o producer.Outcome) {
	t.Kinds[o.Kind]++
	t.Resent += o.ResentUnknown
	j := t.byLabel[o.Key]
	if j == nil || j.ID != "" && j.ID != o.JobID {
		t.breaks(RuleUntrue, o.Key, "an outcome of a job %s that was never stored", o.JobID)
		return
	}
	j.outcomes = append(j.outcomes, o)
}

// isAtRisk is true for a job that was enqueued, sent or settled while Redis may have lost it.
func (t *trial) isAtRisk(j *life) bool {
	for _, e := range t.Events {
		if !e.Loses {
			continue
		}
		if e.overlaps(j.Offered, j.Stored) {
			return true
		}
		for _, c := range j.calls {
			if e.overlaps(c.At, c.Done) {
				return true
			}
		}
	}
	return false
}

func (t *trial) breaks(rule, label, format string, args ...any) {
	t.Violations = append(t.Violations, Violation{rule, label, fmt.Sprintf(format, args...)})
}

// during is true if an event of the kind overlaps the time.
func (t *trial) during(kind func(Event) bool, from, to time.Time) bool {
	return slices.ContainsFunc(t.Events, func(e Event) bool { return kind(e) && e.overlaps(from, to) })
}

func loses(e Event) bool   { return e.Loses }
func blurs(e Event) bool   { return e.Blurs || e.Loses }
func deafens(e Event) bool { return e.Deafens || e.Blurs || e.Loses }

// resent is how many repeats the job's outcome admits.
func (j *life) resent() (n int) {
	for _, o := range j.outcomes {
		n += o.ResentUnknown
		if o.Kind == producer.Unknown {
			n++
		}
	}
	return n
}

// accepted is how often the platform accepted each step.
func (j *life) accepted() map[int]int {
	n := map[int]int{}
	for _, c := range j.calls {
		if c.Accepted {
			n[c.Step]++
		}
	}
	return n
}

func (j *life) firstAccepted() (at time.Time, ok bool) {
	for _, c := range j.calls {
		if c.Accepted {
			return c.At, true
		}
	}
	return time.Time{}, false
}
