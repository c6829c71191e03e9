package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/spans"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// traced is a fleet whose producer and workers record spans.
type traced struct {
	*fleet
	sdk  *sdktrace.TracerProvider
	seen *tracetest.InMemoryExporter
}

func newTraced(t *testing.T, latency time.Duration) traced {
	t.Helper()
	f := traced{fleet: newFleet(t, map[string]pace.Rates{"1001": rate(50)}, latency), seen: tracetest.NewInMemoryExporter()}
	f.sdk = sdktrace.NewTracerProvider(sdktrace.WithSyncer(f.seen))
	var err error
	f.producer, err = producer.New(f.rdb, producer.Config{Tracing: f.sdk})
	require.NoError(t, err)
	return f
}

// start starts a worker that records spans.
func (f traced) start(s worker.Sender) (stop func()) {
	return start(f.t.(*testing.T), f.redis, s, worker.Config{
		Pages: map[string]sendapi.Page{"1001": {ID: "1001", Token: "EAABtoken"}}, Rates: rate(50), PageRates: f.rates, Tracing: f.sdk,
	})
}

// ended are the spans of a name once there are n of them, in the order of their ends.
func (f traced) ended(name string, n int) []tracetest.SpanStub {
	f.t.Helper()
	var found []tracetest.SpanStub
	require.Eventually(f.t, func() bool {
		found = nil
		for _, s := range f.seen.GetSpans() {
			if s.Name == name {
				found = append(found, s)
			}
		}
		return len(found) >= n
	}, 20*time.Second, 10*time.Millisecond, "%d spans %q", n, name)
	slices.SortFunc(found, func(a, b tracetest.SpanStub) int { return a.EndTime.Compare(b.EndTime) })
	return found
}

// says are the values of some attributes.
func says(s tracetest.SpanStub, keys ...attribute.Key) []string {
	set := attribute.NewSet(s.Attributes...)
	var values []string
	for _, k := range keys {
		v, _ := set.Value(k)
		values = append(values, v.String())
	}
	return values
}

func below(t *testing.T, parent, child tracetest.SpanStub) {
	t.Helper()
	assert.Equal(t, parent.SpanContext.SpanID(), child.Parent.SpanID(), "%s below %s", child.Name, parent.Name)
	assert.Equal(t, parent.SpanContext.TraceID(), child.SpanContext.TraceID(), child.Name)
}

// One trace has the enqueueing, a try that failed, the next one, and a replay of a job that failed for good.
func TestOneTraceThroughRetriesAndAReplay(t *testing.T) {
	t.Parallel()
	f := newTraced(t, 0)
	answers := make(chan error, 3)
	answers <- &sendapi.Error{Kind: sendapi.KindTransient, Status: 500, Code: 2, Message: "private words"}
	answers <- &sendapi.Error{Kind: sendapi.KindInvalid, Status: 400, Code: 100, Subcode: 33, Message: "private words", TraceID: "AbCd"}
	answers <- nil
	f.start(sender(func(context.Context, json.RawMessage) (*sendapi.Response, error) {
		if err := <-answers; err != nil {
			return nil, err
		}
		return &sendapi.Response{MessageID: "m"}, nil
	}))
	_, err := f.producer.Enqueue(context.Background(), job("1001", "4321043210432104", "private words"))
	require.NoError(t, err)
	failed := f.outcome()
	_, err = f.producer.Resend(context.Background(), failed)
	require.NoError(t, err)
	f.assertOneOutcomeEach(2)

	delivered, waits, settled := f.ended("deliver", 3), f.ended("wait in line", 3), f.ended("settle", 3)
	enqueued, calls, permits := f.ended("enqueue", 2), f.ended("POST messages", 3), f.ended("permit", 3)
	for i, want := range [][]string{{"1", "retry", "2", ""}, {"2", "failed", "100", "33"}, {"1", "sent", "", ""}} {
		assert.Equal(t, want, says(delivered[i], spans.Attempt, spans.Outcome, spans.Code, spans.Subcode), i)
		assert.Equal(t, []string{"1001", "bulk"}, says(delivered[i], spans.Page, spans.Lane))
		below(t, waits[i], delivered[i])
		below(t, delivered[i], permits[i])
		below(t, delivered[i], calls[i])
		below(t, delivered[i], settled[i])
		assert.Equal(t, enqueued[0].SpanContext.TraceID(), delivered[i].SpanContext.TraceID(), "one trace")
		assert.Equal(t, waits[i].EndTime, delivered[i].StartTime)
	}
	below(t, enqueued[0], waits[0])
	below(t, enqueued[0], waits[1])
	below(t, delivered[1], enqueued[1])
	assert.Equal(t, spans.Parent(delivered[1].SpanContext), failed.TraceParent)
	at, _ := producer.IDTime(failed.JobID)
	assert.Equal(t, at.UTC(), waits[0].StartTime.UTC(), "from the enqueueing on")
	assert.False(t, waits[1].StartTime.Before(waits[0].StartTime), "from the failed try on, in whole seconds")
	assert.Equal(t, []string{"400", "AbCd"}, says(calls[1], spans.Status, spans.PlatformTrace))
	assert.Equal(t, trace.SpanKindClient, calls[1].SpanKind)
	said := fmt.Sprintf("%+v", f.seen.GetSpans())
	for _, hidden := range []string{"private words", "4321043210432104", "EAABtoken"} {
		assert.NotContains(t, said, hidden)
	}
}

