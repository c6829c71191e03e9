package alarm

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// timers are those that nobody waits for.
var timers = sync.Pool{New: func() any { return newTimer() }}

// timer is one of the kernel, which the runtime's poller waits for beside the network.
type timer struct {
	fd   int
	file *os.File // nil: there are no more
}

func newTimer() *timer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return &timer{}
	}
	return &timer{fd: fd, file: os.NewFile(uintptr(fd), "timer")}
}

// sleep sleeps for d, or not at all where it cannot.
func sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	t, _ := timers.Get().(*timer)
	if t.file == nil || unix.TimerfdSettime(t.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil) != nil {
		return
	}
	var expirations [8]byte
	if _, err := t.file.Read(expirations[:]); err == nil {
		timers.Put(t)
	}
}
