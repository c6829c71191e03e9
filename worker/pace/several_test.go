package pace

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/redistest"
)

// several asks as a worker with free places does, and returns what one answer hands out.
func (d *clockedDesk) several(most int) (jobs []handed, wait time.Duration) {
	d.t.Helper()
	q := d.question()
	q.look, q.most = 0, most
	got := d.askFor(q)
	for _, j := range got.jobs {
		jobs = append(jobs, handed{j.id, time.UnixMicro(j.slot).Sub(d.now)})
	}
	return jobs, got.wait
}

func slotsOf(jobs []handed) (list []time.Duration) {
	for _, j := range jobs {
		list = append(list, j.slot)
	}
	return list
}

const (
	ms = time.Millisecond
	us = time.Microsecond
)

func TestOneAnswerHandsOutAllSlotsWithinTheLead(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: 50 * ms}, Rates{Page: 100, Bulk: 100, Media: 100})
	var want []string
	for i := range 20 {
		want = append(want, d.enqueue("1", strconv.Itoa(i), "x"))
	}
	first, wait := d.several(3)
	assert.Equal(t, []time.Duration{0, 10 * ms, 20 * ms}, slotsOf(first))
	assert.Equal(t, 5*ms, wait, "half a lead before the next slot, 30 ms from now")
	none, _ := d.several(16)
	assert.Empty(t, none, "it is early for the next one")
	d.after(wait)
	second, wait := d.several(16)
	assert.Equal(t, []time.Duration{25 * ms, 35 * ms, 45 * ms}, slotsOf(second))
	assert.Equal(t, 30*ms, wait)
	assert.Equal(t, want[:6], ids(append(first, second...)), "in their order")
}

func TestOneAnswerIsOfSeveralPages(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: 50 * ms}, Rates{Page: 50, Bulk: 50, Media: 50})
	var of [4][]string
	for i := range 12 {
		page := 1 + i%3
		of[page] = append(of[page], d.enqueue(strconv.Itoa(page), strconv.Itoa(i), "x"))
	}
	_, err := d.Pause(context.Background(), "2", time.Minute, Reason{Text: "613"})
	require.NoError(t, err)
	got, _ := d.several(16)
	assert.ElementsMatch(t, append(of[1][:3:3], of[3][:3]...), ids(got), "page 2 does not send")
	d.done(of[1][0], d.routeOf("1", "0"))
	assert.Equal(t, int64(5), d.rdb.LLen(context.Background(), d.keys.Active()).Val())
}

func TestOneAnswerHasOneJobOfEachRecipient(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		a1, a2, b1 := d.enqueue("1", "7", "1"), d.enqueue("1", "7", "2"), d.enqueue("1", "8", "1")
		a3, c1 := d.enqueue("1", "7", "3"), d.enqueue("1", "9", "1")
		answer := func() (list []string) {
			for _, j := range d.askFor(question{most: 16, ready: time.Second}).jobs {
				list = append(list, j.id)
			}
			return list
		}
		assert.Equal(t, []string{a1, b1, c1}, answer(), "a2 and a3 step aside")
		d.done(a1, d.routeOf("1", "7"))
		assert.Equal(t, []string{a2}, answer())
		d.done(a2, d.routeOf("1", "7"))
		assert.Equal(t, []string{a3}, answer())
	})
}

func TestOneAnswerKeepsConversationsApart(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: 50 * ms}, Rates{Page: 1000, Bulk: 1000, Media: 1000, Thread: time.Second})
	for range 2 {
		for _, psid := range []string{"7", "8"} {
			d.enqueue("1", psid, "x")
		}
	}
	first, _ := d.several(16)
	require.Equal(t, []time.Duration{0, ms}, slotsOf(first))
	for i, psid := range []string{"7", "8"} {
		d.done(first[i].id, d.routeOf("1", psid))
	}
	none, _ := d.several(16)
	assert.Empty(t, none)
	d.after(time.Second)
	second, _ := d.several(16)
	assert.Equal(t, []time.Duration{0, ms}, slotsOf(second))
}

func TestOneAnswerKeepsToTheBudget(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 1000, Bulk: 1000, Media: 1000, Budget: 3})
	for i := range 8 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	got, _ := d.several(16)
	assert.Len(t, got, 3)
	d.after(time.Hour)
	got, _ = d.several(16)
	assert.Empty(t, got)
}

