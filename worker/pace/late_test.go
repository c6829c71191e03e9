package pace

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// departures hands out the messages of some seconds of a page in virtual time, and returns when each left: late where its process
// stalled. The pacer is told so when it has left, or not at all.
func departures(t *testing.T, rate int, tell bool) []time.Duration {
	t.Helper()
	n, delay := min(10*rate, 600), stalls()
	d := newClockedDesk(t, Config{Margin: 0.005, Lead: 50 * time.Millisecond}, Rates{Page: float64(rate), Bulk: float64(rate), Media: 1})
	for i := range n {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	var away []lateness
	var left []time.Duration
	slack := time.Duration(d.cfg.Margin * slackShare * float64(time.Second))
	for start := d.now; len(left) < n; d.after(10 * time.Millisecond) {
		away = slices.DeleteFunc(away, func(l lateness) bool {
			if !tell || d.now.Before(time.UnixMicro(l[3].(int64)).Add(slack)) {
				return false
			}
			_, err := d.lateAll([]lateness{l})
			require.NoError(t, err)
			return true
		})
		for _, job := range d.askFor(question{most: takeMost, ready: d.cfg.Lead, look: -1}).jobs {
			h := d.taken[job.id]
			at := time.UnixMicro(h.slot).Sub(start)
			late := delay(at)
			left = append(left, at+late)
			if late > slack {
				away = append(away, lateness{h.line, h.ID, h.slot, h.slot + (late - slack).Microseconds(), h.number})
			}
			d.End(h)
		}
	}
	return left
}

// stalls are those of four processes, four a second of each. A message is in the hands of one, and leaves when that one goes on.
func stalls() func(at time.Duration) time.Duration {
	random := rand.New(rand.NewPCG(1, 1))
	var begins, ends [4]time.Duration
	return func(at time.Duration) time.Duration {
		i := random.IntN(len(ends))
		for ends[i] < at {
			begins[i] = ends[i] + time.Duration(random.ExpFloat64()*float64(250*time.Millisecond))
			ends[i] = begins[i] + time.Duration(random.IntN(40))*time.Millisecond
		}
		if at < begins[i] {
			return 0
		}
		return ends[i] - at
	}
}

// mostInASecond is the most that left in any window of a second.
func mostInASecond(left []time.Duration) (n int) {
	left = slices.Sorted(slices.Values(left))
	first := 0
	for i, at := range left {
		for at-left[first] >= time.Second {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

func TestLateMessagesOverfillNoWindow(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{300, 50} {
		t.Run(strconv.Itoa(rate), func(t *testing.T) {
			t.Parallel()
			assert.LessOrEqual(t, mostInASecond(departures(t, rate, true)), rate)
			assert.Greater(t, mostInASecond(departures(t, rate, false)), rate, "or it was not late at all")
		})
	}
}
