package spans_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpace/sendpace/producer/spans"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestHeadersCarryASpan(t *testing.T) {
	t.Parallel()
	assert.Nil(t, spans.Headers(context.Background()), "no span, no header")
	sent := map[string]string{"traceparent": parent, "tracestate": "vendor=1"}
	ctx := spans.Under(context.Background(), func(name string) string { return sent[name] })
	assert.Equal(t, sent, spans.Headers(ctx))
	sc := trace.SpanContextFromContext(ctx)
	assert.True(t, sc.IsRemote())
	assert.Equal(t, parent, spans.Parent(sc))
	assert.Equal(t, sc.TraceID(), spans.ReadParent(parent).TraceID())
	assert.Empty(t, spans.Parent(trace.SpanContext{}))
}

func TestWhatIsNoTraceContextIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "x", parent[:54], strings.Repeat("0", 55), "ff" + parent[2:],
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
	} {
		ctx := spans.Under(context.Background(), func(string) string { return bad })
		assert.False(t, trace.SpanContextFromContext(ctx).IsValid(), "%q", bad)
		assert.False(t, spans.ReadParent(bad).IsValid(), "%q", bad)
	}
}
