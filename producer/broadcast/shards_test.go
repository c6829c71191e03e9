package broadcast_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestBroadcastsOfAllShards(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) { broadcastsOfAllShards(t, redistest.Client(t, addr)) })
}

func broadcastsOfAllShards(t *testing.T, rdb redis.UniversalClient) {
	ctx := context.Background()
	shards := producer.Shards{Queue: producer.DefaultQueue, Count: 4}
	require.NoError(t, producer.SetShards(ctx, rdb, shards))
	require.NotEqual(t, shards.QueueOf("1001"), shards.QueueOf("1002"))
	c := newClient(t, rdb)
	begin := func(name, page string) error {
		spec := saleSpec()
		spec.Name, spec.PageID = name, page
		p, err := c.Plan(ctx, spec, csvOf(people(30)))
		require.NoError(t, err)
		_, err = c.Start(ctx, p)
		return err
	}
	require.NoError(t, begin("sale", "1001"))
	require.NoError(t, begin("spring", "1002"))
	require.NoError(t, begin("sale", "1001"), "a repeat")
	assert.ErrorIs(t, begin("sale", "1002"), broadcast.ErrOther)
	p, err := producer.New(rdb, producer.Config{})
	require.NoError(t, err)
	job, err := producer.ParseJob([]byte(`{"page_id":"1003","request":{"recipient":{"id":"2"},"message":{"text":"x"},"messaging_type":"UPDATE"}}`))
	require.NoError(t, err)
	_, err = p.Enqueue(ctx, job, producer.InBroadcast("mixed"))
	require.NoError(t, err)
	assert.ErrorIs(t, begin("mixed", "1002"), broadcast.ErrTaken)

	line := producer.Line{PageID: "1002", Lane: producer.LaneBulk, Broadcast: "spring"}.String()
	assert.EqualValues(t, 30, rdb.ZCard(ctx, rediskeys.Keys{Queue: shards.QueueOf("1002")}.Line(line)).Val())
	list, err := c.List(ctx)
	require.NoError(t, err)
	assert.Len(t, list, 2)
	state, err := c.Pause(ctx, "spring", "")
	require.NoError(t, err)
	assert.Equal(t, broadcast.StatePaused, state)
	state, err = c.Resume(ctx, "spring")
	require.NoError(t, err)
	assert.Equal(t, broadcast.StateRunning, state)
	_, err = c.Pause(ctx, "nothing", "")
	assert.ErrorIs(t, err, broadcast.ErrNotFound)
	n, err := c.Cancel(ctx, "spring")
	require.NoError(t, err)
	assert.Equal(t, 30, n.Cancelled)
	s, err := c.Status(ctx, "spring")
	require.NoError(t, err)
	assert.Equal(t, broadcast.StateCancelled, s.State)
	report, err := c.Report(ctx, "sale")
	require.NoError(t, err)
	assert.Equal(t, 30, report.Stored)

	require.NoError(t, rdb.Set(ctx, rediskeys.Keys{Queue: shards.QueueOf("1004")}.Closed(), "1", 0).Err())
	assert.ErrorContains(t, begin("late", "1004"), "the number of shards is being changed")
}
