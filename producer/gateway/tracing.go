package gateway

import (
	"net/http"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sendpace/sendpace/producer/spans"
)

// startSpan begins the span of a call and puts it in the request's context. Probes and calls to no route have none. Neither the
// URL nor a header is in it: both may hold a token.
func (h *Handler) startSpan(r *http.Request, found *route) (*http.Request, trace.Span) {
	if h.tracer == nil || found == nil || found.open {
		return r, noop.Span{}
	}
	ctx, span := h.tracer.Start(spans.Under(r.Context(), r.Header.Get), found.name(), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(spans.Method.String(found.method), spans.Route.String(found.pattern)))
	return r.WithContext(ctx), span
}

// endSpan tells how a call was answered. As in HTTP's conventions only our own failures are errors.
func endSpan(span trace.Span, a reply) {
	span.SetAttributes(spans.Status.Int(a.status))
	if a.status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(a.status))
	}
	span.End()
}
