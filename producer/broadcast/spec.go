package broadcast

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sendpace/sendpace/producer"
)

// maxWeight bounds Spec.Weight.
const maxWeight = 100

// Spec is what to send, and how.
type Spec struct {
	// Name is the broadcast's own: 1 to 64 letters, digits, '_', '.' or '-'. Starting one of the same name again goes on with it.
	// Required.
	Name string
	// PageID is the page that sends. Required.
	PageID string
	// Template is the body of a Send API call as JSON, without its recipient, or a list of 2 to 50 of them that each person gets
	// in a row. Its strings may hold placeholders: {{.first_name}} stands for that field of the row, and {{or .first_name "friend"}}
	// for the first of several that has a value. Values are put in as text: whatever signs they hold, the message keeps its form.
	// At most 64 KiB. Required.
	Template json.RawMessage
	// Defaults are the values of fields that a row has empty or lacks. A placeholder without any value is a problem of that row.
	Defaults map[string]string
	// StartAt is the earliest time of sending; zero means at once.
	StartAt time.Time
	// Window is the part of each day in which it is sent; the zero value is the whole day.
	Window Window
	// FinishBy has the pace chosen so that all is sent until then, at no more than the page's own pace. Whoever is not reached by
	// then gets no message any more: those jobs end as expired. Zero means at the page's pace, however long that takes.
	FinishBy time.Time
	// ExpiresAt is the time after which nobody is to be messaged, without a pace being chosen. Zero means never, or at FinishBy.
	ExpiresAt time.Time
	// TestShare is the percentage of people, above 0 and below 100, picked at random, who get the message first: all others wait until
	// it is known what became of that. Zero means that there is no test.
	TestShare float64
	// TestLimit is the percentage of the test share that may fail, from 0 to 100. If more do, the broadcast is paused. Those whose
	// outcome is unknown count as failed.
	TestLimit float64
	// Weight is its part of the page's bulk pace while several broadcasts want to send: from 1 to 100; zero means 1, which is that of
	// the bulk lane's other jobs together, too.
	Weight int
	// SkipBad leaves out the rows that have problems. Without it a broadcast with such rows is not started.
	SkipBad bool
	// MaxAttempts and OnUnknown are as in [producer.Job].
	MaxAttempts int
	OnUnknown   producer.UnknownPolicy
}

// validate reports all that is wrong with the settings at now. The template and the page have checks of their own.
func (s Spec) validate(now time.Time) error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	_, ok := producer.ParseLine(producer.Line{PageID: "1", Lane: producer.LaneBulk, Broadcast: s.Name}.String())
	check(ok && s.Name != "", "name %q: must be 1 to 64 letters, digits, '_', '.' or '-'", s.Name)
	check(s.TestShare >= 0 && s.TestShare < 100, "test share %g: must be a percentage above 0 and below 100", s.TestShare)
	check(s.TestLimit >= 0 && s.TestLimit <= 100, "test limit %g: must be a percentage from 0 to 100", s.TestLimit)
	check(s.Weight >= 0 && s.Weight <= maxWeight, "weight %d: must be from 1 to %d", s.Weight, maxWeight)
	if err := s.Window.validate(); err != nil {
		errs = append(errs, err)
	}
	begin := now
	if s.StartAt.After(now) {
		begin = s.StartAt
	}
	check(s.StartAt.Sub(now) <= horizon, "start: must be within five years")
	check(s.FinishBy.IsZero() || s.FinishBy.After(begin), "finish-by: must be after the start, and not have passed")
	check(s.ExpiresAt.IsZero() || s.ExpiresAt.After(begin), "expiry: must be after the start, and not have passed")
	return errors.Join(errs...)
}

// expiry is the time from which on nobody is to be messaged; zero means none.
func (s Spec) expiry() time.Time {
	if s.FinishBy.IsZero() || !s.ExpiresAt.IsZero() && s.ExpiresAt.Before(s.FinishBy) {
		return s.ExpiresAt
	}
	return s.FinishBy
}

// job is what a person is sent.
func (s Spec) job(bodies []json.RawMessage) producer.Job {
	j := producer.Job{
		PageID: s.PageID, Lane: producer.LaneBulk, Broadcast: s.Name,
		ExpiresAt: s.expiry(), MaxAttempts: s.MaxAttempts, OnUnknown: s.OnUnknown,
	}
	if len(bodies) == 1 {
		j.Request = bodies[0]
	} else {
		j.Requests = bodies
	}
	return j
}

// digest tells broadcasts apart whose jobs are others: from the sum of the audience's bytes, its format, and what goes into a job.
func (s Spec) digest(audience []byte, f Format) string {
	h := sha256.New()
	// All of this has a JSON form.
	_ = json.NewEncoder(h).Encode([]any{
		s.PageID, string(s.Template), s.Defaults, f, audience, s.expiry().UTC(), s.MaxAttempts, s.OnUnknown,
	})
	return hex.EncodeToString(h.Sum(nil))
}

// settings are what Status and Report tell of a spec, and a forecast needs, beside the fields that the workers read. They are kept in
// Redis as long as the broadcast is known, without the message.
type settings struct {
	Window    string    `json:"window,omitempty"`
	FinishBy  time.Time `json:"finish_by,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Calls are how many one person gets, and Media whether audio or video is among them.
	Calls int  `json:"calls"`
	Media bool `json:"media,omitempty"`
	// People, Duplicates and Bad are the counts of the audience.
	People     int `json:"people"`
	Duplicates int `json:"duplicates,omitempty"`
	Bad        int `json:"bad,omitempty"`
}
