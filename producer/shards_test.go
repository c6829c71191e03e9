package producer_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/worker/redistest"
)

func shards(n int) producer.Shards { return producer.Shards{Queue: producer.DefaultQueue, Count: n} }

func setShards(t *testing.T, rdb redis.UniversalClient, n int) {
	t.Helper()
	require.NoError(t, producer.SetShards(bg, rdb, shards(n)))
}

// Clients in other languages reckon with these.
func TestPagesKeepTheirQueue(t *testing.T) {
	t.Parallel()
	rows := []struct {
		shards      int
		page, queue string
	}{
		{0, "1001", "messenger"},
		{1, "1001", "messenger"},
		{4, "1001", "messenger-1of4"},
		{4, "1002", "messenger-3of4"},
		{4, "1005", "messenger-0of4"},
		{3, "123456789", "messenger-2of3"}, // its CRC-32 is 0xcbf43926, by which implementations are checked
		{64, "123456789", "messenger-38of64"},
	}
	for _, row := range rows {
		s := shards(row.shards)
		assert.Equal(t, row.queue, s.QueueOf(row.page), "page %s of %d", row.page, row.shards)
		assert.Contains(t, s.Queues(), row.queue)
		assert.Len(t, s.Queues(), max(1, row.shards))
	}
}

func TestPagesSpreadEvenly(t *testing.T) {
	t.Parallel()
	pages := map[string]int{}
	for id := range 10_000 {
		pages[shards(16).QueueOf(fmt.Sprint(100_200_300_400_000+37*id))]++
	}
	require.Len(t, pages, 16)
	for queue, n := range pages {
		assert.InDelta(t, 625, n, 125, queue)
	}
}

func TestTheNumberOfShardsChangesOnlyWhileNothingIsToBeDone(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		old := fleet{t, rdb}
		job, err := p.Enqueue(bg, text("1001", "2", "x"))
		require.NoError(t, err)
		refused := func(says string) {
			t.Helper()
			err := producer.SetShards(bg, rdb, shards(4))
			require.ErrorIs(t, err, producer.ErrShards)
			assert.Contains(t, err.Error(), says)
			now, err := producer.ReadShards(bg, rdb, "")
			require.NoError(t, err)
			assert.Equal(t, shards(1), now)
			assert.Zero(t, rdb.Exists(bg, keys.Closed()).Val(), "open again")
		}
		refused("queue messenger has jobs; run workers with 1 shards until")
		for _, state := range []string{"pending", "retry"} {
			old.move(job.ID, state)
			refused("has jobs")
		}
		old.take(job.ID)
		refused("has jobs")
		old.takeOut(job.ID)
		later, err := p.Enqueue(bg, text("1001", "2", "x"), producer.At(time.Now().Add(time.Hour)))
		require.NoError(t, err)
		refused("has jobs")
		_, err = p.Cancel(bg, later.ID)
		require.NoError(t, err)
		rdb.SAdd(bg, keys.Groups(), "1001:bulk") // a line that has just become empty
		now := rdb.Time(bg).Val()
		rdb.ZAdd(bg, keys.Workers(), redis.Z{Score: float64(now.UnixMicro()), Member: "w"})
		refused("stop them all first")
		rdb.ZAdd(bg, keys.Workers(), redis.Z{Score: float64(now.Add(-time.Minute).UnixMicro()), Member: "w"})
		setShards(t, rdb, 4)
		setShards(t, rdb, 4)
		assert.EqualValues(t, 1, rdb.Exists(bg, keys.Closed()).Val())
	})
}

func TestAChangeThatBrokeOffIsMadeOrTakenBack(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		for _, next := range []int{1, 4, 7} {
			require.NoError(t, rdb.Set(bg, keys.Shards(), "1>4", 0).Err())
			require.NoError(t, rdb.Set(bg, keys.Closed(), "1", 0).Err())
			half, err := producer.ReadShards(bg, rdb, "")
			require.NoError(t, err)
			assert.Equal(t, shards(1), half)
			_, err = newProducer(t, rdb).Enqueue(bg, text("1001", "2", "x"))
			assert.ErrorContains(t, err, "try again")
			setShards(t, rdb, next)
			now, err := producer.ReadShards(bg, rdb, "")
			require.NoError(t, err)
			assert.Equal(t, shards(next), now)
			assert.EqualValues(t, min(1, next-1), rdb.Exists(bg, keys.Closed()).Val(), "%d shards", next)
		}
		require.NoError(t, rdb.Set(bg, keys.Shards(), "65", 0).Err())
		_, err := producer.ReadShards(bg, rdb, "")
		assert.ErrorContains(t, err, `Redis has "65"`)
	})
}

