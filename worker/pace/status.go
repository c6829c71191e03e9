package pace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

// Status is what a fleet has to do and how fast it may.
type Status struct {
	// At is the Redis server's time.
	At time.Time `json:"at"`
	// Workers are those that gave a sign of life within the last 10 seconds.
	Workers []WorkerInfo `json:"workers,omitempty"`
	// Lines are the lines that have jobs, by name.
	Lines []LineStatus `json:"lines"`
	// Pages are the pages that have lines, rates of their own, outcomes or a pause, by id.
	Pages []PageStatus `json:"pages"`
	// App is the pause of all pages, nil if there is none.
	App *PauseStatus `json:"app_pause,omitempty"`
	// AppUsage is the use of the app's allowance that the platform named last, in percent; 0 if it named none in the last five
	// minutes. AppBudget and AppSpent are the sends of 24 hours that are allowed and that were made; 0 if there is no limit.
	// AppUsageAt is when it did.
	AppUsage   int       `json:"app_usage,omitempty"`
	AppUsageAt time.Time `json:"app_usage_at,omitzero"`
	AppBudget  int64     `json:"app_budget,omitempty"`
	AppSpent   int64     `json:"app_spent,omitempty"`
	// Halted is when an operator paused the queue in asynq, which stops all pages; zero if it is not paused, or if that of another
	// shard sends.
	Halted time.Time `json:"halted,omitzero"`
	// Active jobs are in the hands of workers; Pending ones come from no line and are next; Retrying and Scheduled ones wait
	// for a time; Archived ones failed. All counts and lines of a shard are of one moment.
	Pending   int64 `json:"pending"`
	Active    int64 `json:"active"`
	Retrying  int64 `json:"retrying"`
	Scheduled int64 `json:"scheduled"`
	Archived  int64 `json:"archived"`

	queue string // of the shard
}

// Done is true if no job is left that could still be sent.
func (s *Status) Done() bool {
	return len(s.Lines) == 0 && s.Pending+s.Active+s.Retrying+s.Scheduled == 0
}

// LineStatus is one line.
type LineStatus struct {
	Name   string        `json:"name"`
	PageID string        `json:"page_id"`
	Lane   producer.Lane `json:"lane"`
	// Side says what the jobs of a side line wait for: "media" and "reply" the rate of their class, "later" the spacing of
	// their conversation. It is empty for the line of the lane itself, and for one of a broadcast.
	Side producer.Side `json:"side,omitempty"`
	// Broadcast is whose line it is; empty for all others.
	Broadcast string `json:"broadcast,omitempty"`
	Waiting   int64  `json:"waiting"`
	// Rate is the rate of the lane and class, a second, as configured or for a time: the lowest of those that hold for all jobs of the
	// line.
	Rate float64 `json:"rate"`
	// Oldest is how long the first job of the line has been waiting since it was enqueued, or came due.
	Oldest time.Duration `json:"oldest_ns"`
	// Limit is what the next job waits for: a rate (page, bulk, media, replies), thread, budget, app budget, order (another message
	// to its recipient goes first), broadcast (it is paused, its time has not come, or the pace chosen for it), probe, pause, hold,
	// or halted. Next is when that lets it go; zero if that is not known.
	Limit string    `json:"limit"`
	Next  time.Time `json:"next,omitzero"`
	// ETA is how long the line takes to empty if it has its page to itself, and sends all the time, with the time that a temporary rate
	// has left, and at the pace that the page's stage and usage allow; below zero on a page that is held or halted, of a broadcast that
	// is paused, and while no worker is alive. Lines that wait for a start, a window or a budget take that much longer.
	ETA time.Duration `json:"eta_ns"`
}

