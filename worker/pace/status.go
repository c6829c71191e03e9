package pace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	// Lines are the lines that have jobs, by name.
	Lines []LineStatus `json:"lines"`
	// Pages are the pages that have lines, rates of their own, outcomes or a pause, by id.
	Pages []PageStatus `json:"pages"`
	// App is the pause of all pages, nil if there is none.
	App *PauseStatus `json:"app_pause,omitempty"`
	// Active jobs are in the hands of workers; Pending ones come from no line and are next; Retrying and Scheduled ones wait
	// for a time; Archived ones failed. All counts and lines are of one moment.
	Pending   int64 `json:"pending"`
	Active    int64 `json:"active"`
	Retrying  int64 `json:"retrying"`
	Scheduled int64 `json:"scheduled"`
	Archived  int64 `json:"archived"`
}

// Done is true if no job is left that could still be sent.
func (s *Status) Done() bool {
	return len(s.Lines) == 0 && s.Pending+s.Active+s.Retrying+s.Scheduled == 0
}

// LineStatus is one line.
type LineStatus struct {
	Name    string        `json:"name"`
	PageID  string        `json:"page_id"`
	Lane    producer.Lane `json:"lane"`
	Media   bool          `json:"media,omitempty"`
	Waiting int64         `json:"waiting"`
	// Rate is the configured rate of the limit that binds the line, a second.
	Rate float64 `json:"rate"`
	// ETA is how long the line takes to empty if it has its page to itself; below zero on a page that is held.
	ETA time.Duration `json:"eta_ns"`
}

// PageStatus is one page.
type PageStatus struct {
	ID string `json:"id"`
	// Rate is the rate now, over all lanes: the slots of the last 10 to 20 seconds, a second.
	Rate       float64      `json:"rate_now"`
	Configured Rates        `json:"configured"`
	Pause      *PauseStatus `json:"pause,omitempty"`
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
	if queue == "" {
		queue = producer.DefaultQueue
	}
	r := statusReader{rdb: rdb, keys: rediskeys.Keys{Queue: queue}}
	s, err := r.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("pace: status: %w", err)
	}
	return s, nil
}

type statusReader struct {
	rdb  redis.UniversalClient
	keys rediskeys.Keys
}

