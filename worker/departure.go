package worker

import (
	"context"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sendpace/sendpace/worker/pace"
)

// noteTimeout bounds how long a job waits for the note of when its message left.
const noteTimeout = time.Second

// departure notes with the pacer when a request was really written. The transport tells that in a goroutine of its own, which an
// answer can overtake. A job that ended before its note would free its recipient too early.
type departure struct {
	pacer *pace.Pacer
	hand  *pace.Hand
	begun atomic.Bool // a request is being written
	once  sync.Once
	noted chan error // the first note has been made, or could not be
}

func newDeparture(pacer *pace.Pacer, hand *pace.Hand) *departure {
	return &departure{pacer: pacer, hand: hand, noted: make(chan error, 1)}
}

// watch is ctx for the call.
func (p *departure) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { p.begun.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) {
			err := p.note(ctx, time.Now())
			p.once.Do(func() { p.noted <- err }) // a request that the transport repeats is written twice
		},
	})
}

func (p *departure) note(ctx context.Context, at time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return p.pacer.Left(ctx, p.hand, at)
}

// wait returns when the note is made, if there is one to make. An error means that it is not.
func (p *departure) wait() error {
	if !p.begun.Load() {
		return nil
	}
	timer := time.NewTimer(noteTimeout)
	defer timer.Stop()
	select {
	case err := <-p.noted:
		return err
	case <-timer.C:
		return context.DeadlineExceeded
	}
}
