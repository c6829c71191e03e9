package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/cmd/sendpace/monitor"
	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/worker/pace"
)

// monitorSource reads for the monitor, and acts for its visitors.
type monitorSource struct {
	cfg *config.Config
	rdb redis.UniversalClient
}

func (m monitorSource) history(ctx context.Context, since time.Time) ([]pace.Span, error) {
	return pace.ReadHistory(ctx, m.rdb, "", since)
}

func (m monitorSource) broadcasts(ctx context.Context) ([]monitor.Broadcast, error) {
	c, err := broadcast.New(m.rdb, broadcast.Config{})
	if err != nil {
		return nil, err
	}
	list, err := c.List(ctx)
	views := make([]monitor.Broadcast, len(list))
	for i, s := range list {
		views[i] = monitor.Broadcast{
			Name: s.Name, Page: s.PageID, State: string(s.State), Why: oneLine(s.Why), Created: s.Created, People: s.People,
			Sent: s.Sent, Failed: s.Failed + s.Expired + s.Cancelled + s.Unknown, Left: s.Left(),
		}
	}
	return views, err
}

func (m monitorSource) stop(ctx context.Context, scope string, length time.Duration, why string) (string, error) {
	return onPacer(m, scope, func(pacer *pace.Pacer) (string, error) {
		now, changed, err := stopScope(ctx, m.rdb, pacer, scope, length, why)
		switch {
		case err != nil:
			return "", err
		case now == nil:
			return scopeName(scope) + " was released in between", nil
		case !changed:
			return "nothing was changed: it was stopped before, and that lasts longer", nil
		case now.Hold:
			return scopeName(scope) + ": on hold until it is released", nil
		}
		return scopeName(scope) + ": paused for " + span(now.Left), nil
	})
}

func (m monitorSource) release(ctx context.Context, scope string) (string, error) {
	return onPacer(m, scope, func(pacer *pace.Pacer) (string, error) {
		found, err := pacer.Release(ctx, scope)
		if err != nil {
			return "", err
		}
		app, err := pace.ReadPause(ctx, m.rdb, "", pace.App)
		return released(scope, found, app != nil), err
	})
}

// onPacer acts on a page that there can be, or on all.
func onPacer(m monitorSource, scope string, act func(*pace.Pacer) (string, error)) (string, error) {
	if scope != pace.App {
		var wrong *hinted
		if err := checkPage(m.cfg, scope); errors.As(err, &wrong) {
			return "", monitor.Refusal(wrong.Error())
		} else if err != nil {
			return "", err
		}
	}
	pacer, err := handPacer(m.rdb)
	if err != nil {
		return "", err
	}
	return act(pacer)
}

// fleet is the status as the monitor shows it: what needs a person first.
func (m monitorSource) fleet(ctx context.Context) (*monitor.Fleet, error) {
	v, err := readFleet(ctx, m.rdb)
	if err != nil {
		return nil, err
	}
	f := &monitor.Fleet{
		At: v.At, Rate: v.Totals.Rate, Outcomes: ended(v.Totals.Outcomes), Stop: stopView(v.App), Waiting: v.Totals.Waiting,
		Pending: v.Pending, Active: v.Active, Retrying: v.Retrying, Scheduled: v.Scheduled, Archived: v.Archived,
		Workers: []monitor.Worker{}, Notes: notesView(v.Status), Pages: []monitor.Page{}, Errors: []monitor.Ended{},
	}
	for _, w := range v.Workers {
		f.Workers = append(f.Workers, monitor.Worker{
			Host: w.Host, PID: w.PID, Version: w.Version, Up: span(max(0, v.At.Sub(w.Started))), Leads: w.Leads,
		})
	}
	lines := linesByPage(v.Status)
	for _, p := range v.Pages {
		f.Pages = append(f.Pages, pageOnMonitor(v.Status, p, lines[p.ID]))
	}
	slices.SortStableFunc(f.Pages, func(a, b monitor.Page) int { return max(1, b.Urgency) - max(1, a.Urgency) })
	for _, o := range v.LastErrors {
		f.Errors = append(f.Errors, monitor.Ended{At: o.EndedAt, Page: o.PageID, Kind: string(o.Kind), Why: oneLine(o.Reason)})
	}
	return f, nil
}

func pageOnMonitor(s *pace.Status, p pace.PageStatus, lines []pace.LineStatus) monitor.Page {
	v := pageView{PageStatus: p, Lines: lines, at: s.At}
	allowed := p.Temporary.Over(p.Configured)
	m := monitor.Page{
		ID: p.ID, State: pageState(p, s), Rate: p.Rate, Limit: allowed.Page, Bulk: allowed.Bulk, Media: allowed.Media, Usage: p.Usage,
		Budget: p.Configured.Budget, Spent: p.Spent, Stop: stopView(p.Pause), Outcomes: ended(p.Outcomes), Lines: []monitor.Line{},
	}
	m.Waiting, m.ETA = v.waiting()
	if m.Urgency = stateUrgency(m.State); m.Waiting > 0 || p.Rate > 0 {
		m.Urgency = max(1, m.Urgency)
	}
	if t := p.Temporary; t != nil {
		m.Temporary = ratesText(*t) + " for another " + span(t.Until.Sub(s.At))
	}
	var first pace.LineStatus
	for _, l := range lines {
		if l.Oldest > first.Oldest {
			first = l
		}
		m.Lines = append(m.Lines, monitor.Line{
			Name: laneName(l), Waiting: l.Waiting, Oldest: oldest(l), Rate: l.Rate, ETA: eta(l), Limit: l.Limit,
		})
	}
	m.Oldest = oldest(first)
	return m
}

// ended are the counts of jobs by how they ended, without those of jobs that were accepted.
func ended(counts map[string]int64) map[string]int64 {
	by := map[string]int64{}
	for _, kind := range outcomeKinds {
		by[string(kind)] = counts[string(kind)]
	}
	return by
}

func stopView(p *pace.PauseStatus) *monitor.Stop {
	if p == nil {
		return nil
	}
	return &monitor.Stop{Hold: p.Hold, Why: oneLine(p.Text), Code: p.Code, Since: p.Since, Left: span(p.Left)}
}

// notesView are the notes of the status that are about all pages. Those about one stand at that page.
func notesView(s *pace.Status) []monitor.Note {
	notes := []monitor.Note{}
	if len(s.Workers) == 0 {
		notes = append(notes, monitor.Note{Text: "No worker runs. Start one: sendpace worker", Bad: !s.Done()})
	}
	if !s.Halted.IsZero() {
		notes = append(notes, monitor.Note{
			Text: "The queue is paused in asynq since " + stamp(s.Halted) + " UTC. Resume it under Jobs.", Bad: true,
		})
	}
	for _, text := range shardNotes(s) {
		notes = append(notes, monitor.Note{Text: text + ". Resume it under Jobs.", Bad: true})
	}
	for _, text := range scopeNotes("All pages", pace.App, nil, s.AppUsage, s.AppBudget, s.AppSpent) {
		notes = append(notes, monitor.Note{Text: text})
	}
	return notes
}
