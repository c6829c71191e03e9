package bench

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// BenchmarkBatch: messages that share calls, over TLS.
func BenchmarkBatch(b *testing.B) {
	n := scaled(6000)
	s := newSection(b, "Batch calls", english.Sprintf("One worker, one page at 300/s, %d jobs, 50 ms to each answer, over TLS. The CPU is that of "+
		"worker and receiver together, which run in one process.", n),
		slices.Concat([]any{"messages in a call", "calls"}, pacedColumns, []any{"CPU s per 1,000 jobs"})...)
	for _, size := range []int{1, sendapi.MaxBatch} {
		f := newFleet(b, one(sendpace, 300), latency)
		f.enqueue(jobs(n, n, first))
		calls, seconds := f.sendOverTLS(n, worker.Config{Rates: rate(300), Margin: 0.005, Batch: size})
		s.row([]any{size, calls}, judge(f.sandbox.Accepted(), "", 300).cells(), []any{english.Sprintf("%.2f", seconds*1000/float64(n))})
		f.stop()
	}
}

// sendOverTLS sends n jobs with a worker in this process. It returns how many calls that took, and the CPU seconds.
func (f *fleet) sendOverTLS(n int, cfg worker.Config) (calls int64, seconds float64) {
	f.t.Helper()
	var count atomic.Int64
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		f.sandbox.ServeHTTP(w, r)
	}))
	defer srv.Close()
	transport := srv.Client().Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = 256
	client, err := sendapi.NewClient(sendapi.Config{BaseURL: srv.URL, HTTPClient: &http.Client{Transport: transport}})
	require.NoError(f.t, err)
	cfg.Pages = map[string]sendapi.Page{pageID(0): {ID: pageID(0), Token: "t"}}
	w, err := worker.New(f.rdb, client, cfg)
	require.NoError(f.t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	before := ownCPU(f.t)
	go func() { ended <- w.Run(ctx) }()
	require.Eventually(f.t, func() bool {
		s, err := pace.ReadStatus(ctx, f.rdb, "")
		return err == nil && s.Done()
	}, 5*time.Minute, time.Second)
	seconds = ownCPU(f.t) - before
	stop()
	require.NoError(f.t, <-ended)
	return count.Load(), seconds
}

func ownCPU(t testing.TB) float64 {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
