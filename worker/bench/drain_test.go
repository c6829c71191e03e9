package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// BenchmarkDrain: how fast a backlog goes out where no limit holds it.
func BenchmarkDrain(b *testing.B) {
	n := scaled(50_000)
	s := newSection(b, "Unthrottled", english.Sprintf("Four workers send %d waiting jobs of ten pages, each to another person; the receiver answers "+
		"at once.\nSendpace's limits are out of reach.", n), append([]any{"", "jobs/s", "of bare asynq"}, costColumns...)...)
	var bare float64
	for _, sys := range []system{bareAsynq, sendpace} {
		if *own && sys != sendpace {
			continue
		}
		cfg := workerConfig{System: sys, Pages: 10, Rates: rate(100_000)}
		f := newFleet(b, cfg, 0)
		calls, used := f.run(4, jobs(n, n, func(i int) int { return i % 10 }), n, 5*time.Minute)
		require.Len(b, calls, n)
		// From the first arrival to the last: an asynq server looks once a second whether its queue is still paused.
		perSecond := paceOf(calls, "").Rate
		if sys == bareAsynq {
			bare = perSecond
		}
		s.row([]any{sys, english.Sprintf("%.0f", perSecond), english.Sprintf("%.2f", perSecond/bare)}, used.cells())
		f.stop()
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
