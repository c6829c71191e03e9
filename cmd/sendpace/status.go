package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/worker/pace"
)

const watchEvery = time.Second

func (a *app) statusCommand() *cobra.Command {
	var watch, asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what waits, how fast it goes, and what stands still and why",
		RunE: func(cmd *cobra.Command, _ []string) error {
			show := a.statusTable
			if asJSON {
				show = func(s *pace.Status) error { return a.printJSON(s) }
			}
			run := readAndShow
			if watch {
				run = a.watch
			}
			return a.withRedis(cmd, func(ctx context.Context, _ *config.Config, rdb redis.UniversalClient) error {
				return run(ctx, rdb, show)
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again each second, until Ctrl-C")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	a.queueFlags(cmd)
	return cmd
}

func readAndShow(ctx context.Context, rdb redis.UniversalClient, show func(*pace.Status) error) error {
	s, err := pace.ReadStatus(ctx, rdb, "")
	if err != nil {
		return err
	}
	return show(s)
}

// watch shows the status each second until ctx ends. An outage of Redis does not end it.
func (a *app) watch(ctx context.Context, rdb redis.UniversalClient, show func(*pace.Status) error) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s, err := pace.ReadStatus(ctx, rdb, "")
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			a.say("%s", err)
		default:
			if interactive(a.stdout) {
				fmt.Fprint(a.stdout, "\x1b[H\x1b[2J") // to the top left corner, and clear
			}
			if err := show(s); err != nil {
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

func (a *app) statusTable(s *pace.Status) error {
	_, err := io.WriteString(a.stdout, statusText(s))
	return err
}

// statusText lays the status out: a table of pages and lanes, then what there is to say about some of them.
func statusText(s *pace.Status) string {
	lines := map[string][]pace.LineStatus{}
	for _, l := range s.Lines {
		lines[l.PageID] = append(lines[l.PageID], l)
	}
	t := newTable("page", "lane", "waiting", "rate", "now", "ETA", "state", "waits for")
	rightAlign(t, 3, 4, 5, 6)
	notes := scopeNotes("all pages", pace.App, s.App, s.AppUsage, s.AppBudget, s.AppSpent)
	for _, p := range s.Pages {
		state := pageState(p, s.App)
		notes = append(notes, scopeNotes("page "+p.ID, p.ID, p.Pause, p.Usage, p.Configured.Budget, p.Spent)...)
		now := strconv.FormatFloat(p.Rate, 'f', 1, 64) + "/s"
		for _, l := range lines[p.ID] {
			t.AppendRow(table.Row{p.ID, laneName(l), l.Waiting, configured(l.Rate), now, eta(l), state, l.Limit})
		}
		if len(lines[p.ID]) == 0 {
			t.AppendRow(table.Row{p.ID, "-", 0, configured(p.Configured.Page), now, "-", state, ""})
		}
	}
	if len(s.Workers) == 0 && !s.Done() {
		notes = append(notes, "no worker runs\n  start one: sendpace worker")
	}
	text := fmt.Sprintf("%s\n\nworkers %d   in hand %d   to be retried %d   scheduled %d   archived %d\n",
		render(t), len(s.Workers), s.Active, s.Retrying, s.Scheduled, s.Archived)
	if len(notes) > 0 {
		text += "\n" + strings.Join(notes, "\n") + "\n"
	}
	return text
}

func laneName(l pace.LineStatus) string {
	if l.Broadcast != "" {
		return string(l.Lane) + " @" + l.Broadcast
	}
	return strings.TrimSpace(string(l.Lane) + " " + string(l.Side))
}

func pageState(p pace.PageStatus, app *pace.PauseStatus) string {
	var held, paused bool
	for _, pause := range []*pace.PauseStatus{p.Pause, app} {
		held = held || (pause != nil && pause.Hold)
		paused = paused || pause != nil
	}
	switch {
	case held:
		return "on hold"
	case paused:
		return "paused"
	case p.Stage == "probe":
		return "probing"
	case p.Stage == "climb" && p.Percent < 100:
		return fmt.Sprintf("climbing, %d %%", p.Percent)
	case p.Stage != "" && p.Percent < 100:
		return fmt.Sprintf("slowed, %d %%", p.Percent)
	}
	return "sending"
}

// scopeNotes says what holds up a page, or all of them, and how much of their allowances is used.
func scopeNotes(who, scope string, pause *pace.PauseStatus, usage int, budget, spent int64) (notes []string) {
	if pause != nil {
		notes = append(notes, stillness(who, scope, pause))
	}
	if usage > 0 {
		notes = append(notes, fmt.Sprintf("%s: %d %% of the platform's allowance is used", who, usage))
	}
	if budget > 0 {
		notes = append(notes, fmt.Sprintf("%s: %d of %d sends of the day's budget left", who, max(0, budget-spent), budget))
	}
	return notes
}

// stillness says why something does not send, and what to do about it.
func stillness(who, scope string, p *pace.PauseStatus) string {
	if p.Hold {
		return fmt.Sprintf("%s: on hold since %s: %s\n  when that is put right: sendpace page release %s",
			who, p.Since.UTC().Format("2006-01-02 15:04 MST"), p.Text, scope)
	}
	return fmt.Sprintf("%s: paused for another %s: %s", who, span(p.Left), p.Text)
}

// configured prints a rate. There is none before a worker has set the rates.
func configured(rate float64) string {
	if rate == 0 {
		return "-"
	}
	return perSecond(rate)
}

func eta(l pace.LineStatus) string {
	if l.ETA < 0 || l.Rate == 0 {
		return "-"
	}
	return span(l.ETA)
}

// span prints a duration as precisely as a person needs it.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "1s"
	case d < time.Hour:
		return short(d.Round(time.Second))
	case d < 48*time.Hour:
		return short(d.Round(time.Minute))
	}
	return fmt.Sprintf("%dd", int(d.Round(24*time.Hour).Hours()/24))
}

// short leaves the zeros at the end away: 2h for 2h0m0s.
func short(d time.Duration) string {
	s := strings.TrimSuffix(d.String(), "m0s")
	if s != d.String() {
		s += "m"
	}
	if h := strings.TrimSuffix(s, "h0m"); h != s {
		s = h + "h"
	}
	return s
}
