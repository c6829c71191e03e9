package producer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
)

// enqueueIn stores a job of a broadcast at page 1.
func enqueueIn(t *testing.T, p *producer.Producer, broadcast, psid string, opts ...producer.Option) string {
	t.Helper()
	receipt, err := p.Enqueue(bg, text("1", psid, "x"), append(opts, producer.InBroadcast(broadcast))...)
	require.NoError(t, err)
	return receipt.ID
}

// scans notes the lines that are looked through.
type scans struct{ lines []string }

func (s *scans) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *scans) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if line, ok := strings.CutPrefix(fmt.Sprint(cmd.Args()[1:2]...), keys.Line("")); ok && cmd.Name() == "zscan" {
			s.lines = append(s.lines, line)
		}
		return next(ctx, cmd)
	}
}

func (s *scans) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestCancelBroadcastLooksWhereItsJobsAre(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p, f := newProducer(t, rdb), fleet{t, rdb}
		seen := &scans{}
		rdb.(*redis.Client).AddHook(seen)
		mine := func(broadcast string) []string {
			ids := make([]string, 4)
			for i := range ids {
				ids[i] = enqueueIn(t, p, broadcast, fmt.Sprint(i))
			}
			f.takeOut(ids[1])
			f.lineUp(ids[1], "1:bulk:media", 0)
			f.move(ids[2], "retry")
			f.take(ids[3])
			return ids
		}
		for i := range 3 {
			_, err := p.Enqueue(bg, text("1", fmt.Sprint(10+i), "x"))
			require.NoError(t, err)
		}
		enqueueIn(t, p, "other", "20")

		mine("made")
		rdb.HSet(bg, keys.Broadcast("made"), "page", "1", "rows", 4)
		count, err := p.CancelBroadcast(bg, "made", "")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 3, InHand: 1}, count)
		assert.Subset(t, []string{"1:bulk:@made", "1:bulk:media"}, seen.lines, "its own line and side lines are enough")

		// One that an older version enqueued, and one of the other lane, which the counts tell of.
		old := mine("old")
		rdb.HSet(bg, keys.Broadcast("old"), "page", "1")
		f.takeOut(old[0])
		f.lineUp(old[0], "1:bulk", 5)
		enqueueIn(t, p, "old", "30", producer.InLane(producer.LaneRealtime))
		count, err = p.CancelBroadcast(bg, "old", "1")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 4, InHand: 1}, count)

		// What another program enqueued was not counted.
		plain := enqueueIn(t, p, "plain", "40", producer.InLane(producer.LaneRealtime))
		rdb.HDel(bg, keys.Broadcast("plain"), "accepted")
		rdb.HDel(bg, keys.Task(plain), "acc")
		count, err = p.CancelBroadcast(bg, "plain", "")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 1}, count)
		assert.EqualValues(t, 3, rdb.ZCard(bg, keys.Line("1:bulk")).Val())
		assert.EqualValues(t, 1, rdb.ZCard(bg, keys.Line("1:bulk:@other")).Val())
		count, err = p.CancelPage(bg, "1")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 4, InHand: 2}, count)
	})
}

func TestCancelEndsABroadcastAndItsTestShare(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p, f := newProducer(t, rdb), fleet{t, rdb}
		hash := keys.Broadcast("sale")
		state := func() []any { return rdb.HMGet(bg, hash, "state", "cancelled").Val() }
		ids := []string{enqueueIn(t, p, "sale", "1"), enqueueIn(t, p, "sale", "2"), enqueueIn(t, p, "sale", "3")}
		rdb.HSet(bg, hash, "page", "1", "state", "testing", "test", 2, "test_limit", 0, "rows", 3)
		rdb.ZAdd(bg, keys.Due(), redis.Z{Score: 1e17, Member: "1:bulk:@sale"})
		cancel := func(id string) {
			result, err := p.Cancel(bg, id)
			require.NoError(t, err)
			require.Equal(t, producer.CancelDone, result)
		}
		cancel(ids[0])
		assert.Equal(t, []any{"testing", "1"}, state())
		cancel(ids[1])
		assert.Equal(t, []any{"running", "2"}, state())
		assert.InDelta(t, float64(time.Now().UnixMicro()), rdb.ZScore(bg, keys.Due(), "1:bulk:@sale").Val(), 1e8, "the others follow")
		assert.False(t, rdb.HExists(bg, hash, "ended").Val())
		cancel(ids[2])
		assert.True(t, rdb.HExists(bg, hash, "ended").Val())
		assert.InDelta(t, 90*24, rdb.TTL(bg, hash).Val().Hours(), 1)
		assert.Len(t, f.records(), 3)

		cancel(enqueueIn(t, p, "plain", "4"))
		assert.Equal(t, map[string]string{"accepted": "1", "cancelled": "1"}, rdb.HGetAll(bg, keys.Broadcast("plain")).Val())
		assert.InDelta(t, 90*24, rdb.TTL(bg, keys.Broadcast("plain")).Val().Hours(), 1)
	})
}

func TestGetForeseesTheTurnOfABroadcastsJob(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		setRates(t, rdb) // 2 a second in bulk
		enqueueIn(t, p, "sale", "1")
		id := enqueueIn(t, p, "sale", "2")
		rows := []struct {
			fields []any
			stop   producer.Stop
			eta    time.Duration // 0: not known
		}{
			{nil, "", time.Second},
			{[]any{"state", "running", "every", 10e6}, "", 20 * time.Second},
			{[]any{"start", time.Now().Add(time.Hour).UnixMicro()}, "", time.Hour + 20*time.Second},
			{[]any{"window", "0 86400 0"}, "", 0},
			{[]any{"state", "testing"}, "", 0},
			{[]any{"state", "paused"}, producer.StopBroadcast, 0},
			{[]any{"state", "loading"}, producer.StopBroadcast, 0},
		}
		for _, row := range rows {
			if row.fields != nil {
				rdb.HSet(bg, keys.Broadcast("sale"), row.fields...)
			}
			info, err := p.Get(bg, id)
			require.NoError(t, err)
			assert.Equal(t, "1:bulk:@sale", info.Line.String())
			assert.EqualValues(t, 2, info.Place)
			assert.Equal(t, row.stop, info.Stopped, "%v", row.fields)
			if row.eta == 0 {
				assert.Zero(t, info.ETA, "%v", row.fields)
				continue
			}
			assert.WithinDuration(t, time.Now().Add(row.eta), info.ETA, 2*time.Second, "%v", row.fields)
		}
	})
}
