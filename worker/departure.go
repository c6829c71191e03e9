package worker

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/sendpace/sendpace/worker/pace"
)

// noteTimeout bounds how long a job waits for the note of when its message left.
const noteTimeout = time.Second

// mostWrites is how often a request is written at most of which the notes are waited for: the transport repeats one that a connection
// took which was dead.
const mostWrites = 8

// departure notes with the pacer when a request was really written. A job that ended before its note would free its recipient too
// early.
type departure struct {
	pacer  *pace.Pacer
	hand   *pace.Hand
	begun  atomic.Bool // a request is being written
	writes atomic.Int32
	noted  chan error // a note has been made, or could not be
}

func newDeparture(pacer *pace.Pacer, hand *pace.Hand) *departure {
	return &departure{pacer: pacer, hand: hand, noted: make(chan error, mostWrites)}
}

// watch is ctx for the call. The transport calls WroteRequest before it flushes the last of what it wrote: a note made there would
// hold the request back for as long as Redis takes.
func (p *departure) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { p.begun.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) {
			at := time.Now()
			switch {
			case p.writes.Add(1) > mostWrites:
			case !p.pacer.IsLate(p.hand, at):
				p.noted <- nil
			default:
				go func() { p.noted <- p.pacer.Left(context.WithoutCancel(ctx), p.hand, at) }()
			}
		},
	})
}

// wait returns when the notes are made, if there are any to make. An error means that one is not.
func (p *departure) wait() error {
	if !p.begun.Load() {
		return nil
	}
	var over <-chan time.Time
	var errs []error
	for n := int32(0); n < max(1, min(p.writes.Load(), mostWrites)); n++ { // an answer may come before all is said to be written
		if over == nil && len(p.noted) == 0 { // there is seldom anything to wait for
			over = time.After(noteTimeout)
		}
		select {
		case err := <-p.noted:
			errs = append(errs, err)
		case <-over:
			return context.DeadlineExceeded
		}
	}
	return errors.Join(errs...)
}
