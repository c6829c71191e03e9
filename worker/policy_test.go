package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

// TestThePolicy goes through every kind of error, on the first attempt and on the last.
func TestThePolicy(t *testing.T) {
	t.Parallel()
	type want struct {
		first, last producer.OutcomeKind // empty: the job goes on
		retry       bool                 // after a while, on the first attempt
		scope       string
		hold        bool
	}
	wants := map[sendapi.Kind]want{
		sendapi.KindRateLimit:      {scope: "1"},
		sendapi.KindTransient:      {last: producer.Failed, retry: true},
		sendapi.KindUnknownOutcome: {last: producer.Unknown, retry: true},
		sendapi.KindRecipient:      {first: producer.Failed, last: producer.Failed},
		sendapi.KindWindow:         {first: producer.Failed, last: producer.Failed},
		sendapi.KindInvalid:        {first: producer.Failed, last: producer.Failed},
		sendapi.KindAttachment:     {first: producer.Failed, last: producer.Failed},
		sendapi.KindAuth:           {scope: "1", hold: true},
		sendapi.KindPolicy:         {scope: "1", hold: true},
		sendapi.KindThreadControl:  {last: producer.Failed, retry: true},
	}
	for _, kind := range sendapi.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w, ok := wants[kind]
			if !assert.True(t, ok, "no policy") {
				return
			}
			d := &delivery{job: producer.Job{PageID: "1"}, attempt: 1, maxAttempts: 2}
			err := fmt.Errorf("wrapped: %w", &sendapi.Error{Kind: kind})
			first := decide(err, d)
			d.attempt = 2
			last := decide(err, d)
			assert.Equal(t, w, want{first.outcome, last.outcome, first.retry > 0, first.scope, first.hold})
			assert.Equal(t, kind == sendapi.KindUnknownOutcome, first.unknown)
			if w.scope != "" {
				assert.Equal(t, pace.App, decide(&sendapi.Error{Kind: kind, Scope: sendapi.ScopeApp}, d).scope)
			}
		})
	}
}

func TestThePolicyOfOtherErrors(t *testing.T) {
	t.Parallel()
	d := &delivery{job: producer.Job{PageID: "1"}, attempt: 1, maxAttempts: 2}
	assert.Equal(t, decision{outcome: producer.Sent}, decide(nil, d))
	assert.False(t, decide(errors.New("no connection"), d).unknown)
	assert.True(t, decide(context.DeadlineExceeded, d).unknown)
	d.never = true
	assert.Equal(t, decision{outcome: producer.Unknown, unknown: true}, decide(context.Canceled, d))
	thread := decide(&sendapi.Error{Kind: sendapi.KindRateLimit, Scope: sendapi.ScopeThread, RetryAfter: time.Hour}, d)
	assert.Equal(t, decision{retry: time.Hour, free: true}, thread)
}

// TestFaultsThatMayGoAwayAreTriedAgain, as often as the error says, and never beyond the job's own attempts.
func TestFaultsThatMayGoAwayAreTriedAgain(t *testing.T) {
	t.Parallel()
	media := &sendapi.Error{Kind: sendapi.KindInvalid, Retries: 2}
	right := &sendapi.Error{Kind: sendapi.KindAuth, Scope: sendapi.ScopePage, Retries: 2}
	for name, row := range map[string]struct {
		err              *sendapi.Error
		attempt, allowed int
		again            bool
		outcome          producer.OutcomeKind
		hold             bool
	}{
		"media, first":           {media, 1, 5, true, "", false},
		"media, second":          {media, 2, 5, true, "", false},
		"media, third":           {media, 3, 5, false, producer.Failed, false},
		"media, the only one":    {media, 1, 1, false, producer.Failed, false},
		"permission, second":     {right, 2, 5, true, "", false},
		"permission, third":      {right, 3, 5, false, "", true},
		"invalid without a hint": {&sendapi.Error{Kind: sendapi.KindInvalid}, 1, 5, false, producer.Failed, false},
	} {
		d := decide(row.err, &delivery{job: producer.Job{PageID: "1001"}, attempt: row.attempt, maxAttempts: row.allowed})
		assert.Equal(t, row.again, d.retry > 0, name)
		assert.Equal(t, row.outcome, d.outcome, name)
		assert.Equal(t, row.hold, d.hold, name)
	}
}

// A job that a person takes out of the archive again and again has one reason, not one more each time.
func TestWhyAJobExpired(t *testing.T) {
	t.Parallel()
	plain, tried := errExpired.Error(), errExpired.Error()+triedBefore+"code 2"
	for before, want := range map[string]string{
		"": plain, "code 2": tried, "expired: " + plain: plain, "expired: " + tried: tried, "failed: code 551": plain + triedBefore + "failed: code 551",
	} {
		d := delivery{hand: &pace.Hand{LastError: before}}
		err := d.expiry()
		assert.EqualError(t, err, want, before)
		assert.ErrorIs(t, err, errExpired)
	}
}
