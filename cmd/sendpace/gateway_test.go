package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

// A bot's call goes through the gateway, the queue and a worker to the Send API, as it is.
func TestGatewayQueuesWhatAWorkerSends(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	path := writeFile(t, "c.yaml", pagesFile)
	box := start(t, nil, nil, "sandbox", "--addr", "127.0.0.1:0", "--latency", "0s", "--config", path)
	api := box.out.wait(t, `answers at (http://\S+);`)
	env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + api}
	gateway := start(t, nil, env, "gateway", "--addr", "127.0.0.1:0", "--config", path)
	base := gateway.out.wait(t, `answers at (http://\S+);`)
	worker := start(t, nil, env, "worker", "--config", path, "--log-format", "json")
	assert.Equal(t, 401, post(t, base+"/v26.0/me/messages", "stranger"))
	assert.Equal(t, 200, post(t, base+"/v26.0/me/messages", "EAABfirst"))
	worker.err.wait(t, `"message":"sent"`)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+"/sandbox/log", nil)
	require.NoError(t, err)
	_, log := fetch(t, req)
	var call struct {
		Body sendapi.Request `json:"body"`
	}
	require.NoError(t, json.Unmarshal([]byte(log), &call), log)
	assert.NotEmpty(t, call.Body.Message.Metadata)
	call.Body.Message.Metadata = "" // a worker's own
	assert.Equal(t, *sendapi.Text(sendapi.ID("7"), "hi"), call.Body)
	for _, p := range []*process{gateway, worker, box} {
		assert.Equal(t, 0, p.stop(), p.err)
		assert.NotContains(t, p.err.String()+p.out.String(), "EAAB")
	}
	assert.NotContains(t, gateway.err.String(), `"hi"`)
}

// body signals that it is read, and goes on when the test wants.
type body struct {
	reading chan struct{}
	rest    chan string
}

func (b *body) Read(p []byte) (int, error) {
	close(b.reading)
	b.reading = nil
	return copy(p, <-b.rest), io.EOF
}

func TestGatewayEndsInOrder(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	path := writeFile(t, "c.yaml", pagesFile)
	p := start(t, nil, nil, "gateway", "--addr", "127.0.0.1:0", "--redis", url, "--config", path)
	base := p.out.wait(t, `answers at (http://\S+);`)
	held := &body{reading: make(chan struct{}), rest: make(chan string)}
	reading := held.reading
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, base+"/me/messages", held)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer EAABfirst")
	req.Header.Set("Expect", "100-continue") // the body is read once the gateway wants it
	status := make(chan int, 1)
	go func() {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: pingTimeout}}
		res, err := client.Do(req)
		if err != nil {
			status <- 0
			return
		}
		status <- res.StatusCode
		_ = res.Body.Close()
	}()
	<-reading
	code := make(chan int, 1)
	go func() { code <- p.stop() }()
	for { // until nobody new is let in
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	held.rest <- `{"recipient":{"id":"7"},"message":{"text":"hi"}}`
	assert.Equal(t, 200, <-status, "a call in hand gets its answer")
	assert.Equal(t, 0, <-code, p.err)
	assert.EqualValues(t, 1, rdb.ZCard(t.Context(), "asynq:{messenger}:g:1001:bulk").Val())
}

func TestGatewayStarts(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	path := writeFile(t, "c.yaml", pagesFile)
	got := sendpace("", nil, "gateway", "--redis", url)
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "no page is configured, so there is nothing to send from\n  add pages with")
	got = sendpace("", nil, "gateway", "--redis", url, "--config", path, "--addr", "203.0.113.1:80")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "cannot assign requested address\n  choose another address with --addr")

	p := start(t, nil, []string{"SENDPACE_GATEWAY_API_KEYS=0123456789abcdef"}, "gateway", "--redis", url, "--config", path, "--addr", ":0")
	base := p.out.wait(t, `answers at http://\[::\](\S+);`)
	p.err.wait(t, "put TLS in front")
	assert.Equal(t, 200, post(t, "http://127.0.0.1"+base+"/1002/messages", "0123456789abcdef"))
	assert.Equal(t, 0, p.stop(), p.err)
}
