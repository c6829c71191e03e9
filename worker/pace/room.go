package pace

import "time"

// Room is how many jobs may be in hand at once. Pacers that share one get its places in the order in which they ask, so that none
// waits for the others to have nothing to do. A pacer has a place while it asks Redis for a job and while it has one in hand, and
// none while it waits.
type Room chan struct{}

// NewRoom makes room for n jobs, 1 or more.
func NewRoom(n int) Room { return make(Room, n) }

// enter waits for a place. It returns false if there is none before end, or draining is closed.
func (r Room) enter(end <-chan time.Time, draining <-chan struct{}) bool {
	select {
	case r <- struct{}{}:
		return true
	case <-end:
	case <-draining:
	}
	return false
}

func (r Room) leave() { <-r }

// full is true if there is no place left, for one who has the last.
func (r Room) full() bool { return len(r) == cap(r) }
