// Package spans is how a job carries its trace, and what the spans of OpenTelemetry along its way are called and say.
//
// A job has the W3C trace context of the span that enqueued it in the headers of its asynq task: traceparent and, where there is
// one, tracestate. Baggage is not passed on: nobody knows what it holds. The package needs the API of OpenTelemetry alone; which
// SDK records the spans, if any, is the program's choice.
//
// No span has a token, a message's text or a recipient who is not hashed.
package spans

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Attributes of the spans.
const (
	// Page is the page's id.
	Page = attribute.Key("sendpace.page")
	// Lane is the job's lane.
	Lane = attribute.Key("sendpace.lane")
	// Job is the job's id. It has the recipient in it as a hash.
	Job = attribute.Key("sendpace.job")
	// Repeat is true where a job was not stored because its key stands for another one.
	Repeat = attribute.Key("sendpace.repeat")
	// Attempt is the number of the try, from 1.
	Attempt = attribute.Key("sendpace.attempt")
	// Outcome is how the job ended, or what became of it: retry or back.
	Outcome = attribute.Key("sendpace.outcome")
	// Verdict is what the permit said.
	Verdict = attribute.Key("sendpace.verdict")
	// Step is the index of the request within a sequence.
	Step = attribute.Key("sendpace.step")
	// Code and Subcode are the platform's error.
	Code    = attribute.Key("sendpace.code")
	Subcode = attribute.Key("sendpace.subcode")
	// PlatformTrace is what the platform's support asks for.
	PlatformTrace = attribute.Key("sendpace.platform_trace")
	// Method, Route and Status are those of an HTTP call.
	// https://opentelemetry.io/docs/specs/semconv/http/http-spans/
	Method = attribute.Key("http.request.method")
	Route  = attribute.Key("http.route")
	Status = attribute.Key("http.response.status_code")
)

const (
	// TraceParent is the header that names the trace and the span.
	TraceParent = "traceparent"
	traceState  = "tracestate"
)

var w3c propagation.TraceContext

// Headers are those that carry the span of ctx; nil if there is none.
func Headers(ctx context.Context) map[string]string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	headers := propagation.MapCarrier{}
	w3c.Inject(ctx, headers)
	return headers
}

// Under returns ctx with the span that headers carry, which get reads by their names. What is no trace context is left out.
func Under(ctx context.Context, get func(name string) string) context.Context {
	return w3c.Extract(ctx, propagation.MapCarrier{TraceParent: get(TraceParent), traceState: get(traceState)})
}

// Parent is a span as the header traceparent has it; empty if it is not a valid one.
func Parent(sc trace.SpanContext) string {
	if !sc.IsValid() {
		return ""
	}
	headers := propagation.MapCarrier{}
	w3c.Inject(trace.ContextWithSpanContext(context.Background(), sc), headers)
	return headers[TraceParent]
}

// ReadParent is the span that a traceparent names; the zero value, which is not valid, if it names none.
func ReadParent(parent string) trace.SpanContext {
	ctx := w3c.Extract(context.Background(), propagation.MapCarrier{TraceParent: parent})
	return trace.SpanContextFromContext(ctx)
}