// read takes two round trips: what there is, and then each line and page, in one transaction. If a line came up in between
// the second is made again, so that a job on its way from one place to the next is always seen in one of them.
func (r statusReader) read(ctx context.Context) (*Status, error) {
	pipe := r.rdb.Pipeline()
	now := pipe.Time(ctx)
	lines := pipe.SMembers(ctx, r.keys.Groups())
	rates := pipe.HGetAll(ctx, r.keys.Rates())
	outcomes := pipe.HGetAll(ctx, r.keys.Outcomes())
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	names := lines.Val()
	for {
		s := &Status{At: now.Val()}
		found, err := r.details(ctx, s, names, newRateTable(rates.Val()), countsByPage(outcomes.Val()))
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

// details fills in s, and returns the names of the lines that there were at that moment.
func (r statusReader) details(
	ctx context.Context, s *Status, names []string, rates rateTable, counts map[string]map[string]int64,
) ([]string, error) {
	slices.Sort(names)
	pipe := r.rdb.TxPipeline()
	found := pipe.SMembers(ctx, r.keys.Groups())
	pending, active := pipe.LLen(ctx, r.keys.Pending()), pipe.LLen(ctx, r.keys.Active())
	retrying := pipe.ZCard(ctx, r.keys.Retry())
	scheduled := pipe.ZCard(ctx, r.keys.Scheduled())
	archived := pipe.ZCard(ctx, r.keys.Archived())
	waiting := make([]*redis.IntCmd, len(names))
	for i, name := range names {
		waiting[i] = pipe.ZCard(ctx, r.keys.Line(name))
	}
	pages := pageIDs(names, rates, counts)
	slots, pauses := make([]*redis.StringCmd, len(pages)), make([]pauseCmds, len(pages))
	for i, id := range pages {
		slots[i], pauses[i] = pipe.Get(ctx, r.keys.Slots(id)), r.askPause(ctx, pipe, id)
	}
	app := r.askPause(ctx, pipe, App)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	s.Pending, s.Active, s.Retrying = pending.Val(), active.Val(), retrying.Val()
	s.Scheduled, s.Archived = scheduled.Val(), archived.Val()
	s.App = app.status()
	paused := map[string]*PauseStatus{}
	for i, id := range pages {
		paused[id] = pauses[i].status()
		s.Pages = append(s.Pages, PageStatus{
			ID: id, Rate: rateNow(slots[i].Val(), s.At), Configured: rates.of(id), Pause: paused[id], Outcomes: counts[id],
		})
	}
	for i, name := range names {
		if n := waiting[i].Val(); n > 0 {
			line, _ := producer.ParseLine(name)
			s.Lines = append(s.Lines, lineStatus(name, line, n, rates, paused[line.PageID], s.App))
		}
	}
	return found.Val(), nil
}

func lineStatus(name string, l producer.Line, n int64, rates rateTable, pauses ...*PauseStatus) LineStatus {
	of := rates.of(l.PageID)
	rate := of.Page
	if l.Lane == producer.LaneBulk {
		rate = min(rate, of.Bulk)
	}
	if l.Side == producer.SideMedia {
		rate = min(rate, of.Media)
	}
	s := LineStatus{Name: name, PageID: l.PageID, Lane: l.Lane, Media: l.Side == producer.SideMedia, Waiting: n, Rate: rate}
	if rate > 0 {
		s.ETA = time.Duration(float64(n) / (rate * (1 - rates.margin)) * float64(time.Second))
	}
	var left time.Duration
	for _, p := range pauses {
		switch {
		case p == nil:
		case p.Hold:
			s.ETA = -1
			return s
		default:
			left = max(left, p.Left)
		}
	}
	s.ETA += left
	return s
}

// pageIDs are all pages that there is something to say about.
func pageIDs(names []string, rates rateTable, counts map[string]map[string]int64) []string {
	var ids []string
	for _, name := range names {
		line, ok := producer.ParseLine(name)
		if ok {
			ids = append(ids, line.PageID)
		}
	}
	for id := range rates.pages {
		ids = append(ids, id)
	}
	for id := range counts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// pauseCmds are the two questions about a pause.
type pauseCmds struct {
	why  *redis.StringCmd
	left *redis.DurationCmd
}

func (r statusReader) askPause(ctx context.Context, pipe redis.Pipeliner, scope string) pauseCmds {
	return pauseCmds{pipe.Get(ctx, r.keys.Pause(scope)), pipe.PTTL(ctx, r.keys.Pause(scope))}
}

func (c pauseCmds) status() *PauseStatus {
	if c.why.Err() != nil {
		return nil
	}
	s := &PauseStatus{Left: max(0, c.left.Val()), Hold: c.left.Val() == -1}
	if json.Unmarshal([]byte(c.why.Val()), &s.Reason) != nil {
		s.Text = "(the reason cannot be read)"
	}
	return s
}

// rateTable is what SetRates wrote.
type rateTable struct {
	margin float64
	others Rates
	pages  map[string]Rates
}

func newRateTable(fields map[string]string) rateTable {
	t := rateTable{pages: map[string]Rates{}}
	t.margin, _ = strconv.ParseFloat(fields["margin"], 64)
	for id, text := range fields {
		switch id {
		case "margin":
		case "default":
			t.others = decodeRates(text, t.margin)
		default:
			t.pages[id] = decodeRates(text, t.margin)
		}
	}
	return t
}

func (t rateTable) of(page string) Rates {
	if r, ok := t.pages[page]; ok {
		return r
	}
	return t.others
}

// decodeRates turns the intervals back into the rates as configured, to the precision that they have.
func decodeRates(text string, margin float64) Rates {
	var us [3]float64
	for i, f := range strings.Fields(text) {
		if i < len(us) {
			us[i], _ = strconv.ParseFloat(f, 64)
		}
	}
	rate := func(us float64) float64 {
		if us == 0 {
			return 0
		}
		r := 1e6 / us / (1 - margin)
		digits := math.Pow(10, 3-math.Ceil(math.Log10(r)))
		return math.Round(r*digits) / digits
	}
	return Rates{Page: rate(us[0]), Bulk: rate(us[1]), Media: rate(us[2])}
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

// rateNow is the number of slots in this ten seconds and the ten before, over their length. See load_slots in lib.lua.
func rateNow(slots string, now time.Time) float64 {
	f := strings.Fields(slots)
	if len(f) != 6 {
		return 0
	}
	span, _ := strconv.ParseInt(f[3], 10, 64)
	count, _ := strconv.ParseFloat(f[4], 64)
	before, _ := strconv.ParseFloat(f[5], 64)
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
