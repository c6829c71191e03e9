package worker

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/spans"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

// tracing makes the spans of a job's way through a worker. Without a tracer it makes none, and reads no header.
type tracing struct{ tracer trace.Tracer }

func newTracing(provider trace.TracerProvider) tracing {
	if provider == nil {
		return tracing{}
	}
	return tracing{provider.Tracer("github.com/sendpace/sendpace/worker")}
}

// start begins a span below the one of ctx.
func (t tracing) start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, noop.Span{}
	}
	return t.tracer.Start(ctx, name, opts...)
}

// begin starts the span of a hand, which is the caller's to end, in the trace that the job brought along. The span of its wait
// comes before it: that is also where the trace of a job begins that brought none.
func (t tracing) begin(ctx context.Context, d *delivery) context.Context {
	if t.tracer == nil {
		return ctx
	}
	ctx = spans.Under(ctx, d.hand.Header)
	of := trace.WithAttributes(spans.Page.String(d.page()), spans.Lane.String(string(d.route.Line.Lane)),
		spans.Job.String(d.hand.ID), spans.Attempt.Int(d.attempt))
	now := time.Now()
	if since := waitedSince(d.hand); !since.IsZero() && since.Before(now) {
		var wait trace.Span
		ctx, wait = t.tracer.Start(ctx, "wait in line", of, trace.WithTimestamp(since))
		wait.End(trace.WithTimestamp(now))
	}
	ctx, d.span = t.tracer.Start(ctx, "deliver", of, trace.WithTimestamp(now), trace.WithSpanKind(trace.SpanKindConsumer))
	return ctx
}

// waitedSince is when a job was enqueued, or last failed; zero where nobody knows. The failure has whole seconds, rounded down.
func waitedSince(hand *pace.Hand) time.Time {
	at, _ := producer.IDTime(hand.ID)
	if hand.FailedAt.After(at) {
		return hand.FailedAt
	}
	return at
}

// call is the client's span of a send.
func (t tracing) call(ctx context.Context, step int) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, noop.Span{}
	}
	return t.tracer.Start(ctx, "POST messages", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(spans.Method.String(http.MethodPost), spans.Step.Int(step)))
}

// endCall tells of the answer to a send. Of an error only what the platform numbers: its text could hold anything.
func endCall(span trace.Span, resp *sendapi.Response, err error) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	if trace := traceOf(resp, err); trace != "" {
		span.SetAttributes(spans.PlatformTrace.String(trace))
	}
	if err == nil {
		span.SetAttributes(spans.Status.Int(http.StatusOK))
		return
	}
	why := "not sent"
	if e := sendError(err); e != nil {
		why = e.Kind.Error()
		span.SetAttributes(codesOf(e.Code, e.Subcode)...)
		if e.Status != 0 {
			span.SetAttributes(spans.Status.Int(e.Status))
		}
	}
	span.SetStatus(codes.Error, why)
}

// note tells on a span what became of the job.
func note(span trace.Span, o producer.Outcome, s pace.Settlement) {
	if !span.IsRecording() {
		return
	}
	is := string(o.Kind)
	switch {
	case is == "" && s.Retry > 0:
		is = "retry"
	case is == "":
		is = "back"
	case o.Kind == producer.Failed, o.Kind == producer.Unknown:
		span.SetStatus(codes.Error, is)
	}
	span.SetAttributes(append(codesOf(s.Outcome.Code, s.Outcome.Subcode), spans.Outcome.String(is))...)
}

// codesOf are the platform's numbers of an error, where there are any.
func codesOf(code, subcode int) []attribute.KeyValue {
	var found []attribute.KeyValue
	if code != 0 {
		found = append(found, spans.Code.Int(code))
	}
	if subcode != 0 {
		found = append(found, spans.Subcode.Int(subcode))
	}
	return found
}
