package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
)

var epoch = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

// made is a record that a row of the table spoils.
type made struct{ Record }

// goodRun is one page at 4/s whose six jobs go to two recipients, one call a job, 300 ms apart.
func goodRun() *made {
	m := &made{Record{Rates: map[string]pace.Rates{"1": {Page: 4, Bulk: 4, Media: 4}}, FirstPause: 3 * time.Second}}
	for i := range 6 {
		m.Jobs = append(m.Jobs, Job{
			ID: fmt.Sprint("id", i), Label: fmt.Sprint(i), PageID: "1", Recipient: fmt.Sprint("r", i%2), Steps: 1,
			Lane: producer.LaneBulk, Offered: at(2 * i), Stored: at(2*i + 1),
		})
		m.accept(i, 0, 1000+300*i)
		m.Outcomes = append(m.Outcomes, producer.Outcome{JobID: fmt.Sprint("id", i), PageID: "1", Key: fmt.Sprint(i), Kind: "sent", EndedAt: at(1060 + 300*i)})
	}
	return m
}

// call adds a call that takes 50 ms.
func (m *made) call(job, step, ms int, c sandbox.Call) {
	c.At, c.PageID, c.Recipient = at(ms), "1", m.Jobs[job].Recipient
	c.Done = c.At.Add(50 * time.Millisecond)
	m.Calls = append(m.Calls, Call{Call: c, Label: m.Jobs[job].Label, Step: step})
}

func (m *made) accept(job, step, ms int) {
	m.call(job, step, ms, sandbox.Call{Accepted: true, Status: 200, MessageID: "m"})
}

func (m *made) refuse(job, ms, code, subcode int) {
	m.call(job, 0, ms, sandbox.Call{Status: 400, Code: code, Subcode: subcode})
}

// end replaces the outcome of a job.
func (m *made) end(job int, o producer.Outcome) {
	o.JobID, o.Key = m.Jobs[job].ID, m.Jobs[job].Label
	m.Outcomes[job] = o
}

// without removes the calls of a job.
func (m *made) without(job int) {
	var rest []Call
	for _, c := range m.Calls {
		if c.Label != m.Jobs[job].Label {
			rest = append(rest, c)
		}
	}
	m.Calls = rest
}

// during adds an event from 0 to a minute.
func (m *made) during(e Event) {
	e.From, e.To = at(0), at(60_000)
	m.Events = append(m.Events, e)
}

