package producer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/producer/taskmsg"
)

func TestRetriesOfAllShardsComeInTheirOrder(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		setShards(t, rdb, 4)
		p := newProducer(t, rdb)
		none, err := p.Retries(bg, 3)
		require.NoError(t, err)
		assert.NotNil(t, none, "an empty list in JSON")
		assert.Empty(t, none)
		for _, count := range []int{-1, 0, 1001} {
			_, err = p.Retries(bg, count)
			assert.EqualError(t, err, fmt.Sprintf("retries: count %d: must be from 1 to 1000", count))
		}

		begin := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
		ids := spreadJobs(t, p)
		for i := range 4 {
			page := fmt.Sprint(1004 - i)
			k := rediskeys.Keys{Queue: shards(4).QueueOf(page)}
			m, err := taskmsg.Read(rdb.HGet(bg, k.Task(ids[page]), "msg").Val())
			require.NoError(t, err)
			msg := m.With(taskmsg.Edit{Field: taskmsg.Retried, Number: int64(i)}, taskmsg.Edit{Field: taskmsg.Error, Text: "code 2"})
			require.NoError(t, rdb.HSet(bg, k.Task(ids[page]), "state", "retry", "msg", msg).Err())
			require.NoError(t, rdb.ZAdd(bg, k.Retry(), redis.Z{Score: float64(begin.Unix() + int64(i)), Member: ids[page]}).Err())
		}
		first := rediskeys.Keys{Queue: shards(4).QueueOf("1004")}
		require.NoError(t, rdb.ZAdd(bg, first.Retry(), redis.Z{Score: 0, Member: "gone"}).Err())
		found, err := p.Retries(bg, 3)
		require.NoError(t, err)
		assert.Equal(t, []producer.Retry{
			{JobID: ids["1004"], PageID: "1004", At: begin, Reason: "code 2"},
			{JobID: ids["1003"], PageID: "1003", At: begin.Add(time.Second), Attempts: 1, Reason: "code 2"},
			{JobID: ids["1002"], PageID: "1002", At: begin.Add(2 * time.Second), Attempts: 2, Reason: "code 2"},
		}, found)
	})
}
