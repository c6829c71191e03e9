package worker

import (
	"time"

	"github.com/sendpace/sendpace/producer"
)

// Observer is told what a worker does. Its methods are called from many goroutines at once, and must not block.
type Observer interface {
	// Ended is a job that this worker ended, with its record.
	Ended(o producer.Outcome)
	// Waited is how long a job in hand waited for its permit, whatever that was.
	Waited(lane producer.Lane, d time.Duration)
	// Stopped is a pause of scope, a page id or [pace.App], or if hold is true a hold, that this worker asked for after an error.
	// Errors of calls that were in flight together ask for one each.
	Stopped(scope string, hold bool)
}

type noObserver struct{}

func (noObserver) Ended(producer.Outcome)              {}
func (noObserver) Waited(producer.Lane, time.Duration) {}
func (noObserver) Stopped(string, bool)                {}
