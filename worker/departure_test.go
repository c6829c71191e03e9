package worker_test

import (
	"context"
	"encoding/json"
	"net/http/httptrace"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
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
