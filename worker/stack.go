package worker

import "runtime"

// stackRoom is about how much stack a job takes, in bytes.
const stackRoom = 8 << 10

// growStack makes a goroutine's stack as large as a job needs it. A new goroutine's is small: it would grow several times on the way
// down, and each time all that is on it so far is moved.
//
//go:noinline
func growStack() {
	var room [stackRoom]byte
	runtime.KeepAlive(&room)
}
