package pace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
)

// Figures are what monitoring asks for again and again. They are less than [Status] and cost Redis less: no script, and four
// short commands a page and two a line, in pieces between which others have their turn. So they are not of one moment.
type Figures struct {
	// At is the Redis server's time.
	At time.Time
	// Workers is how many gave a sign of life within the last 10 seconds.
	Workers int
	// Pending, Active, Retrying, Scheduled and Archived are as in [Status].
	Pending, Active, Retrying, Scheduled, Archived int64
	// App is the pause of all pages, nil if there is none.
	App *PauseStatus
	// Pages are those that Status has, by id.
	Pages []PageFigures
}

// PageFigures are those of one page.
type PageFigures struct {
	ID string
	// Lanes are the page's lanes that have waiting jobs.
	Lanes map[producer.Lane]LaneFigures
	// Rate is as in [PageStatus].
	Rate float64
	// Allowed are the configured limits, with the rates that stand in for some of them for a time.
	Allowed Rates
	// Pause is nil if there is none.
	Pause *PauseStatus
}

// LaneFigures are those of the lines of a lane.
type LaneFigures struct {
	Waiting int64
	// Oldest is how long the first job of the lines has been waiting since it was enqueued, or came due.
	Oldest time.Duration
}

// figuresPiece is how many pages are asked for at once.
const figuresPiece = 500

// ReadFigures reads the figures of a queue. An empty queue name means [producer.DefaultQueue].
func ReadFigures(ctx context.Context, rdb redis.UniversalClient, queue string) (*Figures, error) {
	shards, each, err := eachShard(ctx, rdb, queue, func(r statusReader) (*Figures, error) { return r.figures(ctx) })
	if err != nil {
		return nil, fmt.Errorf("pace: figures: %w", err)
	}
	return mergeFigures(shards, each), nil
}

func (r statusReader) figures(ctx context.Context) (*Figures, error) {
	pipe := r.rdb.Pipeline()
	now, beats := pipe.Time(ctx), pipe.ZRangeWithScores(ctx, r.keys.Workers(), 0, -1)
	told := pipe.HGetAll(ctx, r.keys.WorkersInfo())
	groups, rated := pipe.SMembers(ctx, r.keys.Groups()), pipe.SMembers(ctx, r.keys.RatedPages())
	outcomes := pipe.HGetAll(ctx, r.keys.Outcomes())
	pending, active := pipe.LLen(ctx, r.keys.Pending()), pipe.LLen(ctx, r.keys.Active())
	retrying, scheduled := pipe.ZCard(ctx, r.keys.Retry()), pipe.ZCard(ctx, r.keys.Scheduled())
	archived, app := pipe.ZCard(ctx, r.keys.Archived()), r.askPause(ctx, pipe, App)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	rates, err := r.rates(ctx, rated.Val())
	if err != nil {
		return nil, err
	}
	f := &Figures{
		At: now.Val(), Workers: len(alive(now.Val(), beats.Val(), told.Val())), App: app.status(),
		Pending: pending.Val(), Active: active.Val(), Retrying: retrying.Val(), Scheduled: scheduled.Val(), Archived: archived.Val(),
	}
	lines := linesByPage(groups.Val())
	for ids := range slices.Chunk(pageIDs(lines, rates, countsByPage(outcomes.Val())), figuresPiece) {
		if err := r.pageFigures(ctx, f, ids, lines, rates); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// pageFigures adds the figures of these pages.
func (r statusReader) pageFigures(
	ctx context.Context, f *Figures, ids []string, lines map[string][]string, rates rateTable,
) error {
	pipe := r.rdb.Pipeline()
	asked := make([]figureCmds, len(ids))
	for i, id := range ids {
		asked[i] = r.askFigures(ctx, pipe, id, lines[id])
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for i, id := range ids {
		f.Pages = append(f.Pages, asked[i].figures(id, f.At, rates))
	}
	return nil
}

// figureCmds are the questions about one page that are cheap.
type figureCmds struct {
	slots *redis.StringCmd
	brief *redis.StringCmd // temporary rates
	pause pauseCmds
	lines []string
	count []*redis.IntCmd
	first []*redis.ZSliceCmd
}

func (r statusReader) askFigures(ctx context.Context, pipe redis.Pipeliner, id string, lines []string) figureCmds {
	q := figureCmds{
		slots: pipe.Get(ctx, r.keys.Slots(id)), brief: pipe.Get(ctx, r.keys.Temporary(id)), pause: r.askPause(ctx, pipe, id), lines: lines,
	}
	for _, name := range lines {
		q.count = append(q.count, pipe.ZCard(ctx, r.keys.Line(name)))
		q.first = append(q.first, pipe.ZRangeWithScores(ctx, r.keys.Line(name), 0, 0))
	}
	return q
}

func (q figureCmds) figures(id string, now time.Time, rates rateTable) PageFigures {
	p := PageFigures{
		ID: id, Lanes: map[producer.Lane]LaneFigures{}, Rate: rateNow(q.slots.Val(), now), Pause: q.pause.status(),
		Allowed: readTemporary(q.brief.Val(), rates.margin, now).Over(rates.of(id)),
	}
	for i, name := range q.lines {
		if n := q.count[i].Val(); n > 0 {
			lane := splitLine(name).Lane
			of := p.Lanes[lane]
			of.Waiting += n
			of.Oldest = max(of.Oldest, waitOfFirst(q.first[i].Val(), now))
			p.Lanes[lane] = of
		}
	}
	return p
}

// waitOfFirst is how long the first job of a line has been waiting: since it was made, or since it joined the line, if that was
// later, as that of a scheduled job is. The score of a job that came back or stepped aside says nothing.
func waitOfFirst(first []redis.Z, now time.Time) time.Duration {
	if len(first) == 0 {
		return 0
	}
	id, _ := first[0].Member.(string)
	since := time.Unix(int64(first[0].Score), 0)
	if made, ok := producer.IDTime(id); ok && (made.After(since) || since.After(now)) {
		since = made
	}
	if since.Unix() == 0 {
		return 0
	}
	return max(0, now.Sub(since))
}
