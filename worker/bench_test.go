package worker_test

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
)

// latency is the sandbox's in all benchmarks.
const latency = 50 * time.Millisecond

// settle waits for n accepted calls and returns them.
func (f *fleet) settle(n int) []sandbox.Call {
	f.t.Helper()
	// Reading the record is work for the receiver's process, and would show in its clock.
	require.Eventually(f.t, func() bool { return len(f.sandbox.Accepted()) >= n }, 5*time.Minute, time.Second)
	return f.sandbox.Accepted()
}

// calls is how often each Redis command ran so far, those inside scripts counted.
func (f *fleet) calls() map[string]float64 {
	all := map[string]float64{}
	for line := range strings.Lines(f.rdb.Info(context.Background(), "commandstats").Val()) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if n, err := strconv.ParseFloat(strings.SplitN(rest, ",", 2)[0], 64); ok && err == nil {
			all[name] = n
		}
	}
	return all
}

// processes starts n worker processes. stop ends them, and returns the seconds of CPU that they took together.
func (f *fleet) processes(n int) (stop func() float64) {
	cmds := make([]*exec.Cmd, n)
	for i := range cmds {
		cmds[i] = f.processCmd()
	}
	return func() (cpu float64) {
		for _, cmd := range cmds {
			require.NoError(f.t, cmd.Process.Signal(syscall.SIGTERM))
		}
		for _, cmd := range cmds {
			require.NoError(f.t, cmd.Wait())
			cpu += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		}
		return cpu
	}
}

// reportCommands reports how many Redis commands a job took since before; -v prints a table of them.
func (f *fleet) reportCommands(b *testing.B, before map[string]float64, jobs int) {
	b.Helper()
	after, sum := f.calls(), 0.0
	for _, name := range slices.Sorted(maps.Keys(after)) {
		n := (after[name] - before[name]) / float64(jobs)
		sum += n
		if testing.Verbose() && n >= 0.005 {
			fmt.Printf("%20s %6.2f\n", name, n)
		}
	}
	b.ReportMetric(sum, "commands/job")
}

