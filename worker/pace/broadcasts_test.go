package pace

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// setUp sets fields of a broadcast at page 1, and makes its line due as those do who change a broadcast.
func (d *desk) setUp(broadcast string, fields ...any) {
	d.t.Helper()
	ctx := context.Background()
	require.NoError(d.t, d.rdb.HSet(ctx, d.keys.Broadcast(broadcast), fields...).Err())
	d.rdb.ZAddXX(ctx, d.keys.Due(), redis.Z{Score: float64(d.rdb.Time(ctx).Val().UnixMicro()), Member: "1:bulk:@" + broadcast})
}

// routeIn is the route of a person's job in a broadcast.
func (d *desk) routeIn(broadcast, psid string) producer.Route {
	r := d.routeOf("1", psid)
	r.Line.Broadcast = broadcast
	return r
}

// enqueueIn stores a job of a broadcast at page 1.
func (d *desk) enqueueIn(broadcast, psid string) string {
	d.t.Helper()
	return d.enqueue("1", psid, "x", producer.InBroadcast(broadcast))
}

func (d *desk) lineOf(id string) string {
	d.t.Helper()
	return d.rdb.HGet(context.Background(), d.keys.Task(id), "group").Val()
}

func TestABroadcastHasALineOfItsOwn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, Rates{Page: 1e4, Bulk: 1e4, Media: 0.01}, nil)
		a, b := d.enqueueIn("sale", "1"), d.enqueueIn("sale", "2")
		assert.Equal(t, "1:bulk:@sale", d.lineOf(a))
		h := d.takeJob(a)
		h.Place(d.routeIn("sale", "1"))
		assert.Equal(t, "1:bulk:@sale", h.line)
		assert.NotZero(t, h.slot)
		d.putBack(a, d.routeIn("sale", "1"), Head)
		assert.Equal(t, "1:bulk:@sale", d.lineOf(a))
		d.takeJob(a)
		d.rdb.LRem(ctx, d.keys.Active(), 0, a)
		d.rdb.LPush(ctx, d.keys.Pending(), a) // a retry that came due
		assert.Equal(t, a, d.next())
		assert.Equal(t, "1:bulk:@sale", d.rdb.HGet(ctx, d.keys.Task(a), "line").Val())
		assert.Equal(t, b, d.next())

		videos := make([]string, 2)
		for i := range videos {
			r, err := d.producer.Enqueue(ctx, producer.Job{
				PageID: "1", Lane: producer.LaneBulk, Broadcast: "sale",
				Request: []byte(`{"recipient":` + person(strconv.Itoa(10+i)) + `,"messaging_type":"UPDATE","message":` + video + `}`),
			})
			require.NoError(t, err)
			videos[i] = r.ID
		}
		d.takeJob(videos[0])
		require.Empty(t, d.next())
		assert.Equal(t, "1:bulk:media", d.lineOf(videos[1]))
		require.NoError(t, d.SetRates(ctx, Limits{Others: fast}))
		h = d.takeJob(videos[1])
		assert.Equal(t, "1:bulk:@sale", d.rdb.HGet(ctx, d.keys.Task(videos[1]), "line").Val(), "where it goes back to")
		h.Place(producer.Route{Line: d.routeIn("sale", "11").Line, Class: producer.ClassMedia})
		assert.NotZero(t, h.slot, "it keeps the slot of the side line")
	})
}

func TestAJobOfAnotherLineMovesToItsOwn(t *testing.T) {
	t.Parallel()
	line := func(name string) producer.Line {
		l, ok := producer.ParseLine(name)
		require.True(t, ok, name)
		return l
	}
	rows := []struct {
		from, home, moved string
		class             producer.Class
	}{
		{"1:bulk:@a", "1:bulk:@a", "", producer.ClassPlain},
		{"1:bulk", "1:bulk:@a", "", producer.ClassPlain},
		{"1:bulk:later", "1:bulk:@a", "", producer.ClassPlain},
		{"1:bulk:@b", "1:bulk:@a", "1:bulk:@a", producer.ClassPlain},
		{"1:bulk:@a", "1:bulk", "1:bulk", producer.ClassPlain},
		{"1:bulk:@a", "1:realtime", "1:realtime", producer.ClassPlain},
		{"2:bulk:@a", "1:bulk:@a", "1:bulk:@a", producer.ClassPlain},
		{"", "1:bulk:@a", "1:bulk:@a", producer.ClassPlain},
		{"1:bulk:@a", "1:bulk:@a", "1:bulk:media", producer.ClassMedia},
		{"1:bulk:media", "1:bulk:@a", "", producer.ClassMedia},
	}
	for _, row := range rows {
		h := &Hand{ID: "another-client", line: row.from, slot: 1}
		h.Place(producer.Route{Line: line(row.home), Class: row.class})
		assert.Equal(t, row.moved, h.moved, "%+v", row)
		assert.Equal(t, row.moved == "", h.slot != 0, "%+v", row)
	}
}

