package sandbox

import (
	"math"
	"sort"
	"time"
)

// window allows a number of calls in any span of time: it remembers that many calls, and refuses one when the
// oldest of them is not yet a span ago. A rate below one a second becomes one call in a longer span.
type window struct {
	size  int // 0: no limit
	span  time.Duration
	times []time.Time // grows to size, then goes round
	next  int
}

// newWindow takes calls a second; negative means no limit.
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

// percent is the share of the window that is used at a time, 0 to 100.
func (w *window) percent(at time.Time) float64 {
	if w.size == 0 {
		return 0
	}
	n := len(w.times)
	gone := sort.Search(n, func(i int) bool { return at.Sub(w.times[(w.next+i)%n]) < w.span })
	return 100 * float64(n-gone) / float64(w.size)
}

// budgetSlots is how finely a budget knows when a call was made: five minutes of a day.
const budgetSlots = 288

// budget allows a number of calls in a long rolling span. It counts by slots, so that its memory does not grow with
// the number of calls; a call leaves it up to one slot late.
type budget struct {
	size  int // 0: no limit
	slot  time.Duration
	slots []int // the calls of each slot, goes round
	last  int64 // the number of the newest slot
	total int
}

func newBudget(size int, span time.Duration) budget {
	b := budget{size: size, slot: max(1, span/budgetSlots)}
	if size > 0 {
		b.slots = make([]int, budgetSlots)
	}
	return b
}

func (b *budget) take(at time.Time) bool {
	if b.size == 0 {
		return true
	}
	b.advance(at)
	b.slots[b.last%budgetSlots]++
	b.total++
	return b.total <= b.size
}

// advance forgets the slots that are over. A call that arrived before the newest slot counts in the newest.
func (b *budget) advance(at time.Time) {
	now := max(b.last, at.UnixNano()/int64(b.slot))
	for slot := max(b.last+1, now-budgetSlots+1); slot <= now; slot++ {
		b.total -= b.slots[slot%budgetSlots]
		b.slots[slot%budgetSlots] = 0
	}
	b.last = now
}

func (b *budget) percent(at time.Time) float64 {
	if b.size == 0 {
		return 0
	}
	b.advance(at)
	return 100 * float64(b.total) / float64(b.size)
}

// wait is how long until one more call fits, if none is made before.
func (b *budget) wait(at time.Time) time.Duration {
	if b.size == 0 {
		return 0
	}
	b.advance(at)
	left := b.total
	slot := b.last - budgetSlots + 1
	for ; slot <= b.last && left >= b.size; slot++ {
		left -= b.slots[slot%budgetSlots]
	}
	if left == b.total {
		return 0
	}
	return time.Duration((slot-1+budgetSlots)*int64(b.slot) - at.UnixNano())
}

// volume tells whether a page is in high-volume mode: from the moment that it sent more than the window takes, until it
// stayed below that for a while.
type volume struct {
	sent window
	over time.Time // when it last sent more
}

// highVolumeEnds is how long a page's volume must be low until the mode ends. The platform gives no figure.
const highVolumeEnds = time.Minute

func (v *volume) take(at time.Time) {
	if !v.sent.take(at) {
		v.over = at
	}
}

func (v *volume) on(at time.Time, stays bool) bool {
	return !v.over.IsZero() && (stays || at.Sub(v.over) < highVolumeEnds)
}
