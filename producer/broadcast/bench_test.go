package broadcast_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/worker/redistest"
)

const greeting = `{"messaging_type":"UPDATE","message":{"text":"Hello {{or .first_name \"friend\"}}, your order {{.order}} is on its way."}}`

// writeAudience writes a CSV of n people and returns its path.
func writeAudience(tb testing.TB, n int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "people.csv")
	f, err := os.Create(path)
	require.NoError(tb, err)
	var b strings.Builder
	b.WriteString("recipient,first_name,order\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,\"Name %d\",A-%d\n", 5_000_000_000_000_000+i*7, i, i)
		if b.Len() > 1<<20 || i == n-1 {
			_, err = io.WriteString(f, b.String())
			require.NoError(tb, err)
			b.Reset()
		}
	}
	require.NoError(tb, f.Close())
	return path
}

// BenchmarkStart checks and stores an audience on a real Redis of this machine. rows/s is the speed of the check, jobs/s that of
// the storing, and MB the largest resident memory of this process. SENDPACE_ROWS=1000000 makes it a million.
func BenchmarkStart(b *testing.B) {
	rows := 100_000
	if n, err := strconv.Atoi(os.Getenv("SENDPACE_ROWS")); err == nil {
		rows = n
	}
	path := writeAudience(b, rows)
	for b.Loop() {
		rdb := redistest.Client(b, redistest.ServerAt(b, redistest.FreeAddr(b), "--save", ""))
		c, err := broadcast.New(rdb, broadcast.Config{})
		require.NoError(b, err)
		audience, err := broadcast.OpenAudience(path)
		require.NoError(b, err)
		spec := broadcast.Spec{Name: "bench", PageID: "1", Template: []byte(greeting)}
		start := time.Now()
		plan, err := c.Plan(context.Background(), spec, audience)
		require.NoError(b, err)
		checked := time.Now()
		started, err := c.Start(context.Background(), plan)
		require.NoError(b, err)
		done := time.Now()
		require.Equal(b, broadcast.StateRunning, started.State)
		require.Equal(b, rows, plan.People)
		require.EqualValues(b, rows, rdb.ZCard(context.Background(), "asynq:{messenger}:g:1:bulk:@bench").Val())
		b.ReportMetric(float64(rows)/checked.Sub(start).Seconds(), "rows/s")
		b.ReportMetric(float64(rows)/done.Sub(checked).Seconds(), "jobs/s")
		b.ReportMetric(peakMemory(b), "MB")
		require.NoError(b, audience.Close())
	}
	b.ReportMetric(0, "ns/op")
}

// peakMemory is the largest resident size that this process had, in megabytes.
func peakMemory(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if runtime.GOOS != "linux" {
		return 0
	}
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	require.NoError(b, err)
	return kb / 1024
}
