package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	return fetch(t, req)
}

// TestAWorkerIsScraped runs a worker, sends through it, and reads over HTTP what Prometheus would.
func TestAWorkerIsScraped(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABfirst", "1002": "EAABsecond"}})
	require.NoError(t, err)
	defer box.Close()
	require.NoError(t, box.SetPage("1002", sandbox.Page{Access: sandbox.AccessExpired}))
	server := httptest.NewServer(box)
	defer server.Close()
	env := []string{
		"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL, "SENDPACE_WORKER_HTTP_ADDR=127.0.0.1:0",
	}
	path := writeFile(t, "c.yaml", strings.Replace(pagesFile, ", app_secret: shhh", "", 1))
	jobs := job("1001", "4321", "private words") + job("1001", "4322", "x") + job("1002", "7", "x")
	require.Equal(t, 0, sendpace(jobs, env, "enqueue", "--config", path, "--file", "-").code)
	p := start(t, nil, env, "worker", "--config", path, "--log-format", "json")
	base := "http://" + p.err.wait(t, `"addr":"([^"]+)","key":"worker.http_addr"`)
	p.err.wait(t, `(?s)(.*"message":"sent"){2}`)
	p.err.wait(t, `"message":"held until a person releases it"`)

	status, text := get(t, base+"/metrics")
	require.Equal(t, 200, status, text)
	for _, want := range []string{
		`sendpace_jobs_total{lane="bulk",outcome="sent",page="1001"} 2`,
		`sendpace_jobs_total{lane="realtime",outcome="unknown",page="1002"} 0`,
		`sendpace_api_call_duration_seconds_count{result="ok"} 2`,
		`sendpace_api_call_duration_seconds_count{result="auth"} 1`,
		`sendpace_api_errors_total{code="190"} 1`,
		`sendpace_stops_total{kind="hold",scope="page"} 1`,
		`sendpace_page_held{page="1002"} 1`,
		`sendpace_page_held{page="1001"} 0`,
		`sendpace_waiting_jobs{lane="bulk",page="1002"} 1`,
		`sendpace_page_rate_limit{limit="page",page="1001"} 200`,
		`sendpace_workers 1`,
		`sendpace_exporter 1`,
	} {
		assert.Contains(t, text, want+"\n")
	}
	series := regexp.MustCompile(`(?m) \S+$`).ReplaceAllString(text, "") // a figure can be any
	for _, hidden := range []string{"EAAB", "private words", "4321", server.URL} {
		assert.NotContains(t, series, hidden)
	}
	for _, probe := range []string{"/livez", "/readyz"} {
		status, _ = get(t, base+probe)
		assert.Equal(t, 200, status, probe)
	}
	assert.Equal(t, 0, p.stop(), p.err)
	assert.Zero(t, rdb.Exists(t.Context(), "sendpace:{messenger}:exporter").Val(), "another worker may export at once")
}

func TestProbes(t *testing.T) {
	t.Parallel()
	var failure error
	handler := probes(http.NotFoundHandler(), func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		assert.True(t, ok && time.Until(deadline) <= probeTimeout)
		return failure
	})
	probe := func(path string) int {
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		return res.Code
	}
	assert.Equal(t, []int{200, 200, 404}, []int{probe("/livez"), probe("/readyz"), probe("/")})
	failure = errors.New("it is stopping")
	assert.Equal(t, []int{200, 503}, []int{probe("/livez"), probe("/readyz")})
}

func TestTheGatewayIsScraped(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	path := writeFile(t, "c.yaml", pagesFile)
	env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GATEWAY_METRICS_ADDR=127.0.0.1:0", "SENDPACE_LOG_FORMAT=json"}
	p := start(t, nil, env, "gateway", "--config", path, "--addr", "127.0.0.1:0")
	base := p.out.wait(t, `answers at (http://\S+);`)
	scraped := "http://" + p.err.wait(t, `"addr":"([^"]+)","key":"gateway.metrics_addr"`)
	assert.Equal(t, 200, post(t, base+"/me/messages", "EAABfirst"))
	status, text := get(t, scraped+"/metrics")
	assert.Equal(t, 200, status)
	const calls = `sendpace_gateway_call_duration_seconds_count{route="POST /{version}/{page}/messages",status="`
	assert.Contains(t, text, calls+"2xx\"} 1\n")
	assert.Contains(t, text, calls+"5xx\"} 0\n")
	assert.Regexp(t, `(?m)^sendpace_redis_commands_total [1-9]`, text)
	assert.NotContains(t, text, "EAAB")
	status, _ = get(t, base+"/metrics")
	assert.Equal(t, 404, status, "callers do not see them")
	assert.Equal(t, 0, p.stop(), p.err)
}

func TestAnAddressThatIsTakenIsSaid(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	got := sendpace("", []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_WORKER_HTTP_ADDR=" + strings.TrimPrefix(url, "redis://")},
		"worker", "--config", writeFile(t, "c.yaml", pagesFile))
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "address already in use\n  choose another address for worker.http_addr\n")
}

func TestProbeExitsAsTheAnswerSays(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(probes(http.NotFoundHandler(), func(context.Context) error { return errors.New("not yet") }))
	defer server.Close()
	for path, want := range map[string]ran{
		"/livez":  {},
		"/readyz": {code: 1, err: "sendpace: it answers 503 Service Unavailable: not yet\n"},
	} {
		assert.Equal(t, want, sendpace("", nil, "probe", server.URL+path), path)
	}
	got := sendpace("", nil, "probe", "http://127.0.0.1:1/")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "connection refused")
}
