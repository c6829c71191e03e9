package bench

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
)

// BenchmarkWorkers: whether the pace depends on the number of workers.
func BenchmarkWorkers(b *testing.B) {
	n := scaled(600)
	s := newSection(b, "Number of workers", english.Sprintf("One page at 50/s, %d jobs, 50 ms to each answer.", n),
		slices.Concat([]any{"processes"}, pacedColumns, []any{"out of order"}, costColumns)...)
	for _, processes := range []int{1, 2, 4, 8, 16} {
		f := newFleet(b, one(sendpace, 50), latency)
		calls, used := f.run(processes, jobs(n, 200, first), n, time.Minute)
		assert.Len(b, calls, n)
		s.row([]any{processes}, judge(calls, "", 50).cells(), []any{overtaken(b, calls)}, used.cells())
		f.stop()
	}
}

// BenchmarkTrouble: what a page gets to feel when a worker dies or the platform refuses it.
func BenchmarkTrouble(b *testing.B) {
	s := newSection(b, "Trouble", "One page at 50/s, four workers, 50 ms to each answer.", "what happens", "what the receiver sees")
	note := func(what, format string, args ...any) { s.row([]any{what, english.Sprintf(format, args...)}) }
	refused, late, calls := refusedPage(b)
	note("the platform refuses the page with code 613 for 5 s", "%d calls refused, %d of them begun after the first refusal was answered, %d of %d "+
		"messages sent twice", refused, late, len(calls)-500, 500)
	sent, twice := threeKilled(b)
	note("three of the four are killed with -9", "%d of 500 messages arrive, %d of them twice", sent, twice)
}

// longestGap kills the worker that looks out, again and again, and returns the longest time that the receiver saw no call after one.
func longestGap(t testing.TB) (longest time.Duration) {
	f := newFleet(t, one(sendpace, 50), latency)
	f.enqueue(jobs(3000, 3000, first))
	f.start(4)
	require.True(t, f.await(50, time.Minute))
	for range 5 {
		killed := time.Now()
		f.kill(f.lookout())
		pass(3 * time.Second)
		last := killed
		for _, c := range f.sandbox.Accepted() {
			if c.At.After(killed) {
				longest, last = max(longest, c.At.Sub(last)), c.At
			}
		}
		f.start(1)
	}
	f.stop()
	return longest
}

// lookout is the pid of the worker that polls while the others stand by. There is none while all are busy.
func (f *fleet) lookout() (pid int) {
	require.Eventually(f.t, func() bool {
		s, err := pace.ReadStatus(context.Background(), f.rdb, "")
		require.NoError(f.t, err)
		at := slices.IndexFunc(s.Workers, func(w pace.WorkerInfo) bool { return w.Leads })
		if at >= 0 {
			pid = s.Workers[at].PID
		}
		return at >= 0
	}, time.Minute, 10*time.Millisecond, "no worker looks out")
	return pid
}

// kill ends a process with -9.
func (f *fleet) kill(pid int) {
	at := slices.IndexFunc(f.running, func(p *process) bool { return p.cmd.Process.Pid == pid })
	require.NotEqual(f.t, -1, at, "pid %d is none of ours", pid)
	f.running[at].stop(syscall.SIGKILL)
	f.running = slices.Delete(f.running, at, at+1)
}

// refusedPage lets the sandbox refuse a page for a while.
func refusedPage(t testing.TB) (refused, late int, accepted []sandbox.Call) {
	f := newFleet(t, one(sendpace, 50), latency)
	f.enqueue(jobs(500, 500, first))
	f.start(4)
	require.True(t, f.await(100, time.Minute))
	// The wait that the platform announces is in minutes; without one the first pause is 30 s.
	f.sandbox.Fail(pageID(0), sandbox.Fault{Code: 613, For: 5 * time.Second})
	require.Eventually(t, func() bool { return len(f.sandbox.Accepted()) >= 500 }, 3*time.Minute, time.Second)
	var first time.Time
	for _, c := range f.sandbox.Calls() {
		if c.Code != 613 {
			continue
		}
		refused++
		if first.IsZero() {
			first = c.Done
		}
		if c.At.After(first.Add(5 * time.Millisecond)) {
			late++
		}
	}
	f.stop()
	return refused, late, f.sandbox.Accepted()
}

// threeKilled kills three of four workers while they send, and returns how many messages arrived, and of those more than once.
func threeKilled(t testing.TB) (sent, twice int) {
	f := newFleet(t, one(sendpace, 50), latency)
	f.enqueue(jobs(500, 500, first))
	f.start(4)
	require.True(t, f.await(200, time.Minute))
	for _, p := range f.running[:3] {
		p.stop(syscall.SIGKILL)
	}
	f.running = f.running[3:]
	require.Eventually(t, func() bool {
		s, err := pace.ReadStatus(context.Background(), f.rdb, "")
		require.NoError(t, err)
		return s.Done()
	}, 4*time.Minute, 100*time.Millisecond)
	seen := map[int]int{}
	for _, c := range f.sandbox.Accepted() {
		seen[number(t, c)]++
	}
	for _, times := range seen {
		if times > 1 {
			twice++
		}
	}
	f.stop()
	return len(seen), twice
}
