package bench

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// BenchmarkDrain: how fast a backlog goes out where no limit holds it.
func BenchmarkDrain(b *testing.B) {
	n := scaled(50_000)
	const far = 500 * time.Microsecond
	s := newSection(b, "Unthrottled", english.Sprintf("%d jobs of ten pages wait, each for another person; the receiver answers at once. "+
		"Sendpace's limits are out\nof reach. Where a worker is far, each answer of Redis takes %v longer.", n, far),
		append([]any{"", "workers", "jobs/s", "of bare asynq"}, costColumns...)...)
	bare := map[string]float64{}
	for _, workers := range []int{4, 1} {
		for _, sys := range []system{bareAsynq, sendpace} {
			if *own && sys != sendpace {
				continue
			}
			cfg := workerConfig{System: sys, Pages: 10, Rates: rate(100_000)}
			how := strconv.Itoa(workers)
			if workers == 1 {
				cfg.Far, how = far, "1, far"
			}
			f := newFleet(b, cfg, 0)
			calls, used := f.run(workers, jobs(n, n, func(i int) int { return i % 10 }), n, 5*time.Minute)
			require.Len(b, calls, n)
			// From the first arrival to the last: an asynq server looks once a second whether its queue is still paused.
			perSecond := paceOf(calls, "").Rate
			if sys == bareAsynq {
				bare[how] = perSecond
			}
			s.row([]any{sys, how, english.Sprintf("%.0f", perSecond), english.Sprintf("%.2f", perSecond/bare[how])}, used.cells())
			f.stop()
		}
	}
}

// paceOf is the pace of the accepted calls of a page; an empty id means all pages.
func paceOf(calls []sandbox.Call, page string) sandbox.Pace {
	return sandbox.Measure(timesOf(calls, page))
}

func timesOf(calls []sandbox.Call, page string) (times []time.Time) {
	for _, c := range calls {
		if page == "" || c.PageID == page {
			times = append(times, c.At)
		}
	}
	return times
}