// spoiled are runs in which one thing is other than in goodRun.
var spoiled = []struct {
	name  string
	spoil func(m *made)
	want  []string // rules, each with its job
}{
	{"nothing is wrong", func(m *made) {}, nil},
	{"a job is lost", func(m *made) { m.without(5); m.Outcomes = m.Outcomes[:5] }, []string{"lost 5"}},
	{"a job that was never stored is not", func(m *made) {
		m.without(5)
		m.Outcomes, m.Jobs[5].Stored = m.Outcomes[:5], time.Time{}
	}, nil},
	{"a job has two outcomes", func(m *made) { m.Outcomes = append(m.Outcomes, m.Outcomes[2]) }, []string{"twice 2"}},
	{"an outcome of nobody's job", func(m *made) {
		m.Outcomes = append(m.Outcomes, producer.Outcome{JobID: "id9", Key: "9", Kind: "sent"})
	}, []string{"untrue 9"}},
	{"an outcome of a job that was stored twice", func(m *made) {
		m.Outcomes = append(m.Outcomes, producer.Outcome{JobID: "id9", Key: "5", Kind: "sent"})
	}, []string{"untrue 5"}},
	{"a call of nobody's job", func(m *made) {
		m.Jobs[5].Label = "x"
	}, []string{"lost x", "untrue 5", "untrue 5"}}, // and its outcome

	{"sent, and the platform saw nothing", func(m *made) { m.without(5) }, []string{"untrue 5"}},
	{"sent, and half of it arrived", func(m *made) { m.Jobs[5].Steps = 2 }, []string{"untrue 5"}},
	{"failed, and the platform gave no reason", func(m *made) {
		m.end(5, producer.Outcome{Kind: "failed"})
	}, []string{"untrue 5"}},
	{"failed, since the person blocked the page", func(m *made) {
		m.without(5)
		m.refuse(5, 2500, 551, 0)
		m.end(5, producer.Outcome{Kind: "failed"})
	}, nil},
	{"expired before its time", func(m *made) {
		m.without(5)
		m.Jobs[5].ExpiresAt = at(9000)
		m.end(5, producer.Outcome{Kind: "expired", EndedAt: at(8000)})
	}, []string{"untrue 5"}},
	{"expired, and was accepted", func(m *made) {
		m.Jobs[5].ExpiresAt = at(9000)
		m.end(5, producer.Outcome{Kind: "expired", EndedAt: at(9001)})
	}, []string{"untrue 5"}},
	{"expired in time", func(m *made) {
		m.without(5)
		m.Jobs[5].ExpiresAt = at(9000)
		m.end(5, producer.Outcome{Kind: "expired", EndedAt: at(9001)})
	}, nil},
	{"unknown, though it may be sent again", func(m *made) {
		m.end(5, producer.Outcome{Kind: "unknown"})
	}, []string{"untrue 5"}},
	{"unknown, and it expired before it could be sent again", func(m *made) {
		m.Jobs[5].ExpiresAt = at(4000)
		m.end(5, producer.Outcome{Kind: "unknown", EndedAt: at(4001)})
	}, nil},
	{"cancelled by nobody", func(m *made) { m.end(5, producer.Outcome{Kind: "cancelled"}) }, []string{"untrue 5"}},
	{"accepted twice, without a word", func(m *made) { m.accept(5, 0, 2780) }, []string{"double 5"}},
	{"accepted twice, and the outcome says so", func(m *made) {
		m.accept(5, 0, 5000)
		m.end(5, producer.Outcome{Kind: "sent", ResentUnknown: 1, EndedAt: at(5050)})
	}, nil},
	{"accepted three times, and the outcome admits two", func(m *made) {
		m.accept(5, 0, 5000)
		m.accept(5, 0, 6000)
		m.end(5, producer.Outcome{Kind: "sent", ResentUnknown: 1, EndedAt: at(6050)})
	}, []string{"double 5"}},
	{"accepted twice, though never to be sent again", func(m *made) {
		m.accept(5, 0, 5000)
		m.Jobs[5].Once = true
		m.end(5, producer.Outcome{Kind: "sent", ResentUnknown: 1, EndedAt: at(5050)})
	}, []string{"double 5"}},
	{"never to be sent again, and unknown", func(m *made) {
		m.Jobs[5].Once = true
		m.end(5, producer.Outcome{Kind: "unknown"})
	}, nil},
	{"a later job overtakes", func(m *made) {
		m.Calls[3].At, m.Calls[5].At = m.Calls[5].At, m.Calls[3].At
		m.end(3, producer.Outcome{Kind: "sent"})
	}, []string{"overtook 3"}},
	{"a later one of the other lane may", func(m *made) {
		m.Calls[3].At, m.Calls[5].At = m.Calls[5].At, m.Calls[3].At
		m.Jobs[5].Lane = producer.LaneRealtime
		m.end(3, producer.Outcome{Kind: "sent"})
	}, nil},
	{"one that was enqueued at the same moment may", func(m *made) {
		m.Calls[3].At, m.Calls[5].At = m.Calls[5].At, m.Calls[3].At
		m.Jobs[5].Offered = m.Jobs[3].Stored.Add(-1)
		m.end(3, producer.Outcome{Kind: "sent"})
	}, nil},
	{"a scheduled one goes before a job that was there", func(m *made) {
		m.Calls[3].At, m.Calls[5].At = m.Calls[5].At, m.Calls[3].At
		m.Jobs[5].SendAt = at(1000)
		m.end(3, producer.Outcome{Kind: "sent"})
	}, []string{"overtook 3"}},
	{"of two scheduled ones the later goes first", func(m *made) {
		m.Calls[3].At, m.Calls[5].At = m.Calls[5].At, m.Calls[3].At
		m.Jobs[3].SendAt, m.Jobs[5].SendAt = at(100), at(1200)
		m.end(3, producer.Outcome{Kind: "sent"})
	}, []string{"overtook 3"}},
	{"another message comes between two tries", func(m *made) {
		m.Calls[3].At, m.Calls[3].Accepted, m.Calls[3].Code = at(1950), false, 2
		m.accept(3, 0, 2800)
		m.end(3, producer.Outcome{Kind: "sent"})
	}, []string{"between 3"}},
	{"between two tries whose first may have arrived, and the outcome says so", func(m *made) {
		m.accept(3, 0, 2800)
		m.end(3, producer.Outcome{Kind: "sent", ResentUnknown: 1})
	}, nil},
	{"a step comes before the one before it", func(m *made) {
		m.Jobs[5].Steps = 2
		m.Calls[5].Step = 1
		m.accept(5, 0, 2800)
		m.end(5, producer.Outcome{Kind: "sent"})
	}, []string{"overtook 5", "overtook 5"}}, // one came too early, the other too late
	{"a step comes back", func(m *made) {
		m.Jobs[5].Steps = 2
		m.accept(5, 1, 2800)
		m.accept(5, 0, 3100)
		m.end(5, producer.Outcome{Kind: "sent"})
	}, []string{"double 5", "overtook 5"}},
	{"five in a second", func(m *made) {
		for i := range m.Calls {
			m.Calls[i].At = at(1000 + 240*i)
		}
	}, []string{"window 4", "window 4"}}, // the page's and the lane's
	{"five in a second, and the way to the sandbox was slow", func(m *made) {
		for i := range m.Calls {
			m.Calls[i].At = at(1000 + 240*i)
		}
		m.during(Event{Blurs: true})
	}, nil},
	{"two to one recipient too soon", func(m *made) {
		m.Calls[5].At = at(2000)
		m.Rates["1"] = pace.Rates{Page: 9, Bulk: 9, Media: 9, Thread: 250 * time.Millisecond}
	}, []string{"thread 5"}},
	{"two to one recipient too soon, and the way to the sandbox was slow", func(m *made) {
		m.Calls[5].At = at(2000)
		m.Rates["1"] = pace.Rates{Page: 9, Bulk: 9, Media: 9, Thread: 250 * time.Millisecond}
		m.during(Event{Blurs: true})
	}, nil},
	{"a call during the page's pause", func(m *made) {
		m.refuse(5, 2790, 613, 0)
		m.accept(5, 0, 5800)
		m.Calls[5].Code, m.Calls[5].Accepted = 613, false
		m.end(5, producer.Outcome{Kind: "sent"})
	}, []string{"pause 5"}},
	{"a call in flight as the page is paused, and one after the pause", func(m *made) {
		m.Calls[4].Code, m.Calls[4].Status, m.Calls[4].Accepted = 613, 400, false
		m.Calls[4].Done = at(2400)
		m.accept(4, 0, 5700)
		m.end(4, producer.Outcome{Kind: "sent"})
	}, nil},
	{"a call within the wait that the platform announced", func(m *made) {
		m.Calls[5].Code, m.Calls[5].Status, m.Calls[5].Accepted = 80006, 400, false
		m.accept(5, 0, 60_000)
		m.end(5, producer.Outcome{Kind: "sent"})
	}, []string{"pause 5"}},
	{"a call on a page that is held", func(m *made) {
		m.Calls[5].Code, m.Calls[5].Subcode, m.Calls[5].Accepted = 190, 463, false
		m.accept(5, 0, 600_000)
		m.end(5, producer.Outcome{Kind: "sent"})
	}, []string{"pause 5"}},
	{"a call on a page that was released", func(m *made) {
		m.Calls[5].Code, m.Calls[5].Subcode, m.Calls[5].Accepted = 190, 463, false
		m.accept(5, 0, 61_000)
		m.end(5, producer.Outcome{Kind: "sent"})
		m.Events = append(m.Events, Event{Frees: true, Page: "1", From: at(60_000), To: at(60_010)})
	}, nil},
	{"the worker that got the answer died", func(m *made) {
		m.Calls[5].Code, m.Calls[5].Accepted = 613, false
		m.accept(5, 0, 4000)
		m.end(5, producer.Outcome{Kind: "sent"})
		m.during(Event{Deafens: true})
	}, nil},
	{"called before its time", func(m *made) { m.Jobs[5].SendAt = at(3000) }, []string{"time 5"}},
	{"called after its expiry", func(m *made) { m.Jobs[5].ExpiresAt = at(2000) }, []string{"time 5"}},
	{"called after its end", func(m *made) {
		m.refuse(5, 4000, 2, 0)
	}, []string{"time 5"}},
	{"the counts are right", func(m *made) { m.Counts = map[string]string{"1:accepted": "6", "1:sent": "6"} }, nil},
	{"one is too high, another is not there", func(m *made) {
		m.Counts = map[string]string{"1:sent": "7"}
	}, []string{"count 1:accepted", "count 1:sent"}},
	{"Redis lost the end of a job", func(m *made) {
		m.accept(5, 0, 4000)
		m.Events = append(m.Events, Event{Loses: true, From: at(2490), To: at(2600)})
	}, nil},
	{"and another job all the same", func(m *made) {
		m.Outcomes = append(m.Outcomes[:2:2], m.Outcomes[3:]...)
		m.Events = append(m.Events, Event{Loses: true, From: at(2490), To: at(2600)})
	}, []string{"lost 2"}},
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, row := range spoiled {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := goodRun()
			row.spoil(m)
			var got []string
			for _, v := range Judge(m.Record).Violations {
				got = append(got, v.Rule+" "+v.Label)
			}
			assert.Equal(t, row.want, got)
		})
	}
}