// overWindows counts the sends that are one too many in the second before them.
func overWindows(calls []sandbox.Call, page string, limit int) (n int) {
	var times []time.Time
	for _, c := range calls {
		if c.PageID == page {
			times = append(times, c.At)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := limit; i < len(times); i++ {
		if times[i].Sub(times[i-limit]) < time.Second {
			n++
		}
	}
	return n
}

func reportPace(b *testing.B, calls []sandbox.Call, page string, limit float64, label string) {
	b.Helper()
	p := paceOf(calls, page)
	b.ReportMetric(100*p.Rate/limit, label+"%ofrate")
	b.ReportMetric(float64(p.WorstSecond), label+"worst/s")
	b.ReportMetric(float64(overWindows(calls, page, max(1, int(limit)))), label+"over")
	b.ReportMetric(p.GapCV, label+"gapCV")
}

// BenchmarkOnePage: four worker processes, one page at 50/s, 1,500 jobs of 200 recipients.
func BenchmarkOnePage(b *testing.B) {
	for b.Loop() {
		f := newFleet(b, map[string]pace.Rates{"1001": rate(50)}, latency)
		f.enqueue("1001", 1500, 200)
		before := f.calls()
		stop := f.processes(4)
		calls := f.settle(1500)
		f.reportCommands(b, before, 1500)
		reportPace(b, calls, "1001", 50, "")
		b.ReportMetric(float64(overtaken(b, calls)), "overtaken")
		b.ReportMetric(stop()/1500*1000, "workerCPUs/1000jobs")
	}
}

// BenchmarkDrain: 50,000 jobs of 50 pages whose rates are far above what the machine can do, a platform that answers at once, four
// worker processes.
func BenchmarkDrain(b *testing.B) {
	const jobs, pages = 50_000, 50
	for b.Loop() {
		rates := map[string]pace.Rates{}
		for i := range pages {
			rates[strconv.Itoa(1001+i)] = rate(100_000)
		}
		f := newFleet(b, rates, 0)
		for page := range rates {
			f.enqueue(page, jobs/pages, jobs/pages)
		}
		before, begin := f.calls(), time.Now()
		stop := f.processes(4)
		f.settle(jobs)
		b.ReportMetric(jobs/time.Since(begin).Seconds(), "jobs/s")
		f.reportCommands(b, before, jobs)
		b.ReportMetric(stop()/jobs*1000, "workerCPUs/1000jobs")
	}
}

// BenchmarkThreePages: 1/s, 50/s and 300/s at once, four worker processes, 30 seconds of work each.
func BenchmarkThreePages(b *testing.B) {
	for b.Loop() {
		f := newFleet(b, map[string]pace.Rates{"1001": rate(1), "1050": rate(50), "1300": rate(300)}, latency)
		f.enqueue("1001", 30, 30)
		f.enqueue("1050", 1500, 200)
		f.enqueue("1300", 9000, 2000)
		before := f.calls()
		for range 4 {
			f.process()
		}
		calls := f.settle(10530)
		reportPace(b, calls, "1001", 1, "1:")
		reportPace(b, calls, "1050", 50, "50:")
		reportPace(b, calls, "1300", 300, "300:")
		b.ReportMetric(float64(overtaken(b, calls)), "overtaken")
		f.reportCommands(b, before, 10530)
	}
}

// BenchmarkBesideABacklog: 100,000 jobs wait at a page of 0.9/s; jobs of another page, one at a time, from Enqueue to their
// arrival at the API.
func BenchmarkBesideABacklog(b *testing.B) {
	for b.Loop() {
		f := newFleet(b, map[string]pace.Rates{"1001": rate(0.9), "1002": rate(300)}, latency)
		f.enqueue("1001", 100_000, 20_000)
		for range 4 {
			f.process()
		}
		f.settle(1)
		var took []time.Duration
		for i := range 50 {
			begin := time.Now()
			_, err := f.producer.Enqueue(context.Background(), job("1002", fmt.Sprint(i), "1"))
			require.NoError(b, err)
			require.Eventually(b, func() bool { return paceOf(f.sandbox.Accepted(), "1002").Count == i+1 },
				10*time.Second, time.Millisecond)
			calls := f.sandbox.Accepted()
			for _, c := range slices.Backward(calls) {
				if c.PageID == "1002" {
					took = append(took, c.At.Sub(begin))
					break
				}
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50ms")
		b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "maxms")
	}
}

// BenchmarkRefusedPage: the API refuses a page with code 613 for 5 seconds, while four processes send it at 50/s.
func BenchmarkRefusedPage(b *testing.B) {
	for b.Loop() {
		f := newFleet(b, map[string]pace.Rates{"1001": rate(50)}, latency)
		f.enqueue("1001", 500, 500)
		for range 4 {
			f.process()
		}
		f.settle(100)
		// The wait that the platform announces is in minutes; without one the first pause is 30 s.
		f.sandbox.Fail("1001", sandbox.Fault{Code: 613, For: 5 * time.Second})
		calls := f.settle(500)
		var first time.Time
		refused, late := 0, 0
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
		b.ReportMetric(float64(refused), "refused")
		b.ReportMetric(float64(late), "afterTheFirst")
		b.ReportMetric(float64(len(calls)-500), "twice")
		b.ReportMetric(float64(paceOf(calls, "1001").WorstSecond), "worst/s")
	}
}

// BenchmarkKilledWorker: three of four processes are killed with -9 in the middle.
func BenchmarkKilledWorker(b *testing.B) {
	for b.Loop() {
		f := newFleet(b, map[string]pace.Rates{"1001": rate(50)}, latency)
		f.enqueue("1001", 500, 500)
		kills := []func(syscall.Signal){f.process(), f.process(), f.process(), f.process()}
		f.settle(200)
		for _, kill := range kills[:3] {
			kill(syscall.SIGKILL)
		}
		f.settle(500)
		require.Eventually(b, func() bool {
			s, err := pace.ReadStatus(context.Background(), f.rdb, "")
			require.NoError(b, err)
			return s.Done()
		}, 4*time.Minute, 100*time.Millisecond)
		sent, twice := map[int]bool{}, 0
		for _, c := range f.sandbox.Accepted() {
			if sent[textOf(b, c)] {
				twice++
			}
			sent[textOf(b, c)] = true
		}
		b.ReportMetric(float64(len(sent)), "sent")
		b.ReportMetric(float64(twice), "twice")
	}
}