// PageStatus is one page.
type PageStatus struct {
	ID string `json:"id"`
	// Queue is the asynq queue of the page's shard, and Halted is when an operator paused that in asynq; zero if it is not paused.
	Queue  string    `json:"queue"`
	Halted time.Time `json:"halted,omitzero"`
	// Rate is the rate now, over all lanes: the slots of the last 10 to 20 seconds, a second; 0 as soon as nothing may be sent.
	Rate       float64 `json:"rate_now"`
	Configured Rates   `json:"configured"`
	// Temporary are rates that hold in place of the configured ones for a time; nil if there are none.
	Temporary *Temporary `json:"temporary,omitempty"`
	// Stage is "steady", "probe" while one job goes ahead after a pause, or "climb" on the way back to the rates.
	// StageScope is "page", or "app" if it is the stage of all pages; StageEnd is when a climb is over, or until when the answer to
	// a probe is waited for; zero if there is no such time.
	Stage      string    `json:"stage"`
	StageScope string    `json:"stage_scope,omitempty"`
	StageEnd   time.Time `json:"stage_end,omitzero"`
	// Percent is how much of the rates may be used now; less than 100 in a climb and as usage nears its limit.
	Percent int `json:"percent"`
	// Usage is the use of the page's allowance that the platform named last, in percent; 0 if it named none in the last five
	// minutes. UsageAt is when it did.
	Usage   int       `json:"usage,omitempty"`
	UsageAt time.Time `json:"usage_at,omitzero"`
	// Spent are the sends of the last 24 hours that count against Configured.Budget; 0 if there is no budget.
	Spent int64        `json:"spent,omitempty"`
	Pause *PauseStatus `json:"pause,omitempty"`
	// Outcomes counts the jobs that ended, by outcome, since the queue was made.
	Outcomes map[string]int64 `json:"outcomes,omitempty"`
}

// PauseStatus is a pause, or a hold.
type PauseStatus struct {
	Reason
	// Left is how long it lasts; zero for a hold, which lasts until it is released.
	Left time.Duration `json:"left_ns"`
	Hold bool          `json:"hold"`
}

// ReadStatus reads the status of a queue. An empty queue name means [producer.DefaultQueue].
func ReadStatus(ctx context.Context, rdb redis.UniversalClient, queue string) (*Status, error) {
	shards, each, err := eachShard(ctx, rdb, queue, func(r statusReader) (*Status, error) { return r.read(ctx) })
	if err != nil {
		return nil, fmt.Errorf("pace: status: %w", err)
	}
	return mergeStatus(shards, each), nil
}

type statusReader struct {
	rdb  redis.UniversalClient
	keys rediskeys.Keys
}

// read asks what there is, then for the rates, and then for each line and page, in one transaction. If a line came up in between
// the second is made again, so that a job on its way from one place to the next is always seen in one of them.
func (r statusReader) read(ctx context.Context) (*Status, error) {
	pipe := r.rdb.Pipeline()
	now := pipe.Time(ctx)
	lines := pipe.SMembers(ctx, r.keys.Groups())
	rated := pipe.SMembers(ctx, r.keys.RatedPages())
	outcomes := pipe.HGetAll(ctx, r.keys.Outcomes())
	beats, told := pipe.ZRangeWithScores(ctx, r.keys.Workers(), 0, -1), pipe.HGetAll(ctx, r.keys.WorkersInfo())
	leader, halted := pipe.Get(ctx, r.keys.Lookout()), pipe.Get(ctx, r.keys.Paused())
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	rates, err := r.rates(ctx, rated.Val())
	if err != nil {
		return nil, err
	}
	if err := r.loadExplain(ctx); err != nil {
		return nil, err
	}
	names := lines.Val()
	for {
		lookout, _, _ := strings.Cut(leader.Val(), " ")
		s := &Status{
			At: now.Val(), Workers: alive(now.Val(), beats.Val(), told.Val()), Halted: haltedAt(halted),
			Lines: []LineStatus{}, Pages: []PageStatus{}, queue: r.keys.Queue,
		}
		for i, w := range s.Workers {
			s.Workers[i].Leads = w.ID == lookout
		}
		found, err := r.details(ctx, s, names, rates, countsByPage(outcomes.Val()))
		if err != nil {
			return nil, err
		}
		known := len(names)
		names = append(names, found...)
		slices.Sort(names)
		if names = slices.Compact(names); len(names) == known {
			return s, nil
		}
	}
}

// haltedAt reads when asynq paused its queue (asynq v0.26.0, internal/rdb/inspect.go, Pause): in unix seconds.
func haltedAt(cmd *redis.StringCmd) time.Time {
	if cmd.Err() != nil {
		return time.Time{}
	}
	seconds, _ := cmd.Int64() // whatever it holds, the queue is paused
	return time.Unix(seconds, 0).UTC()
}

