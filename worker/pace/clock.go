package pace

import (
	"sync"
	"time"
)

// clockWindow is how long an observation counts: long enough to hold a reply that came back at once, short enough to
// follow a drift or a failover.
const clockWindow = 5 * time.Second

// clock tells the local time at which the Redis server's clock reaches a given value. Each reply carries the server's
// time, but arrives late by an unknown delay; the reply with the smallest delay of the last seconds is the best estimate.
// So a slow reply does not make a send late.
type clock struct {
	base time.Time

	mu       sync.Mutex
	since    time.Time
	now, old int64 // greatest (server - local) of this window and of the one before, in us
}

func newClock(now time.Time) *clock {
	const none = -1 << 62
	return &clock{base: now, since: now, now: none, old: none}
}

// observe takes in a server time that arrived at the local time at.
func (c *clock) observe(server int64, at time.Time) {
	offset := server - at.Sub(c.base).Microseconds()
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Sub(c.since) > clockWindow {
		c.since, c.old, c.now = at, c.now, offset
	}
	c.now = max(c.now, offset)
}

// at returns the local time of a server time.
func (c *clock) at(server int64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Duration(server-max(c.now, c.old)) * time.Microsecond)
}
