package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// storyMargin is how long before the first and after the last call of a job its story tells of disturbances.
const storyMargin = 2 * time.Second

// Story tells what is known of a job, in order of time: how it was enqueued, its calls, what was done to the fleet
// meanwhile, and how it ended; empty if there is no such job. Times are seconds since the run began.
func (r Record) Story(label string) string {
	i := slices.IndexFunc(r.Jobs, func(j Job) bool { return j.Label == label })
	if i < 0 {
		return ""
	}
	job := r.Jobs[i]
	lines := []moment{
		{job.Offered, "offered to the producer"},
		{job.Stored, "stored as " + job.ID},
		{job.SendAt, "not to be sent before"},
		{job.ExpiresAt, "expires"},
	}
	var from, to time.Time // of its calls and outcomes
	add := func(at time.Time, text string) {
		lines = append(lines, moment{at, text})
		if from.IsZero() {
			from = at
		}
		if at.After(to) {
			to = at
		}
	}
	for _, c := range r.Calls {
		if c.Label == label {
			add(c.At, "call "+c.tell())
		}
	}
	for _, o := range r.Outcomes {
		if o.Key == label {
			add(o.EndedAt, fmt.Sprintf("outcome %s, resent %d", o.Kind, o.ResentUnknown))
		}
	}
	lines = append(lines, r.around(job, from, to)...)
	return fmt.Sprintf("job %s: page %s, recipient %s, lane %s, media %v, steps %d, once %v\n%s",
		label, job.PageID, job.Recipient, job.Lane, job.Media, job.Steps, job.Once, r.tell(lines))
}

type moment struct {
	at   time.Time
	text string
}

// around returns what was done at about that time to the job's page, or to all.
func (r Record) around(job Job, from, to time.Time) []moment {
	var found []moment
	for _, e := range r.Events {
		concerns := e.What != "" && (e.Page == "" || e.Page == job.PageID)
		if concerns && e.overlaps(from.Add(-storyMargin), to.Add(storyMargin)) {
			found = append(found, moment{e.From, fmt.Sprintf("(%s, for %v)", e.What, e.To.Sub(e.From).Round(time.Millisecond))})
		}
	}
	return found
}

func (r Record) tell(lines []moment) string {
	slices.SortStableFunc(lines, func(a, b moment) int { return a.at.Compare(b.at) })
	var start time.Time
	if len(r.Jobs) > 0 {
		start = r.Jobs[0].Offered
	}
	var b strings.Builder
	for _, l := range lines {
		if !l.at.IsZero() {
			fmt.Fprintf(&b, "  %9.3f  %s\n", l.at.Sub(start).Seconds(), l.text)
		}
	}
	return b.String()
}

func (c Call) tell() string {
	took := c.Done.Sub(c.At).Round(time.Millisecond)
	what := fmt.Sprintf("refused with %d/%d, HTTP %d", c.Code, c.Subcode, c.Status)
	switch {
	case c.Accepted:
		what = "accepted as " + cmp.Or(c.MessageID, "an action")
	case c.Status == 0:
		what = "not accepted"
	}
	if c.Status == 0 {
		what += ", the connection was dropped without an answer"
	}
	return fmt.Sprintf("of step %d: %s after %v", c.Step, what, took)
}
