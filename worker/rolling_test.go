package worker_test

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/pace"
)

// A deployment replaces the workers one after the other, each by SIGTERM, while the queue is full. It does not run beside other tests:
// those would hold up the receiver, which is in this process, and what arrives late counts for a later second.
func TestARollingRestartLosesNothingAndHoldsThePace(t *testing.T) {
	const jobs, each = 600, 100
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 50*time.Millisecond)
	f.enqueue("1001", jobs, 80)
	var old []*exec.Cmd
	for range 4 {
		old = append(old, f.startProcess(fleetWorker{}))
	}
	for i, cmd := range old {
		f.await((i+1)*each, time.Minute)
		f.startProcess(fleetWorker{})
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait(), "a worker that is asked to stop ends in order")
	}
	calls := f.await(jobs, time.Minute)
	f.assertOneOutcomeEach(jobs)
	assert.Len(t, calls, jobs, "each message exactly once")
	assert.Zero(t, overtaken(t, calls))
	got := paceOf(calls, "1001")
	// As in TestFleetHoldsPaceAndOrder, the bounds leave room for a loaded machine.
	assert.LessOrEqual(t, got.WorstSecond, 52)
	assert.Greater(t, got.Rate, 40.0)
	t.Logf("held %.1f/s of 50/s, at most %d in a second", got.Rate, got.WorstSecond)
}