// A producer that is not told of a change must not enqueue where nobody looks.
func TestProducersFollowAChangeOfShards(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		first, err := p.Enqueue(bg, text("1001", "2", "x"))
		require.NoError(t, err)
		_, err = p.Cancel(bg, first.ID)
		require.NoError(t, err)
		setShards(t, rdb, 4)
		for _, r := range p.EnqueueMany(bg, []producer.Job{text("1001", "2", "1"), text("1002", "2", "2"), text("1001", "2", "3")}) {
			require.NoError(t, r.Err)
		}
		ids := rdb.ZRange(bg, rediskeys.Keys{Queue: "messenger-1of4"}.Line("1001:bulk"), 0, -1).Val()
		require.Len(t, ids, 2)
		assert.True(t, slices.IsSorted(ids))
		assert.EqualValues(t, 1, rdb.ZCard(bg, rediskeys.Keys{Queue: "messenger-3of4"}.Line("1002:bulk")).Val())
		assert.Zero(t, rdb.Exists(bg, keys.Groups()).Val(), "nothing in the old queue")
		setKey := func() producer.Receipt {
			r, err := p.Enqueue(bg, text("1001", "2", "x"), producer.Key("k"))
			require.NoError(t, err)
			return r
		}
		assert.Equal(t, setKey().ID, setKey().ID)
	})
}

// spreadJobs enqueues one job of each of 8 pages into 4 shards, of which some of every shard are.
func spreadJobs(t *testing.T, p *producer.Producer, opts ...producer.Option) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for i := range 8 {
		page := fmt.Sprint(1001 + i)
		r, err := p.Enqueue(bg, text(page, "2", "x"), opts...)
		require.NoError(t, err)
		ids[page] = r.ID
	}
	return ids
}

func TestJobsOfAllShardsAreFoundAndCancelled(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		setShards(t, rdb, 4)
		p := newProducer(t, rdb)
		ids := spreadJobs(t, p, producer.Key("k"))
		for page, id := range ids {
			info, err := p.Get(bg, id)
			require.NoError(t, err)
			assert.Equal(t, page, info.Job.PageID)
			assert.Equal(t, producer.StateWaiting, info.State)
			named, err := p.GetKey(bg, page, "k")
			require.NoError(t, err)
			assert.Equal(t, id, named.ID)
		}
		_, err := p.Get(bg, "nothing")
		assert.ErrorIs(t, err, producer.ErrNotFound)
		for page, id := range ids {
			result, err := p.CancelKey(bg, page, "k")
			require.NoError(t, err)
			assert.Equal(t, producer.CancelDone, result)
			again, err := p.Cancel(bg, id)
			require.NoError(t, err)
			assert.Equal(t, producer.CancelTooLate, again)
		}
		spreadJobs(t, p)
		n, err := p.CancelPage(bg, "1003")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 1}, n)
		spreadJobs(t, p, producer.InBroadcast("sale"))
		n, err = p.CancelBroadcast(bg, "sale", "1004")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 1}, n)
		n, err = p.CancelBroadcast(bg, "sale", "")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 7}, n)
	})
}

func TestAJobOfAnyShardRunsNow(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		setShards(t, rdb, 4)
		p := newProducer(t, rdb)
		for page, id := range spreadJobs(t, p) {
			k := rediskeys.Keys{Queue: shards(4).QueueOf(page)}
			require.NoError(t, asynq.NewInspectorFromRedisClient(rdb).ArchiveTask(k.Queue, id))
			require.NoError(t, p.RunNow(bg, id))
			assert.Contains(t, rdb.LRange(bg, k.Pending(), 0, -1).Val(), id)
		}
		assert.ErrorContains(t, p.RunNow(bg, "nothing"), "run job nothing: ")
	})
}

func TestOutcomesOfAllShardsAreReadTogether(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		setShards(t, rdb, 4)
		p := newProducer(t, rdb)
		want := cancelAll(t, p)
		var got []string
		after := ""
		for {
			records, err := p.ReadOutcomes(bg, after, 3, 0)
			require.NoError(t, err)
			if len(records) == 0 {
				break
			}
			got = append(got, names(records)...)
			after = records[len(records)-1].ID
		}
		assert.ElementsMatch(t, want, got)
		last, err := p.LastOutcomeID(bg)
		require.NoError(t, err)
		assert.Equal(t, after, last)
		_, err = p.ReadOutcomes(bg, "1-1,2-2", 3, 0)
		assert.ErrorContains(t, err, "the id of a record of 2 shards, and there are 4")

		more := make(chan []string)
		go func() { more <- cancelAll(t, p) }()
		records, err := p.ReadOutcomes(bg, after, 1, 10*time.Second)
		require.NoError(t, err)
		assert.Contains(t, <-more, records[0].Outcome.JobID)

		followed := follow(t, p, producer.Follow{Group: "g", Consumer: "a"}, 16)
		assert.Len(t, followed, 16)
	})
}

