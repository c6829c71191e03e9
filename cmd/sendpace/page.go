package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
)

func (a *app) pageCommand() *cobra.Command {
	group := &cobra.Command{Use: "page", Short: "Look at pages, stop them, and let them go on"}
	group.AddCommand(
		a.pageCheckCommand(), a.pageHoldCommand(), a.pageListCommand(), a.pagePauseCommand(), a.pageRateCommand(), a.pageReleaseCommand(),
		a.pageResumeCommand(), a.pageShowCommand(),
	)
	return group
}

// onePage makes sure that a command has one page id.
func onePage(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misuse(cmd.CommandPath()+" 1001", "%s takes one page id, but got %d arguments", name(cmd), len(args))
	}
	return nil
}

// checkPageID makes sure that a page can have that id.
func checkPageID(id string) error {
	if !producer.IsPageID(id) {
		return misuse("sendpace page list shows the pages", "%q is no page id: it has 1 to 32 digits", oneLine(id))
	}
	return nil
}

// checkPage makes sure that there can be such a page.
func checkPage(cfg *config.Config, id string) error {
	if err := checkPageID(id); err != nil {
		return err
	}
	if _, known := cfg.Page(id); len(cfg.Pages) > 0 && !known {
		return misuse("sendpace config check lists the pages", "page %s is not configured", id)
	}
	return nil
}

