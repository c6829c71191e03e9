package sendapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func TestNetworkFaults(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	c, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://" + gone.Addr().String()})
	require.NoError(t, err)
	_, err = c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	assert.ErrorIs(t, err, sendapi.KindTransient, "nobody listens: %v", err)

	c, err = sendapi.NewClient(sendapi.Config{BaseURL: "https://" + gone.Addr().String()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Send(ctx, page, sendapi.Text(ann, "x"))
	assert.ErrorIs(t, err, sendapi.KindTransient, "cancelled before: %v", err)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestHandshakeFailureIsTransient(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(answering(200, `{"message_id":"m_1"}`))
	web.Config.ErrorLog = nil
	web.Start()
	t.Cleanup(web.Close)
	c, err := sendapi.NewClient(sendapi.Config{BaseURL: strings.Replace(web.URL, "http", "https", 1)})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	_, err = c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	assert.ErrorIs(t, err, sendapi.KindTransient, "%v", err)
}

func TestDroppedConnections(t *testing.T) {
	t.Parallel()
	for drop, accepted := range map[sandbox.Drop]int{sandbox.DropBefore: 2, sandbox.DropAfter: 3} {
		t.Run(string(drop), func(t *testing.T) {
			t.Parallel()
			srv, c := start(t, sandbox.Config{})
			_, err := c.Send(t.Context(), page, sendapi.Text(ann, "first"))
			require.NoError(t, err)
			srv.Fail("1001", sandbox.Fault{Drop: drop, Times: 1})
			// On the connection of the first: the one case where a transport might try again by itself.
			_, err = c.Send(t.Context(), page, sendapi.Text(ann, "second"))
			assert.ErrorIs(t, err, sendapi.KindUnknownOutcome, "%v", err)
			_, err = c.Send(t.Context(), page, sendapi.Text(ann, "third"))
			require.NoError(t, err)
			assert.Len(t, srv.Calls(), 3, "no call was made twice")
			assert.Len(t, srv.Accepted(), accepted)
		})
	}
}

// A server that closes its idle connections under the client loses no message and gets none twice.
func TestIdleConnectionsThatTheServerCloses(t *testing.T) {
	t.Parallel()
	srv, err := sandbox.New(sandbox.Config{})
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	c, err := sendapi.NewClient(sendapi.Config{BaseURL: web.URL})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	sent, doubtful := 0, 0
	for range 200 {
		// A transient error claims that nothing was sent: it must not be among what the server accepted.
		switch _, err := c.Send(t.Context(), page, sendapi.Text(ann, "x")); {
		case err == nil:
			sent++
		case errors.Is(err, sendapi.KindUnknownOutcome):
			doubtful++
		default:
			assert.ErrorIs(t, err, sendapi.KindTransient)
		}
		web.CloseClientConnections()
	}
	assert.GreaterOrEqual(t, len(srv.Accepted()), sent)
	assert.LessOrEqual(t, len(srv.Accepted()), sent+doubtful)
}

func TestHTTP2IsNotSentAgain(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // before that the request may still be on its way, and is not sent if it stops there
		panic(http.ErrAbortHandler)        // resets the stream
	}))
	web.EnableHTTP2 = true
	web.StartTLS()
	t.Cleanup(web.Close)
	c, err := sendapi.NewClient(sendapi.Config{BaseURL: web.URL, HTTPClient: web.Client()})
	require.NoError(t, err)
	_, err = c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	assert.ErrorIs(t, err, sendapi.KindUnknownOutcome, "%v", err)
	assert.EqualValues(t, 1, calls.Load())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	target := clientTarget(t, &calls)
	redirect := http.RedirectHandler(target, http.StatusTemporaryRedirect)
	c := clientFor(t, redirect, sendapi.Config{HTTPClient: http.DefaultClient})
	_, err := c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	assert.ErrorIs(t, err, sendapi.KindTransient)
	assert.Zero(t, calls.Load())
	assert.Nil(t, http.DefaultClient.CheckRedirect, "the client that was given is left alone")
}

func clientTarget(t *testing.T, calls *atomic.Int32) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(web.Close)
	return web.URL
}

func TestLongAnswerIsCut(t *testing.T) {
	t.Parallel()
	body := `{"message_id":"m_1","x":"` + strings.Repeat("x", 5000) + `"}`
	c := clientFor(t, answering(200, body), sendapi.Config{MaxResponseBytes: 1000})
	_, err := c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	assert.EqualError(t, err, "unknown outcome: HTTP 200: the answer broke off or is too long")
	c = clientFor(t, answering(200, body), sendapi.Config{})
	_, err = c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	assert.NoError(t, err)
}

