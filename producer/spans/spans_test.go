package spans_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"

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

// entry is a header as asynq's protobuf library encodes it.
func entry(name, value string) []byte {
	b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	return protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), value)
}

func TestEntry(t *testing.T) {
	t.Parallel()
	name, value, ok := spans.Entry(entry("traceparent", parent))
	require.True(t, ok)
	assert.Equal(t, []string{"traceparent", parent}, []string{name, value})
	for what, raw := range map[string][]byte{
		"cut off":          entry("traceparent", parent)[:20],
		"no text":          entry("traceparent", "\xff"),
		"too long":         entry("tracestate", strings.Repeat("x", 1024)),
		"no field":         {0xff},
		"a group, unended": protowire.AppendTag(nil, 2, protowire.StartGroupType),
	} {
		_, _, ok := spans.Entry(raw)
		assert.False(t, ok, what)
	}
	name, value, ok = spans.Entry(protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 7))
	assert.True(t, ok)
	assert.Empty(t, name+value, "another type says nothing")
}

func FuzzEntry(f *testing.F) {
	f.Add(entry("traceparent", parent))
	f.Add([]byte{10, 0xff, 0xff, 0xff, 0xff, 15})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if name, value, ok := spans.Entry(raw); ok {
			assert.LessOrEqual(t, len(name)+len(value), len(raw))
			spans.Under(context.Background(), func(string) string { return value })
		}
	})
}
