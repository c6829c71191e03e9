package producer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
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

var keys = rediskeys.Keys{Queue: producer.DefaultQueue}

// onEach runs a test on every kind of Redis.
func onEach(t *testing.T, test func(*testing.T, redis.UniversalClient)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		test(t, redistest.Client(t, addr))
	})
}

// What asynq's own client stores for the same task is what enqueue.lua stores, beside what is ours. It fails if a version of
// asynq changes its scripts or keys.
func TestStoredAsAsynqStores(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		ctx := context.Background()
		due := time.Now().Add(time.Hour).Truncate(time.Second)
		for name, at := range map[string]time.Time{"line": {}, "scheduled": due} {
			rdb.FlushAll(ctx)
			job := text("1", "2", "Hello")
			job.SendAt, job.Retention = at, producer.Duration(90*time.Minute)
			receipt, err := newProducer(t, rdb).Enqueue(ctx, job)
			require.NoError(t, err)
			ours := dump(t, rdb, receipt.ID)
			assert.Equal(t, "1", ours.task["acc"], name)
			delete(ours.task, "acc")

			job.Lane = producer.LaneBulk
			payload, err := json.Marshal(job)
			require.NoError(t, err)
			opts := []asynq.Option{
				asynq.Queue(keys.Queue), asynq.TaskID(receipt.ID), asynq.Group("1:bulk"), asynq.MaxRetry(1000), asynq.Retention(90 * time.Minute),
			}
			if !at.IsZero() {
				opts = append(opts, asynq.ProcessAt(at))
			}
			rdb.FlushAll(ctx)
			_, err = asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask(producer.TaskType, payload), opts...)
			require.NoError(t, err)
			theirs := dump(t, rdb, receipt.ID)
			assert.InDelta(t, theirs.score, ours.score, 5, name)
			ours.score = theirs.score
			assert.Equal(t, theirs, ours, name)
		}
	})
}

// dumped is all that asynq keeps of one task.
type dumped struct {
	task     map[string]string
	line     []string
	planned  []string
	groups   []string
	queues   []string
	score    float64
	leftover []string // other keys of asynq
}

func dump(t *testing.T, rdb redis.UniversalClient, id string) dumped {
	t.Helper()
	ctx := context.Background()
	d := dumped{
		task:    rdb.HGetAll(ctx, keys.Task(id)).Val(),
		line:    rdb.ZRange(ctx, keys.Line("1:bulk"), 0, -1).Val(),
		planned: rdb.ZRange(ctx, keys.Scheduled(), 0, -1).Val(),
		groups:  rdb.SMembers(ctx, keys.Groups()).Val(),
		queues:  rdb.SMembers(ctx, "asynq:queues").Val(),
		score:   rdb.ZScore(ctx, keys.Line("1:bulk"), id).Val() + rdb.ZScore(ctx, keys.Scheduled(), id).Val(),
	}
	known := []string{keys.Task(id), keys.Line("1:bulk"), keys.Scheduled(), keys.Groups(), "asynq:queues"}
	for _, key := range rdb.Keys(ctx, "asynq:*").Val() {
		if !slices.Contains(known, key) {
			d.leftover = append(d.leftover, key)
		}
	}
	return d
}

func TestOneJobPerKeyFromManyProcesses(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		ctx := context.Background()
		var mu sync.Mutex
		ids, stored := map[string]bool{}, 0
		var wg sync.WaitGroup
		for range 8 {
			p := newProducer(t, rdb) // as another process would
			wg.Go(func() {
				job := text("1", "2", "x")
				job.Key = "order-17"
				for _, r := range append(p.EnqueueMany(ctx, []producer.Job{job, job}), one(p.Enqueue(ctx, job))) {
					mu.Lock()
					assert.NoError(t, r.Err)
					ids[r.ID] = true
					if !r.Repeat {
						stored++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		assert.Len(t, ids, 1)
		assert.Equal(t, 1, stored, "calls that say that they stored it")
		assert.EqualValues(t, 1, rdb.ZCard(ctx, keys.Line("1:bulk")).Val())
		assert.Equal(t, map[string]string{"1:accepted": "1"}, rdb.HGetAll(ctx, keys.Outcomes()).Val())
	})
}

func one(r producer.Receipt, err error) producer.Result { return producer.Result{Receipt: r, Err: err} }

func TestKeyStandsForItsJobAlsoAfterItsEnd(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		ctx := context.Background()
		p := newProducer(t, rdb)
		first, err := p.Enqueue(ctx, text("1", "2", "x"), producer.Key("k"))
		require.NoError(t, err)
		rdb.Del(ctx, keys.Task(first.ID), keys.Line("1:bulk"))
		again, err := p.Enqueue(ctx, text("1", "3", "another text"), producer.Key("k"))
		require.NoError(t, err)
		assert.True(t, again.Repeat)
		assert.Equal(t, first.ID, again.ID)
		other, err := p.Enqueue(ctx, text("4", "2", "x"), producer.Key("k"))
		require.NoError(t, err)
		assert.False(t, other.Repeat, "the key of another page")

		for _, key := range rdb.Keys(ctx, keys.JobKey("*")).Val() {
			assert.InDelta(t, 24*time.Hour, rdb.PTTL(ctx, key).Val(), float64(time.Minute))
			rdb.Del(ctx, key) // its window ends
		}
		after, err := p.Enqueue(ctx, text("1", "2", "x"), producer.Key("k"))
		require.NoError(t, err)
		assert.False(t, after.Repeat)
	})
}

// A call whose answer is lost is made again by the Redis client. It must not count or store a second job.
func TestACallThatRedisGetsTwiceStoresOnce(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		ctx := context.Background()
		p := newProducer(t, twice{rdb})
		for _, key := range []string{"", "k"} {
			receipt, err := p.Enqueue(ctx, text("1", "2", "x"), producer.Key(key), producer.InBroadcast("b"))
			require.NoError(t, err)
			assert.False(t, receipt.Repeat)
		}
		assert.EqualValues(t, 2, rdb.ZCard(ctx, keys.Line("1:bulk:@b")).Val())
		assert.Equal(t, "2", rdb.HGet(ctx, keys.Outcomes(), "1:accepted").Val())
		assert.Equal(t, map[string]string{"accepted": "2"}, rdb.HGetAll(ctx, keys.Broadcast("b")).Val())
	})
}

