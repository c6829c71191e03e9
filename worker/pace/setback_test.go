package pace

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/redistest"
)

func TestAFleetGoesOnWhereTheClockWentBack(t *testing.T) {
	t.Parallel()
	for _, back := range []time.Duration{2 * time.Second, time.Hour} {
		ctx := context.Background()
		d := newClockedDesk(t, Config{}, Rates{Page: 1, Bulk: 1, Media: 1, Thread: 5 * time.Second})
		other := newDesk(t, d.mini.Addr(), Config{}, fast, nil)
		require.NoError(t, other.SetRates(ctx, Limits{Others: Rates{Page: 1, Bulk: 1, Media: 1, Thread: 5 * time.Second}}))
		first, later := d.enqueue("1", "7", "x"), d.enqueue("1", "7", "x")
		var rest []string
		for i := range 4 {
			rest = append(rest, d.enqueue("1", strconv.Itoa(i), "x"))
		}
		idle := d.enqueue("2", "7", "x")
		require.ElementsMatch(t, []string{first, idle}, ids(d.drain()))
		d.done(first, d.routeOf("1", "7"))
		d.done(idle, d.routeOf("2", "7"))
		d.after(100 * time.Millisecond)
		require.Empty(t, d.drain(), "the page's next slot is later")
		d.rdb.Set(ctx, d.keys.Reaper(), "gone", time.Hour)
		d.rdb.HDel(ctx, d.keys.Outcomes(), "1:accepted", "1:sent", "2:accepted") // a plain client of asynq counts no job

		d.setBack(back)
		require.Equal(t, "lookout", other.ask().verb, "the one that was it may be gone")
		assert.False(t, d.mini.Exists(d.keys.Reaper()))
		got := map[string]time.Duration{}
		for at := time.Duration(0); at < 6*time.Second; at += 50 * time.Millisecond {
			if at == time.Second {
				idle = d.enqueue("2", "7", "x")
			}
			for _, h := range d.drain() {
				got[h.id] = (at + h.slot).Round(100 * time.Millisecond)
				d.rdb.HDel(ctx, d.keys.Busy(), "1:"+recipientOf(h.id))
			}
			d.after(50 * time.Millisecond)
		}
		const s = time.Second
		assert.Equal(t, map[string]time.Duration{
			rest[0]: s - 100*ms, rest[1]: 2*s - 100*ms, rest[2]: 3*s - 100*ms, rest[3]: 4*s - 100*ms,
			later: 5*s - 100*ms, idle: 5*s - 100*ms,
		}, got, "by %v: as if it had not been set", back)
	}
}

func TestAFleetThatWasDownGoesOnWhereTheClockWentBack(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 1, Bulk: 1, Media: 1, Thread: 5 * time.Second})
	first, second := d.enqueue("1", "7", "x"), d.enqueue("1", "7", "x")
	require.Equal(t, []string{first}, ids(d.drain()))
	d.done(first, d.routeOf("1", "7"))
	require.Empty(t, d.drain())
	d.after(10 * time.Minute)
	d.setBack(time.Hour)
	require.Empty(t, d.drain(), "nobody knows how long it was down")
	d.after(5 * time.Second)
	assert.Equal(t, []string{second}, ids(d.drain()))
}

func TestABroadcastKeepsItsPaceWhereTheClockWentBack(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, fast)
	d.setUp("slow", "every", 2e6)
	jobs := []string{d.enqueueIn("slow", "1"), d.enqueueIn("slow", "2")}
	require.Equal(t, jobs[:1], ids(d.drain()))
	d.setBack(time.Hour)
	require.Empty(t, d.drain())
	d.after(1900 * time.Millisecond)
	assert.Empty(t, d.drain())
	d.after(100 * time.Millisecond)
	assert.Equal(t, jobs[1:], ids(d.drain()))
}

func TestAClimbGoesOnWhereTheClockWentBack(t *testing.T) {
	t.Parallel()
	d := climber(t)
	jobs := d.drain()
	require.Len(t, jobs, 1)
	d.settle(jobs[0].id, "0", Report{Accepted: true})
	d.gaps(20 * time.Second)
	was := d.status().Pages[0]
	require.Equal(t, "climb", was.Stage)
	d.setBack(time.Hour)
	d.drain()
	assert.Equal(t, was.Percent, d.status().Pages[0].Percent)
	d.gaps(time.Minute)
	assert.Equal(t, "steady", d.status().Pages[0].Stage)
}

func TestAClimbFromBeforeTheClockWentAheadIsNotOver(t *testing.T) {
	t.Parallel()
	d := climber(t)
	jobs := d.drain()
	require.Len(t, jobs, 1)
	d.settle(jobs[0].id, "0", Report{Accepted: true})
	d.rdb.Set(context.Background(), d.keys.Looked(), d.now.Add(time.Hour).UnixMicro(), 0)
	d.after(time.Second)
	d.drain()
	page := d.status().Pages[0]
	assert.Equal(t, []any{"climb", 26}, []any{page.Stage, page.Percent})
}

