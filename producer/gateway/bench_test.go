package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/worker/redistest"
)

// BenchmarkGateway is sends over HTTP from 64 connections, with a real Redis and the callers on the same machine.
func BenchmarkGateway(b *testing.B) {
	s := newSetup(b, redistest.Server(b), producer.Config{}, gateway.Config{})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	defer client.CloseIdleConnections()
	var people atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := strings.Replace(hello, `"7"`, fmt.Sprintf(`"%d"`, people.Add(1)), 1)
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.server.URL+"/v26.0/me/messages", strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+first)
			req.Header.Set("Content-Type", "application/json")
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				b.Error(res.Status)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	waiting, err := s.redis.ZCard(b.Context(), "asynq:{messenger}:g:1001:bulk").Result()
	require.NoError(b, err)
	require.EqualValues(b, b.N, waiting, "each that was acknowledged is stored")
}
