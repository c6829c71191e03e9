package pace

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
)

// jump moves the clock on, where it can be.
func (w *world) jump(d time.Duration) {
	if w.mini == nil {
		return
	}
	w.now = w.now.Add(d)
	w.mini.SetTime(w.now)
	w.mini.FastForward(d)
}

func (w *world) enqueue() {
	j := &modelJob{
		page: strconv.Itoa(1 + w.rnd.IntN(2)), psid: strconv.Itoa(w.rnd.IntN(4)), lane: producer.LaneBulk,
		media: w.rnd.IntN(4) == 0, reply: w.rnd.IntN(5) == 0,
	}
	if w.rnd.IntN(4) == 0 {
		j.lane = producer.LaneRealtime
	} else if w.rnd.IntN(2) == 0 {
		j.broadcast = w.someBroadcast()
	}
	to, message := person(j.psid), words("x")
	if j.reply {
		to = comment(j.psid)
	}
	if j.media {
		message = video
	}
	r, err := w.desk().producer.Enqueue(context.Background(), producer.Job{
		PageID: j.page, Lane: j.lane, Broadcast: j.broadcast, Request: json.RawMessage(
			fmt.Sprintf(`{"recipient":%s,"messaging_type":"UPDATE","message":%s}`, to, message)),
	})
	require.NoError(w.t, err)
	j.id, j.since = r.ID, w.clock()
	w.jobs = append(w.jobs, j)
}

// due takes a job back out of a hand as if asynq's forwarder had brought it to pending.
func (w *world) due() {
	for _, j := range w.jobs {
		if j.hand {
			ctx, d := context.Background(), w.holder(j.id)
			d.End(d.taken[j.id])
			d.rdb.LRem(ctx, d.keys.Active(), 0, j.id)
			d.rdb.LPush(ctx, d.keys.Pending(), j.id)
			j.hand = false
			return
		}
	}
}

// drain takes until nothing is due, some jobs at once, and checks that nothing is left that could have been sent for a while.
func (w *world) drain() {
	d := w.desk()
	for range 1000 {
		got := d.askFor(question{most: 1 + w.rnd.IntN(8), ready: d.cfg.Lead})
		for _, job := range got.jobs {
			if job.line == "" {
				w.fail("a task of our own was not brought to its line: %s", job.id)
				return
			}
			w.handed(got.now, job)
		}
		if got.verb != "again" {
			w.nothingLeft(got.now)
			return
		}
	}
	w.fail("take never comes to an end")
}

// settleOne ends the hand of one job in any way.
func (w *world) settleOne() {
	hands := slices.DeleteFunc(slices.Clone(w.jobs), func(j *modelJob) bool { return !j.hand })
	if len(hands) > 0 {
		w.settle(hands[w.rnd.IntN(len(hands))], w.rnd.IntN(6))
	}
}

func (w *world) settle(j *modelJob, how int) {
	d, ok := w.holder(j.id), how > 1
	route := producer.Route{Line: producer.Line{PageID: j.page, Lane: j.lane, Broadcast: j.broadcast}, Recipient: recipientOf(j.id)}
	now := w.clock()
	s := Settlement{Report: Report{Accepted: ok}}
	if how > 0 {
		s.Outcome.Kind, j.ended = producer.Sent, true
	}
	d.settleAs(j.id, route, s)
	j.hand = false
	w.probeBack(j, ok, now)
}

