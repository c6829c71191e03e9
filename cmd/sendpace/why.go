package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/worker/pace"
)

func (a *app) whyCommand() *cobra.Command {
	group := &cobra.Command{Use: "why", Short: "Say what holds a page or a job back, until when, and what would change it"}
	group.AddCommand(a.whyJobCommand(), a.whyPageCommand())
	return group
}

func (a *app) whyPageCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "page PAGE_ID",
		Short: "Say what holds a page back",
		Long: "page names all that stops or slows a page: what stops all pages, a pause or hold, a probe or climb after one, usage,\n" +
			"budgets, and for each of its lines the limit that the next job waits for; since and until when, and what to type.",
		Example: "  sendpace why page 1001\n  sendpace why page 1001 --json",
		Args:    onePage,

		ValidArgsFunction: onlyFirst(a.completePages()),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRedis(cmd, func(ctx context.Context, _ *config.Config, rdb redis.UniversalClient) error {
				s, err := pace.ReadStatus(ctx, rdb, "")
				if err != nil {
					return err
				}
				v, err := findPage(s, args[0])
				if err != nil {
					return err
				}
				mailings, err := readMailings(ctx, rdb, v.Lines)
				if err != nil {
					return err
				}
				w := whyPage(s, v, mailings)
				if asJSON {
					return a.printJSON(w)
				}
				_, err = fmt.Fprint(a.stdout, w.text(s.At))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	a.queueFlags(cmd)
	return cmd
}

// obstacle is one thing that stops or slows something.
type obstacle struct {
	What  string    `json:"what"`
	Since time.Time `json:"since,omitzero"`
	// Until is when it ends by itself; zero if that is not known, or if it does not.
	Until time.Time `json:"until,omitzero"`
	// Stops is true for what lets nothing through, false for what only sets the pace.
	Stops bool `json:"stops"`
	// Change is what would end it: mostly a command to type.
	Change string `json:"change,omitempty"`
}

// text shows an obstacle as of now.
func (c obstacle) text(now time.Time) string {
	var b strings.Builder
	b.WriteString(c.What)
	line := func(name, value string) { fmt.Fprintf(&b, "\n  %-7s %s", name, value) }
	if !c.Since.IsZero() {
		line("since", stamp(c.Since)+" UTC, "+span(max(0, now.Sub(c.Since)))+" ago")
	}
	switch {
	case c.Until.After(now):
		line("until", stamp(c.Until)+" UTC, in "+span(c.Until.Sub(now)))
	case !c.Until.IsZero():
		line("until", "now")
	}
	if c.Change != "" {
		line("change", c.Change)
	}
	return b.String()
}

// answer is what why says of a page or a job.
type answer struct {
	About string `json:"about"`
	State string `json:"state"`
	// Before is what happened when a job was tried that is on its way again; empty if it was not.
	Before    string     `json:"before,omitempty"`
	Obstacles []obstacle `json:"obstacles"`
}

func (w answer) text(now time.Time) string {
	parts := []string{w.About + ": " + w.State}
	if w.Before != "" {
		parts = append(parts, w.Before)
	}
	for _, c := range w.Obstacles {
		parts = append(parts, c.text(now))
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// mailings are the broadcasts that have a line at a page, by name.
type mailings map[string]*broadcast.Status

// readMailings reads the broadcasts of lines. One that only jobs know of, which were enqueued with its name, is not among them.
func readMailings(ctx context.Context, rdb redis.UniversalClient, lines []pace.LineStatus) (mailings, error) {
	found := mailings{}
	for _, l := range lines {
		if l.Broadcast == "" || found[l.Broadcast] != nil {
			continue
		}
		c, err := broadcast.New(rdb, broadcast.Config{})
		if err != nil {
			return nil, err
		}
		b, err := c.Status(ctx, l.Broadcast)
		switch {
		case err == nil:
			found[l.Broadcast] = b
		case !errors.Is(err, broadcast.ErrNotFound):
			return nil, err
		}
	}
	return found, nil
}

func whyPage(s *pace.Status, v pageView, known mailings) answer {
	n, until := v.waiting()
	state := fmt.Sprintf("%s; %d waiting, %s, ETA %s", v.State, n, rateOf(v.PageStatus), until)
	if n == 0 {
		state = v.State + "; nothing waits"
		if s.Retrying > 0 { // they are not known by page
			state += fmt.Sprintf(" in line; to be retried, of all pages: %d", s.Retrying)
		}
	}
	return answer{About: "page " + v.ID, State: state, Obstacles: pageObstacles(s, v, known)}
}

// pageObstacles are all that stops or slows a page, what stops all pages first.
func pageObstacles(s *pace.Status, v pageView, known mailings) []obstacle {
	obstacles := append(fleetObstacles(s), slowObstacles(s, v.PageStatus)...)
	for _, l := range v.Lines {
		if c, ok := broadcastObstacle(s, l, known[l.Broadcast]); ok {
			c.What = fmt.Sprintf("%s: %d wait, ", laneName(l), l.Waiting) + c.What
			obstacles = append(obstacles, c)
			if c.Stops || l.Limit == "broadcast" {
				continue
			}
		}
		if c, ok := lineObstacle(s, v, l); ok {
			obstacles = append(obstacles, c)
		}
	}
	if obstacles == nil {
		obstacles = []obstacle{}
	}
	return obstacles
}

// fleetObstacles are what stops all pages.
func fleetObstacles(s *pace.Status) []obstacle {
	var obstacles []obstacle
	if len(s.Workers) == 0 {
		obstacles = append(obstacles, obstacle{What: "no worker is alive", Stops: true, Change: "sendpace worker"})
	}
	if !s.Halted.IsZero() {
		obstacles = append(obstacles, obstacle{
			What: "the queue is paused in asynq", Since: s.Halted, Stops: true, Change: resumeQueue,
		})
	}
	return obstacles
}

// slowObstacles are what stops or slows all lines of a page.
func slowObstacles(s *pace.Status, p pace.PageStatus) []obstacle {
	var obstacles []obstacle
	if s.Halted.IsZero() && !p.Halted.IsZero() {
		obstacles = append(obstacles, obstacle{
			What: "the queue " + p.Queue + " of the page is paused in asynq", Since: p.Halted, Stops: true, Change: resumeQueue,
		})
	}
	if s.App != nil {
		obstacles = append(obstacles, stopObstacle(s, pace.App, s.App))
	}
	if p.Pause != nil {
		obstacles = append(obstacles, stopObstacle(s, p.ID, p.Pause))
	}
	if p.Pause == nil && s.App == nil {
		obstacles = append(obstacles, stageObstacles(p)...)
	} else if spent(p) { // what the lines wait for is the pause
		obstacles = append(obstacles, obstacle{
			What:  fmt.Sprintf("the page's %d sends of 24 hours are used up", p.Configured.Budget),
			Stops: true, Change: "daily_budget of the page in the configuration",
		})
	}
	if t := p.Temporary; t != nil {
		obstacles = append(obstacles, obstacle{
			What: "its rates are set for a time: " + ratesText(*t), Until: t.Until, Change: "sendpace page rate " + p.ID + " --reset",
		})
	}
	const slowFrom, news = 80, 5 * time.Minute // see limits.lua
	usage := func(who string, percent int, at time.Time) {
		if percent > slowFrom {
			obstacles = append(obstacles, obstacle{
				What:  fmt.Sprintf("%s uses %d %% of the platform's allowance, so the pace is at %d %%", who, percent, p.Percent),
				Since: at, Until: at.Add(news), Change: "less to send, or wait: the platform's next answer tells how much is used then",
			})
		}
	}
	usage("the page", p.Usage, p.UsageAt)
	usage("the app", s.AppUsage, s.AppUsageAt)
	return obstacles
}

func stopObstacle(s *pace.Status, scope string, p *pace.PauseStatus) obstacle {
	c := obstacle{What: scopeName(scope) + " paused: " + oneLine(p.Text), Since: p.Since, Stops: true}
	switch {
	case p.Hold:
		c.What = scopeName(scope) + " on hold: " + oneLine(p.Text)
		c.Change = endOfHold(scope, p)
	case p.Code != 0:
		c.Until, c.Change = s.At.Add(p.Left), "wait: the platform refuses more before, and may stop it for longer"
	default:
		c.Until, c.Change = s.At.Add(p.Left), "sendpace page resume "+scope
	}
	return c
}

// stageObstacles are those of the way back to the rates after a pause.
func stageObstacles(p pace.PageStatus) []obstacle {
	who := "the page"
	if p.StageScope == pace.App {
		who = "all pages"
	}
	switch {
	case p.Stage == "probe" && !p.StageEnd.IsZero():
		return []obstacle{{
			What: "after a pause of " + who + " one message went ahead, and its answer is waited for", Until: p.StageEnd, Stops: true,
			Change: "wait: with the answer the pace climbs",
		}}
	case p.Stage == "probe":
		return []obstacle{{What: "after a pause of " + who + " one message goes ahead: the next one", Change: "wait: with its answer the pace climbs"}}
	case p.Stage == "climb" && p.Percent < 100:
		return []obstacle{{
			What:  fmt.Sprintf("after a pause of %s the pace climbs, and is at %d %%", who, p.Percent),
			Until: p.StageEnd, Change: "wait; worker.adaptive: false does without the climb",
		}}
	}
	return nil
}

// broadcastObstacle is what a broadcast does to its line. ok is false if that is nothing, and where
// there is no broadcast.
func broadcastObstacle(s *pace.Status, l pace.LineStatus, b *broadcast.Status) (c obstacle, ok bool) {
	switch {
	case b == nil:
		return c, false
	case b.State == broadcast.StatePaused:
		c.What, c.Stops = "and the broadcast is paused: "+oneLine(b.Why), true
		c.Change = "sendpace broadcast resume " + l.Broadcast
	case b.State == broadcast.StateLoading:
		c.What, c.Stops = "and the broadcast is not stored whole yet", true
		c.Change = "wait; if it was interrupted, type its sendpace broadcast start again"
	case b.WaitsUntil.After(s.At):
		c.What, c.Until, c.Stops = "and the broadcast's time has not come", b.WaitsUntil, true
		if b.Window != "" {
			c.What = "and the broadcast sends in its window alone, " + b.Window
		}
		c.Change = "wait; sendpace broadcast cancel " + l.Broadcast + " gives it up"
	case b.State == broadcast.StateTesting:
		c.What = fmt.Sprintf("and the broadcast's test share of %d people goes first", b.Test)
		c.Change = "wait: the others follow by themselves, unless too many of it fail; sendpace broadcast status " + l.Broadcast
	case l.Limit == "broadcast":
		c.What, c.Until = "and the broadcast keeps to a pace of its own", l.Next
		c.Change = "wait: it is as slow as its --finish-by allows"
	default:
		return c, false
	}
	return c, true
}

// lineObstacle is what the next job of a line waits for. ok is false where the obstacles of the page say it.
func lineObstacle(s *pace.Status, v pageView, l pace.LineStatus) (c obstacle, ok bool) {
	c = obstacle{Until: l.Next}
	waits := fmt.Sprintf("%s: %d wait", laneName(l), l.Waiting)
	change := func(flag string) string { return "sendpace page rate " + v.ID + " --" + flag + " RATE --for 2h" }
	rates := v.Temporary.Over(v.Configured)
	switch l.Limit {
	case "pause", "hold", "halted", "probe", "":
		return c, false
	case "page", "bulk", "media", "replies":
		c.What = waits + " for " + rateName(l.Limit, rates)
		c.Since, c.Until, c.Change = begun(s, l), time.Time{}, change(l.Limit)
		if l.Limit == "page" {
			c.Change = change("rate")
		}
		if l.Limit == "replies" {
			c.Change = "replies_per_hour in the configuration; the platform allows 750"
		}
		if wait := l.Next.Sub(s.At); wait >= 2*time.Second {
			c.What += ", the next for another " + span(wait)
		}
		if l.ETA >= 0 {
			c.Until = s.At.Add(max(l.ETA, v.sharedETA(linesThatWaitAs(v, l))))
		}
	case "thread":
		c.What = fmt.Sprintf("%s for the spacing of their conversations, %v", waits, v.Configured.Thread)
		c.Change = "thread_interval in the configuration"
	case "order":
		c.What = waits + ", each behind another message to the same person"
		c.Change = "wait: they go when that one has ended; sendpace why job ID says which it is"
	case "broadcast":
		name := l.Broadcast
		c.What, c.Change = waits+" for the broadcast's own pace, start or window", "sendpace broadcast status "+name
		if l.Next.IsZero() {
			c.What, c.Stops = waits+", and the broadcast does not send", true
			c.Change = "sendpace broadcast status " + name + " says why; sendpace broadcast resume " + name
		}
	case "budget":
		c.What = fmt.Sprintf("%s: the page's %d sends of 24 hours are used up", waits, v.Configured.Budget)
		c.Stops, c.Change = true, "daily_budget of the page in the configuration"
	case "app budget":
		c.What = waits + ": the sends of 24 hours of all pages are used up"
		c.Stops, c.Change = true, "app.daily_budget in the configuration"
	default:
		c.What = waits + " for: " + l.Limit
	}
	return c, true
}

// rateName names a rate that jobs wait for.
func rateName(limit string, rates pace.Rates) string {
	switch limit {
	case "bulk":
		return "the bulk rate of " + configured(rates.Bulk)
	case "media":
		return "the media rate of " + configured(rates.Media)
	case "replies":
		return fmt.Sprintf("the rate of private replies, %.3g an hour", 3600*rates.Replies)
	}
	return "the page's rate of " + configured(rates.Page)
}

// linesThatWaitAs are the lines that share a line's rate now. A broadcast that is paused, or whose time has not come, takes no part.
func linesThatWaitAs(v pageView, l pace.LineStatus) []pace.LineStatus {
	if l.Limit != "bulk" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.Lines), func(other pace.LineStatus) bool { return other.Limit != l.Limit })
}

// begun is since when the first job of a line has been waiting; zero if that is not known.
func begun(s *pace.Status, l pace.LineStatus) time.Time {
	if l.Oldest <= 0 {
		return time.Time{}
	}
	return s.At.Add(-l.Oldest)
}
