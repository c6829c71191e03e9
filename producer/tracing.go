package producer

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sendpace/sendpace/producer/spans"
)

// tracerName is the scope of the spans that a producer makes.
const tracerName = "github.com/sendpace/sendpace/producer"

// startSpan begins the span of a job that is to be stored. The returned ctx carries what the job brings along: that span, or
// without a tracer the caller's. A job that is sent again goes on in its former trace, or is linked to it where the caller has a
// trace.
func (s *shard) startSpan(ctx context.Context, c checked) (context.Context, trace.Span) {
	var links []trace.Link
	if former := spans.ReadParent(c.job.former); former.IsValid() {
		if trace.SpanContextFromContext(ctx).IsValid() {
			links = []trace.Link{{SpanContext: former}}
		} else {
			ctx = trace.ContextWithRemoteSpanContext(ctx, former)
		}
	}
	if s.tracer == nil {
		return ctx, noop.Span{}
	}
	return s.tracer.Start(ctx, "enqueue", trace.WithSpanKind(trace.SpanKindProducer), trace.WithLinks(links...),
		trace.WithAttributes(spans.Page.String(c.line.PageID), spans.Lane.String(string(c.line.Lane)), spans.Job.String(c.id)))
}

// endSpan tells what became of the job. What an error says may hold anything, and stays out.
func endSpan(span trace.Span, r Receipt, err error) {
	switch {
	case err != nil:
		span.SetStatus(codes.Error, "not stored")
	case r.Repeat:
		span.SetAttributes(spans.Repeat.Bool(true))
	}
	span.End()
}
