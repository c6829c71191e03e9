package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

const hello = `{"recipient":{"id":"7"},"message":{"text":"hello"}}`

func newServer(t *testing.T, cfg sandbox.Config) *sandbox.Server {
	t.Helper()
	srv, err := sandbox.New(cfg)
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return srv
}

// post calls the handler itself, without a network.
func post(srv http.Handler, path, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	return w
}

// postAs posts without a token.
func postAs(srv http.Handler, path, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	return w
}

func send(srv http.Handler) *httptest.ResponseRecorder {
	return post(srv, "/v26.0/1001/messages", "t", hello)
}

func TestNewReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"shop": ""}, Latency: -1, MaxCalls: -1})
	assert.EqualError(t, err, "Tokens[shop]: a page id is decimal digits; Tokens[shop]: the token is empty; "+
		"Latency: must not be negative; MaxCalls: must not be negative")
}

func TestChecks(t *testing.T) {
	t.Parallel()
	const path = "/v26.0/1001/messages"
	for name, row := range map[string]struct {
		path, token, body string
		status            int
		code, subcode     int
		says              string
	}{
		"accepted":           {path, "t1", hello, 200, 0, 0, ""},
		"without a version":  {"/1001/messages", "t1", hello, 200, 0, 0, ""},
		"me":                 {"/v26.0/me/messages", "t1", hello, 200, 0, 0, ""},
		"token in the query": {path + "?access_token=t1", "", hello, 200, 0, 0, ""},
		"no token":           {path, "", hello, 400, 190, 0, "an access token is required"},
		"wrong token":        {path, "t2", hello, 400, 190, 0, "the access token is invalid"},
		"me of nobody":       {"/me/messages", "t3", hello, 400, 190, 0, "the access token is invalid"},
		"of nothing":         {"/v26.0/1003/messages", "t3", hello, 400, 190, 0, "the access token is invalid"},
		"unknown page":       {"/v26.0/1003/messages", "t1", hello, 400, 100, 33, "Object with ID '1003' does not exist"},
		"another edge":       {"/v26.0/1001/feed", "t1", hello, 400, 100, 33, "unsupported request"},
		"invalid JSON":       {path, "t1", `{`, 400, 100, 0, "invalid JSON at byte 1"},
		"no recipient":       {path, "t1", `{"message":{"text":"x"}}`, 400, 100, 0, "recipient: required"},
		"both": {
			path, "t1", `{"recipient":{"id":"7"},"message":{"text":"x"},"sender_action":"typing_on"}`,
			400, 100, 2018014, "not allowed together",
		},
		"empty": {path, "t1", `{"recipient":{"id":"7"},"message":{}}`, 400, 100, 2018034, "needs text"},
		"too long": {
			path, "t1", strings.Replace(hello, "hello", strings.Repeat("x", 2001), 1), 400, 100, 0, "2,001",
		},
		"too large": {path, "t1", strings.Repeat(" ", 9<<20), 400, 100, 0, "too large"},
		"removed tag": {
			path, "t1", strings.Replace(hello, "}}", `},"messaging_type":"MESSAGE_TAG","tag":"ACCOUNT_UPDATE"}`, 1),
			400, 100, 0, "was removed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, sandbox.Config{Tokens: map[string]string{"1001": "t1", "1002": "t2"}})
			w := post(srv, row.path, row.token, row.body)
			assert.Equal(t, row.status, w.Code, w.Body)
			if row.code == 0 {
				assert.Len(t, srv.Accepted(), 1)
				return
			}
			assert.Contains(t, w.Body.String(), fmt.Sprintf(`"code":%d,`, row.code))
			subcode := fmt.Sprintf(`"error_subcode":%d,`, row.subcode)
			assert.Equal(t, row.subcode != 0, strings.Contains(w.Body.String(), subcode), w.Body)
			assert.Contains(t, w.Body.String(), row.says)
			assert.Empty(t, srv.Accepted())
		})
	}
}

