package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// together is a recorder that takes batches as well; a batch is noted by its size.
type together struct {
	*recorder
	sizes chan int
}

func (s together) Batch(ctx context.Context, page sendapi.Page, sends []sendapi.BatchSend) ([]sendapi.BatchResult, error) {
	s.sizes <- len(sends)
	results := make([]sendapi.BatchResult, len(sends))
	for i, one := range sends {
		results[i].Response, results[i].Err = s.SendRaw(ctx, page, one.Body)
	}
	return results, nil
}

func TestMessagesThatShareCallsKeepThePace(t *testing.T) {
	inBubble(t, func(b *bubble) {
		const perSecond, n = 200, 260
		b.enqueue(n, n)
		sender := together{b.sent, make(chan int, n)}
		cfg := config(perSecond)
		cfg.Batch, cfg.Concurrency = 5, 100
		b.send(2*time.Second, cfg, sender)
		calls := b.sent.all()
		require.Len(t, calls, n)
		for i, c := range calls {
			off := c.at.UnixMicro() % 20_000
			require.InDelta(t, 18_000, off, 100, "call %d at %v: 2 ms before the grid, for the call to be made", i, c.at)
			if i >= perSecond {
				require.GreaterOrEqual(t, c.at.Sub(calls[i-perSecond].at), time.Second, "call %d", i)
			}
		}
		close(sender.sizes)
		shared := 0
		for size := range sender.sizes {
			require.LessOrEqual(t, size, 5)
			shared += size
		}
		assert.Greater(t, shared, n*9/10, "four a grid point: few go alone")
	})
}

// countingTransport counts requests.
type countingTransport struct {
	http.RoundTripper
	n atomic.Int64
}

func (c *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

func TestEachSendOfACallHasItsOwnOutcome(t *testing.T) {
	t.Parallel()
	const n = 200
	f := newFleet(t, map[string]pace.Rates{"1001": rate(1000)}, 20*time.Millisecond)
	require.NoError(t, f.sandbox.SetPerson("1001", "1007", sandbox.Person{Reach: sandbox.ReachBlocked}))
	f.sandbox.Fail("1001", sandbox.Fault{Person: "1008", Drop: sandbox.DropAfter, Times: 1})
	f.sandbox.Fail("1001", sandbox.Fault{Person: "1009", Code: 2, Times: 1})
	f.enqueue("1001", n, n/2)
	image := job("1001", "1500", "")
	image.Request = json.RawMessage(`{"recipient":{"id":"1500"},"messaging_type":"UPDATE",
		"message":{"attachment":{"type":"image","payload":{"url":"https://example.com/a.png"}}}}`)
	_, err := f.producer.Enqueue(context.Background(), image)
	require.NoError(t, err)

	transport := &countingTransport{RoundTripper: f.sandbox.Client().Transport}
	client, err := sendapi.NewClient(sendapi.Config{BaseURL: f.graph, HTTPClient: &http.Client{Transport: transport}})
	require.NoError(t, err)
	start(t, f.redis, client, worker.Config{
		Pages: map[string]sendapi.Page{"1001": {ID: "1001", Token: sendapi.Secret(tokenOf("1001"))}}, Rates: rate(1000), Batch: 50,
	})
	f.assertOneOutcomeEach(n + 1)
	kinds := map[string]int{}
	for _, o := range f.records() {
		kinds[fmt.Sprintf("%s %d times %d", o.Kind, o.Code, o.Attempts)]++
		if o.ResentUnknown > 0 {
			kinds["resent"]++
		}
	}
	// The second message to 1008 and 1009 waits for the first.
	assert.Equal(t, map[string]int{"sent 0 times 1": n + 1 - 4, "sent 0 times 2": 2, "failed 551 times 1": 2, "resent": 1}, kinds)
	assert.Less(t, transport.n.Load(), int64(n/2), "calls for %d sends", n+1)
	assert.Zero(t, overtaken(t, textsOnly(f.sandbox.Accepted())))
}

// panicky is a sender whose first batch panics.
type panicky struct {
	together
	panicked *atomic.Bool
}

func (s panicky) Batch(ctx context.Context, page sendapi.Page, sends []sendapi.BatchSend) ([]sendapi.BatchResult, error) {
	if !s.panicked.Swap(true) {
		panic("the text of a message")
	}
	return s.together.Batch(ctx, page, sends)
}

func TestACallThatPanicsEndsNoWorker(t *testing.T) {
	inBubble(t, func(b *bubble) {
		const n = 20
		b.enqueue(n, n)
		cfg := config(200)
		cfg.Batch, cfg.Poll = 5, 100*time.Millisecond
		sender := panicky{together{b.sent, make(chan int, n)}, new(atomic.Bool)}
		b.send(10*time.Second, cfg, sender)
		assert.True(t, sender.panicked.Load())
		assert.Len(t, b.sent.all(), n, "those of the call that panicked are sent again")
	})
}

func textsOnly(calls []sandbox.Call) (texts []sandbox.Call) {
	for _, c := range calls {
		if !strings.Contains(string(c.Body), "attachment") {
			texts = append(texts, c)
		}
	}
	return texts
}

func TestBatchNeedsASenderOfBatches(t *testing.T) {
	t.Parallel()
	cfg := config(1)
	cfg.Batch = 2
	_, err := worker.New(nil, newRecorder(), cfg)
	require.ErrorContains(t, err, "Batch 2: the sender must be a BatchSender")
	cfg.Batch = 51
	_, err = worker.New(nil, newRecorder(), cfg)
	assert.ErrorContains(t, err, "Batch 51: must be from 0 to 50")
}
