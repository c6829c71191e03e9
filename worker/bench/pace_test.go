package bench

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
)

// latency is what the platform takes for an answer, in the scenarios where that matters.
const latency = 50 * time.Millisecond

// paced is how well a limit was held, as the receiver saw it.
type paced struct {
	count       int
	held        float64 // share of the limit, in percent
	worstSecond int
	over        int // calls that are one too many in the second before them
	gapCV       float64
}

var pacedColumns = []any{"held", "most in any second", "windows over", "gap CV"}

func (p paced) cells() []any {
	return []any{english.Sprintf("%.1f %%", p.held), p.worstSecond, p.over, english.Sprintf("%.2f", p.gapCV)}
}

// judge measures the calls of a page, or of all for an empty id, against a limit.
func judge(calls []sandbox.Call, page string, limit int) paced {
	times := timesOf(calls, page)
	slices.SortFunc(times, time.Time.Compare)
	m := sandbox.Measure(times)
	p := paced{count: m.Count, held: 100 * m.Rate / float64(limit), worstSecond: m.WorstSecond, gapCV: m.GapCV}
	for i := limit; i < len(times); i++ {
		if times[i].Sub(times[i-limit]) < time.Second {
			p.over++
		}
	}
	return p
}

// overtaken counts the messages that came after a later one to the same person.
func overtaken(t testing.TB, calls []sandbox.Call) (n int) {
	last := map[string]int{}
	for _, c := range calls {
		text, person := number(t, c), c.PageID+":"+c.Recipient
		if before, ok := last[person]; ok && text < before {
			n++
		}
		last[person] = max(text, last[person])
	}
	return n
}

// pacedLimit is how long a system gets for thirty seconds' worth of jobs. One that sends a few a second would take many minutes.
const pacedLimit = 35 * time.Second

// BenchmarkPaced: what it costs to hold one page at 50/s, beside what else holds a pace with asynq.
func BenchmarkPaced(b *testing.B) {
	n := scaled(1500)
	s := newSection(b, "One page at 50/s", english.Sprintf("Four workers, %d jobs for 200 people, 50 ms to each answer. What has not gone out "+
		"after 35 s is left.", n), slices.Concat([]any{"", "sent"}, pacedColumns, []any{"out of order"}, costColumns)...)
	for _, sys := range []system{sendpace, waiting, retrying} {
		if *own && sys != sendpace {
			continue
		}
		f := newFleet(b, one(sys, 50), latency)
		calls, used := f.run(4, jobs(n, 200, first), n, pacedLimit)
		s.row([]any{sys, len(calls)}, judge(calls, "", 50).cells(), []any{overtaken(b, calls)}, used.cells())
		f.stop()
	}
}

// BenchmarkFast: the platform's limit of 300/s, on one page and beside slower ones.
func BenchmarkFast(b *testing.B) {
	s := newFastSection(b, "300/s", "Four workers, 30 seconds of jobs a page, 50 ms to each answer.")
	s.measure(b, "one", 300)
	s.measure(b, "three at once", 1, 50, 300)
}

// BenchmarkTen: how much of 3,000/s the machine carries.
func BenchmarkTen(b *testing.B) {
	s := newFastSection(b, "Ten pages at 300/s", "Four workers, 30 seconds of jobs a page, 50 ms to each answer. The row has the worst page's figure "+
		"of each kind, and the windows of all.")
	s.measure(b, "ten at once", slices.Repeat([]int{300}, 10)...)
}

// BenchmarkFar: what a Redis that is not near does to the pace.
func BenchmarkFar(b *testing.B) {
	s := newFastSection(b, "Redis over a network", "Four workers, 30 seconds of jobs, 50 ms to each answer; each answer of Redis takes longer by as much "+
		"as the row says.")
	for _, far := range []time.Duration{time.Millisecond, 3 * time.Millisecond, 6 * time.Millisecond} {
		s.far = far
		s.measure(b, fmt.Sprintf("one, Redis %v away", far), 300)
	}
}

type fastSection struct {
	*section
	far time.Duration
}

func newFastSection(t testing.TB, title, note string) fastSection {
	return fastSection{section: newSection(t, title, note+"\nRSS counts what the four processes share, such as the program, for each of them; PSS counts it once. Costs and memory\nare those of all pages together.",
		slices.Concat([]any{"pages", "limit"}, pacedColumns, []any{"out of order"}, costColumns, []any{"RSS MB", "PSS MB"})...)}
}

// measure sends from one page for each limit, all at once.
func (s fastSection) measure(t testing.TB, name string, limits ...int) {
	cfg := workerConfig{System: sendpace, Pages: len(limits), Rates: rate(30), PageRates: map[string]pace.Rates{}, Far: s.far}
	var pages []int // of the jobs, in their order
	for i, limit := range limits {
		cfg.PageRates[pageID(i)] = rate(float64(limit))
		pages = append(pages, slices.Repeat([]int{i}, limit*scaled(30))...)
	}
	f := newFleet(t, cfg, latency)
	calls, used := f.run(4, jobs(len(pages), 2000, func(i int) int { return pages[i] }), len(pages), 3*time.Minute)
	assert.Len(t, calls, len(pages))
	rss, pss := f.resident()
	worst := map[int]paced{}
	for i, limit := range limits {
		worst[limit] = worse(worst[limit], judge(calls, pageID(i), limit))
	}
	var all []any // pages together, in the last row
	for i, limit := range slices.Sorted(maps.Keys(worst)) {
		if i == len(worst)-1 {
			all = slices.Concat([]any{overtaken(t, calls)}, used.cells(), []any{english.Sprintf("%.0f", rss), english.Sprintf("%.0f", pss)})
		}
		s.row([]any{name, english.Sprintf("%d/s", limit)}, worst[limit].cells(), all)
	}
	f.stop()
}

// worse has the worse of each figure; one of no calls is none.
func worse(a, b paced) paced {
	if a.count == 0 {
		return b
	}
	return paced{
		count: a.count + b.count, held: min(a.held, b.held), worstSecond: max(a.worstSecond, b.worstSecond),
		over: a.over + b.over, gapCV: max(a.gapCV, b.gapCV),
	}
}