func (a *app) pageListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show all pages, one a line: what waits, how fast it goes, and what stops it",
		Example: "  sendpace page list\n  sendpace page list --json | jq 'select(.pause).id'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStatus(cmd, func(s *pace.Status) error {
				if !asJSON {
					_, err := fmt.Fprintln(a.stdout, render(pageTable(s)))
					return err
				}
				for _, p := range s.Pages {
					if err := a.printJSON(pageViewOf(s, p)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one page a line")
	a.queueFlags(cmd)
	return cmd
}

// withStatus runs a command that shows something of the status.
func (a *app) withStatus(cmd *cobra.Command, show func(*pace.Status) error) error {
	return a.withRedis(cmd, func(ctx context.Context, _ *config.Config, rdb redis.UniversalClient) error {
		s, err := pace.ReadStatus(ctx, rdb, "")
		if err != nil {
			return err
		}
		return show(s)
	})
}

// pageView is a page as JSON, with its lines.
type pageView struct {
	pace.PageStatus
	State    string            `json:"state"`
	Lines    []pace.LineStatus `json:"lines"`
	AppPause *pace.PauseStatus `json:"app_pause,omitempty"`
	at       time.Time
}

func pageViewOf(s *pace.Status, p pace.PageStatus) pageView {
	v := pageView{PageStatus: p, State: pageState(p, s), Lines: []pace.LineStatus{}, AppPause: s.App, at: s.At}
	for _, l := range s.Lines {
		if l.PageID == p.ID {
			v.Lines = append(v.Lines, l)
		}
	}
	return v
}

// waiting is how many jobs of the page wait, and until how long they take; "-" if that is not known.
func (v pageView) waiting() (n int64, until string) {
	known, longest := len(v.Lines) > 0, time.Duration(0)
	for _, l := range v.Lines {
		n += l.Waiting
		known = known && l.ETA >= 0 && l.Rate > 0
		longest = max(longest, l.ETA)
	}
	if !known {
		return n, "-"
	}
	return n, span(max(longest, v.sharedETA(v.Lines)))
}

// sharedETA is how long those of the lines take that share the pace of the bulk lane, from when the first of them may send.
func (v pageView) sharedETA(lines []pace.LineStatus) time.Duration {
	var sum time.Duration
	wait := time.Duration(math.MaxInt64)
	for _, l := range lines {
		if l.Lane == producer.LaneBulk && l.Side == "" {
			alone := time.Duration(float64(l.Waiting) / l.Rate * float64(time.Second))
			sum, wait = sum+alone, min(wait, max(0, l.ETA-v.Slowed(alone, v.at)))
		}
	}
	if sum == 0 {
		return 0
	}
	return v.Slowed(sum, v.at) + wait
}

func pageTable(s *pace.Status) table.Writer {
	t := newTable("page", "state", "waiting", "rate", "bulk", "now", "usage", "ETA", "why")
	rightAlign(t, 3, 4, 5, 6, 7, 8)
	lines := linesByPage(s)
	for _, p := range s.Pages {
		v := pageView{PageStatus: p, Lines: lines[p.ID], at: s.At}
		n, until := v.waiting()
		r := p.Temporary.Over(p.Configured)
		t.AppendRow(table.Row{p.ID, pageState(p, s), n, configured(r.Page), configured(r.Bulk), rateOf(p), usageOf(p), until,
			whyStopped(p, s)})
	}
	return t
}

// whyStopped is the reason that the page does not send; empty if it does.
func whyStopped(p pace.PageStatus, s *pace.Status) string {
	const longest = 60 // characters, so that the table stays one
	if pageState(p, s) == stateHalted {
		return "the queue " + p.Queue + " is paused in asynq"
	}
	for _, pause := range []*pace.PauseStatus{s.App, p.Pause} {
		if pause != nil {
			text := []rune(oneLine(pause.Text))
			if len(text) > longest {
				return string(text[:longest-1]) + "…"
			}
			return string(text)
		}
	}
	return ""
}

func linesByPage(s *pace.Status) map[string][]pace.LineStatus {
	lines := map[string][]pace.LineStatus{}
	for _, l := range s.Lines {
		lines[l.PageID] = append(lines[l.PageID], l)
	}
	return lines
}

func (a *app) pageShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show PAGE_ID",
		Short:   "Show all about a page: rates, lines, usage, and what stops it",
		Example: "  sendpace page show 1001\n  sendpace page show 1001 --json",
		Args:    onePage,

		ValidArgsFunction: onlyFirst(a.completePages()),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStatus(cmd, func(s *pace.Status) error {
				v, err := findPage(s, args[0])
				switch {
				case err != nil:
					return err
				case asJSON:
					return a.printJSON(v)
				}
				_, err = fmt.Fprint(a.stdout, pageText(v))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	a.queueFlags(cmd)
	return cmd
}

func findPage(s *pace.Status, id string) (pageView, error) {
	for _, p := range s.Pages {
		if p.ID == id {
			return pageViewOf(s, p), nil
		}
	}
	return pageView{}, failure("sendpace page list shows those that there are; those of the configuration show once a worker has run",
		"nothing is known of page %s: it has no job and no rates", oneLine(id))
}

func pageText(v pageView) string {
	t := newTable("page", v.ID)
	row := func(name, format string, args ...any) { t.AppendRow(table.Row{name, fmt.Sprintf(format, args...)}) }
	row("state", "%s", v.State)
	row("rate now", "%s", rateOf(v.PageStatus))
	if r := v.Configured; r.Page > 0 {
		row("rate", "%s", configured(r.Page))
		row("bulk rate", "%s", configured(r.Bulk))
		row("media rate", "%s", configured(r.Media))
		if r.Replies > 0 {
			row("private replies", "%.3g an hour", 3600*r.Replies)
		}
		if r.Thread > 0 {
			row("to one person", "one each %s", r.Thread)
		}
	}
	for _, outcome := range outcomeKinds {
		if n := v.Outcomes[string(outcome)]; n > 0 {
			row(string(outcome), "%d", n)
		}
	}
	text := render(t) + "\n"
	if len(v.Lines) > 0 {
		text += "\n" + render(lineTable(v.Lines)) + "\n"
	}
	var notes []string
	if !v.Halted.IsZero() {
		notes = append(notes, "the queue "+v.Queue+" is paused in asynq since "+stamp(v.Halted)+" UTC\n  "+resumeQueue)
	}
	notes = append(notes, scopeNotes("all pages", pace.App, v.AppPause, 0, 0, 0)...)
	notes = append(notes, scopeNotes("page "+v.ID, v.ID, v.Pause, v.Usage, v.Configured.Budget, v.Spent)...)
	if v.Temporary != nil {
		notes = append(notes, hurried(v.ID, *v.Temporary, v.Temporary.Until.Sub(v.at)))
	}
	if len(notes) > 0 {
		text += "\n" + strings.Join(notes, "\n") + "\n"
	}
	return text
}

func lineTable(lines []pace.LineStatus) table.Writer {
	t := newTable("lane", "waiting", "oldest", "rate", "ETA", "waits for")
	rightAlign(t, 2, 3, 4, 5)
	for _, l := range lines {
		t.AppendRow(table.Row{laneName(l), l.Waiting, oldest(l), configured(l.Rate), eta(l), l.Limit})
	}
	return t
}
