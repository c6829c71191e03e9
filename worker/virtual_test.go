package worker_test

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
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

// inVirtualTime runs a test with producer, asynq, pacer, HTTP client and sandbox in one bubble.
func inVirtualTime(t *testing.T, cfg worker.Config, test func(f *fleet)) {
	t.Helper()
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

		cfg.Pages = map[string]sendapi.Page{"1001": {ID: "1001", Token: "t"}}
		cfg.Rates, cfg.Concurrency, cfg.Steady = rate(2), 4, true
		cfg.Poll = 250 * time.Millisecond // minutes of virtual time are as many real questions
		w, err := worker.New(rdb, client, cfg)
		require.NoError(t, err)
		run, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(run) }()
		test(&fleet{t: t, rdb: rdb, sandbox: box, producer: p})
		stop()
		require.NoError(t, <-ended)

		require.NoError(t, server.Close())
		transport.CloseIdleConnections()
		require.NoError(t, rdb.Close())
		box.Close()
		m.Close()
		synctest.Wait()
	})
}

// enqueueEach enqueues for page 1001 as enqueue does, one job at a time: a pipe in memory holds nothing, so that a client which
// writes many commands before it reads an answer waits for ever.
func (f *fleet) enqueueEach(n, recipients int) {
	f.t.Helper()
	for i := range n {
		_, err := f.producer.Enqueue(context.Background(), job("1001", strconv.Itoa(1000+i%recipients), strconv.Itoa(i)))
		require.NoError(f.t, err)
	}
}

const errExpired = "its time had passed before its turn came"

func TestAJobExpiresWhereverItWaits(t *testing.T) {
	t.Parallel()
	rows := map[string]func(f *fleet){
		"in its line": func(f *fleet) { f.enqueueEach(100, 100) },
		"in a retry":  func(f *fleet) { f.sandbox.Fail("1001", sandbox.Fault{Code: 2}) },
		"in a pause": func(f *fleet) {
			f.sandbox.Fail("1001", sandbox.Fault{Code: 80006, Times: 1, RetryAfter: 2 * time.Minute})
		},
		"in a hold": func(f *fleet) {
			p, err := pace.New(f.rdb, pace.Config{})
			require.NoError(f.t, err)
			require.NoError(f.t, p.Hold(context.Background(), "1001", pace.Reason{Text: "for a while"}))
			time.AfterFunc(2*time.Minute, func() { _, _ = p.Release(context.Background(), "1001") })
		},
	}
	for name, hinder := range rows {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, worker.Config{MaxAttempts: 100}, func(f *fleet) {
				t := f.t
				hinder(f)
				late := time.Now().Add(40 * time.Second)
				r, err := f.producer.Enqueue(context.Background(), job("1001", "99", "1000"), producer.ExpireAt(late))
				require.NoError(t, err)
				time.Sleep(4 * time.Minute)
				for _, c := range f.sandbox.Calls() {
					if c.Recipient == "id:99" {
						assert.True(t, c.At.Before(late), "sent late, at %v", c.At)
						assert.False(t, c.Accepted)
					}
				}
				found := false
				for _, o := range f.records() {
					if o.JobID == r.ID {
						found = true
						assert.Equal(t, producer.Expired, o.Kind)
						why := errExpired
						if name == "in a retry" {
							why += "; it was tried before: transient: code 2: "
						}
						assert.True(t, strings.HasPrefix(o.Reason, why), o.Reason)
						assert.Equal(t, name == "in a retry", len(o.Reason) > len(errExpired))
						assert.False(t, o.EndedAt.Before(late))
					}
				}
				assert.True(t, found, "it has no outcome")
			})
		})
	}
}

func TestRetriesBackOff(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, worker.Config{MaxAttempts: 6}, func(f *fleet) {
		t := f.t
		f.sandbox.Fail("1001", sandbox.Fault{Code: 2})
		f.enqueueEach(1, 1)
		time.Sleep(3 * time.Minute)
		calls := f.sandbox.Calls()
		require.Len(t, calls, 6)
		for i := range calls[1:] {
			gap, most := calls[i+1].At.Sub(calls[i].At), (2*time.Second)<<i
			// Half of the delay is left to chance; asynq's whole seconds and its forwarder add up to two.
			assert.GreaterOrEqual(t, gap, most/2, "gap %d", i)
			assert.LessOrEqual(t, gap, most+3*time.Second, "gap %d", i)
		}
		require.Len(t, f.records(), 1)
		assert.Equal(t, producer.Failed, f.records()[0].Kind)
		assert.Equal(t, 6, f.records()[0].Attempts)
	})
}

func TestAnswersThatNeverComeEndAsUnknown(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, worker.Config{MaxAttempts: 4}, func(f *fleet) {
		t := f.t
		f.sandbox.Fail("1001", sandbox.Fault{Drop: sandbox.DropAfter})
		f.enqueueEach(1, 1)
		time.Sleep(time.Minute)
		assert.Len(t, f.sandbox.Calls(), 4)
		require.Len(t, f.records(), 1)
		o := f.records()[0]
		assert.Equal(t, producer.Unknown, o.Kind)
		assert.Equal(t, 3, o.ResentUnknown)
		assert.NotEmpty(t, o.Job)
	})
}

func TestARetriedJobHoldsItsRecipientAndNobodyElse(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, worker.Config{}, func(f *fleet) {
		t := f.t
		f.sandbox.Fail("1001", sandbox.Fault{Code: 2, Times: 3})
		f.enqueueEach(1, 1)
		time.Sleep(time.Second)
		f.enqueueEach(40, 20)
		time.Sleep(2 * time.Minute)
		f.assertOneOutcomeEach(41)
		assert.Zero(t, overtaken(t, f.sandbox.Accepted()))
		assert.Less(t, f.sandbox.Accepted()[0].At.Sub(f.sandbox.Calls()[0].At), 3*time.Second, "others went ahead")
	})
}

// TestPacingInVirtualTime sends a page at two messages a second for five minutes, with a pause of two minutes in between.
func TestPacingInVirtualTime(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, worker.Config{}, func(f *fleet) {
		t := f.t
		f.enqueueEach(540, 20)
		time.Sleep(time.Minute)
		f.sandbox.Fail("1001", sandbox.Fault{Code: 80006, Times: 1, RetryAfter: 2 * time.Minute})
		time.Sleep(4*time.Minute + 300*time.Millisecond)
		calls := f.sandbox.Accepted()
		paused := 0
		for i := range calls[1:] {
			gap := calls[i+1].At.Sub(calls[i].At).Round(10 * time.Millisecond)
			if gap > 1100*time.Millisecond {
				assert.InDelta(t, 2*time.Minute, gap, float64(2*time.Second))
				paused++
				continue
			}
			assert.Equal(t, 500*time.Millisecond, gap)
		}
		assert.Equal(t, 1, paused)
		assert.InDelta(t, 2*180, len(calls), 4, "five minutes less the pause")
		s, err := pace.ReadStatus(context.Background(), f.rdb, "")
		require.NoError(t, err)
		assert.EqualValues(t, len(calls), s.Pages[0].Outcomes["sent"])
	})
}
