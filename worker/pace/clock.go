package pace

import (
	"sync"
	"time"
)

// clockDrift is how far two clocks may part, as a share of the time that passes. Quartz stays below a quarter of it.
const clockDrift = 200e-6

// clockSet is by how much the server's clock goes back at least where a slot that was given before tells nothing any more;
// take mends what Redis keeps from there on, too (SET_BACK in setback.lua).
const clockSet = time.Second

// clock tells the local time at which the Redis server's clock reaches a given value. A reply carries the server's time at some
// moment between the question and its arrival; so each one bounds how far the clocks are apart. The tightest bounds count, and
// slow replies change nothing. Bounds that a reply contradicts are of a clock that was set, or of another server.
type clock struct {
	base time.Time

	mu        sync.Mutex
	seen      time.Time     // when the bounds were these; zero: never
	low, high time.Duration // of the server's clock less the local one, each from its own zero
}

func newClock(now time.Time) *clock { return &clock{base: now} }

// observe takes in a server time, in us, that was asked for and arrived at these local times.
func (c *clock) observe(server int64, asked, arrived time.Time) {
	t := time.Duration(server) * time.Microsecond
	low, high := t-arrived.Sub(c.base), t-asked.Sub(c.base)
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := arrived.Sub(c.seen); age > 0 {
		drift := time.Duration(clockDrift * float64(age))
		c.seen, c.low, c.high = arrived, c.low-drift, c.high+drift
	}
	if high < c.low || low > c.high {
		c.low, c.high = low, high
	}
	c.low, c.high = max(c.low, low), min(c.high, high)
}

// at returns the local time of a server time: the latest that it can be, so that nothing is sent too early.
func (c *clock) at(server int64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Duration(server)*time.Microsecond - c.low.Truncate(time.Microsecond))
}

// doubt is by how much that may be late.
func (c *clock) doubt() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.high - c.low
}