// twice runs every script two times and answers as the second did.
type twice struct{ redis.UniversalClient }

func (c twice) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	c.UniversalClient.EvalSha(ctx, sha, keys, args...)
	return c.UniversalClient.EvalSha(ctx, sha, keys, args...)
}

func TestAFullLineRefusesWithFigures(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		ctx := context.Background()
		p, err := producer.New(rdb, producer.Config{MaxWaiting: 3})
		require.NoError(t, err)
		for i := range 2 {
			_, err := p.Enqueue(ctx, text("1", fmt.Sprint(i), "x"), producer.Key(fmt.Sprint(i)))
			require.NoError(t, err)
		}
		rdb.ZAdd(ctx, keys.Line("1:bulk:media"), redis.Z{Member: "a job that waits in a side line"})
		before := rdb.Keys(ctx, "*").Val()

		_, err = p.Enqueue(ctx, text("1", "9", "x"), producer.Key("9"))
		var full *producer.LineFullError
		require.ErrorAs(t, err, &full)
		assert.ErrorIs(t, err, producer.ErrLineFull)
		assert.Equal(t, producer.LineFullError{
			Line: producer.Line{PageID: "1", Lane: producer.LaneBulk}, Waiting: 3, Limit: 3,
		}, *full)
		assert.ElementsMatch(t, before, rdb.Keys(ctx, "*").Val(), "something was written for a refused job")

		for i := range 4 {
			_, err = p.Enqueue(ctx, text("1", "9", "x"), producer.InBroadcast("b"))
			assert.Equal(t, i == 3, errors.Is(err, producer.ErrLineFull), "a broadcast has a line of its own, bounded alike")
		}
		repeat, err := p.Enqueue(ctx, text("1", "0", "x"), producer.Key("0"))
		require.NoError(t, err, "a repeat needs no room")
		assert.True(t, repeat.Repeat)
		_, err = p.Enqueue(ctx, text("1", "9", "x"), producer.At(time.Now().Add(time.Hour)))
		require.NoError(t, err, "a scheduled job does not wait in the line")
		results := p.EnqueueMany(ctx, []producer.Job{text("1", "9", "x"), text("2", "9", "x")})
		assert.ErrorIs(t, results[0].Err, producer.ErrLineFull)
		assert.NoError(t, results[1].Err)
	})
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.FreeAddr(t))
	_, err := producer.New(rdb, producer.Config{Queue: "a b", MaxWaiting: -1, MaxDrain: -1, StreamLength: -1})
	for _, field := range []string{"Queue", "MaxWaiting", "MaxDrain", "StreamLength"} {
		assert.ErrorContains(t, err, field)
	}
	_, err = producer.New(nil, producer.Config{})
	assert.ErrorContains(t, err, "no Redis client")
}

func TestEnqueueIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	p := newProducer(t, rdb)
	_, err := p.Enqueue(context.Background(), text("1", "2", "warm up"))
	require.NoError(t, err)
	trips := &trips{}
	rdb.(*redis.Client).AddHook(trips)
	_, err = p.Enqueue(context.Background(), text("1", "2", "x"), producer.Key("k"), producer.InBroadcast("b"))
	require.NoError(t, err)
	assert.Equal(t, 1, trips.n)
	p.EnqueueMany(context.Background(), slices.Repeat([]producer.Job{text("1", "2", "x")}, 1000))
	assert.Equal(t, 6, trips.n)
}

// trips counts round trips, but for those that set up a connection.
type trips struct{ n int }

func (h *trips) count(cmd redis.Cmder) {
	if name := cmd.Name(); name != "hello" && name != "client" {
		h.n++
	}
}

func (h *trips) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.count(cmd)
		return next(ctx, cmd)
	}
}
func (h *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.count(cmds[0])
		return next(ctx, cmds)
	}
}

func TestAJobIsNotStoredForACallerWhoIsGone(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := newProducer(t, rdb).Enqueue(ctx, text("1", "2", "x"))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "nothing was asked of Redis")
	assert.Empty(t, rdb.Keys(context.Background(), "*").Val())
}

func TestEnqueueManyStopsWithItsContext(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, r := range newProducer(t, rdb).EnqueueMany(ctx, []producer.Job{text("1", "2", "x"), text("1", "", "x")}) {
		assert.ErrorIs(t, r.Err, context.Canceled)
	}
	assert.Empty(t, rdb.Keys(context.Background(), "*").Val())
}
