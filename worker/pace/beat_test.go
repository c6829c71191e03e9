package pace

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestReapPutsBackWhatNobodyWouldSettle(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		dead, alive := newDesk(t, addr, Config{}, fast, nil), newDesk(t, addr, Config{}, fast, nil)
		for _, w := range []*desk{d, dead, alive} {
			require.NoError(t, w.Beat(ctx))
		}
		ofDead, ofAlive, mine := d.enqueue("1", "1", "x"), d.enqueue("1", "2", "x"), d.enqueue("1", "3", "x")
		lostAnswer, old, oldOver := d.enqueue("1", "4", "x"), d.enqueue("1", "5", "x"), d.enqueue("1", "6", "x")
		dead.takeJob(ofDead)
		alive.takeJob(ofAlive)
		d.takeJob(mine)
		d.End(d.takeJob(lostAnswer)) // in the list, and nobody knows of it
		d.takeJob(old)
		d.takeJob(oldOver)
		lostEarlier := d.enqueue("1", "7", "x")
		d.End(d.takeJob(lostEarlier))
		for _, id := range []string{old, oldOver} {
			d.rdb.HDel(ctx, d.keys.Task(id), "owner") // in the hands of a worker of an older version
		}
		d.rdb.ZRem(ctx, d.keys.Lease(), oldOver)
		d.rdb.LPush(ctx, d.keys.Active(), "no-task")
		ahead := strconv.FormatInt(time.Now().Add(time.Hour).UnixMicro(), 10)
		d.rdb.HSet(ctx, d.keys.Task(lostEarlier), "owner", d.id+":"+ahead) // the clock went back since
		past := strconv.FormatInt(time.Now().Add(-time.Minute).UnixMicro(), 10)
		d.rdb.HSet(ctx, d.keys.Task(lostAnswer), "owner", d.id+":"+past)
		d.rdb.ZAdd(ctx, d.keys.Workers(), redis.Z{Score: float64(time.Now().Add(-deadAfter).UnixMicro()), Member: dead.id})

		seen := &watcher{}
		d.cfg.Observer = seen
		require.NoError(t, d.reap(ctx, false, lostAfter))
		assert.ElementsMatch(t, []string{lostAnswer, lostEarlier}, seen.back, "not the reaper: its own alone")
		seen.back = nil
		require.NoError(t, d.reap(ctx, true, lostAfter))
		assert.ElementsMatch(t, []string{ofDead, oldOver}, seen.back)
		assert.Equal(t, []string{"no-task"}, seen.lost)
		assert.ElementsMatch(t, []string{ofAlive, mine, old}, d.rdb.LRange(ctx, d.keys.Active(), 0, -1).Val())
		assert.Equal(t, []string{ofDead, lostAnswer, oldOver, lostEarlier}, []string{d.next(), d.next(), d.next(), d.next()}, "to the head, in their order")
	})
}

func TestReapLooksAtAllJobsInHand(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d, dead := newDesk(t, addr, Config{}, fast, nil), newDesk(t, addr, Config{}, fast, nil)
		var want []string
		for i := range 2*reapSize + 7 {
			want = append(want, d.enqueue("1", strconv.Itoa(i), "x"))
			w := d
			if i < 3 || i > 2*reapSize {
				w = dead
			}
			w.takeJob(want[i])
		}
		require.NoError(t, d.Beat(ctx))
		seen := &watcher{}
		d.cfg.Observer = seen
		require.NoError(t, d.reap(ctx, true, lostAfter))
		assert.ElementsMatch(t, append(want[:3:3], want[2*reapSize+1:]...), seen.back)
	})
}

func TestAJobOfNoLineGoesBackToPending(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		_, err := asynq.NewClientFromRedisClient(d.rdb).Enqueue(asynq.NewTask("other", nil),
			asynq.Queue(producer.DefaultQueue), asynq.TaskID("x"))
		require.NoError(t, err)
		require.Equal(t, "task", d.ask().verb)
		d.lose("x")
		assert.Equal(t, []string{"x"}, d.rdb.LRange(ctx, d.keys.Pending(), 0, -1).Val())
		assert.Equal(t, "pending", d.rdb.HGet(ctx, d.keys.Task("x"), "state").Val())
		require.Equal(t, "task", d.ask().verb)
	})
}