func TestABroadcastThatDoesNotSend(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, fast)
	job := d.enqueueIn("sale", "1")
	for _, state := range []string{"paused", "loading", "cancelled", "a state of the future"} {
		d.setUp("sale", "state", state)
		assert.Empty(t, d.drain(), state)
		d.after(time.Hour)
		assert.Empty(t, d.drain(), state)
		assert.Equal(t, "broadcast", d.status().Lines[0].Limit, state)
	}
	d.setUp("sale", "state", "running", "window", "nine to five")
	assert.Empty(t, d.drain(), "a window that cannot be read")
	d.setUp("sale", "window", "0 86400 0")
	assert.Equal(t, []handed{{job, 0}}, d.drain())
}

func TestABroadcastStartsAtItsTimeAndKeepsToItsWindow(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Second}, fast) // it is 7:00 UTC
	start := d.now.Add(30 * time.Minute)
	jobs := make([]string, 4)
	for i := range jobs {
		jobs[i] = d.enqueueIn("sale", strconv.Itoa(i))
	}
	// From 9:00 to 9:00:10 an hour east of UTC.
	d.setUp("sale", "start", start.UnixMicro(), "window", "32400 32410 3600", "every", 4e6)
	assert.Empty(t, d.drain())
	d.after(time.Hour - 2*time.Second)
	assert.Empty(t, d.drain())
	d.after(1500 * time.Millisecond)
	assert.Equal(t, []handed{{jobs[0], 500 * time.Millisecond}}, d.drain(), "handed out a lead ahead, for the moment it opens")
	d.after(4500 * time.Millisecond)
	assert.Equal(t, []handed{{jobs[1], 0}}, d.drain())
	d.after(4 * time.Second)
	assert.Equal(t, []handed{{jobs[2], 0}}, d.drain())
	d.after(4 * time.Second)
	assert.Empty(t, d.drain(), "it is over for today")
	d.after(24*time.Hour - 12*time.Second)
	assert.Equal(t, []handed{{jobs[3], 0}}, d.drain())
}

func TestItsPaceIsAnIntervalOfItsOwn(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 10, Bulk: 10, Media: 10})
	d.setUp("slow", "every", 1e6)
	for i := range 100 {
		d.enqueueIn("slow", strconv.Itoa(i))
		d.enqueue("1", strconv.Itoa(1000+i), "x")
	}
	slow, all := 0, 0
	for range 500 {
		for _, h := range d.drain() {
			if all++; d.rdb.HGet(context.Background(), d.keys.Task(h.id), "line").Val() == "1:bulk:@slow" {
				slow++
			}
		}
		d.after(10 * time.Millisecond)
	}
	assert.Equal(t, 5, slow, "in five seconds")
	assert.InDelta(t, 50, all, 1, "the others have the rest")

	last := d.drain()
	for len(last) == 0 || d.taken[last[0].id].line != "1:bulk:@slow" {
		d.after(10 * time.Millisecond)
		last = d.drain()
	}
	require.NoError(t, d.Unused(context.Background(), d.taken[last[0].id]))
	assert.Equal(t, "1:bulk:@slow", d.taken[d.drain()[0].id].line, "a slot that was not used comes back to it")
}

// shares hands out n slots one by one, and counts by line whose they were.
func (d *clockedDesk) shares(n int) map[string]int {
	d.t.Helper()
	count := map[string]int{}
	for range n {
		jobs := d.drain()
		require.Len(d.t, jobs, 1, "%v: no slot is left out", count)
		count[d.taken[jobs[0].id].line]++
		d.done(jobs[0].id, producer.Route{Line: producer.Line{PageID: "1"}, Recipient: recipientOf(jobs[0].id)})
		d.after(100 * time.Millisecond)
	}
	return count
}

