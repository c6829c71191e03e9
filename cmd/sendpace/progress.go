package main

import (
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// progressBar shows how far a long command has come, if a person watches. Its lines are printed either way.
type progressBar struct {
	out     io.Writer
	what    string
	writer  progress.Writer // nil if nobody watches
	tracker *progress.Tracker
	done    chan struct{}
}

// newProgress begins a bar on stderr for total bytes; 0 means that the length is not known.
func (a *app) newProgress(what string, total int64) *progressBar {
	p := &progressBar{out: a.stderr, what: what}
	if !interactive(a.stderr) {
		return p
	}
	p.tracker = &progress.Tracker{Message: what, Total: total, Units: progress.UnitsBytes}
	p.writer = newProgressWriter(a.stderr)
	p.writer.AppendTracker(p.tracker)
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		p.writer.Render()
	}()
	return p
}

// set says that so many bytes are read and so many jobs stored.
func (p *progressBar) set(bytes int64, jobs int) {
	if p.writer != nil {
		p.tracker.UpdateMessage(fmt.Sprintf("%d %s", jobs, p.what))
		p.tracker.SetValue(bytes)
	}
}

// line prints a line that stays.
func (p *progressBar) line(format string, args ...any) {
	if p.writer != nil {
		p.writer.Log(format, args...)
		return
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

// stop takes the bar away.
func (p *progressBar) stop() {
	if p.writer != nil {
		p.tracker.MarkAsDone()
		p.writer.Stop()
		<-p.done
	}
}

func newProgressWriter(out io.Writer) progress.Writer {
	w := progress.NewWriter()
	w.SetOutputWriter(out)
	w.SetTrackerPosition(progress.PositionRight)
	w.SetUpdateFrequency(100 * time.Millisecond)
	w.Style().Visibility.ETA = true
	w.Style().Options.DoneString = "" // it may have been interrupted: the command says how it ended
	w.Style().Options.TimeInProgressPrecision = time.Second
	w.Style().Options.TimeDonePrecision = time.Second
	return w
}
