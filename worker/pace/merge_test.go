package pace

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestPartsOfANumberAddUpToIt(t *testing.T) {
	t.Parallel()
	for _, whole := range []int64{0, 1, 7, 64, 1000, 1003} {
		for _, shards := range []int{0, 1, 4, 64} {
			var sum int64
			for i := range max(1, shards) {
				p := &Pacer{cfg: Config{Shards: shards, Shard: i}}
				part := p.part(whole)
				assert.InDelta(t, float64(whole)/float64(max(1, shards)), part, 1)
				sum += part
			}
			assert.Equal(t, whole, sum, "%d in %d shards", whole, shards)
		}
	}
}

// shardDesk has the pacers of a worker on two shards, with a job of page 1001, in the second, and of 1005, in the first.
func shardDesk(t *testing.T, addr string) ([]*Pacer, *producer.Producer) {
	t.Helper()
	ctx := context.Background()
	rdb := redistest.Client(t, addr)
	shards := producer.Shards{Queue: producer.DefaultQueue, Count: 2}
	require.NoError(t, producer.SetShards(ctx, rdb, shards))
	require.Equal(t, []string{"messenger-1of2", "messenger-0of2"}, []string{shards.QueueOf("1001"), shards.QueueOf("1005")})
	prod, err := producer.New(rdb, producer.Config{})
	require.NoError(t, err)
	var pacers []*Pacer
	for i := range 2 {
		p, err := New(rdb, Config{Shards: 2, Shard: i, ID: "w"})
		require.NoError(t, err)
		require.NoError(t, p.Beat(ctx))
		require.NoError(t, p.SetRates(ctx, Limits{
			Others: Rates{Page: 10, Bulk: 5, Media: 1}, Pages: map[string]Rates{"1001": {Page: 20, Bulk: 20, Media: 20}}, AppBudget: 7,
		}))
		pacers = append(pacers, p)
	}
	for _, page := range []string{"1001", "1005"} {
		_, err := prod.Enqueue(ctx, textJob(t, page))
		require.NoError(t, err)
	}
	return pacers, prod
}

func textJob(t *testing.T, page string) producer.Job {
	t.Helper()
	job, err := producer.ParseJob(fmt.Appendf(nil,
		`{"page_id":%q,"request":{"recipient":{"id":"2"},"messaging_type":"UPDATE","message":{"text":"x"}}}`, page))
	require.NoError(t, err)
	return job
}

func TestShardsAreSeenAsOneFleet(t *testing.T) {
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		pacers, _ := shardDesk(t, addr)
		rdb := pacers[0].rdb
		s, err := ReadStatus(ctx, rdb, "")
		require.NoError(t, err)
		require.Len(t, s.Workers, 1)
		require.Len(t, s.Pages, 2)
		assert.Equal(t, []string{"1001", "1005"}, []string{s.Pages[0].ID, s.Pages[1].ID})
		assert.Equal(t, []string{"1001:bulk", "1005:bulk"}, []string{s.Lines[0].Name, s.Lines[1].Name})
		assert.EqualValues(t, 7, s.AppBudget)
		f, err := ReadFigures(ctx, rdb, "")
		require.NoError(t, err)
		assert.Equal(t, 1, f.Workers)
		assert.Len(t, f.Pages, 2)
		rates, err := ReadRates(ctx, rdb, "", "1001")
		require.NoError(t, err)
		assert.InDelta(t, 20, rates.Page, 0.01)
		report, err := Audit(ctx, rdb, AuditQuery{Deep: true})
		require.NoError(t, err)
		assert.True(t, report.Fits(), "%+v", report)
		assert.Len(t, report.Pages, 2)
	})
}

// A tool that is made for no shard steers them all.
func TestPagesAreSteeredInTheirShard(t *testing.T) {
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		pacers, _ := shardDesk(t, addr)
		rdb := pacers[0].rdb
		hand, err := New(rdb, Config{Steady: true})
		require.NoError(t, err)
		require.NoError(t, hand.Hold(ctx, "1001", Reason{Text: "a test"}))
		holds, err := hand.Holds(ctx, []string{"1001", "1005"})
		require.NoError(t, err)
		assert.Len(t, holds, 1)
		assert.Equal(t, "a test", holds["1001"].Text)
		assert.EqualValues(t, 1, rdb.Exists(ctx, pacers[1].keys.Pause("1001")).Val())
		assert.Zero(t, rdb.Exists(ctx, pacers[0].keys.Pause("1001")).Val())
		found, err := pacers[0].Release(ctx, "1001")
		require.NoError(t, err)
		assert.True(t, found)

		_, err = hand.SetTemporary(ctx, "1005", Temporary{Page: 3}, time.Minute)
		require.NoError(t, err)
		s, err := ReadStatus(ctx, rdb, "")
		require.NoError(t, err)
		assert.Nil(t, s.Pages[0].Temporary)
		require.NotNil(t, s.Pages[1].Temporary)
		found, err = hand.EndTemporary(ctx, "1005")
		require.NoError(t, err)
		assert.True(t, found)

		// A pause that has reached one shard only, and one that lasts longer there.
		_, err = hand.Pause(ctx, App, time.Minute, Reason{Text: "all"})
		require.NoError(t, err)
		require.NoError(t, rdb.Del(ctx, pacers[0].keys.Pause(App)).Err())
		p, err := ReadPause(ctx, rdb, "", App)
		require.NoError(t, err)
		require.NotNil(t, p)
		_, err = hand.Pause(ctx, App, time.Hour, Reason{Text: "longer"})
		require.NoError(t, err)
		require.NoError(t, rdb.PExpire(ctx, pacers[0].keys.Pause(App), time.Second).Err())
		p, err = ReadPause(ctx, rdb, "", App)
		require.NoError(t, err)
		assert.Greater(t, p.Left, 59*time.Minute)
	})
}

func TestAQueueThatIsPausedInAsynqStopsItsPagesAlone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	pacers, _ := shardDesk(t, redistest.Server(t))
	rdb := pacers[0].rdb
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	require.NoError(t, inspector.PauseQueue("messenger-1of2"))
	s, err := ReadStatus(ctx, rdb, "")
	require.NoError(t, err)
	assert.True(t, s.Halted.IsZero())
	assert.Equal(t, []string{"messenger-1of2", "messenger-0of2"}, []string{s.Pages[0].Queue, s.Pages[1].Queue})
	assert.WithinDuration(t, time.Now(), s.Pages[0].Halted, time.Minute)
	assert.True(t, s.Pages[1].Halted.IsZero())
	assert.Equal(t, []any{"halted", time.Duration(-1)}, []any{s.Lines[0].Limit, s.Lines[0].ETA})
	assert.Equal(t, "bulk", s.Lines[1].Limit)
	require.NoError(t, inspector.PauseQueue("messenger-0of2"))
	s, err = ReadStatus(ctx, rdb, "")
	require.NoError(t, err)
	assert.False(t, s.Halted.IsZero())
}
