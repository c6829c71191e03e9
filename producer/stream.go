package producer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	// ID is the entry's place in the stream, "<milliseconds>-<number>"; empty for a gap between two entries. Where [Producer.ReadOutcomes]
	// reads the streams of several [Shards], it is the place that it has come to in each, with commas between them.
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
	if count < 1 || count > maxRecords {
		return nil, fmt.Errorf("outcomes: count %d: must be from 1 to %d", count, maxRecords)
	}
	sp, err := p.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("outcomes: %w", err)
	}
	from, err := sp.places(after)
	if err != nil {
		return nil, fmt.Errorf("outcomes: %w", err)
	}
	for end := time.Now().Add(wait); ; {
		records, err := sp.readOutcomes(ctx, from, count)
		left := time.Until(end)
		switch {
		case err != nil:
			return nil, fmt.Errorf("outcomes: %w", err)
		case len(records) > 0 || left <= 0 || over(ctx):
			return records, nil
		}
		if err := sp.awaitOutcome(ctx, from, left); err != nil && !over(ctx) {
			return nil, fmt.Errorf("outcomes: %w", err)
		}
	}
}

// places reads the id of a record: its place in the stream of each shard. One place, as a time is, stands for all of them.
func (sp *spread) places(id string) ([]string, error) {
	if id == "" {
		id = "0-0"
	}
	places := strings.Split(id, ",")
	for _, place := range places {
		if _, err := parseStreamID(place); err != nil {
			return nil, err
		}
	}
	switch len(places) {
	case len(sp.shards):
		return places, nil
	case 1:
		return slices.Repeat(places, len(sp.shards)), nil
	}
	return nil, fmt.Errorf("%q is the id of a record of %d shards, and there are %d", id, len(places), len(sp.shards))
}

// readOutcomes reads what there is in all streams, in the order of their times.
func (sp *spread) readOutcomes(ctx context.Context, from []string, count int) ([]Record, error) {
	if len(sp.shards) == 1 {
		return sp.shards[0].readOutcomes(ctx, from[0], count)
	}
	at := slices.Clone(from)
	waiting := make([][]Record, len(sp.shards))
	for i, s := range sp.shards {
		var err error
		if waiting[i], err = s.readOutcomes(ctx, at[i], count); err != nil {
			return nil, err
		}
	}
	var records []Record
	for entries := 0; entries < count; { // gaps beside them, as from one stream: behind a gap alone nobody could read on
		first := -1
		for i, of := range waiting {
			if len(of) > 0 && (first < 0 || of[0].before(waiting[first][0])) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		r := waiting[first][0]
		waiting[first] = waiting[first][1:]
		if r.ID != "" {
			at[first] = r.ID
			r.ID = strings.Join(at, ",")
			entries++
		}
		records = append(records, r)
	}
	return records, nil
}

// before is true if r is to come before the record of another stream: gaps first.
func (r Record) before(other Record) bool {
	if r.ID == "" || other.ID == "" {
		return r.ID == "" && other.ID != ""
	}
	a, _ := parseStreamID(r.ID) // Redis made both
	b, _ := parseStreamID(other.ID)
	return a.before(b)
}

// lookEvery is how often several streams are looked at: Redis can wait for a record of one alone.
const lookEvery = 100 * time.Millisecond

// awaitOutcome returns when there may be a record behind those places, or left has passed.
func (sp *spread) awaitOutcome(ctx context.Context, from []string, left time.Duration) error {
	if len(sp.shards) == 1 {
		return sp.shards[0].awaitOutcome(ctx, from[0], min(left, longestBlock))
	}
	timer := time.NewTimer(min(left, lookEvery))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}

// LastOutcomeID is the id of the newest record, for [Producer.ReadOutcomes] to read those that follow; "0-0" if there is none.
func (p *Producer) LastOutcomeID(ctx context.Context) (string, error) {
	sp, err := p.current(ctx)
	if err != nil {
		return "", fmt.Errorf("outcomes: %w", err)
	}
	places := make([]string, len(sp.shards))
	for i, s := range sp.shards {
		last, err := p.rdb.XRevRangeN(ctx, s.keys.Stream(), "+", "-", 1).Result()
		if err != nil {
			return "", fmt.Errorf("outcomes: %w", err)
		}
		places[i] = "0-0"
		if len(last) > 0 {
			places[i] = last[0].ID
		}
	}
	return strings.Join(places, ","), nil
}

// readOutcomes reads what there is, and whether something is missing before it, at one moment.
func (s *shard) readOutcomes(ctx context.Context, after string, count int) ([]Record, error) {
	tx := s.rdb.TxPipeline()
	oldest := tx.XRangeN(ctx, s.keys.Stream(), "-", "+", 1)
	found := tx.XRead(ctx, &redis.XReadArgs{Streams: []string{s.keys.Stream(), after}, Count: int64(count), Block: -1})
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
func (s *shard) awaitOutcome(ctx context.Context, after string, d time.Duration) error {
	err := s.rdb.XRead(ctx, &redis.XReadArgs{
		Streams: []string{s.keys.Stream(), after}, Count: 1, Block: max(d, time.Millisecond), // 0 would be for ever
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
