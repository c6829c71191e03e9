package chaos

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/sendpace/sendpace/producer"
)

// judgeEnd: each stored job has one outcome, and it says what the platform saw.
func (t *trial) judgeEnd(j *life) {
	switch {
	case len(j.outcomes) > 1 && !j.atRisk:
		t.breaks(RuleTwice, j.Label, "%d outcomes", len(j.outcomes))
	case len(j.outcomes) == 0 && !j.Stored.IsZero() && !j.atRisk:
		t.breaks(RuleLost, j.Label, "stored, and without an outcome")
	}
	for _, o := range j.outcomes {
		if why := j.untrue(o); why != "" {
			t.breaks(RuleUntrue, j.Label, "outcome %s: %s", o.Kind, why)
		}
	}
}

// untrue says what is wrong with an outcome; empty: nothing.
func (j *life) untrue(o producer.Outcome) string {
	whole := len(j.accepted()) == j.Steps
	final := len(j.calls) > 0 && j.calls[len(j.calls)-1].answer().effect == endsJob
	switch o.Kind {
	case producer.Sent:
		if !whole {
			return "the platform has not accepted it all"
		}
	case producer.Failed:
		if !final {
			return "the platform's last answer was not one that ends a job"
		}
	case producer.Expired:
		switch {
		case j.ExpiresAt.IsZero():
			return "it has no expiry"
		case !o.EndedAt.IsZero() && o.EndedAt.Before(j.ExpiresAt):
			return "its time had not passed"
		case whole && o.ResentUnknown == 0:
			return "the platform has accepted it"
		}
	case producer.Unknown:
		if late := !j.ExpiresAt.IsZero() && !o.EndedAt.Before(j.ExpiresAt); !j.Once && !late {
			return "its policy is to send again, and there was time to"
		}
	default:
		return "nobody asked for that"
	}
	return ""
}

// judgeCounts: the fleet counts each accepted job and each outcome once. That all jobs have ended is for judgeEnd to say.
func (t *trial) judgeCounts() {
	if t.Counts == nil {
		return
	}
	want := map[string]int{}
	for _, o := range t.Outcomes {
		want[o.PageID+":"+string(o.Kind)]++
		want[o.PageID+":accepted"]++
	}
	for name, text := range t.Counts {
		if n, err := strconv.Atoi(text); err != nil || n != want[name] {
			t.breaks(RuleCount, name, "the count is %s, there are %d outcomes", text, want[name])
		}
		delete(want, name)
	}
	for name, n := range want {
		t.breaks(RuleCount, name, "there is no count, and there are %d outcomes", n)
	}
}

// judgeDoubles: what was accepted twice, the outcome admits.
func (t *trial) judgeDoubles(j *life) {
	extra := 0
	for step, n := range j.accepted() {
		if n > 1 {
			t.Doubles++
			extra += n - 1
		}
		if n > 1 && j.Once && !j.atRisk {
			t.breaks(RuleDouble, j.Label, "step %d was accepted %d times, and its policy is never to send again", step, n)
		}
	}
	if admits := j.resent(); extra > admits && !j.atRisk {
		t.breaks(RuleDouble, j.Label, "accepted %d times too often, the outcome admits %d", extra, admits)
	}
}

// judgeTimes: no call comes before the job's time, after its expiry, or after its end.
func (t *trial) judgeTimes(j *life) {
	for _, c := range j.calls {
		blurred := t.during(blurs, c.At.Add(-grace), c.At)
		switch {
		case c.At.Before(j.SendAt):
			t.breaks(RuleTime, j.Label, "called %v too early", j.SendAt.Sub(c.At))
		case !j.ExpiresAt.IsZero() && c.At.After(j.ExpiresAt.Add(grace)) && !blurred:
			t.breaks(RuleTime, j.Label, "called %v after it expired", c.At.Sub(j.ExpiresAt))
		case len(j.outcomes) == 1 && !j.outcomes[0].EndedAt.IsZero() && c.At.After(j.outcomes[0].EndedAt.Add(grace)) &&
			j.resent() == 0 && !j.atRisk:
			t.breaks(RuleTime, j.Label, "called %v after it ended", c.At.Sub(j.outcomes[0].EndedAt))
		}
	}
}

// judgeOrder: the jobs of one recipient come one after the other, those of a lane in their order. A late repeat that the
// outcome admits counts as none: it is from a worker that was held up between its permit and its send.
func (t *trial) judgeOrder(jobs []*life) {
	for i, a := range jobs {
		t.judgeSteps(a)
		for k, b := range jobs {
			if k == i || a.atRisk || b.atRisk || len(a.calls) == 0 || len(b.calls) == 0 {
				continue
			}
			at, ok := b.firstAccepted()
			if !ok {
				continue
			}
			first, last := a.calls[0].At, a.calls[len(a.calls)-1].At
			switch {
			case i < k && before(a.Job, b.Job) && at.Before(first):
				t.breaks(RuleOvertook, a.Label, "job %s was enqueued later and came %v before it", b.Label, first.Sub(at))
			case at.After(first) && at.Before(last) && a.resent() == 0:
				t.breaks(RuleBetween, a.Label, "job %s came %v after its first call and %v before its last",
					b.Label, at.Sub(first), last.Sub(at))
			}
		}
	}
}