func TestOneAnswerSharesByWeight(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 1000, Bulk: 1000, Media: 1000})
	d.setUp("heavy", "page", "1", "state", "running", "weight", 3)
	d.setUp("light", "page", "1", "state", "running", "weight", 1)
	heavy := []string{}
	for i := range 12 {
		heavy = append(heavy, d.enqueueIn("heavy", strconv.Itoa(i)))
		d.enqueueIn("light", strconv.Itoa(100+i))
	}
	got, _ := d.several(12)
	require.Len(t, got, 12)
	n := 0
	for _, id := range ids(got) {
		if slices.Contains(heavy, id) {
			n++
		}
	}
	assert.InDelta(t, 9, n, 1, "three of four")
}

func TestAnAnswerLeavesRoomForOtherPages(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Places: 8}, fast)
	for i := range 20 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	for range 4 {
		d.askFor(d.question())
		d.after(ms)
	}
	assert.Equal(t, 5, d.inHand(), "a page has no more than half of the places and one")
}

// Of a Redis that answers after 2 ms a job hears twice before it is sent. It is late after that.
func TestAFarRedisMakesNoJobLate(t *testing.T) {
	t.Parallel()
	d := newDesk(t, redistest.Mini(t), Config{}, fast, nil)
	l := line{clock: newClock(time.Unix(1000, 0)), ahead: 40 * time.Hour}
	d.clock = l.clock
	d.open(&Hand{ID: "1", slot: l.ahead.Microseconds()})
	late := func(by time.Duration) int { return d.late(l.clock.at(l.ahead.Microseconds()).Add(by)) }
	l.reply(0, ms, ms)
	assert.Zero(t, late(7*ms))
	assert.Equal(t, 1, late(9*ms))

	*l.clock = clock{base: l.clock.base}
	l.reply(0, time.Second, time.Second)
	assert.Equal(t, 1, late(d.cfg.Lead), "one that hardly answers is no reason to take many")
}

// TestWhatAsynqDidNotGetGoesBack stops a worker that has several jobs and gave asynq one of them.
func TestWhatAsynqDidNotGetGoesBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Places: 10}, fast, nil)
		var all []string
		for i := range 5 {
			all = append(all, d.enqueue("1", strconv.Itoa(i), "x"))
		}
		keys := []string{d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease()}
		require.NoError(t, d.dequeue(keys, []any{1}).Err())
		require.Equal(t, 5, d.inHand(), "one question, and all are in hand")
		begun := d.Begin(all[0])
		require.NotNil(t, begun)
		d.Drain()
		for i, h := range d.Unbegun() {
			require.Equal(t, all[i+1], h.ID)
			got, err := d.Await(ctx, h, Ask{Route: d.routeOf("1", strconv.Itoa(i+1))})
			require.NoError(t, err)
			require.Equal(t, Back, got.Verdict)
			d.taken[h.ID] = h
			d.putBack(h.ID, d.routeOf("1", strconv.Itoa(i+1)), got.Where)
		}
		assert.Equal(t, 1, d.inHand())
		assert.Equal(t, all[1:], d.rdb.ZRange(ctx, d.keys.Line("1:bulk"), 0, -1).Val(), "at the head, in their order")
		for _, id := range all[1:] {
			assert.False(t, d.rdb.HExists(ctx, d.keys.Task(id), "mark").Val(), "it was not sent")
		}
		require.ErrorContains(t, d.dequeue(keys, []any{1}).Err(), "nil", "it takes no more")
	})
}

func TestJobsThatADeadWorkerDidNotBeginAreTakenOver(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d, other := newDesk(t, addr, Config{Places: 10}, fast, nil), newDesk(t, addr, Config{}, fast, nil)
		var all []string
		for i := range 4 {
			all = append(all, d.enqueue("1", strconv.Itoa(i), "x"))
		}
		keys := []string{d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease()}
		require.NoError(t, d.dequeue(keys, []any{1}).Err())
		d.lose(all[3])
		for _, id := range all {
			assert.Equal(t, id, other.next())
		}
	})
}