func TestLinesThatHaveEndedAreForgottenWhenOthersBegin(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 10, Bulk: 10, Media: 10})
	for i := range 50 {
		d.enqueueIn("day-"+strconv.Itoa(i), strconv.Itoa(i))
		d.shares(1)
	}
	shared := d.rdb.Get(context.Background(), d.keys.Shares("1")).Val()
	assert.LessOrEqual(t, strings.Count(shared, "@"), 2, "a broadcast of one job each day: %s", shared)
}

func TestLinesShareByWeight(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 10, Bulk: 10, Media: 10})
	d.setUp("heavy", "weight", 5)
	for i := range 1000 {
		d.enqueueIn("heavy", strconv.Itoa(i))
		d.enqueueIn("light", strconv.Itoa(1000+i))
		d.enqueue("1", strconv.Itoa(2000+i), "x")
	}
	assertShares := func(n int, want map[string]int) {
		t.Helper()
		got := d.shares(n)
		for line, count := range want {
			assert.InDelta(t, count, got[line], 1, "%v", got)
		}
	}
	assertShares(70, map[string]int{"1:bulk": 10, "1:bulk:@heavy": 50, "1:bulk:@light": 10})
	d.setUp("heavy", "state", "paused")
	assertShares(50, map[string]int{"1:bulk": 25, "1:bulk:@light": 25})
	d.setUp("heavy", "state", "running")
	assertShares(70, map[string]int{"1:bulk": 10, "1:bulk:@heavy": 50, "1:bulk:@light": 10}) // nothing is caught up with
	d.setUp("heavy", "weight", 2)
	for i := range 12 {
		d.enqueueIn("new", strconv.Itoa(5000+i))
	}
	assertShares(50, map[string]int{"1:bulk": 10, "1:bulk:@heavy": 20, "1:bulk:@light": 10, "1:bulk:@new": 10})
	ctx := context.Background()
	for _, name := range []string{"heavy", "light", "new"} {
		d.rdb.Del(ctx, d.keys.Line("1:bulk:@"+name))
	}
	d.after(time.Second)
	d.shares(3)
	assert.Zero(t, d.rdb.Exists(ctx, d.keys.Shares("1")).Val(), "no broadcast is left that shares")
}

func TestAnAnswerGoesBeforeABroadcast(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 10, Bulk: 10, Media: 10})
	first, last := d.enqueueIn("sale", "1"), d.enqueueIn("sale", "2")
	require.Equal(t, []string{first}, ids(d.drain()))
	answer := d.enqueue("1", "2", "x", producer.InLane(producer.LaneRealtime))
	d.after(time.Second)
	assert.Equal(t, []string{answer}, ids(d.drain()))
	d.done(answer, d.routeOf("1", "2"))
	d.after(time.Second)
	assert.Equal(t, []string{last}, ids(d.drain()))
}

func TestItsLineWakesUpWhenItsPageIsReleased(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		_, err := d.Pause(ctx, "1", time.Hour, Reason{})
		require.NoError(t, err)
		job := d.enqueueIn("sale", "1")
		require.Empty(t, d.next())
		_, err = d.Release(ctx, "1")
		require.NoError(t, err)
		assert.Equal(t, job, d.next())
	})
}

// A job of a broadcast that was paused is stopped by the permit, and its recipient is free for all others.
func TestAPauseStopsWhatIsInHand(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		sale := d.routeIn("sale", "7")
		job := d.enqueueIn("sale", "7")
		d.takeJob(job)
		other := d.enqueueIn("other", "7")
		require.Empty(t, d.next(), "it waits for the first one to its recipient")
		d.setUp("sale", "state", "paused")
		p := d.permitFor(d.taken[job], Ask{Route: sale})
		require.Equal(t, Permit{Verdict: Back, Where: Head, Why: "its broadcast does not send now"}, p)
		require.NoError(t, d.Unused(ctx, d.taken[job]))
		d.putBack(job, sale, p.Where)
		d.takeJob(other)
		d.done(other, d.routeIn("other", "7"))
		answer := d.enqueue("1", "7", "x", producer.InLane(producer.LaneRealtime))
		d.takeJob(answer)
		assert.Empty(t, d.next())
		d.setUp("sale", "state", "running")
		assert.Empty(t, d.next(), "it waits for the answer")
		d.done(answer, d.routeOf("1", "7"))
		d.takeJob(job)
		assert.Equal(t, Go, d.permitFor(d.taken[job], Ask{Route: sale}).Verdict)
	})
}

