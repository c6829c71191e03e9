package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
)

const (
	// lastErrors is how many of the errors that jobs ended with are shown.
	lastErrors = 5
	// nextRetries is how many jobs that wait to be tried again are shown.
	nextRetries = 3
)

func (a *app) statusCommand() *cobra.Command {
	var watch, asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what waits, how fast it goes, and what stands still and why",
		Long: "status shows the workers, for each page and lane what waits, how long the first job has been waiting, the rate as\n" +
			"configured and now, and how long it will take, then what stops or slows pages, why the next jobs are tried again, and the\n" +
			"last errors. On a terminal --watch fills it, and shows first what needs a person. The rate now is that of the last 10 to 20\n" +
			"seconds, and a worker counts until it was silent for 10.",
		Example: "  sendpace status\n  sendpace status --watch\n  sendpace status --json | jq .totals",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRedis(cmd, func(ctx context.Context, _ *config.Config, rdb redis.UniversalClient) error {
				w := watcher{app: a, json: asJSON, read: func(ctx context.Context) (*fleetView, error) { return readFleet(ctx, rdb) }}
				if watch {
					return w.watch(ctx)
				}
				v, err := w.read(ctx)
				if err != nil {
					return err
				}
				return w.print(v)
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again each second, until Ctrl-C")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	a.queueFlags(cmd)
	return cmd
}

// fleetView is the status with what can be reckoned from it, and the last errors.
type fleetView struct {
	*pace.Status
	Totals totals `json:"totals"`
	// LastErrors are how the last jobs of the archive ended, the newest first, without the jobs.
	LastErrors []producer.Outcome `json:"last_errors"`
	// NextRetries are the jobs that are tried again first.
	NextRetries []producer.Retry `json:"next_retries"`
}

// totals are those of all pages.
type totals struct {
	Waiting  int64            `json:"waiting"`
	Rate     float64          `json:"rate_now"` // a second
	Outcomes map[string]int64 `json:"outcomes"`
}

func readFleet(ctx context.Context, rdb redis.UniversalClient) (*fleetView, error) {
	s, err := pace.ReadStatus(ctx, rdb, "")
	if err != nil {
		return nil, err
	}
	p, err := producer.New(rdb, producer.Config{})
	if err != nil {
		return nil, err
	}
	failed, err := p.Archived(ctx, lastErrors)
	if err != nil {
		return nil, err
	}
	for i := range failed {
		failed[i].Job, failed[i].Meta = nil, nil
	}
	retries, err := p.Retries(ctx, nextRetries)
	if err != nil {
		return nil, err
	}
	return &fleetView{Status: s, Totals: totalsOf(s), LastErrors: failed, NextRetries: retries}, nil
}

func totalsOf(s *pace.Status) totals {
	sum := totals{Outcomes: map[string]int64{}}
	for _, l := range s.Lines {
		sum.Waiting += l.Waiting
	}
	for _, p := range s.Pages {
		sum.Rate += p.Rate
		for name, n := range p.Outcomes {
			sum.Outcomes[name] += n
		}
	}
	return sum
}

// statusText lays the status out: the fleet, a table of pages and lanes, the totals, what there is to say about some pages, the next
// retries and the last errors.
func statusText(v *fleetView) string {
	parts := []string{fleetText(v.Status), render(statusTable(statusRows(v.Status))), totalsText(v)}
	if notes := statusNotes(v.Status); len(notes) > 0 {
		parts = append(parts, strings.Join(notes, "\n"))
	}
	for _, news := range statusNews(v) {
		parts = append(parts, strings.Join(news, "\n"))
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// statusNews are the retries that come next, and the last errors, each list below its title.
func statusNews(v *fleetView) (lists [][]string) {
	if len(v.NextRetries) > 0 {
		lists = append(lists, append([]string{"next retries (UTC)"}, retryLines(v.NextRetries)...))
	}
	if len(v.LastErrors) > 0 {
		lists = append(lists, append([]string{"last errors (UTC)"}, errorLines(v.LastErrors)...))
	}
	return lists
}

// fleetText says who works: how many, which versions, and who leads.
func fleetText(s *pace.Status) string {
	if len(s.Workers) == 0 {
		return "no worker runs"
	}
	versions, leader := map[string]int{}, ""
	for _, w := range s.Workers {
		if w.Version != "" {
			versions[w.Version]++
		}
		if w.Leads {
			leader = fmt.Sprintf(", led by %s (pid %d)", oneLine(w.Host), w.PID)
		}
	}
	var about []string
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		text := oneLine(version)
		if len(versions) > 1 {
			text = fmt.Sprintf("%d of %s", versions[version], text)
		}
		about = append(about, text)
	}
	text := plural(len(s.Workers), "worker")
	if len(about) > 0 {
		text += ", " + strings.Join(about, " and ")
	}
	return text + leader
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// statusRow is a line of the table of pages and lanes.
type statusRow struct {
	page    pace.PageStatus
	line    pace.LineStatus // no name: nothing waits
	state   string
	urgency int // what needs a person is above 1, what is idle 0
}

func statusRows(s *pace.Status) []statusRow {
	lines := linesByPage(s)
	var rows []statusRow
	for _, p := range s.Pages {
		state := pageState(p, s)
		urgency := stateUrgency(state)
		for _, l := range lines[p.ID] {
			rows = append(rows, statusRow{p, l, state, max(1, urgency)})
		}
		if len(lines[p.ID]) == 0 {
			rows = append(rows, statusRow{page: p, state: state, urgency: urgency})
		}
	}
	return rows
}

func statusTable(rows []statusRow) table.Writer {
	t := newTable("page", "lane", "waiting", "oldest", "rate", "now", "usage", "ETA", "state", "waits for")
	rightAlign(t, 3, 4, 5, 6, 7, 8)
	for _, r := range rows {
		l := r.line
		if l.PageID == "" {
			t.AppendRow(table.Row{r.page.ID, "-", 0, "-", configured(r.page.Temporary.Over(r.page.Configured).Page), rateOf(r.page), usageOf(r.page), "-", r.state, ""})
			continue
		}
		t.AppendRow(table.Row{r.page.ID, laneName(l), l.Waiting, oldest(l), configured(l.Rate), rateOf(r.page), usageOf(r.page), eta(l), r.state,
			l.Limit})
	}
	return t
}

func totalsText(v *fleetView) string {
	text := fmt.Sprintf("waiting %d   now %.1f/s   in hand %d   to be retried %d   scheduled %d   archived %d",
		v.Totals.Waiting, v.Totals.Rate, v.Active, v.Retrying, v.Scheduled, v.Archived)
	var ended []string
	for _, kind := range outcomeKinds {
		if n := v.Totals.Outcomes[string(kind)]; n > 0 {
			ended = append(ended, fmt.Sprintf("%s %d", kind, n))
		}
	}
	if len(ended) > 0 {
		text += "\n" + strings.Join(ended, "   ")
	}
	return text
}

// statusNotes say what stops or slows the fleet or pages, and what to do.
func statusNotes(s *pace.Status) []string {
	var notes []string
	if len(s.Workers) == 0 && !s.Done() {
		notes = append(notes, "no worker runs\n  start one: sendpace worker")
	}
	if !s.Halted.IsZero() {
		notes = append(notes, "all pages: the queue is paused in asynq since "+stamp(s.Halted)+" UTC\n  "+resumeQueue)
	}
	for _, note := range shardNotes(s) {
		notes = append(notes, note+"\n  "+resumeQueue)
	}
	notes = append(notes, scopeNotes("all pages", pace.App, s.App, s.AppUsage, s.AppBudget, s.AppSpent)...)
	for _, p := range s.Pages {
		notes = append(notes, scopeNotes("page "+p.ID, p.ID, p.Pause, p.Usage, p.Configured.Budget, p.Spent)...)
		if p.Temporary != nil {
			notes = append(notes, hurried(p.ID, *p.Temporary, p.Temporary.Until.Sub(s.At)))
		}
	}
	return notes
}

// resumeQueue is what to do about a queue that is paused in asynq.
const resumeQueue = "resume it in sendpace monitor --read-write, under Jobs"

// shardNotes say which shards are paused in asynq while others are not.
func shardNotes(s *pace.Status) []string {
	if !s.Halted.IsZero() {
		return nil
	}
	pages, since := map[string]int{}, map[string]time.Time{}
	for _, p := range s.Pages {
		if !p.Halted.IsZero() {
			pages[p.Queue]++
			since[p.Queue] = p.Halted
		}
	}
	var notes []string
	for _, queue := range slices.Sorted(maps.Keys(pages)) {
		notes = append(notes, fmt.Sprintf("%s of the queue %s: it is paused in asynq since %s UTC",
			plural(pages[queue], "page"), queue, stamp(since[queue])))
	}
	return notes
}

// errorLines show how jobs ended, without the job.
func errorLines(outcomes []producer.Outcome) []string {
	lines := make([]string, len(outcomes))
	for i, o := range outcomes {
		lines[i] = fmt.Sprintf("%s  page %s  %s: %s", stamp(o.EndedAt), o.PageID, o.Kind, oneLine(o.Reason))
	}
	return lines
}

// retryLines show why jobs are tried again, without the job.
func retryLines(retries []producer.Retry) []string {
	lines := make([]string, len(retries))
	for i, r := range retries {
		lines[i] = fmt.Sprintf("%s  page %s  %s: %s", stamp(r.At), r.PageID, failedText(r.Attempts), oneLine(r.Reason))
	}
	return lines
}

func laneName(l pace.LineStatus) string {
	if l.Broadcast != "" {
		return string(l.Lane) + " @" + l.Broadcast
	}
	return strings.TrimSpace(string(l.Lane) + " " + string(l.Side))
}

// rateOf prints the rate that the page has now.
func rateOf(p pace.PageStatus) string { return strconv.FormatFloat(p.Rate, 'f', 1, 64) + "/s" }

func usageOf(p pace.PageStatus) string {
	if p.Usage == 0 {
		return "-"
	}
	return fmt.Sprintf("%d %%", p.Usage)
}

func oldest(l pace.LineStatus) string {
	if l.Oldest <= 0 {
		return "-"
	}
	return span(l.Oldest)
}

// States of a page, as pageState says them.
const (
	stateHeld    = "on hold"
	statePaused  = "paused"
	stateHalted  = "halted"
	stateNobody  = "no worker"
	stateSpent   = "budget used up"
	stateSending = "sending"
)

// stateUrgency is how much a state needs a person: 3 for what lasts until one acts, 2 for what goes by, 0 for none.
func stateUrgency(state string) int {
	switch state {
	case stateHeld, stateHalted, stateNobody:
		return 3
	case stateSending:
		return 0
	}
	return 2
}

func pageState(p pace.PageStatus, s *pace.Status) string {
	var held, paused bool
	for _, pause := range []*pace.PauseStatus{p.Pause, s.App} {
		held = held || (pause != nil && pause.Hold)
		paused = paused || pause != nil
	}
	switch {
	case !s.Halted.IsZero(), !p.Halted.IsZero():
		return stateHalted
	case held:
		return stateHeld
	case paused:
		return statePaused
	case len(s.Workers) == 0:
		return stateNobody
	case spent(p):
		return stateSpent
	case p.Stage == "probe":
		return "probing"
	case p.Stage == "climb" && p.Percent < 100:
		return fmt.Sprintf("climbing, %d %%", p.Percent)
	case p.Stage != "" && p.Percent < 100:
		return fmt.Sprintf("slowed, %d %%", p.Percent)
	}
	return stateSending
}

// spent is true for a page whose sends of 24 hours are used up.
func spent(p pace.PageStatus) bool { return p.Configured.Budget > 0 && p.Spent >= p.Configured.Budget }

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
		since := p.Since.UTC().Format("2006-01-02 15:04 MST")
		return fmt.Sprintf("%s: on hold since %s: %s\n  %s", who, since, oneLine(p.Text), endOfHold(scope, p))
	}
	return fmt.Sprintf("%s: paused for another %s: %s", who, span(p.Left), oneLine(p.Text))
}

// endOfHold says what ends a hold.
func endOfHold(scope string, p *pace.PauseStatus) string {
	release := "sendpace page release " + scope
	switch {
	case p.MissingToken:
		return "give the workers a token for it (pages in the configuration): it goes on by itself then"
	case p.TokenMark != "":
		return adviceOnCode(p.Code, p.Subcode) + ". The page goes on by itself then; " + release + " tries the one that is there"
	case p.Code != 0:
		return adviceOnCode(p.Code, p.Subcode) + "; then: " + release
	}
	return "when that is put right: " + release
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
