package producer

import (
	"encoding/json"
	"time"
)

// OutcomeKind is how a job ended. Every accepted job ends in exactly one of them.
type OutcomeKind string

const (
	// Sent means that the platform accepted the message, or every message of a sequence.
	Sent OutcomeKind = "sent"
	// Failed means that the message can never be sent, or was tried as often as it may be.
	Failed OutcomeKind = "failed"
	// Expired means that the job's time had passed before its turn came.
	Expired OutcomeKind = "expired"
	// Cancelled means that the job was cancelled before it was sent.
	Cancelled OutcomeKind = "cancelled"
	// Unknown means that nobody can know whether the message was sent, and that it was not to be sent again.
	Unknown OutcomeKind = "unknown"
)

// Outcome is the record of how a job ended. It is one entry of the stream of outcomes, as JSON, and what [Producer.Get]
// returns of a job that is kept. It holds the job, and so the message's text, in all but those that were sent.
type Outcome struct {
	JobID  string `json:"job_id"`
	PageID string `json:"page_id"`
	Lane   Lane   `json:"lane,omitempty"`
	// Broadcast and Key are the job's; empty if it has none.
	Broadcast string      `json:"broadcast,omitempty"`
	Key       string      `json:"key,omitempty"`
	Kind      OutcomeKind `json:"outcome"`
	// MessageIDs are the platform's ids of the messages that it accepted, in their order. A sender action has none.
	MessageIDs []string `json:"message_ids,omitempty"`
	// StepsDone is how many requests of a sequence the platform accepted. [Producer.Resend] goes on behind them.
	StepsDone int `json:"steps_done,omitempty"`
	// Attempts is how often the job was tried; rate limits, holds and crashes do not count.
	Attempts int `json:"attempts"`
	// ResentUnknown is how often a message was sent again although nobody could know whether it was sent before.
	ResentUnknown int `json:"resent_unknown,omitempty"`
	// EndedAt is when the job ended; SentAt is when the platform accepted the last message, zero if it accepted none.
	EndedAt time.Time `json:"ended_at"`
	SentAt  time.Time `json:"sent_at,omitzero"`
	// Code and Subcode are the platform's error, 0 if there was none.
	Code    int `json:"code,omitempty"`
	Subcode int `json:"subcode,omitempty"`
	// Reason is for a person; empty for a job that was sent.
	Reason string `json:"reason,omitempty"`
	// TraceParent is where the job's trace went on, as the header traceparent of the W3C; empty if it was not traced. A job that is
	// sent again goes on there.
	TraceParent string `json:"traceparent,omitempty"`
	// Meta is the job's.
	Meta map[string]any `json:"meta,omitempty"`
	// Job is the job itself, as it was enqueued, unless it was sent. A payload that is no JSON stands here as a JSON string, one
	// of more than [MaxJobBytes] not at all.
	Job json.RawMessage `json:"job,omitempty"`
}

// NewOutcome starts the record of a job that has ended now. payload is what the task holds; job is what was read from it, the
// zero value if it cannot be read.
func NewOutcome(id string, job Job, payload []byte, kind OutcomeKind) Outcome {
	o := Outcome{
		JobID: id, PageID: job.PageID, Lane: job.Lane, Broadcast: job.Broadcast, Key: job.Key, Meta: job.Meta,
		Kind: kind, EndedAt: time.Now().UTC(),
	}
	if kind != Sent {
		o.Job = asJSON(payload)
	}
	return o
}

// asJSON is a task's payload for a record. Other programs may have enqueued anything.
func asJSON(payload []byte) json.RawMessage {
	switch {
	case len(payload) > MaxJobBytes:
		return nil
	case json.Valid(payload):
		return payload
	}
	text, _ := json.Marshal(string(payload)) // a string always has a JSON form
	return text
}
