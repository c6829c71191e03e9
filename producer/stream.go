package producer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxRecords bounds what is read in one round trip.
	maxRecords = 1000
	// longestBlock bounds how long Redis is asked to wait for a record: a call in Redis does not notice that its context has ended.
	longestBlock = time.Second
)

// Record is one entry of the stream of outcomes, or a gap in it.
type Record struct {
	// ID is the entry's place in the stream, "<milliseconds>-<number>"; empty for a gap between two entries.
	ID string
	// Outcome is how a job ended; the zero value for a gap.
	Outcome Outcome
	// Gap says that records are missing here, nil if none are.
	Gap *Gap
}

// Gap is why there are records that cannot be read. The jobs themselves have ended.
type Gap struct {
	// Reason is for a person. It names the records as far as they are known.
	Reason string
}

// ReadOutcomes reads up to count records, 1 to 1,000, that follow the one with the id after; an empty id means the oldest that
// is kept. If there is none it waits for one, for up to wait, or until ctx ends; no record is no error. Where records after that
// id are not kept any more, the first record is a gap.
//
// It keeps no state: use [Producer.Outcomes] where every record must be dealt with.
func (p *Producer) ReadOutcomes(ctx context.Context, after string, count int, wait time.Duration) ([]Record, error) {
	if after == "" {
		after = "0-0"
	}
	if _, err := parseStreamID(after); err != nil {
		return nil, fmt.Errorf("outcomes: %w", err)
	}
	if count < 1 || count > maxRecords {
		return nil, fmt.Errorf("outcomes: count %d: must be from 1 to %d", count, maxRecords)
	}
	for end := time.Now().Add(wait); ; {
		records, err := p.readOutcomes(ctx, after, count)
		left := time.Until(end)
		switch {
		case err != nil:
			return nil, fmt.Errorf("outcomes: %w", err)
		case len(records) > 0 || left <= 0 || over(ctx):
			return records, nil
		}
		if err := p.awaitOutcome(ctx, after, min(left, longestBlock)); err != nil && !over(ctx) {
			return nil, fmt.Errorf("outcomes: %w", err)
		}
	}
}

// LastOutcomeID is the id of the newest record, for [Producer.ReadOutcomes] to read those that follow; "0-0" if there is none.
func (p *Producer) LastOutcomeID(ctx context.Context) (string, error) {
	last, err := p.rdb.XRevRangeN(ctx, p.keys.Stream(), "+", "-", 1).Result()
	switch {
	case err != nil:
		return "", fmt.Errorf("outcomes: %w", err)
	case len(last) == 0:
		return "0-0", nil
	}
	return last[0].ID, nil
}

// readOutcomes reads what there is, and whether something is missing before it, at one moment.
func (p *Producer) readOutcomes(ctx context.Context, after string, count int) ([]Record, error) {
	tx := p.rdb.TxPipeline()
	oldest := tx.XRangeN(ctx, p.keys.Stream(), "-", "+", 1)
	found := tx.XRead(ctx, &redis.XReadArgs{Streams: []string{p.keys.Stream(), after}, Count: int64(count), Block: -1})
	if _, err := tx.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	messages := messagesOf(found)
	records, err := gapBefore(after, oldest.Val())
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	for _, m := range messages {
		records = append(records, recordOf(m))
	}
	return records, nil
}

// awaitOutcome returns when there is a record behind the one with the id after, or d has passed.
func (p *Producer) awaitOutcome(ctx context.Context, after string, d time.Duration) error {
	err := p.rdb.XRead(ctx, &redis.XReadArgs{
		Streams: []string{p.keys.Stream(), after}, Count: 1, Block: max(d, time.Millisecond), // 0 would be for ever
	}).Err()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// over is true once ctx has ended.
func over(ctx context.Context) bool { return ctx.Err() != nil }

func messagesOf(cmd *redis.XStreamSliceCmd) []redis.XMessage {
	if streams := cmd.Val(); len(streams) > 0 {
		return streams[0].Messages
	}
	return nil
}

func recordOf(m redis.XMessage) Record {
	r := Record{ID: m.ID}
	body, ok := m.Values["o"].(string)
	if !ok {
		r.Gap = &Gap{Reason: "record " + m.ID + " was dropped before it was dealt with: the stream keeps too few"}
	} else if err := json.Unmarshal([]byte(body), &r.Outcome); err != nil {
		r.Outcome, r.Gap = Outcome{}, &Gap{Reason: "record " + m.ID + " cannot be read: it is no outcome"}
	}
	return r
}

// gapBefore returns a gap if the stream's oldest entry is behind the one that was read last: Redis drops the oldest, so those
// between may have been dropped too. It cannot know of the case that there was none between.
func gapBefore(last string, oldest []redis.XMessage) ([]Record, error) {
	if len(oldest) == 0 {
		return nil, nil
	}
	seen, err := parseStreamID(last)
	if err != nil {
		return nil, err
	}
	first, err := parseStreamID(oldest[0].ID)
	if err != nil {
		return nil, err
	}
	if seen == (streamID{}) || !seen.before(first) {
		return nil, nil
	}
	reason := fmt.Sprintf("records between %s and %s, if there were any, are not kept any more: the stream keeps too few", last, oldest[0].ID)
	return []Record{{Gap: &Gap{Reason: reason}}}, nil
}

// streamID is a place in a stream.
type streamID struct{ ms, n uint64 }

func parseStreamID(s string) (id streamID, err error) {
	ms, n, found := strings.Cut(s, "-")
	if id.ms, err = strconv.ParseUint(ms, 10, 64); err == nil && found {
		id.n, err = strconv.ParseUint(n, 10, 64)
	}
	if err != nil {
		return streamID{}, fmt.Errorf("%q is no id of a record; it looks like 1767225600000-0", s)
	}
	return id, nil
}

func (id streamID) before(other streamID) bool {
	return id.ms < other.ms || id.ms == other.ms && id.n < other.n
}