func TestJudgeCounts(t *testing.T) {
	t.Parallel()
	m := goodRun()
	m.Calls[5].Code, m.Calls[5].Accepted = 613, false
	m.accept(5, 0, 6000)
	m.accept(5, 0, 7000)
	m.end(5, producer.Outcome{Kind: "sent", ResentUnknown: 1, EndedAt: at(7050)})
	r := Judge(m.Record)
	assert.Empty(t, r.Violations)
	assert.Equal(t, Report{
		Jobs: 6, Calls: 8, Accepted: 7, Resent: 1, Doubles: 1, Windows: 8, Stops: 1,
		Kinds: map[producer.OutcomeKind]int{"sent": 6}, Answers: map[string]int{"pauses the page": 1},
	}, r)
}

func TestStory(t *testing.T) {
	t.Parallel()
	m := goodRun()
	m.Calls[5].Status = 0
	m.accept(5, 0, 5000)
	m.end(5, producer.Outcome{Kind: "sent", ResentUnknown: 1, EndedAt: at(5060)})
	m.Events = []Event{{What: "worker 3 was killed", From: at(2520), To: at(2520)}, {What: "long ago", From: at(0), To: at(1)}}
	assert.Equal(t, `job 5: page 1, recipient r1, lane bulk, media false, steps 1, once false
      0.010  offered to the producer
      0.011  stored as id5
      2.500  call of step 0: accepted as m, the connection was dropped without an answer after 50ms
      2.520  (worker 3 was killed, for 0s)
      5.000  call of step 0: accepted as m after 50ms
      5.060  outcome sent, resent 1
`, m.Story("5"))
}