// details fills in s, and returns the names of the lines that there were at that moment.
func (r statusReader) details(
	ctx context.Context, s *Status, names []string, rates rateTable, counts map[string]map[string]int64,
) ([]string, error) {
	slices.Sort(names)
	pipe := r.rdb.TxPipeline()
	found := pipe.SMembers(ctx, r.keys.Groups())
	pending, active := pipe.LLen(ctx, r.keys.Pending()), pipe.LLen(ctx, r.keys.Active())
	retrying, scheduled := pipe.ZCard(ctx, r.keys.Retry()), pipe.ZCard(ctx, r.keys.Scheduled())
	archived := pipe.ZCard(ctx, r.keys.Archived())
	var asked []pageCmds
	lines := linesByPage(names)
	for _, id := range pageIDs(lines, rates, counts) {
		asked = append(asked, r.askPage(ctx, pipe, id, lines[id], rates.known))
	}
	app := r.askPause(ctx, pipe, App)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	s.Pending, s.Active, s.Retrying = pending.Val(), active.Val(), retrying.Val()
	s.Scheduled, s.Archived = scheduled.Val(), archived.Val()
	s.App, s.AppBudget = app.status(), rates.appBudget
	for _, q := range asked {
		if err := q.fill(s, rates, counts[q.id]); err != nil {
			return nil, err
		}
	}
	return found.Val(), nil
}

// pageCmds are the questions about one page.
type pageCmds struct {
	figureCmds
	id  string
	why *redis.Cmd // nil before a worker has set the rates
}

func (r statusReader) askPage(ctx context.Context, pipe redis.Pipeliner, id string, lines []string, known bool) pageCmds {
	q := pageCmds{figureCmds: r.askFigures(ctx, pipe, id, lines), id: id}
	if known {
		q.why = r.explain(ctx, pipe, id, lines)
	}
	return q
}

// fill adds the page and its lines to the status.
func (q pageCmds) fill(s *Status, rates rateTable, outcomes map[string]int64) error {
	e, err := readExplanation(q.why)
	if err != nil {
		return err
	}
	page := PageStatus{
		ID: q.id, Rate: rateNow(q.slots.Val(), s.At), Configured: rates.of(q.id), Pause: q.pause.status(), Outcomes: outcomes,
		Temporary: readTemporary(q.brief.Val(), rates.margin, s.At), Stage: e.stage, StageScope: e.stageScope, StageEnd: e.stageEnd,
		Percent: e.percent, Spent: e.spent, Queue: s.queue, Halted: s.Halted,
	}
	if s.App != nil || page.Pause != nil || !s.Halted.IsZero() || len(s.Workers) == 0 {
		page.Rate = 0
	}
	if e.usage > 0 {
		page.Usage, page.UsageAt = e.usage, e.usageAt
	}
	s.Pages = append(s.Pages, page)
	if s.AppUsage, s.AppSpent = e.appUsage, e.appSpent; e.appUsage > 0 {
		s.AppUsageAt = e.appUsageAt
	}
	for i, name := range q.lines {
		if n := q.count[i].Val(); n > 0 {
			line := lineStatus(name, n, rates.margin, e.limit(i), page, s)
			line.Oldest = waitOfFirst(q.first[i].Val(), s.At)
			s.Lines = append(s.Lines, line)
		}
	}
	return nil
}

func lineStatus(name string, n int64, margin float64, by binding, page PageStatus, s *Status) LineStatus {
	line := splitLine(name)
	l := LineStatus{
		Name: name, PageID: page.ID, Lane: line.Lane, Side: line.Side, Broadcast: line.Broadcast,
		Waiting: n, Limit: by.limit, Next: by.next,
	}
	usual := l.lowest(page.Configured)
	l.Rate = l.lowest(page.Temporary.Over(page.Configured))
	switch {
	case !s.Halted.IsZero():
		l.ETA, l.Limit, l.Next = -1, "halted", time.Time{}
		return l
	case len(s.Workers) == 0:
		l.ETA = -1
		return l
	}
	var left time.Duration
	if l.Limit == "broadcast" || l.Limit == "budget" || l.Limit == "app budget" {
		left = max(0, l.Next.Sub(s.At))
	}
	for _, p := range []*PauseStatus{page.Pause, s.App} {
		switch {
		case p == nil:
		case p.Hold:
			l.ETA, l.Limit = -1, "hold"
			return l
		default:
			left = max(left, p.Left)
		}
	}
	if l.Limit == "broadcast" && l.Next.IsZero() { // a person decides
		l.ETA = -1
		return l
	}
	jobs := float64(n) / (1 - margin)
	var sending time.Duration
	if t := page.Temporary; t != nil && usual > 0 {
		// The time that the rate has left behind the pause, and what is sent in it.
		brief := max(0, t.Until.Sub(s.At)-left).Seconds()
		sent := min(jobs, brief*l.Rate)
		jobs, sending = jobs-sent, time.Duration(sent/l.Rate*float64(time.Second))
	}
	if usual > 0 {
		sending += time.Duration(jobs / usual * float64(time.Second))
	}
	l.ETA = left + page.Slowed(sending, s.At)
	return l
}

