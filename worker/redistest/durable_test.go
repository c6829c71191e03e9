package redistest_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/redistest"
)

func TestDurableKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	d := redistest.NewDurable(t)
	rdb := redistest.Client(t, d.Addr)
	require.NoError(t, rdb.Set(t.Context(), "a", "1", 0).Err())
	d.Kill()
	require.NoError(t, d.Start())
	assert.Equal(t, "1", rdb.Get(t.Context(), "a").Val())
}

func TestClusterServesEverySlot(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t)
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nodes[0].Addr}})
	defer rdb.Close()
	owners := map[string]bool{}
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		require.NoError(t, rdb.Set(t.Context(), key, key, 0).Err())
		owner, err := redistest.Owner(nodes, key)
		require.NoError(t, err)
		direct := redistest.Client(t, owner.Addr)
		assert.Equal(t, key, direct.Get(t.Context(), key).Val(), "at %s", owner.Addr)
		owners[owner.Addr] = true
	}
	assert.Len(t, owners, 3)
}

func TestSentinelsReplaceAKilledMaster(t *testing.T) {
	t.Parallel()
	s := redistest.NewSentinels(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	rdb := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: redistest.MasterName, SentinelAddrs: s.Addrs})
	defer rdb.Close()
	require.NoError(t, rdb.Set(ctx, "a", "1", 0).Err())
	require.NoError(t, rdb.Wait(ctx, 1, time.Second).Err())
	old, err := s.Failover(ctx)
	require.NoError(t, err)
	require.NoError(t, old.Start())
	require.Eventually(t, func() bool { return rdb.Set(ctx, "b", "2", 0).Err() == nil }, 20*time.Second, 20*time.Millisecond)
	assert.Equal(t, "1", rdb.Get(ctx, "a").Val())
}
