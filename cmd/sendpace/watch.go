package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

const (
	// watchEvery is the time between two looks at the fleet, and redrawEvery how soon a changed size of the terminal shows.
	watchEvery  = time.Second
	redrawEvery = 200 * time.Millisecond
	// maxHistory is how many looks the curve of the rate shows.
	maxHistory = 60
	// The size of a terminal that does not tell it.
	usualWidth, usualHeight = 80, 24
)

// watcher shows the status.
type watcher struct {
	app  *app
	json bool
	read func(context.Context) (*fleetView, error)
}

func (w *watcher) print(v *fleetView) error {
	if w.json {
		return w.app.printJSON(v)
	}
	_, err := fmt.Fprint(w.app.stdout, statusText(v))
	return err
}

// watch shows the status each second until ctx ends. An outage of Redis does not end it.
func (w *watcher) watch(ctx context.Context) error {
	if out, ok := w.app.stdout.(*os.File); ok && interactive(out) && !w.json {
		return w.live(ctx, out)
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for away := false; ; {
		v, err := w.read(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !away:
			w.app.say("waiting for Redis: %s", err)
		case err == nil && away:
			w.app.say("Redis answers again")
		}
		if away = err != nil; !away {
			if err := w.print(v); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// live fills a terminal with the status until ctx ends, and leaves the last one behind on the screen that was there before.
func (w *watcher) live(ctx context.Context, out *os.File) error {
	const enter, leave = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
	fmt.Fprint(out, enter)
	var l liveView
	defer func() {
		fmt.Fprint(out, leave)
		if l.view != nil {
			fmt.Fprint(out, statusText(l.view))
		}
	}()
	looks := w.looks(ctx)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	var width, height int
	for {
		fresh := false
		select {
		case <-ctx.Done():
			return nil
		case look := <-looks:
			l.note(look)
			fresh = true
		case <-tick.C:
		}
		before := [2]int{width, height}
		if width, height = sizeOf(out); !fresh && before == [2]int{width, height} {
			continue
		}
		// To the top left corner; the end of each line and of the screen is cleared, so that nothing flickers.
		_, err := fmt.Fprint(out, "\x1b[H"+strings.Join(l.frame(width, height), "\x1b[K\r\n")+"\x1b[K\x1b[J")
		if err != nil {
			return err
		}
	}
}

// look is one answer of Redis.
type look struct {
	view *fleetView
	err  error
}

// looks asks each second until ctx ends. It runs beside, because a Redis that does not answer must not hold up a Ctrl-C.
func (w *watcher) looks(ctx context.Context) <-chan look {
	out := make(chan look)
	go func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			v, err := w.read(ctx)
			select {
			case out <- look{v, err}:
			case <-ctx.Done():
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func sizeOf(out *os.File) (width, height int) {
	width, height, err := term.GetSize(int(out.Fd()))
	if err != nil || width < 1 || height < 1 {
		return usualWidth, usualHeight
	}
	return width, height
}

// liveView is what the terminal shows.
type liveView struct {
	view    *fleetView // nil before the first answer
	history []float64  // rate of all pages, the newest last
	err     error      // of the last look
	failing time.Time  // when looks began to fail
}

func (l *liveView) note(look look) {
	if l.err = look.err; look.err != nil {
		if l.failing.IsZero() {
			l.failing = time.Now()
		}
		return
	}
	l.view, l.failing = look.view, time.Time{}
	l.history = append(l.history, look.view.Totals.Rate)
	l.history = l.history[max(0, len(l.history)-maxHistory):]
}

// frame is the screen: lines of at most width characters, and no more than height of them. The table comes first; where it does not
// fit, the rows that need a person stay.
func (l *liveView) frame(width, height int) []string {
	lines := []string{text.Bold.Sprint("sendpace status") + "   " + l.headline() + "   Ctrl-C ends", ""}
	if l.err != nil {
		bad := fmt.Sprintf("Redis does not answer, for %s: %s", span(time.Since(l.failing)), oneLine(l.err.Error()))
		lines = append(lines, text.FgRed.Sprint(bad), "")
	}
	if l.view != nil {
		lines = append(lines, l.body(height-len(lines))...)
	}
	for i := range lines {
		lines[i] = text.Trim(lines[i], width)
	}
	return lines[:min(len(lines), height)]
}

func (l *liveView) headline() string {
	if l.view == nil {
		return "asking Redis"
	}
	return stamp(l.view.At) + " UTC   " + fleetText(l.view.Status)
}

// body is what stands below the head, in room lines: the totals, the table, and if there is room notes and errors.
func (l *liveView) body(room int) []string {
	v := l.view
	lines := strings.Split(totalsText(v), "\n")
	lines[0] += "   " + text.FgCyan.Sprint(sparkline(l.history))
	lines = append(lines, "")
	var below []string
	if notes := statusNotes(v.Status); len(notes) > 0 {
		below = append(below, "")
		for line := range strings.SplitSeq(strings.Join(notes, "\n"), "\n") {
			below = append(below, text.FgYellow.Sprint(line))
		}
	}
	for _, news := range statusNews(v) {
		below = append(append(below, ""), news...)
	}
	const header, more = 2, 1
	rows := statusRows(v.Status)
	// Half of the room is the table's, and more if the rest does not need it.
	free := room - len(lines) - header - more
	shown := min(len(rows), max(free-len(below), free/2, 1))
	if shown < len(rows) {
		slices.SortStableFunc(rows, func(a, b statusRow) int { return b.urgency - a.urgency })
	}
	for i := range rows {
		rows[i].state = colourOf(rows[i]).Sprint(rows[i].state)
	}
	lines = append(lines, strings.Split(render(statusTable(rows[:shown])), "\n")...)
	if shown < len(rows) {
		lines = append(lines, fmt.Sprintf("and %d more: sendpace page list shows all", len(rows)-shown))
	}
	return append(lines, below...)
}

func colourOf(r statusRow) text.Color {
	switch {
	case r.urgency >= 3:
		return text.FgRed
	case r.urgency == 2:
		return text.FgYellow
	case r.urgency == 1:
		return text.FgGreen
	}
	return text.Faint
}

// sparkline draws values beside one another, the greatest as a whole block.
func sparkline(values []float64) string {
	const blocks = "▁▂▃▄▅▆▇█"
	if len(values) == 0 {
		return ""
	}
	top, steps := max(slices.Max(values), 1e-9), []rune(blocks)
	var b strings.Builder
	for _, v := range values {
		b.WriteRune(steps[int(v/top*float64(len(steps)-1)+0.5)])
	}
	return b.String()
}