func TestOtherRequests(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	r := httptest.NewRequest(http.MethodGet, "/v26.0/1001/messages", nil)
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	assert.Equal(t, 400, w.Code)

	r = httptest.NewRequest(http.MethodPost, "/v26.0/1001/messages?access_token=t", strings.NewReader("recipient=x"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w = httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	assert.Contains(t, w.Body.String(), "recipient: must be an object")
}

func TestCallsAreRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{Latency: 50 * time.Millisecond})
		begun := time.Now()
		w := send(srv)
		require.Equal(t, 200, w.Code)
		srv.Fail("1001", sandbox.Fault{Code: 10, Subcode: 2018278})
		send(srv)

		calls := srv.Calls()
		require.Len(t, calls, 2)
		assert.Equal(t, sandbox.Call{
			Seq: 1, At: begun, Done: begun.Add(50 * time.Millisecond), PageID: "1001", Edge: "messages", Recipient: "id:7",
			Accepted: true,
			Status:   200, MessageID: calls[0].MessageID, Body: []byte(hello),
		}, calls[0])
		assert.Contains(t, w.Body.String(), calls[0].MessageID)
		assert.Equal(t, 403, calls[1].Status)
		assert.Equal(t, 10, calls[1].Code)
		assert.Equal(t, 2018278, calls[1].Subcode)
		assert.Equal(t, calls[:1], srv.Accepted())
	})
}

func TestRecordIsBounded(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{MaxCalls: 3, Rate: -1})
	for i := range 8 {
		post(srv, fmt.Sprintf("/%d/messages", i), "t", hello)
	}
	var pages []string
	for _, c := range srv.Calls() {
		pages = append(pages, c.PageID)
		assert.False(t, c.Done.IsZero())
	}
	assert.Equal(t, []string{"5", "6", "7"}, pages)
	assert.Equal(t, 5, srv.Dropped())
}

// A call that is forgotten before its answer must not mark another one as answered.
func TestRecordForgetsACallThatStillWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{MaxCalls: 1})
		srv.Fail("1001", sandbox.Fault{Delay: time.Second, Times: 1})
		go send(srv)
		synctest.Wait()
		srv.Fail("1001", sandbox.Fault{Delay: time.Minute, Times: 1})
		go send(srv)
		time.Sleep(2 * time.Second)
		require.Len(t, srv.Calls(), 1)
		assert.True(t, srv.Calls()[0].Done.IsZero())
		srv.Close()
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	const audio = `{"recipient":{"id":"7"},"message":{"attachment":{"type":"audio","payload":{"attachment_id":"1"}}}}`
	for name, row := range map[string]struct {
		cfg   sandbox.Config
		body  string
		every time.Duration
		want  int // accepted of 1,000
	}{
		"300 a second, at it":   {sandbox.Config{}, hello, time.Second/300 + time.Nanosecond, 1000},
		"300 a second, at once": {sandbox.Config{}, hello, 0, 300},
		"media at 10 a second":  {sandbox.Config{}, audio, 100 * time.Millisecond, 1000},
		"media at once":         {sandbox.Config{}, audio, 0, 10},
		"5 a second, at 6":      {sandbox.Config{Rate: 5}, hello, time.Second / 6, 5}, // refused calls count too
		"one in two seconds":    {sandbox.Config{Rate: 0.5}, hello, 2 * time.Second, 1000},
		"no limit":              {sandbox.Config{Rate: -1, MediaRate: -1}, audio, 0, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, row.cfg)
				for range 1000 {
					post(srv, "/1001/messages", "t", row.body)
					time.Sleep(row.every)
				}
				assert.Len(t, srv.Accepted(), row.want)
			})
		})
	}
}

func TestRefusalOfALimit(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{Rate: 1})
	send(srv)
	w := send(srv)
	assert.Contains(t, w.Body.String(), `"code":613,`)
	assert.JSONEq(t, `{"1001":[{"type":"messenger","call_count":100,"total_cputime":25,"total_time":25,`+
		`"estimated_time_to_regain_access":0}]}`, w.Header().Get("X-Business-Use-Case-Usage"))
	assert.Equal(t, 200, post(srv, "/1002/messages", "t", hello).Code, "another page")
}