// In virtual time: the limits are minutes in all.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	image := sendapi.MediaURL(ann, sendapi.Image, "https://example.com/a.png")
	for name, row := range map[string]struct {
		req         *sendapi.Request
		delay, want time.Duration
		ok          bool
	}{
		"text in time":      {sendapi.Text(ann, "x"), 14 * time.Second, 14 * time.Second, true},
		"text too late":     {sendapi.Text(ann, "x"), 16 * time.Second, 15 * time.Second, false},
		"media in time":     {image, 84 * time.Second, 84 * time.Second, true},
		"media too late":    {image, 86 * time.Second, 85 * time.Second, false},
		"media by id, late": {sendapi.MediaID(ann, sendapi.Video, "1"), 16 * time.Second, 15 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, err := sandbox.New(sandbox.Config{Latency: row.delay})
				require.NoError(t, err)
				defer srv.Close()
				c, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://sandbox", HTTPClient: srv.Client()})
				require.NoError(t, err)
				begun := time.Now()
				_, err = c.Send(t.Context(), page, row.req)
				assert.Equal(t, row.want, time.Since(begun))
				if row.ok {
					assert.NoError(t, err)
					return
				}
				assert.ErrorIs(t, err, sendapi.KindUnknownOutcome)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}

func TestCancelAfterTheRequestIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, err := sandbox.New(sandbox.Config{Latency: 5 * time.Second})
		require.NoError(t, err)
		defer srv.Close()
		c, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://sandbox", HTTPClient: srv.Client()})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = c.Send(ctx, page, sendapi.Text(ann, "x"))
		assert.ErrorIs(t, err, sendapi.KindUnknownOutcome)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Len(t, srv.Accepted(), 1)
	})
}

// What sends nothing can be made again after a lost connection; of the rest the outcome is unknown.
func TestLostAnswerOfEveryCall(t *testing.T) {
	t.Parallel()
	lost := clientFor(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}), sendapi.Config{})
	for name, call := range anyCall {
		want := sendapi.KindTransient
		if sends[name] {
			want = sendapi.KindUnknownOutcome
		}
		err := call(t.Context(), lost)
		assert.ErrorIs(t, err, want, "%s: %v", name, err)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = call(ctx, lost)
		assert.ErrorIs(t, err, sendapi.KindTransient, "%s, cancelled before: %v", name, err)
		assert.ErrorIs(t, err, context.Canceled, name)
	}
}

// A server that never ends its answer, in virtual time.
func TestSlowAnswerOfEveryCall(t *testing.T) {
	t.Parallel()
	for name, call := range anyCall {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, err := sandbox.New(sandbox.Config{Latency: time.Hour})
				require.NoError(t, err)
				defer srv.Close()
				c, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://sandbox", HTTPClient: srv.Client()})
				require.NoError(t, err)
				begun := time.Now()
				err = call(t.Context(), c)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.LessOrEqual(t, time.Since(begun), 85*time.Second)
				assert.Equal(t, sends[name], errors.Is(err, sendapi.KindUnknownOutcome), "%v", err)
			})
		})
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	srv, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": token}})
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	web := httptest.NewUnstartedServer(srv)
	web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	web.Start()
	t.Cleanup(web.Close)
	c, err := sendapi.NewClient(sendapi.Config{BaseURL: web.URL})
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	for range 3 {
		for _, call := range anyCall {
			_ = call(t.Context(), c) // a refusal keeps its connection too
		}
	}
	assert.EqualValues(t, 1, opened.Load())
	assert.GreaterOrEqual(t, len(srv.Calls()), 30)
}

// A small answer that unpacks to a large one is cut at the same limit.
func TestCompressedAnswerIsCut(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, err := io.CopyN(w, endless{}, 8<<20)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	c := clientFor(t, answering(200, bomb.String(), "Content-Encoding", "gzip"), sendapi.Config{})
	_, err = c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	assert.EqualError(t, err, "unknown outcome: HTTP 200: the answer broke off or is too long")

	var small bytes.Buffer
	w = gzip.NewWriter(&small)
	_, err = io.WriteString(w, `{"message_id":"m_1"}`)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	c = clientFor(t, answering(200, small.String(), "Content-Encoding", "gzip"), sendapi.Config{})
	_, err = c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	assert.NoError(t, err)
}
