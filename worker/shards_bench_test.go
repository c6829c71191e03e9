package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/redistest"
)

// BenchmarkShards: two workers in one process drain 20,000 jobs of 40 pages without a limit and without HTTP, from three masters.
func BenchmarkShards(b *testing.B) {
	const jobs, pages = 20_000, 40
	for _, shards := range []int{1, 2, 4} {
		b.Run(fmt.Sprint(shards), func(b *testing.B) {
			for b.Loop() {
				var addrs []string
				for _, n := range redistest.Cluster(b) {
					addrs = append(addrs, n.Addr)
				}
				took := drain(b, addrs, shards, pages, jobs)
				b.ReportMetric(jobs/took.Seconds(), "jobs/s")
			}
		})
	}
}

// drain returns how long two workers take from when all jobs are stored.
func drain(b *testing.B, addrs []string, shards, pages, jobs int) time.Duration {
	b.Helper()
	open := func() redis.UniversalClient {
		rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
		b.Cleanup(func() { _ = rdb.Close() })
		return rdb
	}
	rdb := open()
	require.NoError(b, producer.SetShards(b.Context(), rdb, producer.Shards{Queue: producer.DefaultQueue, Count: shards}))
	p, err := producer.New(rdb, producer.Config{})
	require.NoError(b, err)
	cfg := worker.Config{Shards: shards, Pages: map[string]sendapi.Page{}, Rates: rate(1e5)}
	var list []producer.Job
	for i := range jobs {
		page := fmt.Sprint(1001 + i%pages)
		cfg.Pages[page] = sendapi.Page{ID: page, Token: "t"}
		list = append(list, job(page, fmt.Sprint(i), "x"))
	}
	for _, r := range p.EnqueueMany(b.Context(), list) {
		require.NoError(b, r.Err)
	}
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var sent atomic.Int64
	send := sender(func(context.Context, json.RawMessage) (*sendapi.Response, error) {
		if sent.Add(1) == int64(jobs) {
			stop()
		}
		return &sendapi.Response{MessageID: "m"}, nil
	})
	begin := time.Now()
	var wg sync.WaitGroup
	for range 2 {
		w, err := worker.New(open(), send, cfg)
		require.NoError(b, err)
		wg.Go(func() {
			if err := w.Run(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	<-ctx.Done()
	took := time.Since(begin)
	wg.Wait()
	return took
}
