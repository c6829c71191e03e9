package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	miniserver "github.com/alicebob/miniredis/v2/server"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
)

func TestWorkerSendsWhatWasEnqueued(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABfirst", "1002": "EAABsecond"}})
	require.NoError(t, err)
	defer box.Close()
	server := httptest.NewServer(box)
	defer server.Close()
	env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL}
	path := writeFile(t, "c.yaml", pagesFile)

	var jobs strings.Builder
	for i := range 20 {
		jobs.WriteString(job("1001", fmt.Sprint(i), "private words"))
	}
	require.Equal(t, 0, sendpace(jobs.String(), env, "enqueue", "--config", path, "--file", "-").code)
	p := start(t, nil, env, "worker", "--config", path, "--log-format", "json")
	p.err.wait(t, `(?s)(.*"message":"sent"){20}`)
	assert.Equal(t, 0, p.stop(), p.err)
	assert.Len(t, box.Accepted(), 20)
	assert.Contains(t, p.err.String(), `"message":"worker stopped"`)
	assert.Contains(t, p.err.String(), `"key":"pages[0].rate"`, "the warnings of the configuration are logged")
	keys, err := rdb.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, hidden := range []string{"EAAB", "shhh", "private words"} {
		assert.NotContains(t, p.err.String()+p.out.String(), hidden)
		assert.NotContains(t, strings.Join(keys, " "), hidden)
	}
}

// TestAServiceStopsCleanlyAtAnyMoment ends its context where it talks to Redis for the n-th time. Without one it has not begun.
func TestAServiceStopsCleanlyAtAnyMoment(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", pagesFile)
	for _, service := range []struct {
		moments int // no more than it talks to Redis by itself
		args    []string
	}{{60, []string{"worker", "--log-format", "json"}}, {4, []string{"gateway", "--addr", "127.0.0.1:0"}}, {4, []string{"monitor", "--addr", "127.0.0.1:0"}}} {
		for n := range service.moments {
			server := miniredis.NewMiniRedis()
			server.ClockTTL(true)
			require.NoError(t, server.StartAddr("127.0.0.1:0"))
			ctx, cancel := context.WithCancel(t.Context())
			var asked atomic.Int64
			server.Server().SetPreHook(func(*miniserver.Peer, string, ...string) bool {
				if asked.Add(1) > int64(n) {
					cancel()
				}
				return false
			})
			if n == 0 {
				cancel()
			}
			var out, errOut bytes.Buffer
			code := run(ctx, append(service.args, "--config", path), nil, &out, &errOut, []string{"SENDPACE_REDIS_URL=redis://" + server.Addr()})
			assert.Equal(t, 0, code, "%s stopped at command %d: %s", service.args[0], n, errOut.String())
			server.Close()
			cancel()
		}
	}
}

func TestWorkerConfig(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Pages = []config.Page{{
		ID: "1", AccessToken: config.NewSecret("t"), AppSecret: config.NewSecret("s"), Rates: config.Rates{Rate: 5, DailyBudget: 17},
	}}
	cfg.App.DailyBudget, cfg.Worker.Adaptive = 99, false
	got := workerConfig(cfg, zerolog.Nop())
	assert.Equal(t, map[string]sendapi.Page{"1": {ID: "1", Token: "t", AppSecret: "s"}}, got.Pages)
	want := pace.Rates{Page: 30, Bulk: 0.9, Media: 10, Replies: 750.0 / 3600, Thread: 250 * time.Millisecond}
	assert.Equal(t, want, got.Rates)
	want.Page, want.Budget = 5, 17
	assert.Equal(t, map[string]pace.Rates{"1": want}, got.PageRates)
	assert.EqualValues(t, 99, got.AppBudget)
	assert.True(t, got.Steady)
	assert.Equal(t, []any{0.005, 250, 8, "1m30s"},
		[]any{got.Margin, got.Concurrency, got.MaxAttempts, got.ShutdownTimeout.String()})
	cfg.Worker.OnUnknown, cfg.Worker.SuppressFor, cfg.Outcomes.Max = "never", time.Hour, 5000
	got = workerConfig(cfg, zerolog.Nop())
	assert.Equal(t, []any{producer.NeverResend, time.Hour, int64(5000)}, []any{got.OnUnknown, got.SuppressFor, got.StreamLength})
}

func TestLogs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		format, level, want string
	}{
		{"json", "info", `"message":"told"`},
		{"auto", "info", `"message":"told"`},
		{"console", "info", "INF told"},
		{"json", "warn", ""},
	} {
		var out bytes.Buffer
		log, err := newLog(&out, config.Log{Level: tt.level, Format: tt.format})
		require.NoError(t, err)
		log.Info().Msg("told")
		assert.Contains(t, out.String(), tt.want)
		assert.Equal(t, tt.want == "", out.Len() == 0, tt)
	}
}
