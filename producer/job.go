package producer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

const (
	// TaskType is the asynq task type of every job.
	TaskType = "sendpace:send"
	// DefaultQueue is the asynq queue that holds the jobs of a fleet.
	DefaultQueue = "messenger"
	// MaxJobBytes bounds a job's JSON form. It is far above what the Send API takes, and keeps one bad input from
	// filling Redis.
	MaxJobBytes = 256 << 10
	// maxKeyBytes bounds a job's key.
	maxKeyBytes = 256
)

// Lane says how soon a job is wanted.
type Lane string

const (
	// LaneRealtime is for an answer that somebody waits for. It goes before bulk at the same page.
	LaneRealtime Lane = "realtime"
	// LaneBulk is for what is not time-sensitive. It is spread out at the page's bulk rate.
	LaneBulk Lane = "bulk"
)

// Job is one unit of work: one send, or a sequence of sends, to one recipient. Its JSON form is the task payload and one line
// of an enqueue file. Workers read the first fields of that form by their place, so their order here is part of it.
type Job struct {
	// PageID is the page that the message is sent from: digits. Required.
	PageID string `json:"page_id"`
	// Lane may be empty: the message decides then. Of a sequence, all messages must be answers to make it realtime.
	Lane Lane `json:"lane,omitempty"`
	// Broadcast names the mailing that the job is part of: 1 to 64 letters, digits, '_', '.' or '-'. Its jobs are counted
	// together and can be cancelled together, and in the bulk lane they wait in a line of their own. Empty means none.
	Broadcast string `json:"broadcast,omitempty"`
	// Request is the body of the Send API call. It is sent as it is, with the fields that Sendpace does not know. Either it or
	// Requests is required.
	Request json.RawMessage `json:"request,omitempty"`
	// Requests are the bodies of 2 to 50 calls to one recipient, which are made one after the other, each within the limits. No
	// other message to that recipient goes between them, unless their broadcast is paused on the way, and after a crash the
	// sequence goes on where it was. If one of them is audio or video, the whole sequence is held to the limit of those.
	Requests []json.RawMessage `json:"requests,omitempty"`
	// Key makes enqueueing idempotent: for 24 hours a second job of the same page with the same key is not stored, and
	// the first one's id is returned, whatever became of that job. Empty means no such check. At most 256 bytes of UTF-8.
	Key string `json:"key,omitempty"`
	// SendAt is the earliest time of sending; zero means at once. A job that comes due joins the end of its line.
	SendAt time.Time `json:"send_at,omitzero"`
	// ExpiresAt is the time after which the message must not be sent any more; zero means never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// MaxAttempts is how often the job is tried before it fails, 1 to 100; zero means as often as the worker is set to.
	MaxAttempts int `json:"max_attempts,omitempty"`
	// OnUnknown says what happens when nobody can know whether a message was sent. Empty means as the worker is set to, which is
	// [Resend] unless somebody says otherwise.
	OnUnknown UnknownPolicy `json:"on_unknown,omitempty"`
	// Retention is how long the job can still be read with [Producer.Get] after it has ended, at most 90 days. Zero means
	// not at all, or 24 hours for a job with a key; a part of a second counts as a whole one. The stream of outcomes has it
	// either way.
	Retention Duration `json:"retention,omitzero"`
	// Meta is the application's own data. It travels with the job and is never sent.
	Meta map[string]any `json:"meta,omitempty"`

	former string // traceparent of the job that this one is sent in place of
}

// NewJob is a job that makes these calls from a page, in their order. All must be to one recipient. The error says that a request
// has no JSON form, which is never the case for what the builders of package sendapi make; everything else is checked when the
// job is enqueued.
func NewJob(pageID string, calls ...*sendapi.Request) (Job, error) {
	bodies := make([]json.RawMessage, len(calls))
	for i, call := range calls {
		var err error
		if bodies[i], err = json.Marshal(call); err != nil {
			return Job{}, fmt.Errorf("job: call %d: %w", i+1, err)
		}
	}
	if len(bodies) == 1 {
		return Job{PageID: pageID, Request: bodies[0]}, nil
	}
	return Job{PageID: pageID, Requests: bodies}, nil
}

// UnknownPolicy is what becomes of a job when nobody can know whether its message was sent: the answer to the call never
// came, or the worker was killed while it waited for it.
type UnknownPolicy string

const (
	// Resend sends the message again: it may arrive twice. The outcome says how often that happened.
	Resend UnknownPolicy = "resend"
	// NeverResend ends the job as [Unknown]: the message may not have arrived.
	NeverResend UnknownPolicy = "never"
)

// Duration is a time span whose JSON form is a string such as "36h" or "90s".
type Duration time.Duration

// MarshalText writes the span as [time.Duration] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what [time.ParseDuration] takes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return &spanError{string(text)}
	}
	*d = Duration(v)
	return nil
}

// spanError is known among the decoder's errors, which do not name the field.
type spanError struct{ text string }

func (e *spanError) Error() string {
	return fmt.Sprintf("%.40q is not a duration; it looks like 36h or 90s", e.text)
}

// Steps are the bodies of the calls that the job makes, in their order.
func (j Job) Steps() []json.RawMessage {
	if len(j.Requests) > 0 {
		return j.Requests
	}
	return []json.RawMessage{j.Request}
}

// ParseJob reads a job from its JSON form. A field that a job does not have is an error; inside request every field is
// kept. The job is not validated yet: see [Job.Validate].
func ParseJob(data []byte) (Job, error) {
	if len(data) > MaxJobBytes {
		return Job{}, fmt.Errorf("job: %d bytes; the limit is %d", len(data), MaxJobBytes)
	}
	var j Job
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(&j); err != nil {
		return Job{}, jsonError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Job{}, errors.New("job: more than one JSON value; write one job a line")
	}
	return j, nil
}

// kindOf is how JSON calls what a field of type t takes.
func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]():
		return "a string such as 36h"
	case t.Kind() == reflect.Map:
		return "an object"
	case t.Kind() == reflect.Slice:
		return "an array"
	case t.Kind() == reflect.Int:
		return "a whole number"
	}
	return "a string"
}

// jsonError says what is wrong with a job's JSON in the words of the job, not of the decoder. It repeats little of it: the text goes into
// records and logs.
func jsonError(err error) error {
	var typ *json.UnmarshalTypeError
	var syn *json.SyntaxError
	var tim *time.ParseError
	var spa *spanError
	switch {
	case errors.As(err, &typ) && typ.Field == "":
		return fmt.Errorf("job: %s where a JSON object is expected", typ.Value)
	case errors.As(err, &typ):
		return fmt.Errorf("%s: %.40s where %s is expected", typ.Field, typ.Value, kindOf(typ.Type))
	case errors.As(err, &spa):
		return fmt.Errorf("retention: %w", spa)
	case errors.As(err, &tim), strings.HasPrefix(err.Error(), "Time.UnmarshalJSON"):
		return errors.New("send_at, expires_at: a time looks like 2026-12-01T09:00:00Z")
	case errors.As(err, &syn):
		return fmt.Errorf("job: invalid JSON at byte %d: %w", syn.Offset, syn)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("job: invalid JSON: it ends too early")
	}
	return fmt.Errorf("job: %.80s", strings.TrimPrefix(err.Error(), "json: "))
}
