package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

const (
	firstBackoff   = 2 * time.Second
	longestBackoff = 10 * time.Minute
	// threadPause is how long a recipient is left alone when the platform says that too much was sent to it.
	threadPause = time.Minute
)

// Outcome is how a job ended.
type Outcome string

const (
	// Sent means that the platform accepted the message.
	Sent Outcome = "sent"
	// Failed means that the message can never be sent, or was tried as often as it may be.
	Failed Outcome = "failed"
	// Expired means that the job's time had passed before its turn came.
	Expired Outcome = "expired"
)

// decision is what becomes of a job, and of its page, after a send. Exactly one of outcome, back and retry is set.
type decision struct {
	outcome Outcome       // the job has ended
	back    bool          // to the head of its line; no attempt is counted
	retry   time.Duration // again after this time
	free    bool          // the retry counts as no attempt

	scope string        // a page id or pace.App to pause or hold; empty: none
	pause time.Duration // 0: a length that grows from one pause to the next
	hold  bool
}

// decide is the whole retry policy. attempt counts from 1.
func decide(err error, page string, attempt, maxAttempts int) decision {
	var e *sendapi.Error
	if !errors.As(err, &e) {
		if err == nil {
			return decision{outcome: Sent}
		}
		e = &sendapi.Error{Kind: sendapi.KindTransient}
	}
	switch e.Kind {
	case sendapi.KindRateLimit:
		return limited(e, page)
	case sendapi.KindAuth, sendapi.KindPolicy:
		return decision{back: true, scope: page, hold: true}
	case sendapi.KindTransient, sendapi.KindUnknownOutcome, sendapi.KindThreadControl:
		if attempt >= maxAttempts {
			return decision{outcome: Failed}
		}
		return decision{retry: backoff(attempt)}
	case sendapi.KindRecipient, sendapi.KindWindow, sendapi.KindInvalid, sendapi.KindAttachment:
		return decision{outcome: Failed}
	}
	return decision{outcome: Failed}
}

// limited decides about a rate limit. One of a single conversation concerns no other recipient.
func limited(e *sendapi.Error, page string) decision {
	switch e.Scope {
	case sendapi.ScopeThread:
		return decision{retry: max(threadPause, e.RetryAfter), free: true}
	case sendapi.ScopeApp:
		return decision{back: true, scope: pace.App, pause: e.RetryAfter}
	}
	return decision{back: true, scope: page, pause: e.RetryAfter}
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

// backoff doubles from attempt to attempt, with the upper half left to chance. asynq starts a retry up to a second early.
func backoff(attempt int) time.Duration {
	d := min(longestBackoff, firstBackoff<<min(attempt-1, 20))
	return d/2 + rand.N(d/2) + time.Second
}

// retryError tells asynq to run the task again.
type retryError struct {
	error
	after time.Duration
	free  bool
}

func (e retryError) Unwrap() error { return e.error }

// backError tells asynq that the task was not done; the pacer's client puts it back into its line.
type backError struct{ why string }

func (e backError) Error() string { return e.why }

// endError tells asynq to archive the task.
type endError struct {
	outcome Outcome
	cause   error
}

func (e endError) Error() string        { return string(e.outcome) + ": " + e.cause.Error() }
func (e endError) Is(target error) bool { return target == asynq.SkipRetry } //nolint:errorlint // asynq's own value
func (e endError) Unwrap() error        { return e.cause }

// isFailure tells asynq which errors count as an attempt.
func isFailure(err error) bool {
	var back backError
	var retry retryError
	switch {
	case errors.As(err, &back), errors.Is(err, asynq.ErrLeaseExpired), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &retry):
		return !retry.free
	}
	return true
}

// retryDelay tells asynq when a task runs again. A worker that died did the job no harm: it runs at once. What the handler
// did not decide itself, such as a panic, backs off like any other failure.
func retryDelay(retried int, err error, _ *asynq.Task) time.Duration {
	var retry retryError
	switch {
	case errors.As(err, &retry):
		return retry.after
	case isFailure(err):
		return backoff(retried + 1)
	}
	return 0
}
