package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// sink is a collector of OpenTelemetry that takes spans over HTTP.
type sink struct {
	url string

	mu    sync.Mutex
	raw   bytes.Buffer // all that it got
	spans map[string][]*otlp.Span
	names []string // of the services
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{spans: map[string][]*otlp.Span{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var got collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &got) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(body)
	for _, resource := range got.ResourceSpans {
		for _, a := range resource.Resource.Attributes {
			if a.Key == "service.name" {
				s.names = append(s.names, a.Value.GetStringValue())
			}
		}
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				s.spans[span.Name] = append(s.spans[span.Name], span)
			}
		}
	}
}

// named are the spans of a name.
func (s *sink) named(name string) []*otlp.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spans[name]
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw.String()
}

// A call to the gateway, its job and the send are one trace, in two services, below the caller's.
func TestATraceFromTheGatewayToTheSend(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	to := newSink(t)
	path := writeFile(t, "c.yaml", pagesFile+"tracing: {endpoint: \""+to.url+"/\"}\nlog: {format: json}\n")
	box := start(t, nil, nil, "sandbox", "--addr", "127.0.0.1:0", "--latency", "0s", "--config", path)
	env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + box.out.wait(t, `answers at (http://\S+);`)}
	gateway := start(t, nil, env, "gateway", "--addr", "127.0.0.1:0", "--config", path)
	worker := start(t, nil, env, "worker", "--config", path)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gateway.out.wait(t, `answers at (http://\S+);`)+"/me/messages",
		bytes.NewReader([]byte(`{"recipient":{"id":"7"},"messaging_type":"UPDATE","message":{"text":"hi"}}`)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer EAABfirst")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	status, body := fetch(t, req)
	require.Equal(t, 200, status, body)
	worker.err.wait(t, `"trace_id":"0af7651916cd43dd8448eb211c80319c".*"message":"sent"`)
	require.Equal(t, 0, gateway.stop(), gateway.err)
	require.Equal(t, 0, worker.stop(), worker.err)

	parent := []byte{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}
	for _, name := range []string{"POST /{version}/{page}/messages", "enqueue", "wait in line", "deliver"} {
		found := to.named(name)
		require.Len(t, found, 1, name)
		assert.Equal(t, parent, found[0].ParentSpanId, name)
		assert.Equal(t, byte(0x0a), found[0].TraceId[0], name)
		parent = found[0].SpanId
	}
	for _, name := range []string{"permit", "POST messages", "settle"} {
		require.Len(t, to.named(name), 1, name)
		assert.Equal(t, parent, to.named(name)[0].ParentSpanId, name)
	}
	assert.ElementsMatch(t, []string{"sendpace-gateway", "sendpace-worker"}, to.names)
}

func TestTracingOnAndOff(t *testing.T) {
	t.Parallel()
	const nobody = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"
	for _, tt := range []struct {
		name, file string
		env        []string
		on         bool
	}{
		{"nothing said", "", nil, false},
		{"the configuration", "tracing: {endpoint: \"http://127.0.0.1:1\"}\n", nil, true},
		{"the standard variable", "", []string{nobody}, true},
		{"its kin", "", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:1/v1/traces"}, true},
		{"switched off", "", []string{nobody, "OTEL_SDK_DISABLED=true"}, false},
		{"no exporter", "", []string{nobody, "OTEL_TRACES_EXPORTER=none"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, _ := startRedis(t)
			path := writeFile(t, "c.yaml", pagesFile+tt.file+"log: {format: json}\n")
			p := start(t, nil, append(tt.env, "SENDPACE_REDIS_URL="+url), "worker", "--config", path)
			p.err.wait(t, `"message":"worker started"`)
			require.Equal(t, 0, p.stop(), p.err)
			assert.Equal(t, tt.on, bytes.Contains([]byte(p.err.String()), []byte(`"message":"tracing is on"`)), p.err)
		})
	}
}

// The exporter reads OpenTelemetry's variables itself.
func TestTheStandardVariables(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	to := newSink(t)
	box, err := sandbox.New(sandbox.Config{})
	require.NoError(t, err)
	server := httptest.NewServer(box)
	t.Cleanup(func() { server.Close(); box.Close() })
	path := writeFile(t, "c.yaml", pagesFile+"log: {format: json}\ntracing: {sample: 0}\n")
	put(t, rdb, "1001")
	_, out := spawn(t, []string{
		"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL, "OTEL_EXPORTER_OTLP_ENDPOINT=" + to.url,
		"OTEL_SERVICE_NAME=mailer", "OTEL_TRACES_SAMPLER=always_on", "OTEL_BSP_SCHEDULE_DELAY=10",
	}, "worker", "--config", path)
	out.wait(t, `"message":"sent"`)
	require.Eventually(t, func() bool { return len(to.named("deliver")) == 1 }, 20*time.Second, 10*time.Millisecond)
	assert.Contains(t, to.text(), "mailer")
	assert.Empty(t, to.named("wait in line")[0].ParentSpanId, "a job without a trace gets one that begins with its wait")
}

// A collector that takes calls and never answers keeps nothing from being sent, and the process from ending for 5 seconds at most.
func TestACollectorThatIsAwayDelaysNothing(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	box, err := sandbox.New(sandbox.Config{Rate: -1})
	require.NoError(t, err)
	server := httptest.NewServer(box)
	t.Cleanup(func() { server.Close(); box.Close() })
	path := writeFile(t, "c.yaml", "pages: [{id: 1001, access_token: t, rate: 2000, bulk_rate: 2000}]\nlog: {format: json}\nworker: {adaptive: false}\n"+
		"tracing: {endpoint: \"http://"+silent.Addr().String()+"\"}\n")
	p, err := producer.New(rdb, producer.Config{})
	require.NoError(t, err)
	const n = 500 // more spans than are kept
	jobs := make([]producer.Job, n)
	for i := range jobs {
		jobs[i], err = producer.ParseJob([]byte(job("1001", strconv.Itoa(1000+i), "x")))
		require.NoError(t, err)
	}
	for _, r := range p.EnqueueMany(t.Context(), jobs) {
		require.NoError(t, r.Err)
	}
	w := start(t, nil, []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL}, "worker", "--config", path)
	require.Eventually(t, func() bool { return len(box.Accepted()) == n }, 2*time.Minute, 20*time.Millisecond)
	asked := time.Now()
	require.Equal(t, 0, w.stop(), w.err)
	assert.Less(t, time.Since(asked), 3*flushTime)
	assert.Contains(t, w.err.String(), "the last spans did not reach the collector")
}
