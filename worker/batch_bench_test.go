package worker_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

// BenchmarkBatch: one worker sends 3,000 jobs of one page at 300/s over TLS, the sandbox with 50 ms latency; each in a call of its
// own, and up to 50 in one. CPU is that of the whole process, the sandbox included.
func BenchmarkBatch(b *testing.B) {
	const n = 3000
	for _, size := range []int{1, sendapi.MaxBatch} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			for b.Loop() {
				f := newFleet(b, map[string]pace.Rates{"1001": rate(300)}, latency)
				srv := httptest.NewTLSServer(f.sandbox)
				defer srv.Close()
				transport := &countingTransport{RoundTripper: srv.Client().Transport}
				transport.RoundTripper.(*http.Transport).MaxIdleConnsPerHost = 256
				client, err := sendapi.NewClient(sendapi.Config{BaseURL: srv.URL, HTTPClient: &http.Client{Transport: transport}})
				require.NoError(b, err)
				w, err := worker.New(redistest.Client(b, f.redis), client, worker.Config{
					Pages: map[string]sendapi.Page{"1001": {ID: "1001", Token: sendapi.Secret(tokenOf("1001"))}},
					Rates: rate(300), Margin: 0.005, Batch: size,
				})
				require.NoError(b, err)
				f.enqueue("1001", n, n)
				ctx, stop := context.WithCancel(b.Context())
				ended := make(chan error)
				before := cpu(b)
				go func() { ended <- w.Run(ctx) }()
				calls := f.settle(n)
				stop()
				require.NoError(b, <-ended)
				reportPace(b, calls, "1001", 300, "")
				b.ReportMetric((cpu(b)-before).Seconds()*1000/n, "cpu_s/1000")
				b.ReportMetric(float64(transport.n.Load()), "calls")
			}
		})
	}
}

// cpu is what this process has used so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
