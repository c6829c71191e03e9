package sandbox_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

const video = `{"recipient":{"id":"7"},"message":{"attachment":{"type":"video","payload":{"url":"https://dead.example/x.mp4"}}}}`

// A chaos run: two faults by chance at once, the same ones with the same seed.
func TestChance(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (codes []int, dropped int) {
		srv := newServer(t, sandbox.Config{Rate: -1, Seed: seed})
		srv.Fail(sandbox.AllPages, sandbox.Fault{Chance: 0.2, Code: 2})
		srv.Fail(sandbox.AllPages, sandbox.Fault{Chance: 0.1, Drop: sandbox.DropAfter})
		for range 1000 {
			func() {
				defer func() { _ = recover() }()
				send(srv)
			}()
		}
		for _, c := range srv.Calls() {
			codes = append(codes, c.Code)
			if c.Status == 0 {
				dropped++
				assert.True(t, c.Accepted)
			}
		}
		return codes, dropped
	}
	codes, dropped := run(1)
	failed := 0
	for _, c := range codes {
		if c == 2 {
			failed++
		}
	}
	// Four standard deviations around 200, and around a tenth of the other 800.
	assert.InDelta(t, 200, failed, 51)
	assert.InDelta(t, 80, dropped, 34)
	again, _ := run(1)
	assert.Equal(t, codes, again)
	other, _ := run(2)
	assert.NotEqual(t, codes, other)
}

func TestDelaysAddUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{Latency: time.Second})
		srv.Fail("1001", sandbox.Fault{Delay: time.Minute, Chance: 1, For: time.Hour})
		srv.Fail(sandbox.AllPages, sandbox.Fault{Delay: time.Second, DelayUpTo: 2 * time.Second})
		srv.Fail(sandbox.AllPages, sandbox.Fault{Code: 2, Delay: time.Hour, Times: 1})
		took := func() time.Duration {
			begun := time.Now()
			send(srv)
			return time.Since(begun)
		}
		first := took()
		assert.GreaterOrEqual(t, first, time.Hour+time.Minute+2*time.Second)
		assert.LessOrEqual(t, first, time.Hour+time.Minute+3*time.Second)
		assert.Equal(t, 2, srv.Calls()[0].Code)
		least, most := time.Hour, time.Duration(0)
		for range 100 {
			d := took()
			least, most = min(least, d), max(most, d)
		}
		assert.InDelta(t, 2, least.Seconds(), 0.1)
		assert.InDelta(t, 3, most.Seconds(), 0.1)
	})
}

func TestFaultsOfOnePersonOrURL(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	srv.Fail("1001", sandbox.Fault{Person: "8", Code: 613, Subcode: 2018338})
	srv.Fail("1001", sandbox.Fault{MediaURL: "https://dead.example/", Code: 100, Subcode: 2018008})
	w := send(srv)
	assert.Equal(t, 200, w.Code)
	w = post(srv, "/1001/messages", "t", strings.Replace(hello, `"7"`, `"8"`, 1))
	assert.Contains(t, w.Body.String(), `"error_subcode":2018338,`)
	assert.Empty(t, w.Header().Get("X-Business-Use-Case-Usage"), "the page is not blocked")
	w = post(srv, "/1001/messages", "t", video)
	assert.Contains(t, w.Body.String(), `"error_subcode":2018008,`)
	w = post(srv, "/1001/message_attachments", "t", video)
	assert.Contains(t, w.Body.String(), `"error_subcode":2018008,`)
	w = post(srv, "/1001/messages", "t", strings.Replace(video, "dead", "live", 1))
	assert.Equal(t, 200, w.Code)
}

func TestIsTransient(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault     sandbox.Fault
		transient bool
		status    int
	}{
		"1":               {sandbox.Fault{Code: 1}, false, 500},
		"1, said to be":   {sandbox.Fault{Code: 1, Transient: true}, true, 500},
		"2":               {sandbox.Fault{Code: 2}, true, 500},
		"1200":            {sandbox.Fault{Code: 1200}, true, 500},
		"100":             {sandbox.Fault{Code: 100}, false, 400},
		"another status":  {sandbox.Fault{Code: 2, Status: 400}, true, 400},
		"a limit's words": {sandbox.Fault{Code: 613, Message: "slow down"}, false, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, sandbox.Config{})
			srv.Fail("1001", row.fault)
			w := send(srv)
			assert.Equal(t, row.status, w.Code)
			assert.Equal(t, row.transient, strings.Contains(w.Body.String(), `"is_transient":true,`), w.Body)
			assert.Contains(t, w.Body.String(), row.fault.Message)
		})
	}
}

// A fault's times are not spent on calls that an earlier fault takes.
func TestOneFaultAtATime(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	srv.Fail("1001", sandbox.Fault{Code: 2, Times: 2})
	srv.Fail("1001", sandbox.Fault{Delay: 1, Times: 1})
	srv.Fail("1001", sandbox.Fault{Code: 190, Times: 1})
	require.Equal(t, []int{2, 2, 0, 190, 0}, codesInARow(srv, 5, 0, hello))
}
