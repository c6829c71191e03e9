package sendapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Response is what the platform answers when it accepted a call: accepted for delivery, which is not delivered.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type Response struct {
	// RecipientID is the page-scoped id of the person; empty when addressed by user_ref or phone_number.
	RecipientID string
	// MessageID identifies the message; opaque, case matters. Empty for a sender action.
	MessageID string
	// AttachmentID is set when the media was Reusable.
	AttachmentID string
	// Usage is what the answer said of the limits.
	Usage Usage
	// TraceID is what the platform's support asks for; empty when there was none.
	TraceID string
}

// answer is an HTTP response with as much of its body as could be read.
type answer struct {
	status int
	header http.Header
	body   []byte
	whole  bool // the body was read to its end
}

// envelope is the platform's error object.
// https://developers.facebook.com/docs/graph-api/guides/error-handling
type envelope struct {
	Message   string `json:"message"`
	Type      string `json:"type"`
	Code      int    `json:"code"`
	Subcode   int    `json:"error_subcode"`
	Transient bool   `json:"is_transient"`
	TraceID   string `json:"fbtrace_id"`
}

// interpret turns an answer into a response or an error.
func (a answer) interpret(pageID string, action bool, r redactor) (*Response, error) {
	var members map[string]json.RawMessage
	readable := a.whole && json.Unmarshal(a.body, &members) == nil && members != nil
	usage := parseUsage(a.header)
	trace := r.clean(a.header.Get("X-Fb-Trace-Id"))
	if readable && 200 <= a.status && a.status < 300 {
		res := &Response{Usage: usage, TraceID: trace}
		res.fill(members)
		if res.MessageID != "" || action && members["error"] == nil {
			return res, nil
		}
	}
	e := a.failure(members["error"], readable, r)
	e.Usage = usage
	if e.TraceID == "" {
		e.TraceID = trace
	}
	if e.Kind == KindRateLimit || e.Kind == KindTransient {
		e.RetryAfter = max(usage.Wait(pageID), retryAfter(a.header, time.Now()))
	}
	return nil, e
}

// fill takes the ids, which come as strings or as numbers. One page of the platform prints them inside a recipient
// object instead, which costs little to accept.
func (res *Response) fill(members map[string]json.RawMessage) {
	res.RecipientID = idOf(members["recipient_id"])
	res.MessageID = idOf(members["message_id"])
	res.AttachmentID = idOf(members["attachment_id"])
	if res.MessageID != "" || members["recipient"] == nil {
		return
	}
	var nested map[string]json.RawMessage
	if json.Unmarshal(members["recipient"], &nested) == nil {
		res.RecipientID = idOf(nested["id"])
		res.MessageID = idOf(nested["message_id"])
	}
}

func idOf(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var number json.Number
	if json.Unmarshal(value, &number) == nil {
		return number.String()
	}
	return ""
}

func (a answer) failure(raw json.RawMessage, readable bool, r redactor) *Error {
	e := &Error{Status: a.status}
	var env *envelope
	if readable && raw != nil {
		env = parseEnvelope(raw)
	}
	var v verdict
	switch {
	case env != nil:
		v = judge(a.status, env.Code, env.Subcode, env.Transient)
		e.Code, e.Subcode = env.Code, env.Subcode
		e.Message, e.Type, e.TraceID = r.clean(env.Message), r.clean(env.Type), r.clean(env.TraceID)
	case !a.whole:
		v = judgeStatus(a.status)
		e.Message = "the answer broke off or is too long"
	case readable && a.status < 300:
		v = verdict{kind: KindUnknownOutcome}
		e.Message = "the answer has no message_id"
	default:
		v = judgeStatus(a.status)
		e.Message = "the answer is not one of the platform"
	}
	e.Kind, e.Scope = v.kind, v.scope
	return e
}

// parseEnvelope takes each member for itself, so that one of an unexpected type does not cost the code.
func parseEnvelope(raw json.RawMessage) *envelope {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil
	}
	env := &envelope{}
	targets := map[string]any{
		"message": &env.Message, "type": &env.Type, "fbtrace_id": &env.TraceID, "is_transient": &env.Transient,
	}
	for key, target := range targets {
		_ = json.Unmarshal(members[key], target) // stays zero when it is of another type
	}
	env.Code = numberOf(members["code"])
	env.Subcode = numberOf(members["error_subcode"])
	return env
}

// numberOf accepts a number in quotes as well.
func numberOf(value json.RawMessage) int {
	var n int
	if json.Unmarshal([]byte(strings.Trim(string(value), `"`)), &n) != nil {
		return 0
	}
	return n
}