func TestManyInventedPages(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	for i := range 10_050 {
		require.Equal(t, 200, post(srv, fmt.Sprintf("/%d/messages", i), "t", hello).Code)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{})
		codes := func(n int) (got []int) {
			for range n {
				send(srv)
				calls := srv.Calls()
				got = append(got, calls[len(calls)-1].Code)
			}
			return got
		}
		srv.Fail("1001", sandbox.Fault{Code: 613, Times: 2})
		srv.Fail("1001", sandbox.Fault{Code: 2, Times: 1})
		srv.Fail(sandbox.AllPages, sandbox.Fault{Code: 4, Times: 1})
		srv.Fail("1002", sandbox.Fault{Code: 190})
		assert.Equal(t, []int{613, 613, 2, 4, 0, 0}, codes(6), "one after the other, those of all pages last")

		srv.Fail("1001", sandbox.Fault{Code: 613, For: 5 * time.Second})
		assert.Equal(t, []int{613}, codes(1))
		time.Sleep(5*time.Second - 1)
		assert.Equal(t, []int{613}, codes(1))
		time.Sleep(time.Nanosecond)
		assert.Equal(t, []int{0}, codes(1), "over to the nanosecond")

		srv.Fail("1001", sandbox.Fault{Code: 613})
		srv.Fail(sandbox.AllPages, sandbox.Fault{Code: 4})
		srv.Clear("1001")
		assert.Equal(t, []int{4}, codes(1))
		srv.Clear(sandbox.AllPages)
		assert.Equal(t, []int{0}, codes(1))
		assert.Equal(t, 200, post(srv, "/1002/messages", "t", hello).Code, "of every page")
	})
}

func TestUsageHeaders(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault    sandbox.Fault
		app      bool
		business string
	}{
		"app":               {sandbox.Fault{Code: 4}, true, ""},
		"app, inconsistent": {sandbox.Fault{Code: 613, Subcode: 1996}, true, ""},
		"page":              {sandbox.Fault{Code: 80006}, false, `"estimated_time_to_regain_access":0`},
		"page with a wait": {
			sandbox.Fault{Code: 80006, RetryAfter: 61 * time.Second}, false, `"estimated_time_to_regain_access":2`,
		},
		"no limit at all": {sandbox.Fault{Code: 190}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, sandbox.Config{})
			srv.Fail("1001", row.fault)
			h := send(srv).Header()
			assert.Equal(t, row.app, h.Get("X-App-Usage") != "")
			assert.Equal(t, row.business != "", h.Get("X-Business-Use-Case-Usage") != "")
			assert.Contains(t, h.Get("X-Business-Use-Case-Usage"), row.business)
		})
	}
}

func TestDrops(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropBefore, Times: 1})
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropAfter, Times: 1})
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropAfter, Code: 613, Times: 1})
	for range 3 {
		assert.PanicsWithValue(t, http.ErrAbortHandler, func() { send(srv) })
	}
	calls := srv.Calls()
	require.Len(t, calls, 3)
	assert.Len(t, srv.Accepted(), 1)
	assert.True(t, calls[1].Accepted)
	assert.NotEmpty(t, calls[1].MessageID)
	assert.Equal(t, 613, calls[2].Code)
	for _, c := range calls {
		assert.Zero(t, c.Status)
		assert.False(t, c.Done.IsZero())
	}
}

func TestEdgeFailure(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	srv.Fail("1001", sandbox.Fault{Status: 503})
	w := send(srv)
	assert.Equal(t, 503, w.Code)
	assert.Equal(t, "text/html", w.Header().Get("Content-Type"))
	assert.Contains(t, w.Body.String(), "Service Unavailable")
}

func TestCloseEndsTheWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{Latency: time.Hour})
		done := make(chan time.Time)
		go func() { send(srv); done <- time.Now() }()
		synctest.Wait()
		begun := time.Now()
		srv.Close()
		srv.Close()
		assert.Equal(t, begun, <-done)
	})
}

func TestClientInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{Latency: time.Minute})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"http://graph/v26.0/1001/messages", strings.NewReader(hello))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer t")
		r.Header.Set("Content-Type", "application/json")
		begun := time.Now()
		res, err := srv.Client().Do(r)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, time.Minute, time.Since(begun))
		srv.Close()
		synctest.Wait()
		_, err = srv.Client().Do(r.Clone(t.Context())) //nolint:bodyclose // it must fail, which has no body
		assert.ErrorContains(t, err, "closed")
	})
}

func BenchmarkHandler(b *testing.B) { benchmarkHandler(b, sandbox.Config{Rate: -1, MaxCalls: 10_000}) }

// With every limit counted, and a usage header on every answer.
func BenchmarkHandlerWithLimits(b *testing.B) {
	benchmarkHandler(b, sandbox.Config{
		Rate: 100_000, ThreadRate: 100_000, PageCalls: 1 << 40, AppCalls: 1 << 40, Usage: 50, MaxCalls: 10_000,
	})
}

func benchmarkHandler(b *testing.B, cfg sandbox.Config) {
	srv, err := sandbox.New(cfg)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if w := send(srv); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
