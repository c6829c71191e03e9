package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/redistest"
)

// durable is a client as a worker should have it.
func durable(t *testing.T, addr string) redis.UniversalClient {
	t.Helper()
	o := &redis.UniversalOptions{Addrs: []string{addr}, ContextTimeoutEnabled: true}
	worker.DurableRetries(o)
	rdb := redis.NewUniversalClient(o)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// Without a write no job is handed out, and none can be settled. The worker waits for the day.
func TestAWorkerIsNotReadyWhileRedisTakesNoWrites(t *testing.T) {
	t.Parallel()
	f, s := tokenFleet(t), newTokenSender("EAABgood")
	f.rdb = durable(t, f.redis)
	w := f.with(s, pagesWith("EAABgood"))
	assert.Equal(t, producer.Sent, f.outcome().Kind)
	ready := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		return w.Ready(ctx)
	}
	one := redistest.Client(t, f.redis)
	for why, commands := range map[string][2][]any{
		"its memory is full": {{"CONFIG", "SET", "maxmemory", "1"}, {"CONFIG", "SET", "maxmemory", "0"}},
		"it is a replica":    {{"REPLICAOF", "127.0.0.1", "1"}, {"REPLICAOF", "NO", "ONE"}},
	} {
		require.NoError(t, ready())
		require.NoError(t, one.Do(t.Context(), commands[0]...).Err())
		assert.EqualError(t, ready(), "worker: Redis takes no writes: "+why)
		require.NoError(t, one.Do(t.Context(), commands[1]...).Err())
	}
	assert.NoError(t, ready())
}

// A replica may be promoted in a moment, and is asked for a while. Then its error says what is wrong.
func TestAWorkerThatStartsOnAReplica(t *testing.T) {
	t.Parallel()
	addr := redistest.ServerAt(t, redistest.FreeAddr(t), "--save", "", "--replicaof", "127.0.0.1 1")
	run := func(ctx context.Context) (*worker.Worker, chan error) {
		w, err := worker.New(durable(t, addr), newTokenSender("EAABgood"), worker.Config{Pages: pagesWith("EAABgood"), Rates: rate(50)})
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		return w, done
	}
	_, done := run(t.Context())
	err := <-done
	require.EqualError(t, err, "worker: Redis takes no writes: it is a replica")
	var refused *producer.UnwritableError
	require.ErrorAs(t, err, &refused)

	one := redistest.Client(t, addr)
	require.NoError(t, one.ConfigResetStat(t.Context()).Err())
	ctx, cancel := context.WithCancel(t.Context())
	w, done := run(ctx)
	require.Eventually(t, func() bool {
		return strings.Contains(one.Info(t.Context(), "errorstats").Val(), "errorstat_READONLY")
	}, 10*time.Second, time.Millisecond, "it asks the replica")
	require.NoError(t, one.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err())
	require.Eventually(t, func() bool { return w.Ready(t.Context()) == nil }, 10*time.Second, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
}
