package sendapi

import (
	"fmt"
	"strings"
	"time"
)

// Kind is what an error asks for, a closed set. errors.Is(err, sendapi.KindRateLimit) asks for it.
type Kind string

// The kinds of errors.
const (
	// KindRateLimit: too many calls; Error.Scope says of what. Pause that scope, then send again. Calls
	// that are refused count as well, so going on makes it last longer.
	// https://developers.facebook.com/docs/graph-api/overview/rate-limiting
	KindRateLimit Kind = "rate_limit"
	// KindTransient: it was not sent, and may succeed later. Network errors before the request was written
	// are of this kind too, and any of a call that sends nothing to a person and can be made again: uploads, reads.
	KindTransient Kind = "transient"
	// KindUnknownOutcome: it may have been sent. The platform has no idempotency key, so that a second try
	// may be a second message.
	KindUnknownOutcome Kind = "unknown_outcome"
	// KindRecipient: this person cannot be reached now. Do not try again before they write.
	KindRecipient Kind = "recipient"
	// KindWindow: outside the time in which this message is allowed.
	KindWindow Kind = "window"
	// KindInvalid: this message can never be sent as it is.
	KindInvalid Kind = "invalid"
	// KindAttachment: the attachment id is expired or belongs to another page. Upload again, then send.
	KindAttachment Kind = "attachment"
	// KindAuth: the token, a permission or a setting must be repaired by a person first.
	KindAuth Kind = "auth"
	// KindPolicy: the page is blocked or restricted. A person must look into it.
	KindPolicy Kind = "policy"
	// KindThreadControl: another app has the conversation. Send again once it is back.
	KindThreadControl Kind = "thread_control"
)

// Kinds returns all kinds, for labels and tables that must be complete.
func Kinds() []Kind {
	return []Kind{
		KindRateLimit, KindTransient, KindUnknownOutcome, KindRecipient, KindWindow,
		KindInvalid, KindAttachment, KindAuth, KindPolicy, KindThreadControl,
	}
}

// Error returns the kind in words. It makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return strings.ReplaceAll(string(k), "_", " ") }

// Scope is what an error stops: always set for KindRateLimit, KindAuth and KindPolicy, else empty.
type Scope string

// The scopes.
const (
	// ScopeApp stops all pages of the app.
	ScopeApp Scope = "app"
	// ScopePage stops the page.
	ScopePage Scope = "page"
	// ScopeThread stops the conversation with one person.
	ScopeThread Scope = "thread"
	// ScopeToken stops the calls with this token.
	ScopeToken Scope = "token"
)

// Error is a call that did not succeed. Nothing in it holds a token, an app secret or message text.
type Error struct {
	// Kind is what to do about it. Never empty.
	Kind Kind
	// Scope is what is stopped.
	Scope Scope
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// Code and Subcode are the platform's, 0 when it gave none.
	Code, Subcode int
	// Message is the platform's text, at most 300 characters, with credentials and the texts of the
	// request replaced; or this package's own. It may be in any language: decide by Kind.
	Message string
	// Type is the platform's error type. It says OAuthException for nearly everything.
	Type string
	// TraceID is what the platform's support asks for.
	TraceID string
	// RetryAfter is how long the platform asks to wait, at most a day; 0 when it did not say, which
	// does not mean now.
	RetryAfter time.Duration
	// Retries is how many tries later on may be worth it although Kind is not one to try again: the media could not
	// be fetched, and its host may come back. 0 for most. The package itself never tries again.
	Retries int
	// Usage is what the response said of the limits.
	Usage Usage
	// Err is the cause: a network error without its URL, a context error, or Problems.
	Err error
}

// Error returns the kind, the scope, code/subcode or the HTTP status, and the message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Kind.Error())
	if e.Scope != "" {
		fmt.Fprintf(&b, " (%s)", e.Scope)
	}
	switch {
	case e.Code != 0 && e.Subcode != 0:
		fmt.Fprintf(&b, ": code %d/%d", e.Code, e.Subcode)
	case e.Code != 0:
		fmt.Fprintf(&b, ": code %d", e.Code)
	case e.Status != 0:
		fmt.Fprintf(&b, ": HTTP %d", e.Status)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Is reports whether target is the error's Kind.
func (e *Error) Is(target error) bool {
	kind, ok := target.(Kind)
	return ok && kind == e.Kind
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
