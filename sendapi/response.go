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
	message, kind, trace string
	code, subcode        int
	transient            bool
}

// result is a successful answer.
type result struct {
	members map[string]json.RawMessage
	usage   Usage
	trace   string
}

// reading is how the answer to a call is to be judged.
type reading struct {
	pageID string
	hide   *redactor
	// repeatable means that a second try does no harm, as with a file that is uploaded. Without an answer such a call failed
	// for the time being; no outcome is unknown.
	repeatable bool
	// toPerson means that the call is for a person. Where it is not, there is none to be at fault: code 33, that an object does
	// not exist, is then about a persona or the page.
	toPerson bool
	// wants is the member without which an answer is no success, and accepts is what it must look like; nil means
	// that it must be there, without an error beside it.
	wants   string
	accepts func(members map[string]json.RawMessage) bool
}

func (r reading) succeeded(members map[string]json.RawMessage) bool {
	if r.accepts != nil {
		return r.accepts(members)
	}
	return textOf(members[r.wants]) != "" && members["error"] == nil
}

func (r reading) settle(e *Error) *Error {
	if r.repeatable && e.Kind == KindUnknownOutcome {
		e.Kind = KindTransient
	}
	return e
}

// interpret turns an answer into a success or an error.
func (a answer) interpret(r reading) (result, *Error) {
	var members map[string]json.RawMessage
	readable := a.whole && json.Unmarshal(a.body, &members) == nil && members != nil
	res := result{members: members, usage: parseUsage(a.header), trace: r.hide.clean(a.header.Get("X-Fb-Trace-Id"))}
	if readable && 200 <= a.status && a.status < 300 && r.succeeded(members) {
		return res, nil
	}
	e := r.settle(a.failure(members["error"], readable, r))
	e.Usage = res.usage
	if e.TraceID == "" {
		e.TraceID = res.trace
	}
	if e.Kind == KindRateLimit || e.Kind == KindTransient {
		e.RetryAfter = max(res.usage.Wait(r.pageID), retryAfter(a.header, time.Now()))
	}
	return result{}, e
}

// reading fills res from the answer to a send. A sender action has no message id.
func (res *Response) reading(pageID string, req *Request, hide *redactor) reading {
	action := req.SenderAction != "" && req.Message == nil
	return reading{
		pageID: pageID, hide: hide, toPerson: true, wants: "message_id",
		accepts: func(members map[string]json.RawMessage) bool {
			res.fill(members)
			return res.MessageID != "" || action && members["error"] == nil
		},
	}
}

// fill takes the ids, which come as strings or as numbers. One page of the platform prints them inside a recipient
// object instead, which costs little to accept.
func (res *Response) fill(members map[string]json.RawMessage) {
	res.RecipientID = textOf(members["recipient_id"])
	res.MessageID = textOf(members["message_id"])
	res.AttachmentID = textOf(members["attachment_id"])
	if res.MessageID != "" || members["recipient"] == nil {
		return
	}
	var nested map[string]json.RawMessage
	if json.Unmarshal(members["recipient"], &nested) == nil {
		res.RecipientID = textOf(nested["id"])
		res.MessageID = textOf(nested["message_id"])
	}
}

// textOf reads a string, or a number as it is written; empty for none.
func textOf(value json.RawMessage) string {
	if value == nil {
		return ""
	}
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

func (a answer) failure(raw json.RawMessage, readable bool, r reading) *Error {
	e := &Error{Status: a.status}
	var env *envelope
	if readable && raw != nil {
		env = parseEnvelope(raw)
	}
	var v verdict
	switch {
	case env != nil:
		v = judge(a.status, env.code, env.subcode, env.transient)
		switch {
		case v.kind == KindRecipient && r.blamesPage(env):
			v = auth
		case v.kind == KindRecipient && !r.toPerson:
			v = invalid
		}
		e.Code, e.Subcode = env.code, env.subcode
		e.Message, e.Type, e.TraceID = r.hide.clean(env.message), r.hide.clean(env.kind), r.hide.clean(env.trace)
		if e.Code == 100 && e.Subcode == 0 && r.blamesProof(e.Message) {
			v = auth
		}
	case !a.whole:
		v = judgeStatus(a.status)
		e.Message = "the answer broke off or is too long"
	case readable && a.status < 300:
		v = verdict{kind: KindUnknownOutcome}
		e.Message = "the answer has no " + r.wants
	default:
		v = judgeStatus(a.status)
		e.Message = "the answer is not one of the platform"
	}
	e.Kind, e.Scope, e.Retries = v.kind, v.scope, v.retries
	return e
}

// blamesProof tells a wrong appsecret_proof from the other meanings of a bare 100, which would each cost a message
// that is not at fault. The name of a parameter is the same in every language. It counts only when the request itself
// does not have the word, so that no message can pass for it.
// https://developers.facebook.com/docs/graph-api/guides/secure-requests
func (r reading) blamesProof(message string) bool {
	const name = "appsecret_proof"
	return strings.Contains(message, name) && !r.hide.carries(name)
}

// blamesPage tells that it is the page which does not exist, for this token at least, where 33 mostly means the person: the
// platform says "Object with ID '1001' does not exist, …" then. A wrong page id would cost a backlog otherwise. As above, no
// message can pass for it.
func (r reading) blamesPage(env *envelope) bool {
	about := env.code == 33 || env.subcode == 33
	return about && r.pageID != "" && strings.Contains(env.message, "'"+r.pageID+"'") && !r.hide.carries(r.pageID)
}

// parseEnvelope takes each member for itself, so that one of an unexpected type does not cost the code.
func parseEnvelope(raw json.RawMessage) *envelope {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil
	}
	env := &envelope{code: numberOf(members["code"]), subcode: numberOf(members["error_subcode"])}
	for key, target := range map[string]any{
		"message": &env.message, "type": &env.kind, "fbtrace_id": &env.trace, "is_transient": &env.transient,
	} {
		_ = json.Unmarshal(members[key], target) // stays zero when it is of another type
	}
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