func TestATakeoverStaysInTheTrace(t *testing.T) {
	t.Parallel()
	f := newTraced(t, time.Minute)          // the platform does not answer
	victim := f.startProcess(fleetWorker{}) // as an older worker it reads no headers
	r, err := f.producer.Enqueue(context.Background(), job("1001", "1", "0"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return f.inHand() == 1 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, victim.Process.Signal(syscall.SIGKILL))
	f.start(sender(func(context.Context, json.RawMessage) (*sendapi.Response, error) {
		return &sendapi.Response{MessageID: "m"}, nil
	}))
	f.assertOneOutcomeEach(1)
	delivered := f.ended("deliver", 1)
	assert.Equal(t, []string{r.ID, "sent"}, says(delivered[0], spans.Job, spans.Outcome))
	assert.Equal(t, f.ended("enqueue", 1)[0].SpanContext.TraceID(), delivered[0].SpanContext.TraceID())
}

// A plain client's headers stay with its task. Its job brings no trace, and gets one of its own if anybody records it.
func TestHeadersOfOthers(t *testing.T) {
	t.Parallel()
	f := newTraced(t, 0)
	client := asynq.NewClientFromRedisClient(f.rdb)
	headers := map[string]string{"x-app": "its own", "traceparent": "nonsense", "tracestate": "\x00"}
	j, err := json.Marshal(job("1001", "1", "0"))
	require.NoError(t, err)
	_, err = client.Enqueue(asynq.NewTaskWithHeaders(producer.TaskType, j, headers), asynq.Queue(producer.DefaultQueue), asynq.TaskID("theirs"))
	require.NoError(t, err)
	f.start(sender(func(context.Context, json.RawMessage) (*sendapi.Response, error) {
		return nil, &sendapi.Error{Kind: sendapi.KindInvalid, Code: 100, Message: "never"}
	}))
	o := f.outcome()
	assert.NotEmpty(t, o.TraceParent)
	delivered := f.ended("deliver", 1)
	assert.False(t, delivered[0].Parent.IsValid(), "nobody knows since when it waited")
	info, err := asynq.NewInspectorFromRedisClient(f.rdb).GetTaskInfo(producer.DefaultQueue, "theirs")
	require.NoError(t, err)
	assert.Equal(t, headers, info.Headers)
}

// Without a provider nothing of a trace is read or written.
func TestUntraced(t *testing.T) {
	t.Parallel()
	f := newTraced(t, 0)
	_, err := f.producer.Enqueue(context.Background(), job("1001", "1", "0"))
	require.NoError(t, err)
	f.worker(worker.Config{})
	assert.Empty(t, f.outcome().TraceParent)
	f.ended("enqueue", 1)
	assert.Len(t, f.seen.GetSpans(), 1)
}