// before is true if a was surely in the line before b. A job with a time joins its line when that has come, which may be
// late by as long as no worker ran; so it goes surely before none but those of a later time.
func before(a, b Job) bool {
	switch {
	case a.Lane != b.Lane:
		return false // realtime goes first
	case a.SendAt.IsZero() && b.SendAt.IsZero():
		return !a.Stored.IsZero() && !a.Stored.After(b.Offered)
	case a.SendAt.IsZero():
		return !a.Stored.IsZero() && a.Stored.Before(b.SendAt)
	case b.SendAt.IsZero():
		return false
	}
	// asynq keeps whole seconds, and both must have been there before the first came due.
	return a.Stored.Before(a.SendAt) && b.Stored.Before(a.SendAt) && a.SendAt.Add(time.Second).Before(b.SendAt)
}

// judgeSteps: a step comes after the one before it was accepted, and none comes back once a later one was.
func (t *trial) judgeSteps(j *life) {
	reached := 0 // the last step that was accepted, counted from 1
	for _, c := range j.calls {
		switch {
		case c.Step > reached && !j.atRisk:
			t.breaks(RuleOvertook, j.Label, "step %d came before step %d was accepted", c.Step, c.Step-1)
		case c.Step < reached-1 && j.resent() == 0 && !j.atRisk:
			t.breaks(RuleOvertook, j.Label, "step %d came after step %d was accepted", c.Step, reached-1)
		}
		if c.Accepted {
			reached = max(reached, c.Step+1)
		}
	}
}

// judgeRates: in no window of a second are there more calls than each limit allows.
func (t *trial) judgeRates(page string) {
	jobs := map[string]*life{}
	for _, j := range t.jobs {
		if j.PageID == page {
			jobs[j.Label] = j
		}
	}
	var all, bulk, media []Call
	for _, c := range t.pages[page] {
		all = append(all, c)
		if j := jobs[c.Label]; j != nil && j.Lane == producer.LaneBulk {
			bulk = append(bulk, c)
		}
		if j := jobs[c.Label]; j != nil && j.Media {
			media = append(media, c)
		}
	}
	rates := t.Rates[page]
	t.judgeWindows(page+" page", all, rates.Page)
	t.judgeWindows(page+" bulk", bulk, rates.Bulk)
	t.judgeWindows(page+" media", media, rates.Media)
}

// windowSlack is how much shorter than a second a window with one call too many may be: what stands still for less, between a slot
// and the sandbox, nobody notices. It is less than the interval of any rate here, so that a slot too many shows.
const windowSlack = 20 * time.Millisecond

// judgeWindows looks at each call with the one that is a whole limit before it. A rate below one a second is one call in a
// longer time.
func (t *trial) judgeWindows(name string, calls []Call, rate float64) {
	if rate == 0 {
		return
	}
	size := int(math.Ceil(rate))
	span := time.Duration(float64(size) / rate * float64(time.Second))
	var until time.Time // a run of windows that are over counts once
	for i := size; i < len(calls); i++ {
		from, to := calls[i-size].At, calls[i].At
		if t.during(blurs, from, to) {
			t.Blurred++
			continue
		}
		t.Windows++
		if to.Sub(from) < span-windowSlack && from.After(until) {
			until = to
			t.breaks(RuleWindow, calls[i].Label, "%s: %d calls in %v, %v/s are allowed; from %s",
				name, size+1, to.Sub(from), rate, calls[i-size].Label)
		}
	}
}

// spacingSlack is how much closer than their slots two calls to a recipient may come by what happens on the way.
const spacingSlack = 50 * time.Millisecond

// judgeSpacing: a recipient's calls keep their distance.
func (t *trial) judgeSpacing(jobs []*life) {
	var calls []Call
	for _, j := range jobs {
		calls = append(calls, j.calls...)
	}
	slices.SortFunc(calls, func(a, b Call) int { return a.At.Compare(b.At) })
	least := t.Rates[jobs[0].PageID].Thread - spacingSlack
	for i := 1; i < len(calls); i++ {
		from, to := calls[i-1].At, calls[i].At
		if to.Sub(from) < least && !t.during(blurs, from, to) {
			t.breaks(RuleThread, calls[i].Label, "called %v after job %s to the same recipient", to.Sub(from), calls[i-1].Label)
		}
	}
}

// judgeStops: once a refusal that stops a page was answered, none of its calls begins until the stop ends. A stop of the app
// is one of each page.
func (t *trial) judgeStops(page string) {
	for other, refused := range t.pages {
		for _, c := range refused {
			a := c.answer()
			mine := other == page && (a.effect == pausesPage || a.effect == holdsPage)
			if c.Answered() && (mine || a.effect == pausesApp) {
				t.judgeStop(page, c, t.stopEnds(page, c, a))
			}
		}
	}
}

func (t *trial) stopEnds(page string, c Call, a answer) time.Time {
	end := c.Done.Add(max(a.wait, t.FirstPause))
	if a.effect == holdsPage {
		end = c.Done.Add(24 * time.Hour)
	}
	for _, e := range t.Events {
		if e.Frees && e.Page == page && e.To.After(c.At) && e.From.Before(end) {
			end = e.From
		}
	}
	return end
}

func (t *trial) judgeStop(page string, refused Call, end time.Time) {
	begin := refused.Done.Add(grace)
	if t.during(deafens, refused.At, begin) {
		t.Deaf++
		return
	}
	t.Stops++
	for _, c := range t.pages[page] {
		late := c.At.After(begin) && c.At.Before(end)
		if late && !t.during(blurs, c.At.Add(-grace), c.At) && !t.during(loses, refused.At, c.At) {
			t.breaks(RulePause, c.Label, "called %v after %d/%d stopped page %s, %v before the end of the stop",
				c.At.Sub(refused.Done), refused.Code, refused.Subcode, page, end.Sub(c.At))
			return
		}
	}
}
