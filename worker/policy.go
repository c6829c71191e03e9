package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

const (
	firstBackoff   = 2 * time.Second
	longestBackoff = 10 * time.Minute
	// threadPause is how long a recipient is left alone when the platform says that too much was sent to it.
	threadPause = time.Minute
)

// decision is what becomes of a job, and of its page, after a send. The job ends with outcome, or is tried again after retry,
// or where both are empty goes back to the head of its line.
type decision struct {
	outcome producer.OutcomeKind
	retry   time.Duration
	free    bool // the retry counts as no attempt
	unknown bool // the message may have been sent

	scope string        // a page id or pace.App to pause or hold; empty: none
	pause time.Duration // 0: a length that grows from one pause to the next
	hold  bool
}

// sendError is the platform's error in err, nil if there is none.
func sendError(err error) *sendapi.Error {
	var e *sendapi.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// decide is the whole retry policy.
func decide(err error, d *delivery) decision {
	if err == nil {
		return decision{outcome: producer.Sent}
	}
	e := sendError(err)
	switch {
	case e != nil:
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = &sendapi.Error{Kind: sendapi.KindUnknownOutcome}
	default:
		e = &sendapi.Error{Kind: sendapi.KindTransient}
	}
	last := d.attempt >= d.maxAttempts
	if d.attempt <= e.Retries && !last {
		return decision{retry: backoff(d.attempt)} // it may go away by itself
	}
	switch e.Kind {
	case sendapi.KindRateLimit:
		return limited(e, d.job.PageID)
	case sendapi.KindAuth, sendapi.KindPolicy:
		return decision{scope: scopeOf(e, d.job.PageID), hold: true}
	case sendapi.KindUnknownOutcome:
		if last || d.never {
			return decision{outcome: producer.Unknown, unknown: true}
		}
		return decision{retry: backoff(d.attempt), unknown: true}
	case sendapi.KindTransient, sendapi.KindThreadControl:
		if !last {
			return decision{retry: backoff(d.attempt)}
		}
	case sendapi.KindRecipient, sendapi.KindWindow, sendapi.KindInvalid, sendapi.KindAttachment:
	}
	return decision{outcome: producer.Failed}
}

// scopeOf is what an error stops: the app where the platform says so, else the page.
func scopeOf(e *sendapi.Error, page string) string {
	if e.Scope == sendapi.ScopeApp {
		return pace.App
	}
	return page
}

// limited decides about a rate limit. One of a single conversation concerns no other recipient.
func limited(e *sendapi.Error, page string) decision {
	if e.Scope == sendapi.ScopeThread {
		return decision{retry: max(threadPause, e.RetryAfter), free: true}
	}
	return decision{scope: scopeOf(e, page), pause: e.RetryAfter}
}

// reportOf tells the pacer what an answer says about the pace.
func reportOf(page string, resp *sendapi.Response, err error) pace.Report {
	var e *sendapi.Error
	var usage sendapi.Usage
	answered := err == nil
	switch {
	case errors.As(err, &e):
		usage = e.Usage
		switch e.Kind {
		case sendapi.KindRecipient, sendapi.KindWindow, sendapi.KindInvalid, sendapi.KindAttachment, sendapi.KindThreadControl:
			answered = true
		case sendapi.KindRateLimit:
			answered = e.Scope == sendapi.ScopeThread
		}
	case resp != nil:
		usage = resp.Usage
	}
	return pace.Report{Accepted: answered, PageUsage: usage.Messaging(page).Max(), AppUsage: usage.App.Max()}
}

// backoff doubles from attempt to attempt, with the upper half left to chance.
func backoff(attempt int) time.Duration {
	d := min(longestBackoff, firstBackoff<<min(attempt-1, 20))
	return d/2 + rand.N(d/2)
}
