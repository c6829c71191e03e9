package sandbox_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func at(offsets ...time.Duration) []time.Time {
	base := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	times := make([]time.Time, len(offsets))
	for i, d := range offsets {
		times[i] = base.Add(d)
	}
	return times
}

func even(n int, gap time.Duration) []time.Time {
	offsets := make([]time.Duration, n)
	for i := range offsets {
		offsets[i] = time.Duration(i) * gap
	}
	return at(offsets...)
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, row := range map[string]struct {
		times []time.Time
		want  sandbox.Pace
	}{
		"nothing":          {nil, sandbox.Pace{}},
		"one":              {at(0), sandbox.Pace{Count: 1, WorstSecond: 1}},
		"two at once":      {at(0, 0), sandbox.Pace{Count: 2, WorstSecond: 2}},
		"even":             {even(101, s/50), sandbox.Pace{Count: 101, Rate: 50, WorstSecond: 50, Span: 2 * s}},
		"a second is open": {at(0, s), sandbox.Pace{Count: 2, Rate: 1, WorstSecond: 1, Span: s}},
		"just within":      {at(0, s-1), sandbox.Pace{Count: 2, Rate: 1 / (1 - 1e-9), WorstSecond: 2, Span: s - 1}},
		"unordered":        {at(2*s, 0, s), sandbox.Pace{Count: 3, Rate: 1, WorstSecond: 1, Span: 2 * s}},
		"uneven":           {at(0, s, 4*s), sandbox.Pace{Count: 3, Rate: 0.5, WorstSecond: 1, GapCV: 0.5, Span: 4 * s}},
		"across two seconds": {
			at(0, 900*s/1000, 1100*s/1000, 1800*s/1000, 5*s),
			// Gaps 0.9, 0.2, 0.7 and 3.2 s around 1.25 s: sqrt(5.33/4)/1.25.
			sandbox.Pace{Count: 5, Rate: 0.8, WorstSecond: 3, GapCV: 0.923472, Span: 5 * s},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := sandbox.Measure(row.times)
			assert.InDelta(t, row.want.Rate, got.Rate, 1e-9)
			assert.InDelta(t, row.want.GapCV, got.GapCV, 1e-6)
			got.Rate, got.GapCV = row.want.Rate, row.want.GapCV
			assert.Equal(t, row.want, got)
		})
	}
}

func TestMeasureAgainstCounting(t *testing.T) {
	t.Parallel()
	for range 50 {
		offsets := make([]time.Duration, 1+rand.IntN(60))
		for i := range offsets {
			offsets[i] = time.Duration(rand.IntN(40)) * 100 * time.Millisecond
		}
		times := at(offsets...)
		worst := 0
		for _, first := range times {
			n := 0
			for _, other := range times {
				if gap := other.Sub(first); gap >= 0 && gap < time.Second {
					n++
				}
			}
			worst = max(worst, n)
		}
		assert.Equal(t, worst, sandbox.Measure(times).WorstSecond, "%v", offsets)
	}
}
