package pace

// Room is how many jobs may be in hand at once. Pacers that share one get its places in the order in which they ask, so that none
// waits for the others to have nothing to do. A pacer has places while it asks Redis for jobs and for those that it has in hand, and
// none while it waits.
type Room chan struct{}

// NewRoom makes room for n jobs, 1 or more.
func NewRoom(n int) Room { return make(Room, n) }

// enter takes up to n places, and returns how many it got.
func (r Room) enter(n int) int {
	for i := range n {
		select {
		case r <- struct{}{}:
		default:
			return i
		}
	}
	return n
}

func (r Room) leave(n int) {
	for range n {
		<-r
	}
}

// full is true if there is no place left, for one who has the last.
func (r Room) full() bool { return len(r) == cap(r) }
