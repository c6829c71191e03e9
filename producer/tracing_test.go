package producer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/spans"
	"github.com/sendpace/sendpace/worker/redistest"
)

// recording is a provider whose spans a test can look at.
func recording() (*sdktrace.TracerProvider, *tracetest.InMemoryExporter) {
	seen := tracetest.NewInMemoryExporter()
	return sdktrace.NewTracerProvider(sdktrace.WithSyncer(seen)), seen
}

// headersOf are those of a job's task, as asynq reads them.
func headersOf(t *testing.T, rdb redis.UniversalClient, id string) map[string]string {
	t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(rdb).GetTaskInfo(producer.DefaultQueue, id)
	require.NoError(t, err)
	return info.Headers
}

func TestAJobBringsItsTraceAlong(t *testing.T) {
	t.Parallel()
	const person = "4321432143214321" // longer than what a time in the spans may have by chance
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx, rdb := context.Background(), redistest.Client(t, addr)
		sdk, seen := recording()
		p, err := producer.New(rdb, producer.Config{Tracing: sdk, MaxWaiting: 4})
		require.NoError(t, err)
		app, span := sdk.Tracer("app").Start(ctx, "app")
		one, err := p.Enqueue(app, text("1001", person, "private words"), producer.Key("k"))
		require.NoError(t, err)
		span.End()
		_, err = p.Enqueue(ctx, text("1001", person, "private words"), producer.Key("k"))
		require.NoError(t, err)
		many := p.EnqueueMany(ctx, []producer.Job{text("1001", "1", "a"), text("1001", "2", ""), text("1001", "3", "c"), text("1001", "4", "d"), text("1001", "5", "e")})

		ended := seen.GetSpans()
		require.Len(t, ended, 7, "the app's, and one for each job but the one that is not valid")
		first := ended[0]
		assert.Equal(t, []any{"enqueue", trace.SpanKindProducer}, []any{first.Name, first.SpanKind})
		assert.Equal(t, span.SpanContext().SpanID(), first.Parent.SpanID())
		assert.Equal(t, spans.Parent(first.SpanContext), headersOf(t, rdb, one.ID)["traceparent"])
		assert.Subset(t, ended[2].Attributes, []any{spans.Repeat.Bool(true)})
		for i, at := range map[int]int{0: 3, 2: 4, 3: 5} {
			assert.Equal(t, spans.Parent(ended[at].SpanContext), headersOf(t, rdb, many[i].ID)["traceparent"])
			assert.False(t, ended[at].Parent.IsValid(), "each has a trace of its own")
		}
		assert.ErrorIs(t, many[4].Err, producer.ErrLineFull)
		assert.Equal(t, "not stored", ended[6].Status.Description)
		said := fmt.Sprintf("%+v", ended)
		assert.NotContains(t, said, "private words")
		assert.NotContains(t, said, person)
	})
}

func TestATraceNeedsNoProvider(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	p := newProducer(t, rdb)
	plain, err := p.Enqueue(context.Background(), text("1001", "1", "a"))
	require.NoError(t, err)
	assert.Empty(t, headersOf(t, rdb, plain.ID))
	sdk, _ := recording()
	ctx, span := sdk.Tracer("app").Start(context.Background(), "app")
	defer span.End()
	r, err := p.Enqueue(ctx, text("1001", "2", "b"))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"traceparent": spans.Parent(span.SpanContext())}, headersOf(t, rdb, r.ID))
}

func TestAJobThatIsSentAgainStaysInItsTrace(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	ctx := context.Background()
	const former = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	record := func(id, parent string) producer.Outcome {
		o := producer.NewOutcome(id, text("1001", "1", "a"), []byte(`{"page_id":"1001","request":`+string(text("1001", "1", "a").Request)+`}`), producer.Failed)
		o.TraceParent = parent
		return o
	}
	p := newProducer(t, rdb)
	again, err := p.Resend(ctx, record("a", former))
	require.NoError(t, err)
	assert.Equal(t, former, headersOf(t, rdb, again.ID)["traceparent"])
	again, err = p.Resend(ctx, record("b", "nonsense"))
	require.NoError(t, err)
	assert.Empty(t, headersOf(t, rdb, again.ID))

	sdk, seen := recording()
	traced, err := producer.New(rdb, producer.Config{Tracing: sdk})
	require.NoError(t, err)
	_, err = traced.Resend(ctx, record("c", former))
	require.NoError(t, err)
	app, span := sdk.Tracer("app").Start(ctx, "app")
	_, err = traced.Resend(app, record("d", former))
	require.NoError(t, err)
	span.End()
	below, linked := seen.GetSpans()[0], seen.GetSpans()[1]
	assert.Equal(t, former[3:35], below.SpanContext.TraceID().String())
	assert.Equal(t, span.SpanContext().TraceID(), linked.SpanContext.TraceID(), "the caller's trace is the caller's choice")
	require.Len(t, linked.Links, 1)
	assert.Equal(t, former, spans.Parent(linked.Links[0].SpanContext))
}

// A task that asynqmon archived has no record; its headers tell the trace.
func TestAJobThatWasArchivedByHandKeepsItsTrace(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	sdk, _ := recording()
	p, err := producer.New(rdb, producer.Config{Tracing: sdk})
	require.NoError(t, err)
	r, err := p.Enqueue(context.Background(), text("1001", "1", "a"))
	require.NoError(t, err)
	was := headersOf(t, rdb, r.ID)["traceparent"]
	require.NoError(t, asynq.NewInspectorFromRedisClient(rdb).ArchiveTask(producer.DefaultQueue, r.ID))
	for dead, err := range p.Dead(context.Background(), false, nil) {
		require.NoError(t, err)
		assert.Equal(t, was, dead.TraceParent)
		assert.True(t, strings.HasPrefix(was, "00-"), was)
		return
	}
	t.Fatal("it is not among the dead")
}