// Slowed is how long it takes from now on, at the pace that the page's stage and usage allow, to send what takes d at its rates.
func (p PageStatus) Slowed(d time.Duration, now time.Time) time.Duration {
	const start, climb = 0.25, time.Minute // see limits.lua
	share, left := float64(p.Percent)/100, time.Duration(0)
	switch p.Stage {
	case "probe":
		share, left = start, climb
	case "climb":
		left = max(0, p.StageEnd.Sub(now))
	}
	if share <= 0 || share >= 1 {
		return d
	}
	if left == 0 {
		return time.Duration(float64(d) / share)
	}
	// The share grows to 1 in the time that is left, in which as much is sent as at the rates in (1+share)/2 of it.
	if sent := time.Duration(float64(left) * (1 + share) / 2); d > sent {
		return left + d - sent
	}
	growth := (1 - share) / left.Seconds()
	return time.Duration((math.Sqrt(share*share+2*growth*d.Seconds()) - share) / growth * float64(time.Second))
}

// lowest is the lowest of the rates that hold for all jobs of the line.
func (l LineStatus) lowest(of Rates) float64 {
	rate := of.Page
	if l.Lane == producer.LaneBulk {
		rate = min(rate, of.Bulk)
	}
	if l.Side == producer.SideMedia {
		rate = min(rate, of.Media)
	}
	if l.Side == producer.SideReply && of.Replies > 0 {
		rate = min(rate, of.Replies)
	}
	return rate
}

// splitLine reads a line's name as parse_line does: a group that is no line counts as a bulk line of a page of that name.
func splitLine(name string) producer.Line {
	if line, ok := producer.ParseLine(name); ok {
		return line
	}
	return producer.Line{PageID: name, Lane: producer.LaneBulk}
}

func linesByPage(names []string) map[string][]string {
	lines := map[string][]string{}
	for _, name := range names {
		page := splitLine(name).PageID
		lines[page] = append(lines[page], name)
	}
	return lines
}

// pageIDs are all pages that there is something to say about.
func pageIDs(lines map[string][]string, rates rateTable, counts map[string]map[string]int64) []string {
	ids := slices.AppendSeq(slices.Collect(maps.Keys(lines)), maps.Keys(rates.pages))
	ids = slices.AppendSeq(ids, maps.Keys(counts))
	slices.Sort(ids)
	return slices.Compact(ids)
}

// countsByPage splits the fields '<page>:<outcome>'.
func countsByPage(fields map[string]string) map[string]map[string]int64 {
	counts := map[string]map[string]int64{}
	for field, text := range fields {
		page, outcome, ok := strings.Cut(field, ":")
		n, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || page == "" {
			continue
		}
		if counts[page] == nil {
			counts[page] = map[string]int64{}
		}
		counts[page][outcome] = n
	}
	return counts
}

// rateNow is the number of slots in this ten seconds and the ten before, over their length. See charge in limits.lua.
func rateNow(slots string, now time.Time) float64 {
	f := strings.Fields(slots)
	if len(f) != 7 {
		return 0
	}
	span, _ := strconv.ParseInt(f[4], 10, 64)
	count, _ := strconv.ParseFloat(f[5], 64)
	before, _ := strconv.ParseFloat(f[6], 64)
	const length = 10
	at := float64(now.UnixMicro()) / 1e6
	switch into := at - float64(span*length); {
	case into < length:
		return (before + count) / (length + max(0, into))
	case into < 2*length:
		return count / into
	}
	return 0
}
