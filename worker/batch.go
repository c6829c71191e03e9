package worker

import (
	"context"
	"encoding/json"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// BatchSender is a [Sender] that can make several sends with one call. [sendapi.Client] is one.
type BatchSender interface {
	Sender
	// Batch returns a result for each send, or an error if nothing was sent.
	Batch(ctx context.Context, page sendapi.Page, sends []sendapi.BatchSend) ([]sendapi.BatchResult, error)
}

const (
	// batchEvery is the grid on which messages leave that may share a call.
	batchEvery = 20 * time.Millisecond
	// batchGather is how long a call waits for more messages after the first.
	batchGather = 3 * time.Millisecond
	// batchAhead is how long before they leave messages are ready: they find each other, and the call is made and written.
	batchAhead = batchGather + 2*time.Millisecond
)

// batcher makes one call of the sends of a page that come at the same time.
type batcher struct {
	next BatchSender
	size int // sends in one call at most

	mu   sync.Mutex
	open map[sendapi.Page]*gathering
}

// gathering is a call that sends can still join.
type gathering struct {
	ctx     context.Context //nolint:containedctx // of the send that came first, with what the others want to know of the call
	sends   []sendapi.BatchSend
	to      map[string]bool // recipients
	done    chan struct{}
	results []sendapi.BatchResult
	err     error
}

func newBatcher(next BatchSender, size int) *batcher {
	return &batcher{next: next, size: size, open: map[sendapi.Page]*gathering{}}
}

// SendRaw sends with others, or alone: what makes the platform fetch media would keep the others waiting, and two messages to one
// person in a call arrive in any order.
func (b *batcher) SendRaw(ctx context.Context, page sendapi.Page, body json.RawMessage) (*sendapi.Response, error) {
	req, err := sendapi.ParseRequest(body)
	if err != nil || req.FetchesMedia() {
		return b.next.SendRaw(ctx, page, body)
	}
	g, i := b.join(ctx, page, body, req.Recipient.Address())
	switch {
	case g == nil:
		return b.next.SendRaw(ctx, page, body)
	case i == 0: // here, and not on a goroutine of its own, where a panic would end the process
		time.Sleep(batchGather)
		b.leave(page, g)
	}
	<-g.done
	if g.err != nil {
		return nil, g.err
	}
	return g.results[i].Response, g.results[i].Err
}

// join adds a send to the page's next call, and says at which place: the first one makes the call. It returns nil if the recipient
// has one there.
func (b *batcher) join(ctx context.Context, page sendapi.Page, body json.RawMessage, to string) (*gathering, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.open[page]
	switch {
	case g == nil:
		g = &gathering{ctx: ctx, to: map[string]bool{}, done: make(chan struct{})}
		b.open[page] = g
	case g.to[to]:
		return nil, 0
	default:
		if trace := httptrace.ContextClientTrace(ctx); trace != nil {
			g.ctx = httptrace.WithClientTrace(g.ctx, trace)
		}
	}
	g.to[to] = true
	g.sends = append(g.sends, sendapi.BatchSend{Body: body})
	if len(g.sends) == b.size {
		delete(b.open, page) // it leaves at its time, and later ones make a call of their own
	}
	return g, len(g.sends) - 1
}

// leave makes the call.
func (b *batcher) leave(page sendapi.Page, g *gathering) {
	b.mu.Lock()
	if b.open[page] == g {
		delete(b.open, page)
	}
	b.mu.Unlock()
	defer close(g.done)
	g.err = &sendapi.Error{Kind: sendapi.KindUnknownOutcome, Message: "the worker panicked"} // unless the call returns
	if len(g.sends) > 1 {
		g.results, g.err = b.next.Batch(g.ctx, page, g.sends)
		return
	}
	resp, err := b.next.SendRaw(g.ctx, page, g.sends[0].Body)
	g.results, g.err = []sendapi.BatchResult{{Response: resp, Err: err}}, nil
}
