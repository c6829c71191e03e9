package pace

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/worker/redistest"
)

// A producer that starts before a worker has told the empty Redis again how many shards there are takes it for one.
func TestAShardGoesOnWhereTheNumberCannotBeRestored(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Shards: 4}, fast, nil)
		require.NoError(t, d.rdb.FlushAll(ctx).Err())
		require.NoError(t, d.rdb.ZAdd(ctx, rediskeys.Keys{Queue: producer.DefaultQueue}.Retry(), redis.Z{Score: 1, Member: "a job"}).Err())
		require.ErrorIs(t, d.sweep(ctx), producer.ErrShards)
		assert.EqualValues(t, 1, d.rdb.Exists(ctx, d.keys.Rates("default")).Val(), "nothing can be handed out without")
	})
}
