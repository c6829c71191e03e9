package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/redistest"
)

// A cluster's clients ask for its shape. The README says what the rule needs besides.
func TestTheREADMEsRuleForAClusterIsEnough(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	besides := regexp.MustCompile(`In a Cluster it needs ` + "`([^`]+)`" + ` besides`).FindSubmatch(readme)
	require.NotNil(t, besides)
	rule := readmeRule(t)
	for _, word := range strings.Fields(string(besides[1])) {
		rule = append(rule, word)
	}
	nodes := redistest.Cluster(t)
	var hosts []string
	for _, n := range nodes {
		asUser(t, redistest.Client(t, n.Addr), n.Addr, rule...)
		require.NoError(t, redistest.Client(t, n.Addr).ConfigResetStat(t.Context()).Err())
		hosts = append(hosts, n.Addr)
	}
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABfirst", "1002": "EAABsecond"}})
	require.NoError(t, err)
	defer box.Close()
	server := httptest.NewServer(box)
	defer server.Close()
	env := []string{
		"SENDPACE_REDIS_URL=redis-cluster://sendpace:secret@" + strings.Join(hosts, ","),
		"SENDPACE_GRAPH_BASE_URL=" + server.URL, "SENDPACE_CONFIG=" + writeFile(t, "c.yaml", pagesFile),
	}
	require.Equal(t, 0, sendpace(job("1001", "1", "x"), env, "enqueue", "--file", "-").code)
	worker := start(t, nil, env, "worker", "--log-format", "json")
	worker.err.wait(t, `"message":"sent"`)
	for _, args := range []string{"status", "audit --deep", "page list", "outcomes", "dead list", "broadcast list"} {
		got := sendpace("", env, strings.Fields(args)...)
		assert.Equal(t, 0, got.code, "%s: %s", args, got.err)
	}
	monitor := start(t, nil, env, "monitor", "--addr", "127.0.0.1:0")
	base := monitor.out.wait(t, `seen at (\S+);`)
	for _, path := range []string{"/asynqmon/api/queues", "/asynqmon/api/redis_info"} {
		status, body := get(t, base+path)
		assert.Equal(t, http.StatusOK, status, body)
	}
	assert.Equal(t, 0, monitor.stop(), monitor.err)
	assert.Equal(t, 0, worker.stop(), worker.err)
	stats := ""
	for _, n := range nodes {
		refused, err := redistest.Client(t, n.Addr).Do(t.Context(), "ACL", "LOG").Slice()
		require.NoError(t, err)
		assert.Empty(t, refused, n.Addr)
		stats += redistest.Client(t, n.Addr).Info(t.Context(), "commandstats").Val()
	}
	for _, word := range strings.Fields(string(besides[1])) {
		assert.Contains(t, stats, "cmdstat_"+strings.TrimPrefix(word, "+")+":", "nothing needs it")
	}
}
