package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
)

func TestTheDemosAudienceIsValid(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for line := range strings.Lines(string(demoAudience)) {
		job, err := producer.ParseJob([]byte(line))
		require.NoError(t, err, line)
		route, err := job.Route()
		require.NoError(t, err, line)
		count[route.Line.String()]++
	}
	assert.Equal(t, map[string]int{"1001:bulk": 16, "1002:bulk": 76, "1003:realtime": 208}, count)
	for _, p := range demoPages() {
		rate := max(p.Rates.BulkRate, p.Rates.Rate)
		lane := map[bool]string{true: "bulk", false: "realtime"}[p.Rates.BulkRate > 0]
		assert.Less(t, float64(count[p.ID+":"+lane])/rate, 20.0, "page %s takes too long", p.ID)
	}
}

func TestTheDemoSendsAllAndShowsWhatTheReceiverSaw(t *testing.T) {
	t.Parallel()
	out, errs := newOutput(), newOutput()
	d := &demo{
		app:      &app{stdout: out, stderr: errs},
		cfg:      config.Default(),
		audience: []byte(job("1001", "1", "a") + job("1001", "2", "b") + job("1002", "1", "c")),
	}
	d.cfg.Monitor.Addr = "127.0.0.1:0"
	d.cfg.Pages = demoPages()[:2]
	require.NoError(t, d.run(t.Context()), errs)
	assert.Contains(t, errs.String(), "nothing is kept", "said loudly")
	text := out.String()
	assert.Regexp(t, `Watch the queue at http://127\.0\.0\.1:\d+\n3 messages are in the queue of 2 pages\n`, text)
	assert.Contains(t, text, "page 1001 2/2   page 1002 1/1\n")
	// Never faster; how late a busy machine sends the second of two is not what is shown here.
	assert.Regexp(t, `(?m)^1001  bulk     2         1/s  (0\.[5-9]\d|1\.0\d)/s  +\d$`, text)
	assert.Regexp(t, `(?m)^1002  bulk     1         5/s       -  +1$`, text)
	assert.NotContains(t, text+errs.String(), "demo-token")
}

func TestTheDemoStaysIfItIsAskedTo(t *testing.T) {
	t.Parallel()
	p := start(t, nil, nil, "demo", "--keep", "--addr", "127.0.0.1:0")
	p.out.wait(t, `page 1001 [1-9]\d?/16`)
	assert.Equal(t, 1, p.stop(), "interrupted in the middle")
	assert.Contains(t, p.err.String(), "sendpace: ended before all was sent; nothing of it is kept: ")
}
