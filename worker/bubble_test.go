package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// pipeListener accepts connections that are made in memory: the clock of a bubble stands still while something waits for
// a real socket.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// TestPacingInABubble runs producer, asynq, pacer, HTTP client and sandbox in virtual time: a page at two messages a second
// for five minutes, with a pause of two minutes in between.
func TestPacingInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := miniredis.NewMiniRedis()
		m.ClockTTL(true)
		rdb := redis.NewUniversalClient(&redis.UniversalOptions{
			Addrs:  []string{"127.0.0.1:6379"},
			Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() },
		})
		box, err := sandbox.New(sandbox.Config{Latency: 50 * time.Millisecond})
		require.NoError(t, err)
		listener := newPipeListener()
		server := &http.Server{Handler: box, ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(listener) }()
		transport := &http.Transport{DialContext: listener.dial, MaxIdleConnsPerHost: 4}
		client, err := sendapi.NewClient(sendapi.Config{
			BaseURL: "http://127.0.0.1:1", HTTPClient: &http.Client{Transport: transport},
		})
		require.NoError(t, err)

		p, err := producer.New(rdb, producer.Config{})
		require.NoError(t, err)
		ctx := t.Context()
		expiring := job("1001", "99", "1000")
		expiring.ExpiresAt = time.Now().Add(30 * time.Second)
		for i := range 540 {
			if i == 100 {
				_, err := p.Enqueue(ctx, expiring)
				require.NoError(t, err)
			}
			_, err := p.Enqueue(ctx, job("1001", fmt.Sprint(i%20), fmt.Sprint(i)))
			require.NoError(t, err)
		}

		w, err := worker.New(rdb, client, worker.Config{
			Pages: map[string]sendapi.Page{"1001": {ID: "1001", Token: "t"}},
			Rates: rate(2), Concurrency: 4, Steady: true,
		})
		require.NoError(t, err)
		run, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- w.Run(run) }()

		time.Sleep(time.Minute)
		box.Fail("1001", sandbox.Fault{Code: 80006, Times: 1, RetryAfter: 2 * time.Minute})
		time.Sleep(4*time.Minute + time.Second)
		stop()
		require.NoError(t, <-ended)

		var gaps []time.Duration
		calls := box.Accepted()
		for i := range calls[1:] {
			gaps = append(gaps, calls[i+1].At.Sub(calls[i].At).Round(10*time.Millisecond))
		}
		paused := 0
		for _, gap := range gaps {
			if gap > 1100*time.Millisecond {
				assert.InDelta(t, 2*time.Minute, gap, float64(2*time.Second))
				paused++
				continue
			}
			assert.Equal(t, 500*time.Millisecond, gap)
		}
		assert.Equal(t, 1, paused)
		assert.InDelta(t, 2*180, len(calls), 4, "five minutes less the pause")
		s, err := pace.ReadStatus(ctx, rdb, "")
		require.NoError(t, err)
		assert.EqualValues(t, len(calls), s.Pages[0].Outcomes["sent"])
		for _, c := range calls {
			var body struct{ Recipient struct{ ID string } }
			require.NoError(t, json.Unmarshal(c.Body, &body))
			assert.NotEqual(t, "99", body.Recipient.ID, "it expired while it waited")
		}
		require.NoError(t, server.Close())
		transport.CloseIdleConnections()
		require.NoError(t, rdb.Close())
		box.Close()
		m.Close()
		synctest.Wait()
	})
}
