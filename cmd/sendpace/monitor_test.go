package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
)

// post makes a Send API call and returns the status.
func post(t *testing.T, url, token string) int {
	t.Helper()
	body := `{"recipient":{"id":"7"},"messaging_type":"UPDATE","message":{"text":"hi"}}`
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	status, _ := fetch(t, req)
	return status
}

func fetch(t *testing.T, req *http.Request) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

func TestTheMonitorShowsLinesByPage(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	require.Equal(t, 0, sendpace(job("1001", "1", "hello\\nworld"), nil, "enqueue", "--redis", url, "--file", "-").code)
	p := start(t, nil, nil, "monitor", "--redis", url, "--addr", "127.0.0.1:0")
	base := p.out.wait(t, `seen at (http://\S+);`)
	for path, want := range map[string]string{
		"/asynqmon/":           "<!doctype html>",
		"/asynqmon/api/queues": `"queue":"messenger"`,
		"/asynqmon/api/queues/messenger/groups/1001:bulk/aggregating_tasks": `\"text\":\"hello\\nworld\"`,
	} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, base+path, nil)
		require.NoError(t, err)
		status, body := fetch(t, req)
		assert.Equal(t, 200, status, path)
		assert.Contains(t, body, want, path)
	}
	assert.Equal(t, 0, p.stop(), p.err)
}

func TestWhomTheMonitorAnswers(t *testing.T) {
	t.Parallel()
	_, rdb := startRedis(t)
	const own = "127.0.0.1:8080"
	path := map[string]string{"GET": "/asynqmon/api/queues", "DELETE": "/asynqmon/api/queues/none"}
	for _, tt := range []struct {
		name             string
		readWrite, local bool
		method, host     string
		site             string // Sec-Fetch-Site, as browsers send it
		want             int
	}{
		{"reading", false, true, "GET", own, "none", 200},
		{"changing, when only reading is allowed", false, true, "DELETE", own, "same-origin", 405},
		{"changing, when it is allowed", true, true, "DELETE", own, "same-origin", 404},
		{"changing, from another site", true, true, "DELETE", own, "cross-site", 403},
		{"changing, from a program", true, true, "DELETE", own, "", 404},
		{"localhost", false, true, "GET", "localhost:8080", "none", 200},
		{"localhost without a port", false, true, "GET", "localhost", "none", 200},
		{"IPv6", false, true, "GET", "[::1]:8080", "none", 200},
		{"IPv6 without a port", false, true, "GET", "[::1]", "none", 200},
		{"a name that was made to point here", false, true, "GET", "evil.example:8080", "none", 421},
		{"a name, where remote visitors are allowed", false, false, "GET", "monitor.example", "none", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequestWithContext(context.Background(), tt.method, path[tt.method], nil)
			req.Host = tt.host
			req.Header.Set("Sec-Fetch-Site", tt.site)
			resp := httptest.NewRecorder()
			cfg := config.Default()
			if !tt.local {
				cfg.Monitor.Addr = "0.0.0.0:8080"
			}
			handler, err := monitorHandler(cfg, rdb, tt.readWrite)
			require.NoError(t, err)
			handler.ServeHTTP(resp, req)
			assert.Equal(t, tt.want, resp.Code, resp.Body)
		})
	}
}

// Behind a proxy on the same machine, as TLS needs one, the name is the proxy's.
func TestTheMonitorWithALoginAnswersToTheNameOfAProxy(t *testing.T) {
	t.Parallel()
	_, rdb := startRedis(t)
	cfg := config.Default()
	cfg.Monitor.Token = config.NewSecret("0123456789abcdef")
	handler, err := monitorHandler(cfg, rdb, false)
	require.NoError(t, err)
	for token, want := range map[string]int{"0123456789abcdef": 200, "another": 401} {
		req := httptest.NewRequestWithContext(context.Background(), "GET", "/api/fleet", nil)
		req.Host = "monitor.example"
		req.Header.Set("Authorization", "Bearer "+token)
		resp := httptest.NewRecorder()
		handler.ServeHTTP(resp, req)
		assert.Equal(t, want, resp.Code, resp.Body)
	}
}

// Whoever guesses through a proxy that is trusted keeps nobody else out.
func TestTheMonitorBehindAProxy(t *testing.T) {
	t.Parallel()
	_, rdb := startRedis(t)
	cfg := config.Default()
	cfg.Monitor.Token = config.NewSecret("0123456789abcdef")
	cfg.Monitor.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")} // of httptest
	handler, err := monitorHandler(cfg, rdb, false)
	require.NoError(t, err)
	try := func(token, from string) int {
		req := httptest.NewRequestWithContext(context.Background(), "GET", "/", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("X-Forwarded-For", from)
		resp := httptest.NewRecorder()
		handler.ServeHTTP(resp, req)
		return resp.Code
	}
	for range 10 {
		try("wrong", "198.51.100.7")
	}
	assert.Equal(t, 429, try("0123456789abcdef", "198.51.100.7"))
	assert.Equal(t, 200, try("0123456789abcdef", "198.51.100.8"))
}

func TestWhatIsShownIsJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"{\n\t\"text\": \"👩‍👧 hi\"}": "{\n\t\"text\": \"👩‍👧 hi\"}",
		"":                           `""`,
		"plain":                      `"plain"`,
		"a\x00\xff\nb":               `"a\u0000\ufffd\nb"`,
	} {
		assert.Equal(t, want, shown([]byte(in)))
		assert.True(t, json.Valid([]byte(shown([]byte(in)))), in)
	}
}

func TestLoopbackAddresses(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "localhost:1": true, "[::1]:1": true,
		"0.0.0.0:1": false, ":1": false, "[::]:1": false, "10.0.0.1:1": false, "example:1": false, "127.0.0.1": false,
	} {
		assert.Equal(t, want, isLoopback(addr), addr)
	}
}
