package worker

import (
	"context"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// noteTimeout bounds how long a job waits for the note of when its message left.
const noteTimeout = time.Second

// departure notes with the pacer when a request was really written. The transport tells that in a goroutine of its own, which an
// answer can overtake. A job that ended before its note would free its recipient too early.
type departure struct {
	h     *handler
	d     *delivery
	begun atomic.Bool // a request is being written
	once  sync.Once
	noted chan struct{}
}

func (h *handler) newDeparture(d *delivery) *departure {
	return &departure{h: h, d: d, noted: make(chan struct{})}
}

// watch is ctx for the call.
func (p *departure) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { p.begun.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) {
			p.note(ctx, time.Now())
			p.once.Do(func() { close(p.noted) }) // a request that the transport repeats is written twice
		},
	})
}

func (p *departure) note(ctx context.Context, at time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	if err := p.h.pacer.Left(ctx, p.d.hand, at); err != nil {
		p.h.line(p.d, p.h.log.Warn()).Err(err).Msg("could not note that the message left late")
	}
}

// wait returns when the note is made, if there is one to make.
func (p *departure) wait() {
	if !p.begun.Load() {
		return
	}
	timer := time.NewTimer(noteTimeout)
	defer timer.Stop()
	select {
	case <-p.noted:
	case <-timer.C:
	}
}
