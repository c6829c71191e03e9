package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// Only the worker is told how many shards there are. The pages of pagesFile are in two of them.
func TestCommandsWorkOnAllShards(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABfirst", "1002": "EAABsecond"}})
	require.NoError(t, err)
	defer box.Close()
	server := httptest.NewServer(box)
	defer server.Close()
	env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL}
	path := writeFile(t, "c.yaml", pagesFile)
	run := func(stdin string, args ...string) string {
		t.Helper()
		got := sendpace(stdin, env, append(args, "--config", path)...)
		require.Equal(t, 0, got.code, "%v: %s", args, got.err)
		return got.out + got.err
	}
	w := start(t, nil, append(env, "SENDPACE_REDIS_SHARDS=4"), "worker", "--config", path, "--log-format", "json")
	w.err.wait(t, `"shards":4.*"message":"worker started"`)

	assert.Regexp(t, `^all pages: on hold since .*: a test`, run("", "page", "hold", "app", "--why", "a test", "--yes"))
	run(job("1001", "7", "x")+job("1002", "7", "x")+job("1002", "8", "x"), "enqueue", "--file", "-")
	status := run("", "status")
	assert.Contains(t, status, "1 worker, ")
	assert.Regexp(t, `(?m)^ *1001 +bulk +1 (.*\n) *1002 +bulk +2 `, status)
	assert.Contains(t, status, "all pages: on hold since")
	assert.Regexp(t, `1002 +on hold +2 `, run("", "page", "list"))

	p, err := producer.New(rdb, producer.Config{})
	require.NoError(t, err)
	shards, err := p.Shards(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, shards.QueueOf("1001"), shards.QueueOf("1002"))
	id := rdb.ZRange(t.Context(), "asynq:{"+shards.QueueOf("1002")+"}:g:1002:bulk", 0, 0).Val()[0]
	assert.Contains(t, run("", "job", "show", id), "1002")
	assert.Contains(t, run("", "why", "job", id), "on hold")
	assert.Contains(t, run("", "why", "page", "1002"), "a test")
	run("", "job", "cancel", id, "--yes")
	assert.Contains(t, run("", "page", "rate", "1002", "--rate", "40", "--bulk", "40", "--for", "1h"), "page 1002: rate 40/s")
	assert.Contains(t, run("", "page", "release", "app"), "the app sends again")
	w.err.wait(t, `(?s)(.*"message":"sent"){2}`)

	outcomes := run("", "outcomes")
	assert.Equal(t, []int{2, 1}, []int{strings.Count(outcomes, "  sent  "), strings.Count(outcomes, "  cancelled  ")}, outcomes)
	assert.Regexp(t, `1001 +1 +0 (.*\n)+.*1002 +2 +0 `, run("", "audit"))
	assert.Contains(t, run("", "suppressed", "list", "--page", "1002"), "recipient")
	run("", "dead", "list")

	refused := sendpace("", append(env, "SENDPACE_REDIS_SHARDS=2"), "worker", "--config", path)
	assert.Equal(t, 1, refused.code)
	assert.Contains(t, refused.err, "workers with 4 shards, not 2, run")
	assert.Equal(t, 0, w.stop())
}