func TestAGapInAShardIsReadOver(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		setShards(t, rdb, 4)
		p := newProducer(t, rdb)
		cancelAll(t, p)
		last, err := p.LastOutcomeID(bg)
		require.NoError(t, err)
		want := cancelAll(t, p)
		for _, queue := range shards(4).Queues() {
			stream := rediskeys.Keys{Queue: queue}.Stream()
			require.NoError(t, rdb.XTrimMaxLen(bg, stream, rdb.XLen(bg, stream).Val()/2).Err())
			old, err := rdb.XRangeN(bg, stream, "-", "+", 1).Result()
			require.NoError(t, err)
			require.NoError(t, rdb.XDel(bg, stream, old[0].ID).Err())
		}
		var got []string
		gaps := 0
		for range want {
			records, err := p.ReadOutcomes(bg, last, 1, 0)
			require.NoError(t, err)
			for _, r := range records {
				if r.Gap != nil {
					gaps++
					continue
				}
				got, last = append(got, r.Outcome.JobID), r.ID
			}
		}
		assert.Subset(t, want, got)
		assert.Len(t, got, len(want)-4, "the oldest of each shard is gone")
		assert.GreaterOrEqual(t, gaps, 4)
	})
}

// cancelAll leaves a record of a job of each of 8 pages.
func cancelAll(t *testing.T, p *producer.Producer) []string {
	var ids []string
	for _, id := range spreadJobs(t, p) {
		_, err := p.Cancel(bg, id)
		assert.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

func TestOutcomesGoOnWithOtherShards(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	p := newProducer(t, rdb)
	ctx, stop := context.WithCancel(bg)
	defer stop()
	seen, done := make(chan string, 100), make(chan error, 1)
	go func() {
		done <- p.Outcomes(ctx, producer.Follow{Group: "g", Consumer: "a"}, func(_ context.Context, r producer.Record) error {
			seen <- r.Outcome.JobID
			return nil
		})
	}()
	for _, n := range []int{1, 4, 2} {
		setShards(t, rdb, n)
		want := cancelAll(t, p)
		var got []string
		for range want {
			select {
			case id := <-seen:
				got = append(got, id)
			case <-time.After(30 * time.Second):
				require.Fail(t, "no outcome", "%d shards: %v of %v", n, got, want)
			}
		}
		assert.ElementsMatch(t, want, got, "%d shards", n)
	}
	stop()
	assert.NoError(t, <-done)
}

// lateAcks lets acknowledgements take long, so that all else goes before them.
type lateAcks struct{}

func (lateAcks) DialHook(next redis.DialHook) redis.DialHook { return next }
func (lateAcks) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (lateAcks) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "xack" {
			<-time.After(100 * time.Millisecond)
		}
		return next(ctx, cmd)
	}
}

func TestARefusedRecordOfOneShardEndsAll(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	rdb.AddHook(lateAcks{})
	setShards(t, rdb, 4)
	p := newProducer(t, rdb)
	want := cancelAll(t, p)
	f := producer.Follow{Group: "g", Consumer: "a"}
	taken, refused, of := 0, false, map[string]bool{}
	err := p.Outcomes(bg, f, func(_ context.Context, r producer.Record) error {
		assert.False(t, refused, "called again")
		queue := producer.Shards{Queue: producer.DefaultQueue, Count: 4}.QueueOf(r.Outcome.PageID)
		if refused = of[queue]; refused { // the second of a shard, so that there is one to be acknowledged
			return assert.AnError
		}
		of[queue] = true
		taken++
		return nil
	})
	assert.ErrorIs(t, err, assert.AnError)
	require.False(t, t.Failed())
	left := follow(t, p, f, len(want)-taken)
	assert.Len(t, left, len(want)-taken)
}

func TestDeadJobsOfAllShardsAreInTheOrderOfTheirEnds(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		setShards(t, rdb, 4)
		p := newProducer(t, rdb)
		var want []string
		for i := range 8 {
			page := fmt.Sprint(1001 + i)
			k := rediskeys.Keys{Queue: shards(4).QueueOf(page)}
			o := producer.NewOutcome(fmt.Sprintf("job%d", i), text(page, "2", "x"), mustJSON(t, text(page, "2", "x")), producer.Failed)
			o.EndedAt = time.Unix(int64(1000+i), 0)
			require.NoError(t, rdb.XAdd(bg, &redis.XAddArgs{Stream: k.Stream(), Values: []any{"o", mustJSON(t, o)}}).Err())
			want = append(want, o.JobID)
		}
		for _, newest := range []bool{false, true} {
			var got []string
			for job, err := range p.Dead(bg, newest, nil) {
				require.NoError(t, err)
				got = append(got, job.JobID)
			}
			assert.Equal(t, want, got)
			slices.Reverse(want)
		}
		for job, err := range p.Dead(bg, true, nil) {
			require.NoError(t, err)
			assert.Equal(t, "job7", job.JobID)
			break
		}
	})
}
