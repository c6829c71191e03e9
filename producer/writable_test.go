package producer_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestAWriteIsTriedInEachShard(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		setShards(t, rdb, 3)
		require.NoError(t, newProducer(t, rdb).Ready(bg))
		require.NoError(t, producer.Writable(bg, rdb, shards(3)))
		for _, queue := range shards(3).Queues() {
			left := rdb.PTTL(bg, rediskeys.Keys{Queue: queue}.Writable()).Val()
			assert.True(t, left > 0 && left <= 10*time.Second, "%s: %v", queue, left)
		}
	})
}

// However long the client itself would go on asking, the reason is told at once.
func TestWhyRedisTakesNoWrites(t *testing.T) {
	t.Parallel()
	for reason, tt := range map[string]struct {
		code string
		args []string
	}{
		"its memory is full":         {"OOM", []string{"--maxmemory", "100kb"}},
		"it is a replica":            {"READONLY", []string{"--replicaof", "127.0.0.1 1"}},
		"too few replicas follow it": {"NOREPLICAS", []string{"--min-replicas-to-write", "1"}},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			addr := redistest.ServerAt(t, redistest.FreeAddr(t), append(tt.args, "--save", "")...)
			rdb := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: 1000, MinRetryBackoff: time.Minute, MaxRetryBackoff: time.Minute})
			defer rdb.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			for _, err := range []error{producer.Writable(ctx, rdb, shards(2)), newProducer(t, rdb).Ready(ctx)} {
				require.EqualError(t, err, "Redis takes no writes: "+reason)
				assert.True(t, redis.HasErrorPrefix(err, tt.code+" "))
			}
		})
	}
}

// says lets a Redis give one answer to all pipelines.
type says string

func (says) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (says) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (s says) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			cmd.(*redis.Cmd).SetVal(string(s)) //nolint:forcetypeassert // a script's
		}
		return nil
	}
}

func TestWhatRedisSaysToAWrite(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"MISCONF Errors writing to the AOF file: No space left on device":                        "it cannot write to its disk",
		"@user_script: 11: -OOM command not allowed when used memory > 'maxmemory'.":             "its memory is full", // before Redis 7
		"ERR The user executing the script can't run this command or subcommand script: f00, on": "",
	} {
		rdb := redis.NewClient(&redis.Options{})
		rdb.AddHook(says(said))
		err := producer.Writable(bg, rdb, shards(1))
		var refused *producer.UnwritableError
		require.ErrorAs(t, err, &refused, said)
		assert.Equal(t, want, refused.Reason, said)
		if want == "" {
			assert.Equal(t, "Redis takes no writes: "+said, err.Error())
		}
		require.NoError(t, rdb.Close())
	}
}

func TestOneShardThatTakesNoWritesIsEnough(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t)
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nodes[0].Addr}})
	defer rdb.Close()
	setShards(t, rdb, 3)
	p := newProducer(t, rdb)
	require.NoError(t, p.Ready(bg))
	for _, queue := range shards(3).Queues() {
		node, err := redistest.Owner(nodes, rediskeys.Keys{Queue: queue}.Writable())
		require.NoError(t, err)
		one := redistest.Client(t, node.Addr)
		require.NoError(t, one.ConfigSet(bg, "maxmemory", "1").Err())
		assert.EqualError(t, p.Ready(bg), "Redis takes no writes: its memory is full", queue)
		require.NoError(t, one.ConfigSet(bg, "maxmemory", "0").Err())
	}
	assert.NoError(t, p.Ready(bg))
}

// A client that does not notice that the time is over waits for its own, here 30 s. It is left to that.
func TestARedisThatIsSilentIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	require.NoError(t, rdb.Do(bg, "CLIENT", "PAUSE", 600_000, "WRITE").Err())
	for _, ask := range []func(context.Context) error{
		newProducer(t, rdb).Ready, func(ctx context.Context) error { return producer.Writable(ctx, rdb, shards(1)) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := ask(ctx)
		cancel()
		assert.EqualError(t, err, "no answer of Redis yet: context deadline exceeded")
	}
}
