package bench

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/pace"
)

// BenchmarkScale: whether a job costs more where there are more pages and more jobs wait.
func BenchmarkScale(b *testing.B) {
	const perSecond, seconds = 500, 20
	s := newSection(b, "Pages and backlog", english.Sprintf("Four workers send %d jobs a second in all, for %d seconds, and the receiver answers at once. "+
		"Stopping is the slowest of the\nfour; starting is from the start of a process, the only one, to the first message that arrives.",
		perSecond, seconds), slices.Concat([]any{"", "jobs/s"}, costColumns, []any{"stop", "start"})...)
	var costs []cost
	var bytes float64 // of Redis, a job, in the larger fleet
	for _, size := range []struct{ pages, waiting int }{{10, 10_000}, {scaled(10_000), scaled(1_000_000)}} {
		f := newFleet(b, workerConfig{System: sendpace, Pages: size.pages, Rates: rate(float64(perSecond) / float64(size.pages))}, 0)
		f.start(4)
		empty := f.memory()
		// Page after page, while the workers run: the pages are out of step with each other, as they are in life. What is sent
		// meanwhile is enqueued on top.
		n := size.waiting + perSecond*seconds
		f.enqueue(jobs(n, n, func(i int) int { return i * size.pages / n }))
		bytes = (f.memory() - empty) / float64(size.waiting)
		pass(2 * time.Second)
		before := f.usage()
		pass(seconds * time.Second)
		c := f.usage().since(before)
		costs = append(costs, c)
		stopped, started := f.stop(), f.firstSend()
		s.row([]any{english.Sprintf("%d pages, %d waiting", size.pages, size.waiting), english.Sprintf("%.0f", c.perSecond)}, c.cells(),
			[]any{inSeconds(stopped), inSeconds(started)})
		f.stop()
	}
	few, many := costs[0], costs[1]
	ratio := func(a, b float64) string { return english.Sprintf("%.2f", a/b) }
	s.row([]any{"ratio", "", ratio(many.commands, few.commands), ratio(many.workers, few.workers), ratio(many.redis, few.redis)})
	paper(b, many, bytes)
}

func inSeconds(d time.Duration) string { return english.Sprintf("%.2f s", d.Seconds()) }

// firstSend starts a process and returns how long it takes until a call arrives.
func (f *fleet) firstSend() time.Duration {
	before, begin := f.answered.Load(), time.Now()
	f.running = append(f.running, f.exec())
	require.True(f.t, f.await(int(before)+1, time.Minute), "nothing was sent within a minute")
	return time.Since(begin)
}

// BenchmarkBacklog: what waiting jobs take, and whether their number slows a person down who changes a rate.
func BenchmarkBacklog(b *testing.B) {
	few, many := scaled(100_000), scaled(1_000_000)
	s := newSection(b, "Backlog of one page", "Redis's memory for a job of 160 bytes that waits, and the time of `page rate` on a page with a backlog.", "what", "takes")
	perJob := func(sys system) (*fleet, float64) {
		f := newFleet(b, one(sys, 50), 0)
		before := f.memory()
		f.enqueue(jobs(few, few, first))
		return f, (f.memory() - before) / float64(few)
	}
	_, bare := perJob(bareAsynq)
	f, ours := perJob(sendpace)
	s.row([]any{english.Sprintf("%d pending tasks of bare asynq", few), english.Sprintf("%.0f bytes each", bare)})
	s.row([]any{english.Sprintf("%d waiting jobs of Sendpace", few), english.Sprintf("%.0f bytes each, ratio %.2f", ours, ours/bare)})
	f.enqueue(jobs(many-few, many-few, first))
	f.start(1) // it sets the rates
	pacer, err := pace.New(f.rdb, pace.Config{})
	require.NoError(b, err)
	begin := time.Now()
	_, err = pacer.SetTemporary(context.Background(), pageID(0), pace.Temporary{Page: 20, Bulk: 20}, time.Hour)
	require.NoError(b, err)
	s.row([]any{english.Sprintf("change the rate with %d waiting", many), english.Sprintf("%.1f ms", 1000*time.Since(begin).Seconds())})
}
