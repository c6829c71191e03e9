package sandbox

import (
	"math"
	"slices"
	"time"
)

// Pace is how evenly and how fast calls came.
type Pace struct {
	// Count is the number of calls.
	Count int `json:"count"`
	// Rate is (Count-1)/Span, in calls a second; 0 for fewer than two calls or a span of nothing.
	Rate float64 `json:"rate_per_second"`
	// WorstSecond is the largest number of calls in any window [t, t+1s).
	WorstSecond int `json:"worst_second"`
	// GapCV is the coefficient of variation of the gaps between calls: their standard deviation over their mean.
	// 0 is perfectly even, 1 is random.
	GapCV float64 `json:"gap_cv"`
	// Span is the time from the first call to the last, in nanoseconds in JSON.
	Span time.Duration `json:"span_ns"`
}

// Measure returns the pace of calls that came at the given times, in any order.
func Measure(times []time.Time) Pace {
	sorted := slices.SortedFunc(slices.Values(times), time.Time.Compare)
	p := Pace{Count: len(sorted), WorstSecond: worstSecond(sorted)}
	if len(sorted) < 2 {
		return p
	}
	p.Span = sorted[len(sorted)-1].Sub(sorted[0])
	if p.Span > 0 {
		p.Rate = float64(len(sorted)-1) / p.Span.Seconds()
		p.GapCV = gapCV(sorted, p.Span)
	}
	return p
}

// worstSecond need only look at windows that begin with a call: any other holds no more than the one that begins
// with its first call.
func worstSecond(sorted []time.Time) int {
	worst, end := 0, 0
	for start, first := range sorted {
		for end < len(sorted) && sorted[end].Sub(first) < time.Second {
			end++
		}
		worst = max(worst, end-start)
	}
	return worst
}

func gapCV(sorted []time.Time, span time.Duration) float64 {
	gaps := float64(len(sorted) - 1)
	mean := span.Seconds() / gaps
	var squares float64
	for i := 1; i < len(sorted); i++ {
		off := sorted[i].Sub(sorted[i-1]).Seconds() - mean
		squares += off * off
	}
	return math.Sqrt(squares/gaps) / mean
}