func TestAJobThatAnOlderVersionEnqueuedWaitsInItsLineOncePaused(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		var jobs []string
		for i := range 2 {
			id := d.enqueueIn("old", strconv.Itoa(i))
			d.rdb.ZRem(ctx, d.keys.Line("1:bulk:@old"), id)
			d.rdb.ZAdd(ctx, d.keys.Line("1:bulk"), redis.Z{Score: 5, Member: id})
			d.rdb.HSet(ctx, d.keys.Task(id), "group", "1:bulk")
			jobs = append(jobs, id)
		}
		d.rdb.Del(ctx, d.keys.Groups(), d.keys.Due())
		d.rdb.SAdd(ctx, d.keys.Groups(), "1:bulk")
		route := d.routeIn("old", "0")
		h := d.takeJob(jobs[0])
		h.Place(route)
		got, err := d.Await(ctx, h, Ask{Route: route})
		require.NoError(t, err)
		assert.Equal(t, Go, got.Verdict)
		d.done(jobs[0], route)

		d.setUp("old", "state", "paused")
		route = d.routeIn("old", "1")
		h = d.takeJob(jobs[1])
		h.Place(route)
		got, err = d.Await(ctx, h, Ask{Route: route})
		require.NoError(t, err)
		require.Equal(t, Back, got.Verdict)
		d.putBack(jobs[1], route, got.Where)
		assert.Equal(t, "1:bulk:@old", d.lineOf(jobs[1]))
		assert.Empty(t, d.next())
		d.setUp("old", "state", "running")
		d.takeJob(jobs[1])
	})
}

func TestJobsThatSteppedAsideGoHomeInAPause(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 1000, Bulk: 1000, Media: 1})
	var jobs []string
	for i := range 3 {
		r, err := d.producer.Enqueue(context.Background(), producer.Job{
			PageID: "1", Lane: producer.LaneBulk, Broadcast: "sale",
			Request: []byte(`{"recipient":` + person(strconv.Itoa(i)) + `,"messaging_type":"UPDATE","message":` + video + `}`),
		})
		require.NoError(t, err)
		jobs = append(jobs, r.ID)
	}
	require.Equal(t, jobs[:1], ids(d.drain()))
	other := d.store("1", person("9"), video)
	require.Equal(t, "1:bulk:media", d.lineOf(jobs[2]))
	d.setUp("sale", "state", "paused")
	d.after(time.Second)
	assert.Equal(t, []string{other}, ids(d.drain()), "others are not held up")
	assert.Equal(t, "1:bulk:@sale", d.lineOf(jobs[2]))
	assert.Empty(t, d.rdb.HGetAll(context.Background(), d.keys.Busy()).Val()["1:"+recipientOf(jobs[2])])
	d.setUp("sale", "state", "running")
	d.after(time.Second)
	assert.Equal(t, jobs[1:2], ids(d.drain()))
}

// A broadcast of videos would bring all of them into the side line, which goes before the lines of others.
func TestSteppingAsideIsATurn(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 10, Bulk: 10, Media: 1})
	for i := range 100 {
		_, err := d.producer.Enqueue(context.Background(), producer.Job{
			PageID: "1", Lane: producer.LaneBulk, Broadcast: "videos",
			Request: []byte(`{"recipient":` + person(strconv.Itoa(i)) + `,"messaging_type":"UPDATE","message":` + video + `}`),
		})
		require.NoError(t, err)
		d.enqueueIn("texts", strconv.Itoa(1000+i))
	}
	count := d.shares(50)
	assert.InDelta(t, 5, count["1:bulk:@videos"]+count["1:bulk:media"], 1)
	aside := d.rdb.ZCard(context.Background(), d.keys.Line("1:bulk:media")).Val()
	assert.LessOrEqual(t, aside, int64(50))
}
