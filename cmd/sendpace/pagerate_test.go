package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestPageRate(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		url, rdb := "redis://"+addr, redistest.Client(t, addr)
		got := on(url, "page", "rate", "1001", "--bulk", "2", "--for", "2h")
		assert.Equal(t, ran{code: 1, err: "sendpace: no worker has set the rates yet\n  start one: sendpace worker\n"}, got)
		newPacer(t, rdb)
		put(t, rdb, "1001")
		const note = "page 1001: bulk rate 20/s for another 2h\n  the configured rates again: sendpace page rate 1001 --reset\n"
		assert.Equal(t, ran{out: note}, on(url, "page", "rate", "1001", "--bulk", "20", "--for", "2h"))
		assert.Regexp(t, `(?m)^1001 +bulk +1 +\S+ +20/s `, on(url, "status").out)
		assert.Contains(t, on(url, "status").out, note)
		assert.Contains(t, on(url, "page", "show", "1001").out, note)
		assert.Regexp(t, `(?s)its rates are set for a time: bulk rate 20/s\n  until .*, in (2h|1h59m\S*)\n  change  sendpace page rate 1001 --reset\n`+
			`.*bulk: 1 wait for the bulk rate of 20/s\n`, on(url, "why", "page", "1001").out)
		var v pageView
		require.NoError(t, json.Unmarshal([]byte(on(url, "page", "show", "1001", "--json").out), &v))
		assert.WithinDuration(t, time.Now().Add(2*time.Hour), v.Temporary.Until, time.Minute)

		got = on(url, "page", "rate", "1001", "--bulk", "50", "--for", "2h")
		assert.Equal(t, ran{code: 1, err: "sendpace: --bulk 50 is above the page's rate of 40/s, which holds for all lanes together\n  add --rate 50\n"}, got)
		got = on(url, "page", "rate", "1001", "--bulk", "50", "--rate", "50", "--for", "2h")
		assert.Equal(t, []any{0, "sendpace: warning: above 40 a second the page's inbox stops showing new messages\n"}, []any{got.code, got.err})
		assert.Equal(t, ran{out: "page 1001 has its configured rates again\n"}, on(url, "page", "rate", "1001", "--reset"))
		assert.Equal(t, ran{out: "page 1001 had its configured rates\n"}, on(url, "page", "rate", "1001", "--reset"))
		assert.NotContains(t, on(url, "status").out, "for another")
	})
}

func TestPageRateOnARunningFleetOutlivesItsWorkers(t *testing.T) {
	t.Parallel()
	url := "redis://" + redistest.Server(t)
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABfirst"}})
	require.NoError(t, err)
	defer box.Close()
	server := httptest.NewServer(box)
	defer server.Close()
	env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL}
	path := writeFile(t, "c.yaml", "pages:\n- {id: 1001, access_token: EAABfirst, bulk_rate: 0.001}\n")
	var jobs strings.Builder
	for i := range 200 {
		jobs.WriteString(job("1001", fmt.Sprint(i), "x"))
	}
	require.Equal(t, 0, sendpace(jobs.String(), env, "enqueue", "--config", path, "--file", "-").code)
	sent := func(n int) func() bool { return func() bool { return len(box.Accepted()) >= n } }
	first := start(t, nil, env, "worker", "--config", path)
	require.Eventually(t, sent(1), 20*time.Second, 10*time.Millisecond)

	require.Equal(t, 0, sendpace("", env, "page", "rate", "1001", "--bulk", "20", "--for", "1h", "--config", path).code)
	require.Eventually(t, sent(20), 20*time.Second, 10*time.Millisecond, "the next one would have come in a quarter of an hour")
	require.Equal(t, 0, first.stop())
	before := len(box.Accepted())
	second := start(t, nil, env, "worker", "--config", path)
	require.Eventually(t, sent(before+20), 20*time.Second, 10*time.Millisecond, "a start does not end it")
	require.Equal(t, 0, sendpace("", env, "page", "rate", "1001", "--reset", "--config", path).code)
	require.Equal(t, 0, second.stop())
	assert.Less(t, len(box.Accepted()), 200)
}
