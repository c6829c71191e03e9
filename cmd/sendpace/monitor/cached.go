package monitor

import (
	"context"
	"sync"
	"time"
)

const (
	// fleetFor and historyFor are how long an answer of Redis serves all visitors.
	fleetFor   = time.Second
	historyFor = 5 * time.Second
	// readTimeout bounds one look at Redis.
	readTimeout = 5 * time.Second
)

// cached asks once for all who want to know. An error is kept as an answer is: a Redis that is away is not asked more often.
type cached[T any] struct {
	read     func(context.Context) (T, error)
	freshFor time.Duration

	mu    sync.Mutex
	until time.Time
	last  T
	err   error
}

// get returns an answer that is fresh, and waits for one if need be. It outlives the call that asked: others wait for it too.
func (c *cached[T]) get(ctx context.Context) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.until) {
		return c.last, c.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	c.last, c.err = c.read(ctx)
	c.until = time.Now().Add(c.freshFor)
	return c.last, c.err
}

// forget makes the next get ask.
func (c *cached[T]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Time{}
}