// settleSome ends the hands of one desk together, each as sent, as failed, or back to its line.
func (w *world) settleSome() {
	d, now := w.desk(), w.clock()
	var jobs []*modelJob
	var all []settling
	for _, j := range w.jobs {
		if !j.hand || w.holder(j.id) != d || len(all) == mostTogether {
			continue
		}
		s := Settlement{Recipient: recipientOf(j.id), Report: Report{Accepted: true}}
		s.Outcome = producer.Outcome{
			Kind:  []producer.OutcomeKind{producer.Sent, producer.Sent, producer.Failed, ""}[w.rnd.IntN(4)],
			JobID: j.id, PageID: j.page, Lane: j.lane,
		}
		question, err := d.settling(d.taken[j.id], s)
		require.NoError(w.t, err)
		j.ended = s.Outcome.Kind != ""
		jobs, all = append(jobs, j), append(all, question)
	}
	if len(all) == 0 {
		return
	}
	answers, err := d.settleAll(all)
	require.NoError(w.t, err)
	for i, j := range jobs {
		if got := answers[i]; got.err != nil || got.answer[0] != "ok" {
			w.fail("%s was settled with others, and the answer is %v", j.id, got)
		}
		d.End(d.taken[j.id])
		j.hand = false
		w.probeBack(j, true, now)
	}
}

// probeBack notes for the scopes whose probe a job was that it has left its hand, answered with an acceptance or not.
func (w *world) probeBack(j *modelJob, ok bool, now int64) {
	for _, name := range []string{App, j.page} {
		s := w.scopes[name]
		if s.probe && s.probeUntil != 0 && s.out == j.id {
			s.probe, s.probeUntil = !ok, 0
			if ok {
				s.calmSince = now + time.Minute.Microseconds()
			}
		}
	}
}

// lose lets a worker know nothing of a job in its hand, as if the answer that handed it out had been lost.
func (w *world) lose() {
	for _, j := range w.jobs {
		if j.hand {
			d := w.holder(j.id)
			d.End(d.taken[j.id])
			w.jump(time.Microsecond) // a job that was handed out now may be on its way
			require.NoError(w.t, d.reap(context.Background(), false, 0))
			j.hand = false
			w.probeBack(j, false, w.clock())
			return
		}
	}
}

// holder is the desk that has the job in hand.
func (w *world) holder(id string) *desk {
	i := slices.IndexFunc(w.desks, func(d *desk) bool {
		return d.taken[id] != nil && slices.Contains(d.openHands(), any(d.taken[id].name()))
	})
	require.GreaterOrEqual(w.t, i, 0, id)
	return w.desks[i]
}

func (w *world) someBroadcast() string { return []string{"a", "b"}[w.rnd.IntN(2)] }

// setBroadcast pauses a broadcast or lets it go on, with another weight, as those do who change one.
func (w *world) setBroadcast(name string, stop bool) {
	ctx, d, state := context.Background(), w.desk(), "running"
	if stop {
		state = "paused"
	}
	d.rdb.HSet(ctx, d.keys.Broadcast(name), "state", state, "weight", 1+w.rnd.IntN(5))
	for _, page := range []string{"1", "2"} {
		d.rdb.ZAddXX(ctx, d.keys.Due(), redis.Z{Score: float64(w.clock()), Member: page + ":bulk:@" + name})
	}
	w.stopped[name] = stop
}

func (w *world) someScope() string { return []string{"1", "2", App}[w.rnd.IntN(3)] }

func (w *world) pause() {
	name, d := w.someScope(), time.Duration(float64(w.rnd.IntN(60))/w.faster*float64(time.Second)/w.faster)
	now := w.clock()
	left, err := w.desk().Pause(context.Background(), name, d+time.Millisecond, Reason{Text: "x"})
	require.NoError(w.t, err)
	s := w.scopes[name]
	s.pausedUntil, s.probe, s.probeUntil = max(s.pausedUntil, now+left.Microseconds()), true, 0
}

func (w *world) release() {
	name := w.someScope()
	_, err := w.desk().Release(context.Background(), name)
	require.NoError(w.t, err)
	w.scopes[name].pausedUntil = min(w.scopes[name].pausedUntil, w.clock())
}

func (w *world) setRates() {
	before := w.rates.Budget
	if w.rates = w.someRates(); before == 0 {
		w.counted = w.clock() + w.desks[0].cfg.Lead.Microseconds()
	}
	for _, d := range w.desks {
		require.NoError(w.t, d.SetRates(context.Background(), Limits{Others: w.rates}))
	}
}
