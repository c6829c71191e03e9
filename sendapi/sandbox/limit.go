package sandbox

import (
	"math"
	"time"
)

// maxPages bounds the counters when any page is accepted.
const maxPages = 10_000

// limits counts the calls of one page.
type limits struct {
	all, media window
}

func newLimits(cfg Config) *limits {
	return &limits{all: newWindow(cfg.Rate), media: newWindow(cfg.MediaRate)}
}

// take counts a call and reports whether it is within the limits.
func (l *limits) take(at time.Time, media bool) bool {
	ok := l.all.take(at)
	if media {
		ok = l.media.take(at) && ok
	}
	return ok
}

// window allows a number of calls in any span of time: it remembers that many calls, and refuses one when the
// oldest of them is not yet a span ago. A rate below one a second becomes one call in a longer span.
type window struct {
	size  int
	span  time.Duration
	times []time.Time // grows to size, then goes round
	next  int
}

func newWindow(rate float64) window {
	if rate < 0 {
		return window{}
	}
	size := math.Ceil(rate)
	return window{size: int(size), span: time.Duration(size / rate * float64(time.Second))}
}

func (w *window) take(at time.Time) bool {
	if w.size == 0 {
		return true
	}
	if len(w.times) < w.size {
		w.times = append(w.times, at)
		return true
	}
	oldest := w.times[w.next]
	w.times[w.next] = at
	w.next = (w.next + 1) % w.size
	return at.Sub(oldest) >= w.span
}
