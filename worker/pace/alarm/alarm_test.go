package alarm

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Many at once, more than once each: timers are used again.
func TestSleepsLongEnough(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			for _, d := range []time.Duration{-1, 0, 1, time.Duration(i) * 100 * time.Microsecond, 2 * time.Millisecond} {
				begin := time.Now()
				Sleep(d)
				assert.GreaterOrEqual(t, time.Since(begin), d)
			}
		})
	}
	wg.Wait()
}

// BenchmarkSleep compares by how much a sleep of 0.5 to 2 ms is longer.
func BenchmarkSleep(b *testing.B) {
	for name, f := range map[string]func(time.Duration){"alarm": Sleep, "time": time.Sleep} {
		b.Run(name, func(b *testing.B) {
			var late time.Duration
			for i := 0; b.Loop(); i++ {
				d := time.Duration(500+i*37%1500) * time.Microsecond
				begin := time.Now()
				f(d)
				late += time.Since(begin) - d
			}
			b.ReportMetric(float64(late.Microseconds())/float64(b.N), "us-late")
		})
	}
}
