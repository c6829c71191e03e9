package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/metrics"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

func enqueue(t testing.TB, rdb redis.UniversalClient, page string, n int) {
	t.Helper()
	p, err := producer.New(rdb, producer.Config{})
	require.NoError(t, err)
	for i := range n {
		_, err := p.Enqueue(t.Context(), producer.Job{PageID: page, Request: json.RawMessage(
			fmt.Sprintf(`{"recipient":{"id":"%d"},"messaging_type":"UPDATE","message":{"text":"x"}}`, i))})
		require.NoError(t, err)
	}
}

// calls counts commands.
type calls struct {
	redis.Hook
	n atomic.Int64
}

func (c *calls) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (c *calls) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

func (c *calls) DialHook(next redis.DialHook) redis.DialHook { return next }

// One worker exports the figures of the queue, the others are asked next to nothing, and when it goes another one takes over.
func TestOneWorkerExportsTheFigures(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	cfg := metrics.Config{Pages: []string{"1001", "1002"}, PerPage: true}
	rdb := redistest.Client(t, addr)
	pacer, err := pace.New(rdb, pace.Config{})
	require.NoError(t, err)
	require.NoError(t, pacer.SetRates(t.Context(), pace.Limits{
		Pages:  map[string]pace.Rates{"1002": {Page: 1, Bulk: 1, Media: 1}},
		Others: pace.Rates{Page: 30, Bulk: 0.5, Media: 10},
	}))
	enqueue(t, rdb, "1001", 3)
	enqueue(t, rdb, "777", 2)
	require.NoError(t, pacer.Hold(t.Context(), "1002", pace.Reason{Text: "expired"}))
	_, err = pacer.Pause(t.Context(), "777", time.Minute, pace.Reason{Text: "slow down"})
	require.NoError(t, err)

	first, others := metrics.New(rdb, cfg), redistest.Client(t, addr)
	second, cost := metrics.New(others, cfg), &calls{}
	require.NoError(t, others.Ping(t.Context()).Err()) // which makes the connection
	others.AddHook(cost)
	got := scrape(t, first.Handler())
	for series, want := range map[string]float64{
		`sendpace_exporter`: 1,
		`sendpace_waiting_jobs{lane="bulk",page="1001"}`:     3,
		`sendpace_waiting_jobs{lane="bulk",page="other"}`:    2,
		`sendpace_page_held{page="1002"}`:                    1,
		`sendpace_page_paused{page="other"}`:                 1,
		`sendpace_page_rate_limit{limit="bulk",page="1001"}`: 0.5,
	} {
		assert.InDelta(t, want, got[series], 0, series)
	}
	got = scrape(t, second.Handler())
	assert.Zero(t, got["sendpace_exporter"])
	assert.Empty(t, got.of(t, `sendpace_(waiting|page|oldest|queue|workers|app).*`))
	assert.LessOrEqual(t, cost.n.Load(), int64(2), "commands of a worker that is not the exporter")

	first.Close(t.Context())
	require.Eventually(t, func() bool { return scrape(t, second.Handler())["sendpace_exporter"] == 1 }, 30*time.Second, 50*time.Millisecond)
	second.Close(t.Context())
	second.Close(t.Context()) // harmless
}

// A scrape while Redis is away says so, and is answered.
func TestAScrapeWithoutRedis(t *testing.T) {
	t.Parallel()
	addr := redistest.FreeAddr(t)
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{addr}, MaxRetries: -1})
	defer rdb.Close()
	w := metrics.New(rdb, metrics.Config{})
	rdb.AddHook(w.RedisHook())
	got := scrape(t, w.Handler())
	assert.Zero(t, got["sendpace_exporter"])
	assert.Empty(t, got.of(t, `sendpace_waiting_jobs.*`))
	w.Close(t.Context())
	assert.Positive(t, scrape(t, w.Handler())[`sendpace_redis_errors_total{kind="connection"}`])
}

func TestRedisErrors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rdb := redistest.Client(t, redistest.Server(t))
	w := metrics.New(rdb, metrics.Config{})
	rdb.AddHook(w.RedisHook())
	gone, cancel := context.WithCancel(ctx)
	cancel()
	require.Error(t, rdb.Get(gone, "k").Err())
	require.ErrorIs(t, rdb.Get(ctx, "absent").Err(), redis.Nil)
	require.Error(t, rdb.EvalSha(ctx, "ffffffffffffffffffffffffffffffffffffffff", nil).Err())
	got := scrape(t, w.Handler())
	for _, kind := range []string{"timeout", "connection", "reply"} {
		assert.Zero(t, got[`sendpace_redis_errors_total{kind="`+kind+`"}`], "these are no errors of Redis")
	}
	assert.GreaterOrEqual(t, got["sendpace_redis_commands_total"], 3.0)

	require.NoError(t, rdb.Set(ctx, "text", "x", 0).Err())
	pipe := rdb.Pipeline()
	pipe.Get(ctx, "text")
	pipe.LLen(ctx, "text")
	pipe.LLen(ctx, "text")
	_, err := pipe.Exec(ctx)
	require.Error(t, err)
	require.NoError(t, rdb.Do(ctx, "CLIENT", "PAUSE", 60_000, "WRITE").Err())
	brief, end := context.WithTimeout(ctx, 50*time.Millisecond)
	defer end()
	require.Error(t, rdb.Set(brief, "text", "y", 0).Err())
	require.NoError(t, rdb.Do(ctx, "CLIENT", "UNPAUSE").Err())
	got = scrape(t, w.Handler())
	assert.InDelta(t, 2, got[`sendpace_redis_errors_total{kind="reply"}`], 0)
	assert.InDelta(t, 1, got[`sendpace_redis_errors_total{kind="timeout"}`], 0)
}

func noDial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no network here")
}

// What the platform said of its limits counts for five minutes. Of pages under one label the highest counts.
func TestUsageIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dead := redis.NewUniversalClient(&redis.UniversalOptions{
			Addrs: []string{"127.0.0.1:1"}, MaxRetries: -1, Dialer: noDial,
		})
		defer dead.Close()
		w := metrics.New(dead, metrics.Config{})
		send(t, w, "1", &sendapi.Response{Usage: used("1", 80)}, nil)
		send(t, w, "2", &sendapi.Response{Usage: used("2", 20)}, nil)
		send(t, w, "3", &sendapi.Response{}, nil)
		got := scrape(t, w.Handler())
		assert.Equal(t, []float64{80, 10}, []float64{got[`sendpace_api_page_usage_percent{page="all"}`], got["sendpace_api_app_usage_percent"]})
		time.Sleep(6 * time.Minute)
		got = scrape(t, w.Handler())
		assert.Equal(t, []float64{0, 0}, []float64{got[`sendpace_api_page_usage_percent{page="all"}`], got["sendpace_api_app_usage_percent"]})
	})
}
