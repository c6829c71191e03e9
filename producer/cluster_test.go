package producer_test

import (
	"context"
	"crypto/sha1" //nolint:gosec // it is how Redis names scripts
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// strict puts #!lua before each script: in cluster mode Redis then refuses keys of other slots than the declared ones.
type strict map[string]string // of a script's text, and of its hash, to that with the line

func newStrict(t *testing.T, rdb redis.UniversalClient, scripts ...[]string) strict {
	t.Helper()
	s := strict{}
	for _, files := range scripts {
		var text []byte
		for _, file := range files {
			part, err := os.ReadFile(file)
			require.NoError(t, err)
			text = append(text, part...)
		}
		sum := sha1.Sum(text) //nolint:gosec // as above
		sha, err := rdb.ScriptLoad(bg, "#!lua\n"+string(text)).Result()
		require.NoError(t, err, files)
		s[string(text)], s[hex.EncodeToString(sum[:])] = "#!lua\n"+string(text), sha
	}
	return s
}

func (s strict) change(cmd redis.Cmder) {
	if strings.HasPrefix(cmd.Name(), "eval") {
		if name, ok := cmd.Args()[1].(string); ok && s[name] != "" {
			cmd.Args()[1] = s[name]
		}
	}
}

func (s strict) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s strict) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.change(cmd)
		return next(ctx, cmd)
	}
}

func (s strict) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			s.change(cmd)
		}
		return next(ctx, cmds)
	}
}

func TestScriptsUseOneSlotOfACluster(t *testing.T) {
	t.Parallel()
	addr := redistest.ServerAt(t, redistest.FreeAddr(t), "--save", "", "--cluster-enabled", "yes")
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}})
	t.Cleanup(func() { _ = rdb.Close() })
	one := redistest.Client(t, addr)
	require.NoError(t, one.Do(bg, "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	require.Eventually(t, func() bool {
		return strings.Contains(one.ClusterInfo(bg).Val(), "cluster_state:ok")
	}, 10*time.Second, 20*time.Millisecond)
	rdb.AddHook(newStrict(t, one, []string{"pace.lua", "enqueue.lua"}, []string{"pace.lua", "get.lua"}, []string{"rediskeys/ends.lua", "cancel.lua"}, []string{"writable.lua"}))
	p, err := producer.New(rdb, producer.Config{MaxWaiting: 10, MaxDrain: time.Hour})
	require.NoError(t, err)
	require.NoError(t, rdb.Set(bg, keys.Rates("default"), "33501 1116695 100503 0 250000 0 0 0.005", 0).Err())

	require.NoError(t, p.Ready(bg))
	f := fleet{t, rdb}
	first, err := p.Enqueue(bg, text("1", "2", "x"), producer.Key("k"), producer.InBroadcast("b"))
	require.NoError(t, err)
	for _, r := range p.EnqueueMany(bg, []producer.Job{text("1", "2", "x"), text("1", "3", "x")}, producer.At(time.Now().Add(time.Hour))) {
		require.NoError(t, r.Err)
	}
	rdb.HSet(bg, keys.Busy(), "1:"+first.ID[27:], first.ID)
	second, err := p.Enqueue(bg, text("1", "2", "x"))
	require.NoError(t, err)
	rdb.ZAdd(bg, keys.Parked("1", first.ID[27:]), redis.Z{Member: second.ID})
	result, err := p.Cancel(bg, first.ID)
	require.NoError(t, err)
	assert.Equal(t, producer.CancelDone, result)
	info, err := p.Get(bg, second.ID)
	require.NoError(t, err)
	assert.EqualValues(t, 1, info.Place)
	assert.NotZero(t, info.ETA)
	count, err := p.CancelPage(bg, "1")
	require.NoError(t, err)
	assert.Equal(t, producer.CancelCount{Cancelled: 3}, count)
	assert.Len(t, follow(t, p, producer.Follow{Group: "g", Consumer: "a", MinIdle: 100 * time.Millisecond}, 4), 4)
	assert.Len(t, f.records(), 4)
}
