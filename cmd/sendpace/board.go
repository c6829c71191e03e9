package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// plainEvery is how often the board prints where nobody watches.
const plainEvery = 2 * time.Second

// board shows how many of each page's messages have arrived: as bars on a terminal, as lines elsewhere.
type board struct {
	out      io.Writer
	total    map[string]int
	pages    []string
	last     time.Time
	shown    string
	writer   progress.Writer // nil if nobody watches
	trackers map[string]*progress.Tracker
	done     chan struct{}
}

func newBoard(a *app, total map[string]int) *board {
	b := &board{out: a.stdout, total: total, pages: slices.Sorted(maps.Keys(total))}
	if !interactive(a.stdout) {
		return b
	}
	b.trackers = map[string]*progress.Tracker{}
	b.writer = newProgressWriter(a.stdout)
	for _, page := range b.pages {
		b.trackers[page] = &progress.Tracker{Message: "page " + page, Total: int64(total[page])}
		b.writer.AppendTracker(b.trackers[page])
	}
	b.done = make(chan struct{})
	go func() {
		defer close(b.done)
		b.writer.Render()
	}()
	return b
}

func (b *board) show(calls map[string]sandbox.PageCalls) {
	if b.writer != nil {
		for page, tracker := range b.trackers {
			tracker.SetValue(int64(calls[page].Accepted))
		}
		return
	}
	parts := make([]string, len(b.pages))
	complete := true
	for i, page := range b.pages {
		parts[i] = fmt.Sprintf("page %s %d/%d", page, calls[page].Accepted, b.total[page])
		complete = complete && calls[page].Accepted >= b.total[page]
	}
	line := strings.Join(parts, "   ")
	if line != b.shown && (complete || time.Since(b.last) >= plainEvery) {
		fmt.Fprintln(b.out, line)
		b.last, b.shown = time.Now(), line
	}
}

func (b *board) stop() {
	if b.writer != nil {
		b.writer.Stop()
		<-b.done
	}
}
