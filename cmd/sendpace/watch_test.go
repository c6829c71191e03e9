package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
)

// bigFleet has n pages that send, and one that is on hold.
func bigFleet(n int) *fleetView {
	s := &pace.Status{At: nine, Workers: make([]pace.WorkerInfo, 4)}
	for i := range n {
		id := fmt.Sprint(2000 + i)
		s.Pages = append(s.Pages, pace.PageStatus{ID: id, Stage: "steady", Percent: 100, Rate: 1.5})
		s.Lines = append(s.Lines, pace.LineStatus{Name: id + ":bulk", PageID: id, Lane: producer.LaneBulk, Waiting: 10})
	}
	s.Pages = append(s.Pages, pace.PageStatus{ID: "9001", Pause: &pace.PauseStatus{Hold: true, Reason: pace.Reason{Text: "expired", Since: nine}}})
	return &fleetView{Status: s, Totals: totalsOf(s), LastErrors: []producer.Outcome{
		{PageID: "2000", Kind: producer.Failed, EndedAt: nine, Reason: strings.Repeat("long ", 80)},
	}}
}

func TestTheLiveViewFitsItsTerminal(t *testing.T) {
	t.Parallel()
	for _, pages := range []int{0, 3, 500} {
		var l liveView
		l.note(look{view: bigFleet(pages)})
		for _, size := range [][2]int{{200, 60}, {80, 24}, {40, 10}, {10, 3}, {1, 1}} {
			lines := l.frame(size[0], size[1])
			assert.LessOrEqual(t, len(lines), size[1], size)
			for _, line := range lines {
				assert.LessOrEqual(t, text.StringWidthWithoutEscSequences(line), size[0], "%v: %q", size, line)
				assert.NotContains(t, line, "\n")
			}
		}
	}
}

func TestTheLiveViewKeepsWhatNeedsAPerson(t *testing.T) {
	t.Parallel()
	var l liveView
	l.note(look{view: bigFleet(500)})
	got := text.StripEscape(strings.Join(l.frame(120, 24), "\n"))
	assert.Contains(t, got, "2026-11-24 09:00:00 UTC   4 workers   Ctrl-C ends\n")
	assert.Contains(t, got, "waiting 5000   now 750.0/s")
	assert.Regexp(t, `(?s)waits for\n─+\n9001 .* on hold\n2000 `, got, "what is on hold comes first where not all fits")
	assert.Regexp(t, `and 4\d\d more: sendpace page list shows all\n`, got)
	assert.Contains(t, got, "\npage 9001: on hold since 2026-11-24 09:00 UTC: expired\n")
	assert.Contains(t, got, "\nlast errors (UTC)\n2026-11-24 09:00:00  page 2000  failed: long ")

	l = liveView{}
	l.note(look{view: bigFleet(3)})
	got = text.StripEscape(strings.Join(l.frame(120, 40), "\n"))
	assert.Regexp(t, `(?s)\n2000 .*\n9001 `, got, "in order where all fits")
	assert.NotContains(t, got, "more:")
}

func TestTheLiveViewOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	var l liveView
	assert.Contains(t, strings.Join(l.frame(80, 24), "\n"), "asking Redis")
	l.note(look{view: bigFleet(1)})
	l.note(look{err: errors.New("dial tcp: refused\nreally")})
	since := l.failing
	l.note(look{err: errors.New("dial tcp: refused\nreally")})
	assert.Equal(t, since, l.failing, "it counts from the first error")
	got := text.StripEscape(strings.Join(l.frame(120, 40), "\n"))
	assert.Contains(t, got, "\nRedis does not answer, for 1s: dial tcp: refused really\n")
	assert.Contains(t, got, "\n2000 ", "what was seen last stays")
	l.note(look{view: bigFleet(1)})
	assert.NotContains(t, strings.Join(l.frame(120, 40), "\n"), "does not answer")
	assert.Equal(t, time.Time{}, l.failing)
}

func TestSparkline(t *testing.T) {
	t.Parallel()
	assert.Empty(t, sparkline(nil))
	assert.Equal(t, "▁▁", sparkline([]float64{0, 0}))
	assert.Equal(t, "▁▂▅█", sparkline([]float64{0, 1.4, 6, 10}))
	var l liveView
	for range 2 * maxHistory {
		l.note(look{view: bigFleet(1)})
	}
	assert.Len(t, l.history, maxHistory)
}
