package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer/broadcast"
)

// The size of a plot in the terminal, in signs.
const (
	plotWidth  = 70
	plotHeight = 8
)

func (a *app) broadcastStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status NAME",
		Short:   "Show how far a broadcast is, how fast it goes, and when it will be done",
		Example: "  sendpace broadcast status spring-sale",
		Args:    oneName,

		ValidArgsFunction: onlyFirst(a.completeBroadcasts),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withBroadcasts(cmd, nil, func(ctx context.Context, c *broadcast.Client) error {
				s, err := c.Status(ctx, args[0])
				switch {
				case err != nil:
					return err
				case asJSON:
					return a.printJSON(s)
				}
				_, err = fmt.Fprintln(a.stdout, broadcastText(s, time.Now()))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	a.queueFlags(cmd)
	return cmd
}

// broadcastText shows all of a broadcast.
func broadcastText(s *broadcast.Status, now time.Time) string {
	t := newTable("broadcast", s.Name)
	row := func(name, value string) {
		if value != "" {
			t.AppendRow(table.Row{name, oneLine(value)})
		}
	}
	moment := func(name string, at time.Time) {
		if !at.IsZero() {
			row(name+" (UTC)", stamp(at))
		}
	}
	row("page", s.PageID)
	row("state", string(s.State))
	row("why", s.Why)
	row("people", fmt.Sprint(s.People))
	if s.State == broadcast.StateLoading {
		row("stored", fmt.Sprint(s.Stored))
	}
	for _, c := range broadcastCounts(s) {
		row(c.name, fmt.Sprint(c.n))
	}
	if s.Rate > 0 {
		row("lately", fmt.Sprintf("%.3g/s", s.Rate))
	}
	row("window", s.Window)
	moment("created", s.Created)
	moment("not before", s.Start)
	moment("waits until", s.WaitsUntil)
	moment("finish by", s.FinishBy)
	moment("not after", s.ExpiresAt)
	moment("ended", s.Ended)
	if !s.ETA.IsZero() {
		row("expected end (UTC)", stamp(s.ETA)+", in "+span(max(0, s.ETA.Sub(now))))
	}
	if s.Late > 0 {
		row("NOT REACHED IN TIME", fmt.Sprintf("%d people", s.Late))
	}
	return render(t)
}

type namedCount struct {
	name string
	n    int
}

func broadcastCounts(s *broadcast.Status) []namedCount {
	return []namedCount{
		{"sent", s.Sent}, {"failed", s.Failed}, {"unknown", s.Unknown}, {"expired", s.Expired}, {"cancelled", s.Cancelled},
		{"not yet", s.Left()},
	}
}

func (a *app) broadcastListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show all broadcasts, the newest first",
		Long: "list shows the broadcasts that go on, and those that ended within the last 90 days. Other are the\n" +
			"people whose message expired, was cancelled, or may not have arrived.",
		Example: "  sendpace broadcast list\n  sendpace broadcast list --json | jq -r 'select(.state == \"paused\").name'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withBroadcasts(cmd, nil, func(ctx context.Context, c *broadcast.Client) error {
				list, err := c.List(ctx)
				if err != nil {
					return err
				}
				return a.showBroadcasts(list, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	a.queueFlags(cmd)
	return cmd
}

func (a *app) showBroadcasts(list []*broadcast.Status, asJSON bool) error {
	t := newTable("broadcast", "page", "created (UTC)", "state", "people", "sent", "failed", "other", "not yet")
	rightAlign(t, 5, 6, 7, 8, 9)
	for _, s := range list {
		if asJSON {
			if err := a.printJSON(s); err != nil {
				return err
			}
			continue
		}
		other := s.Unknown + s.Expired + s.Cancelled
		t.AppendRow(table.Row{s.Name, s.PageID, stamp(s.Created), s.State, s.People, s.Sent, s.Failed, other, s.Left()})
	}
	if asJSON {
		return nil
	}
	_, err := fmt.Fprintln(a.stdout, render(t))
	return err
}

func (a *app) broadcastReportCommand() *cobra.Command {
	var asJSON bool
	var file string
	cmd := &cobra.Command{
		Use:   "report NAME",
		Short: "Show what became of a broadcast: sent, failed and why, and the rate over time",
		Long:  "report may be asked for at any time; a broadcast is known for 90 days after its end. The HTML file needs no network.",
		Example: "  sendpace broadcast report spring-sale\n" +
			"  sendpace broadcast report spring-sale --html spring-sale.html",
		Args: oneName,

		ValidArgsFunction: onlyFirst(a.completeBroadcasts),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withBroadcasts(cmd, nil, func(ctx context.Context, c *broadcast.Client) error {
				r, err := c.Report(ctx, args[0])
				if err != nil {
					return err
				}
				return a.showReport(r, file, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&file, "html", "", "write an HTML page to this `file`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	a.queueFlags(cmd)
	return cmd
}

func (a *app) showReport(r *broadcast.Report, file string, asJSON bool) error {
	if file != "" {
		return a.writeReport(r, file)
	}
	if asJSON {
		return a.printJSON(r)
	}
	_, err := fmt.Fprintln(a.stdout, reportText(r))
	return err
}

func (a *app) writeReport(r *broadcast.Report, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return failure("check --html", "%s: %w", path, cause(err))
	}
	if err := errors.Join(r.WriteHTML(f), f.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s is written\n", path)
	return err
}

// reportText is the report for a terminal.
func reportText(r *broadcast.Report) string {
	parts := []string{broadcastText(r.Status, r.At)}
	if len(r.Reasons) > 0 {
		t := newTable("people", "code", "reason")
		rightAlign(t, 1, 2)
		for _, reason := range r.Reasons {
			t.AppendRow(table.Row{reason.Count, codeText(reason.Code, reason.Subcode), oneLine(reason.Text)})
		}
		parts = append(parts, "Why messages failed\n\n"+render(t))
	}
	if len(r.Course) > 0 {
		parts = append(parts, courseText(r))
	}
	return strings.Join(parts, "\n\n")
}

// courseText plots the rate over time.
func courseText(r *broadcast.Report) string {
	rates := make([]float64, len(r.Course))
	for i, p := range r.Course {
		rates[i] = float64(p.Sent) / r.Step.Seconds()
	}
	if len(rates) == 1 {
		rates = append(rates, rates[0]) // a line needs two points
	}
	end := r.Course[len(r.Course)-1].At.Add(r.Step)
	return fmt.Sprintf("Messages sent a second, from %s to %s (UTC)\n\n%s", stamp(r.Course[0].At), stamp(end),
		asciigraph.Plot(rates, asciigraph.Height(plotHeight), asciigraph.Width(plotWidth), asciigraph.LowerBound(0), asciigraph.Precision(1)))
}