// TestNobodyIsDeadWhileNobodyCouldBeat moves the beats into the past, as an outage of Redis does.
func TestNobodyIsDeadWhileNobodyCouldBeat(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		a, b := newDesk(t, addr, Config{}, fast, nil), newDesk(t, addr, Config{}, fast, nil)
		score := func(w *desk, ago time.Duration) {
			a.rdb.ZAdd(ctx, a.keys.Workers(), redis.Z{Score: float64(time.Now().Add(-ago).UnixMicro()), Member: w.id})
		}
		steady := func(ago time.Duration) {
			a.rdb.Set(ctx, a.keys.Steady(), time.Now().Add(-ago).UnixMicro(), 0)
		}
		beat := func(w *desk) bool {
			reap, err := w.beat(ctx)
			require.NoError(t, err)
			return reap
		}
		assert.False(t, beat(a), "the first beat ever")
		steady(deadAfter)
		assert.True(t, beat(a))
		assert.False(t, beat(b), "one reaps at a time")
		score(a, time.Hour)
		score(b, time.Hour)
		assert.False(t, beat(a), "Redis was away: b may be on its way back")
		steady(deadAfter)
		assert.True(t, beat(a))
		score(b, -time.Hour)
		assert.False(t, beat(a), "the clock went back by an hour")
		assert.Zero(t, a.rdb.ZScore(ctx, a.keys.Workers(), b.id).Val(), "a beat in the future says nothing")
		a.rdb.Del(ctx, a.keys.Reaper()) // a has not beaten for too long
		steady(deadAfter)
		score(b, forgetAfter)
		beat(b)
		score(a, forgetAfter)
		beat(b)
		assert.Equal(t, []string{b.id}, a.rdb.ZRange(ctx, a.keys.Workers(), 0, -1).Val())
		assert.Len(t, a.rdb.HGetAll(ctx, a.keys.WorkersInfo()).Val(), 1)
	})
}

// steadyFleet are a worker that reaps and one that is spared, on a clock of the test's.
func steadyFleet(t *testing.T) (reaper *clockedDesk, spared *desk) {
	t.Helper()
	reaper = newClockedDesk(t, Config{}, fast)
	spared = newDesk(t, reaper.mini.Addr(), Config{}, fast, nil)
	for range deadAfter / beatEvery {
		require.False(t, reaper.beats(), "nobody reaps yet")
		require.NoError(t, spared.Beat(context.Background()))
		require.False(t, spared.spared.Load())
		reaper.after(beatEvery)
	}
	require.True(t, reaper.beats())
	require.NoError(t, spared.Beat(context.Background()))
	require.True(t, spared.spared.Load())
	return reaper, spared
}

// beats is true if the worker is to reap.
func (d *desk) beats() bool {
	d.t.Helper()
	reap, err := d.beat(context.Background())
	require.NoError(d.t, err)
	return reap
}

func TestAWorkerThatIsSparedBeatsForLess(t *testing.T) {
	t.Parallel()
	a, b := steadyFleet(t)
	ctx := context.Background()
	assert.False(t, a.leavesOut(1), "it reaps")
	assert.Equal(t, []bool{true, false}, []bool{b.leavesOut(1), b.leavesOut(idleBeats)})
	b.takeJob(b.enqueue("1", "7", "x"))
	assert.False(t, b.leavesOut(1), "it has a job in hand")

	a.mini.Del(a.keys.Workers())
	a.mini.Del(a.keys.WorkersInfo())
	require.NoError(t, b.Beat(ctx))
	assert.Len(t, a.status().Workers, 1, "it says again who it is where it was forgotten")
}

func TestABeatThatIsSparedIsFourCommands(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t, redistest.Server(t), Config{}, fast, nil)
	require.NoError(t, d.Beat(ctx))
	d.rdb.Set(ctx, d.keys.Reaper(), "another", time.Minute)
	require.NoError(t, d.rdb.ConfigResetStat(ctx).Err())
	require.NoError(t, d.Beat(ctx))
	require.NoError(t, d.reap(ctx, false, lostAfter))
	stats := d.rdb.Info(ctx, "stats").Val()
	assert.Contains(t, stats, "total_commands_processed:6\r", "the beat, one for what is in hand, which is nothing, and one of this test")
}

