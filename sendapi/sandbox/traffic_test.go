package sandbox_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// sendsOf makes n calls with a pause after each and returns the codes of the answers, as runs: "sent x3, 613 x1".
func codesInARow(srv *sandbox.Server, n int, pause time.Duration, body string) []int {
	var got []int
	for range n {
		post(srv, "/1001/messages", "t", body)
		calls := srv.Calls()
		got = append(got, calls[len(calls)-1].Code)
		time.Sleep(pause)
	}
	return got
}

func TestPageBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{PageCalls: 3, Rate: -1})
		assert.Equal(t, []int{0, 0, 0, 80006}, codesInARow(srv, 4, time.Hour, hello))
		w := send(srv)
		u := w.Header().Get("X-Business-Use-Case-Usage")
		assert.Contains(t, u, `"call_count":166`, "refused calls count")
		assert.Empty(t, w.Header().Get("X-App-Usage"))
		assert.Equal(t, 200, post(srv, "/1002/messages", "t", hello).Code, "another page")

		// The five calls came an hour apart, from 0 to 4 h: two of the last three must be gone, at about 27 h.
		wait := srv.PageStatus("1001").BlockedFor
		assert.InDelta(t, 22, wait.Hours(), 0.2, "the third of the five must be a day old")
		assert.InDelta(t, 166, srv.PageStatus("1001").UsagePercent, 1)
		time.Sleep(wait)
		assert.Equal(t, 200, send(srv).Code)
	})
}

func TestAppBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{AppCalls: 2, BudgetSpan: time.Hour, Rate: -1})
		assert.Equal(t, `{"call_count":50,"total_cputime":12,"total_time":12}`, send(srv).Header().Get("X-App-Usage"))
		assert.Equal(t, 200, post(srv, "/1002/messages", "t", hello).Code)
		c, err := sendapi.NewClient(sendapi.Config{HTTPClient: srv.Client()})
		require.NoError(t, err)
		_, err = c.Send(t.Context(), sendapi.Page{ID: "1003", Token: "t"}, text("7"))
		var e *sendapi.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "4/0 rate_limit", codesOf(e))
		assert.Equal(t, sendapi.ScopeApp, e.Scope)
		assert.InDelta(t, 150, e.Usage.App.Max(), 1)
		time.Sleep(61 * time.Minute)
		assert.Equal(t, 200, send(srv).Code)
		srv.Close()
	})
}

// With a block, who goes on calling waits for ever.
func TestBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{Rate: 1, Block: time.Minute})
		assert.Equal(t, []int{0, 613}, codesInARow(srv, 2, 0, hello))
		assert.Equal(t, time.Minute, srv.PageStatus("1001").BlockedFor)
		time.Sleep(time.Minute - 1)
		w := send(srv)
		assert.Contains(t, w.Body.String(), `"code":613,`, "a nanosecond too early")
		assert.Contains(t, w.Header().Get("X-Business-Use-Case-Usage"), `"estimated_time_to_regain_access":1}`)
		time.Sleep(time.Minute)
		assert.Equal(t, 200, send(srv).Code)
	})
}

func TestThreadRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{ThreadRate: 0.5})
		assert.Equal(t, "sent", codesOf(sendTo(t, srv, page, text("7"))))
		e := sendTo(t, srv, page, text("7"))
		assert.Equal(t, "613/2018338 rate_limit", codesOf(e))
		assert.Equal(t, sendapi.ScopeThread, e.Scope)
		assert.Equal(t, "sent", codesOf(sendTo(t, srv, page, text("8"))), "another person")
		typing := &sendapi.Request{Recipient: sendapi.ID("7"), SenderAction: sendapi.TypingOn}
		assert.Equal(t, "sent", codesOf(sendTo(t, srv, page, typing)), "not a message")
		time.Sleep(2 * time.Second)
		assert.Equal(t, "sent", codesOf(sendTo(t, srv, page, text("7"))))
		srv.Close()
	})
}

func TestPrivateReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{Rate: -1, PrivateReplies: 2})
		reply := func(comment string) int {
			return post(srv, "/1001/messages", "t", strings.Replace(hello, `"id":"7"`, `"comment_id":"`+comment+`"`, 1)).Code
		}
		assert.Equal(t, []int{200, 200, 400}, []int{reply("1_1"), reply("1_2"), reply("1_3")})
		assert.Equal(t, 200, send(srv).Code, "messages go on")
		time.Sleep(time.Hour)
		assert.Equal(t, 200, reply("1_3"), "was not used up")
	})
}

func TestDefaultPrivateReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{})
		for i := range 800 {
			post(srv, "/1001/messages", "t", strings.Replace(hello, `"id":"7"`, `"post_id":"1_`+strings.Repeat("1", i+1)+`"`, 1))
			time.Sleep(time.Second)
		}
		assert.Len(t, srv.Accepted(), 750)
	})
}

func TestRateOfAPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{})
		require.NoError(t, srv.SetPage("1001", sandbox.Page{Rate: 2, MediaRate: 1}))
		assert.Equal(t, []int{0, 0, 613}, codesInARow(srv, 3, 0, hello))
		require.NoError(t, srv.SetPage("1001", sandbox.Page{Rate: 3}))
		assert.Equal(t, []int{0, 0, 0, 613}, codesInARow(srv, 4, 0, hello), "counted anew")
		srv.ResetPage("1001")
		assert.Len(t, srv.Accepted(), 5)
	})
}

// The figure in the header is the real use of the limit: it rises with the rate and falls without calls.
func TestUsageRisesWithLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{})
		header := func(w *httptest.ResponseRecorder) string { return w.Header().Get("X-Business-Use-Case-Usage") }
		for range 2 {
			assert.Empty(t, header(send(srv)), "effectively 0")
		}
		send(srv)
		assert.Equal(t, `{"1001":[{"type":"messenger","call_count":1,"total_cputime":0,"total_time":0,`+
			`"estimated_time_to_regain_access":0}]}`, header(send(srv)))
		for range 145 {
			send(srv)
		}
		assert.Contains(t, header(send(srv)), `"call_count":50,"total_cputime":12,`)
		time.Sleep(time.Second)
		assert.Empty(t, header(send(srv)))
		require.NoError(t, srv.SetPage("1001", sandbox.Page{Usage: 97.5}))
		assert.Contains(t, header(send(srv)), `"call_count":97,`)
		assert.Empty(t, header(post(srv, "/1002/messages", "t", hello)), "another page")
	})
}

func TestUsageOfConfig(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{Usage: 80})
	c, err := sendapi.NewClient(sendapi.Config{HTTPClient: srv.Client()})
	require.NoError(t, err)
	res, err := c.Send(t.Context(), page, text("7"))
	require.NoError(t, err)
	assert.InDelta(t, 80, res.Usage.Messaging("1001").Max(), 0)
	assert.False(t, res.Usage.App.Known)
}

func TestHighVolume(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		cfg          sandbox.Config
		perSecond    int
		during, then bool
	}{
		"40 a second":             {sandbox.Config{}, 40, false, false},
		"50 a second":             {sandbox.Config{}, 50, true, false},
		"50 a second, never":      {sandbox.Config{HighVolume: -1}, 50, false, false},
		"2 a second, as in 2018":  {sandbox.Config{HighVolume: 1, HighVolumeStays: true}, 2, true, true},
		"1 a second, as in 2018":  {sandbox.Config{HighVolume: 1, HighVolumeStays: true}, 1, false, false},
		"10 a second, set to 5":   {sandbox.Config{HighVolume: 5}, 10, true, false},
		"refused ones do not add": {sandbox.Config{Rate: 30}, 50, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, row.cfg)
				for range 3 * row.perSecond {
					send(srv)
					time.Sleep(time.Second / time.Duration(row.perSecond))
				}
				assert.Equal(t, row.during, srv.PageStatus("1001").HighVolume)
				assert.False(t, srv.PageStatus("1002").HighVolume)
				time.Sleep(time.Minute)
				assert.Equal(t, row.then, srv.PageStatus("1001").HighVolume)
			})
		})
	}
}
