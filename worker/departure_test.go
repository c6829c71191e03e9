package worker_test

import (
	"context"
	"encoding/json"
	"net/http/httptrace"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestARecipientIsNotFreeBeforeItIsNotedThatItsMessageLeftLate(t *testing.T) {
	t.Parallel()
	const thread, late = 500 * time.Millisecond, 700 * time.Millisecond
	rates := rate(1000)
	rates.Thread = thread
	f := newFleet(t, map[string]pace.Rates{"1001": rates}, 0)
	f.enqueue("1001", 2, 1)
	var mu sync.Mutex
	var called []time.Time
	left := make(chan time.Time, 1)
	overtaking := sender(func(ctx context.Context, _ json.RawMessage) (*sendapi.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		called = append(called, time.Now())
		if len(called) == 1 {
			trace := httptrace.ContextClientTrace(ctx)
			trace.GotConn(httptrace.GotConnInfo{})
			time.AfterFunc(late, func() {
				left <- time.Now()
				trace.WroteRequest(httptrace.WroteRequestInfo{})
			})
		}
		return &sendapi.Response{MessageID: "m"}, nil
	})
	start(t, f.redis, overtaking, worker.Config{
		Pages: map[string]sendapi.Page{"1001": {ID: "1001", Token: "t"}}, Rates: rates, PageRates: f.rates, Margin: 0.005,
	})
	f.assertOneOutcomeEach(2)
	mu.Lock()
	defer mu.Unlock()
	assert.GreaterOrEqual(t, called[1].Sub(<-left), thread-50*time.Millisecond, "from when the first one left to the second")
}

// held is a hook of go-redis that keeps back the notes of messages that left late.
type held struct {
	threads string // the key that only they begin with
	free    chan struct{}
}

func (h held) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h held) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h held) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); len(args) > 3 && args[3] == h.threads {
			<-h.free
		}
		return next(ctx, cmd)
	}
}

func TestAMessageDoesNotWaitForTheNoteThatItLeftLate(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(1000)}, 0)
	f.enqueue("1001", 1, 1)
	rdb := redistest.Client(t, f.redis)
	slow := held{threads: rediskeys.Keys{Queue: producer.DefaultQueue}.Threads(), free: make(chan struct{})}
	rdb.AddHook(slow)
	wrote := make(chan bool, 1)
	late := sender(func(ctx context.Context, _ json.RawMessage) (*sendapi.Response, error) {
		trace := httptrace.ContextClientTrace(ctx)
		trace.GotConn(httptrace.GotConnInfo{})
		said := make(chan struct{})
		time.AfterFunc(300*time.Millisecond, func() {
			trace.WroteRequest(httptrace.WroteRequestInfo{})
			close(said)
		})
		select {
		case <-said:
			wrote <- true
		case <-time.After(10 * time.Second):
			wrote <- false
		}
		close(slow.free)
		return &sendapi.Response{MessageID: "m"}, nil
	})
	startOn(t, rdb, late, worker.Config{
		Pages: map[string]sendapi.Page{"1001": {ID: "1001", Token: "t"}}, Rates: rate(1000), PageRates: f.rates,
	})
	assert.True(t, <-wrote, "the transport flushes when the hook has returned")
	f.assertOneOutcomeEach(1)
}
