package gateway_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/producer/spans"
	"github.com/sendpace/sendpace/worker/redistest"
)

// A call is a span in the caller's trace, and its job one below it. None has what the caller sent.
func TestCallsAreTraced(t *testing.T) {
	t.Parallel()
	seen := tracetest.NewInMemoryExporter()
	sdk := sdktrace.NewTracerProvider(sdktrace.WithSyncer(seen))
	s := newSetup(t, redistest.Mini(t), producer.Config{Tracing: sdk}, gateway.Config{Tracing: sdk})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	got := s.do(t, "POST", "/v26.0/me/messages?access_token="+first, hello, "Content-Type: application/json", "Traceparent: "+parent)
	require.Equal(t, 200, got.status, got.body)
	assert.Equal(t, 401, s.do(t, "POST", "/me/messages", hello, "Content-Type: application/json", "Authorization: Bearer stranger-token").status)
	assert.Equal(t, 200, s.do(t, "GET", "/livez", "").status)

	ended := seen.GetSpans()
	require.Len(t, ended, 3, "the job, its call, and the call that was refused; no probe")
	job, call, refused := ended[0], ended[1], ended[2]
	assert.Equal(t, parent, spans.Parent(call.Parent))
	assert.Equal(t, call.SpanContext.SpanID(), job.Parent.SpanID())
	assert.Contains(t, call.Attributes, spans.Route.String("/{version}/{page}/messages"))
	assert.Contains(t, call.Attributes, spans.Status.Int(200))
	assert.Contains(t, refused.Attributes, spans.Status.Int(401))
	assert.Equal(t, codes.Unset, refused.Status.Code, "the caller's error is not ours")
	said := fmt.Sprintf("%+v", ended)
	for _, hidden := range []string{first, "stranger-token", words, `"7"`, "access_token"} {
		assert.NotContains(t, said, hidden)
	}
}

// A file that does not fit into memory is on disk for the time of its call, traced or not.
func TestNoUploadedFileStaysOnDisk(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	const parts = "--b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\n" + `{"attachment":{"type":"image","payload":{}}}` +
		"\r\n--b\r\nContent-Disposition: form-data; name=\"filedata\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n%s\r\n--b--\r\n"
	for name, gc := range map[string]gateway.Config{"traced": {Tracing: sdktrace.NewTracerProvider()}, "not traced": {}} {
		s := newSetup(t, redistest.Mini(t), producer.Config{}, gc)
		a := s.do(t, "POST", "/me/message_attachments", fmt.Sprintf(parts, strings.Repeat("x", 256<<10)), bearer,
			"Content-Type: multipart/form-data; boundary=b")
		require.Equal(t, 200, a.status, a.body)
		s.server.Close()
		left, err := os.ReadDir(os.TempDir())
		require.NoError(t, err)
		assert.Empty(t, left, name)
	}
}