func TestAnotherWorkerReapsWhereTheReaperIsGone(t *testing.T) {
	t.Parallel()
	a, b := steadyFleet(t)
	id := a.enqueue("1", "7", "x")
	a.takeJob(id)
	seen := &watcher{}
	b.cfg.Observer = seen
	for since := time.Duration(0); len(seen.back) == 0; since += beatEvery {
		require.Less(t, since, 15*time.Second)
		if b.beats() {
			require.NoError(t, b.reap(context.Background(), true, lostAfter))
		}
		a.after(beatEvery)
	}
	assert.Equal(t, []string{id}, seen.back)
}

func TestAnIdleWorkerLooksForTheJobsThatItNeverHeardOf(t *testing.T) {
	t.Parallel()
	for first := range ownEvery * idleBeats {
		a, b := steadyFleet(t)
		id := b.enqueue("1", "7", "x")
		b.End(b.takeJob(id)) // as if the answer that handed it out had been lost
		seen := &watcher{}
		b.cfg.Observer = seen
		for n := 1; len(seen.back) == 0; n++ {
			require.Less(t, time.Duration(n)*beatEvery, 15*time.Second, "from beat %d on", first)
			a.after(beatEvery)
			require.True(t, a.beats())
			require.NoError(t, b.care(context.Background(), first+n))
		}
		assert.Equal(t, []string{id}, seen.back)
	}
}

// TestAFirstJobIsSafeFromAGap has an idle worker take a job just before its beat, and nobody beats for a while then.
func TestAFirstJobIsSafeFromAGap(t *testing.T) {
	t.Parallel()
	for _, gap := range []time.Duration{gapAfter, gapAfter + time.Millisecond, time.Minute} {
		a, b := steadyFleet(t)
		seen := &watcher{}
		a.cfg.Observer = seen
		for range idleBeats {
			a.after(beatEvery)
			require.True(t, a.beats())
		}
		b.takeJob(b.enqueue("1", "7", "x"))
		a.after(gap)
		if a.beats() {
			require.NoError(t, a.reap(context.Background(), true, lostAfter))
		}
		assert.Empty(t, seen.back, "after %v without a beat", gap)
		require.NoError(t, b.Beat(context.Background()))
	}
}

func TestTheFirstToBeatAfterAGapSeesIt(t *testing.T) {
	t.Parallel()
	a, b := steadyFleet(t)
	a.after(gapAfter + time.Millisecond)
	assert.False(t, b.beats())
	assert.False(t, b.spared.Load())
	assert.False(t, a.beats(), "b may have been away as long as it")
}

func TestAWorkerThatLeavesWithNothingInHandIsForgotten(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Version: "1.2"}, fast, nil)
		running := func() []WorkerInfo {
			s, err := ReadStatus(ctx, d.rdb, "")
			require.NoError(t, err)
			return s.Workers
		}
		require.NoError(t, d.Beat(ctx))
		require.Len(t, running(), 1)
		assert.Equal(t, "1.2", running()[0].Version)
		assert.Equal(t, os.Getpid(), running()[0].PID)
		last := d.rdb.ZScore(ctx, d.keys.Workers(), d.id).Val()
		d.rdb.ZAdd(ctx, d.keys.Workers(), redis.Z{Score: last - float64(deadAfter.Microseconds()), Member: d.id})
		assert.Empty(t, running(), "it is taken for dead")
		require.NoError(t, d.Beat(ctx))
		id := d.enqueue("1", "7", "x")
		d.takeJob(id)
		require.NoError(t, d.Close(ctx))
		assert.EqualValues(t, 1, d.rdb.ZCard(ctx, d.keys.Workers()).Val(), "its send may end yet")
		d.done(id, d.routeOf("1", "7"))
		require.NoError(t, d.Close(ctx))
		assert.Zero(t, d.rdb.Exists(ctx, d.keys.Workers(), d.keys.WorkersInfo()).Val())
	})
}