// On a real server the time that a key has left grows as the clock goes back.
func TestAPauseIsNotLongerWhereTheClockWentBack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t, redistest.Server(t), Config{}, fast, nil)
	d.enqueue("1", "7", "x")
	for _, scope := range []string{"1", App} {
		_, err := d.Pause(ctx, scope, time.Minute, Reason{})
		require.NoError(t, err)
		d.rdb.PExpire(ctx, d.keys.Pause(scope), time.Hour+time.Minute)
	}
	require.NoError(t, d.Hold(ctx, "2", Reason{}))
	_, err := d.Pause(ctx, "3", 2*time.Hour, Reason{Text: "before the clock went ahead"})
	require.NoError(t, err)
	d.rdb.HSet(ctx, d.keys.Outcomes(), "2:accepted", 1, "3:accepted", 1)
	d.rdb.Set(ctx, d.keys.Looked(), time.Now().Add(time.Hour).UnixMicro(), time.Minute)
	d.ask()
	for _, scope := range []string{"1", App} {
		assert.InDelta(t, time.Minute, d.rdb.PTTL(ctx, d.keys.Pause(scope)).Val(), float64(30*time.Second), scope)
	}
	assert.EqualValues(t, -1, d.rdb.PTTL(ctx, d.keys.Pause("2")).Val(), "a hold stays")
	assert.Greater(t, d.rdb.PTTL(ctx, d.keys.Pause("3")).Val(), 110*time.Minute, "the platform asked for that long")
	left, err := ReadPause(ctx, d.rdb, d.keys.Queue, "3")
	require.NoError(t, err)
	assert.Equal(t, "before the clock went ahead", left.Text)
}

func TestASlotFromBeforeTheClockWentBackIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "x")
		h := d.takeJob(id)
		h.slot += time.Hour.Microseconds() // slotAt is when it would have been
		got, err := d.Await(ctx, h, Ask{Route: d.routeOf("1", "7")})
		require.NoError(t, err)
		assert.Equal(t, Go, got.Verdict)
		assert.InDelta(t, time.Now().UnixMicro(), h.slot, float64(time.Minute.Microseconds()))

		h.slot += time.Hour.Microseconds()
		require.NoError(t, d.Unused(ctx, h))
		due := d.rdb.ZScore(ctx, d.keys.Due(), "1:bulk")
		assert.Less(t, due.Val(), float64(time.Now().Add(time.Minute).UnixMicro()))
		d.rdb.ZAdd(ctx, d.keys.Due(), redis.Z{Member: "1:bulk"})
		require.NoError(t, d.Unused(ctx, h))
		assert.InDelta(t, time.Now().UnixMicro(), due.Val(), float64(time.Minute.Microseconds()))
	})
}

// Redis stands still meanwhile.
func TestOnlySoManyConversationsAreMovedWhereTheClockWentBack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t, redistest.Server(t), Config{}, fast, nil)
	looked := time.Now().Add(time.Hour)
	const most = 20_000
	var all []redis.Z
	for i := range most + 500 {
		at := looked.Add(time.Minute + time.Duration(i)*time.Microsecond)
		all = append(all, redis.Z{Score: float64(at.UnixMicro()), Member: "1:" + strconv.Itoa(i)})
	}
	require.NoError(t, d.rdb.ZAdd(ctx, d.keys.Threads(), all...).Err())
	d.rdb.Set(ctx, d.keys.Looked(), looked.UnixMicro(), 0)
	d.ask()
	require.EqualValues(t, most, d.rdb.ZCard(ctx, d.keys.Threads()).Val())
	for _, i := range []int64{0, 499, 500, most - 1} {
		z := d.rdb.ZRangeWithScores(ctx, d.keys.Threads(), i, i).Val()[0]
		assert.Equal(t, "1:"+strconv.FormatInt(i, 10), z.Member)
		assert.InDelta(t, time.Now().Add(time.Minute).UnixMicro(), z.Score, float64(30*time.Second.Microseconds()))
	}
}

func TestASlotIsNotWaitedForWhereTheClockWentBackAsItWasAskedFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d := newClockedDesk(t, Config{}, Rates{Page: 1e5, Bulk: 1e5, Media: 1e5, Thread: 5 * time.Second})
	h := d.takeJob(d.enqueue("1", "7", "x"))
	d.setBack(time.Hour)
	got, err := d.Await(ctx, h, Ask{Route: d.routeOf("1", "not in its id")})
	require.NoError(t, err)
	assert.Equal(t, []any{Back, Head}, []any{got.Verdict, got.Where})
}

// Another worker has seen already that the clock went back, and moves nothing a second time.
func TestAConversationIsNotSpacedFromASlotOfBeforeTheClockWentBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	rates := Rates{Page: 1e5, Bulk: 1e5, Media: 1e5, Thread: 5 * time.Second}
	d := newClockedDesk(t, Config{}, rates)
	route := d.routeOf("1", "not in its id")
	h := d.takeJob(d.enqueue("1", "7", "x"))
	d.setBack(time.Hour)
	require.Empty(t, newDesk(t, d.mini.Addr(), Config{}, rates, nil).next())
	d.after(time.Second)
	got, err := d.Await(ctx, h, Ask{Route: route})
	require.NoError(t, err)
	assert.Equal(t, Go, got.Verdict)
	score := d.rdb.ZScore(ctx, d.keys.Threads(), "1:"+route.Recipient).Val()
	assert.InDelta(t, d.now.Add(5*time.Second).UnixMicro(), score, float64(time.Second.Microseconds()))
}
