package producer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// ackTimeout bounds the last acknowledgement when a follower ends.
	ackTimeout = 5 * time.Second
)

// Follow is how [Producer.Outcomes] follows the stream of outcomes.
type Follow struct {
	// Group names those that share the records: each record goes to one consumer of a group, and to every group. Required.
	Group string
	// Consumer names this one of the group. What it was given and has not dealt with it is given again under the same name. Two
	// that run at a time must not have one name. Required.
	Consumer string
	// FromNow lets a group that is made now start with the next record. Without it, it starts with the oldest that is kept.
	FromNow bool
	// MinIdle is how long a consumer may work on what it was given before another takes it over. It must be longer than the
	// handling of a batch can take. Default 1 min.
	MinIdle time.Duration
	// Batch is how many records are read at a time, at most 1,000. Default 100.
	Batch int
	// OnError is told of errors of Redis that are waited out. Nil means that nobody is.
	OnError func(error)
}

func (f Follow) withDefaults() Follow {
	if f.MinIdle == 0 {
		f.MinIdle = time.Minute
	}
	if f.Batch == 0 {
		f.Batch = 100
	}
	if f.OnError == nil {
		f.OnError = func(error) {}
	}
	return f
}

func (f Follow) validate() error {
	var errs []error
	if f.Group == "" {
		errs = append(errs, errors.New("outcomes: Group is missing"))
	}
	if f.Consumer == "" {
		errs = append(errs, errors.New("outcomes: Consumer is missing"))
	}
	if f.MinIdle < time.Millisecond {
		errs = append(errs, fmt.Errorf("outcomes: MinIdle %v: must be a millisecond or more", f.MinIdle))
	}
	if f.Batch < 1 || f.Batch > maxRecords {
		errs = append(errs, fmt.Errorf("outcomes: Batch %d: must be from 1 to %d", f.Batch, maxRecords))
	}
	return errors.Join(errs...)
}

// Outcomes calls handle with each record of the stream of outcomes, one at a time and those of a page in their order, until ctx ends;
// then it returns nil, within a second. A record counts as dealt with when handle has returned nil. If it returns an error, Outcomes
// returns that, and the record comes again in the next call, as do those after it.
//
// No record is left out: what was given to a consumer that died is given to another one of the group. Records come more than
// once after a crash, and after Redis was restarted: the outcome's JobID tells. Records that the stream could not keep long
// enough come as a gap. While Redis is away or in trouble, Outcomes waits for it. Of a fleet with several [Shards] it follows the
// stream of each, and goes on with the new ones when their number is changed.
func (p *Producer) Outcomes(ctx context.Context, f Follow, handle func(context.Context, Record) error) error {
	f = f.withDefaults()
	if err := f.validate(); err != nil {
		return err
	}
	pause := backOff{next: firstPause}
	for !over(ctx) {
		sp, err := p.read(ctx)
		switch {
		case err == nil:
			if err = p.followAll(ctx, sp, f, handle); !errors.Is(err, errSpread) {
				return err
			}
		case isFinal(err):
			return fmt.Errorf("outcomes: %w", err)
		case !over(ctx):
			f.OnError(err)
			pause.wait(ctx)
		}
	}
	return nil
}

// errSpread ends followers when the number of shards is another one.
var errSpread = errors.New("the number of shards was changed")

// followAll follows the stream of each shard, until ctx ends, handle refuses a record, or there are other shards.
func (p *Producer) followAll(ctx context.Context, sp *spread, f Follow, handle func(context.Context, Record) error) error {
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var one sync.Mutex // caller of handle, or of OnError
	var refused error
	tell := f.OnError
	f.OnError = func(err error) {
		one.Lock()
		defer one.Unlock()
		tell(err)
	}
	next := func(_ context.Context, r Record) error {
		one.Lock()
		defer one.Unlock()
		if over(inner) { // the handler of another shard has refused
			return context.Cause(inner)
		}
		if err := handle(ctx, r); err != nil { // it may finish when there are other shards
			refused = err
			stop(err) // before another shard's turn
		}
		return refused
	}
	var wg sync.WaitGroup
	for _, s := range sp.shards {
		wg.Go(func() {
			w := follower{s: s, cfg: f, handle: next}
			if err := w.run(inner); err != nil {
				stop(err)
			}
		})
	}
	wg.Go(func() { p.watch(inner, sp, stop) })
	wg.Wait()
	switch {
	case over(ctx):
		return nil
	case refused != nil: // perhaps just when there were other shards
		return refused
	}
	return context.Cause(inner)
}

// watch calls stop when there are other shards.
func (p *Producer) watch(ctx context.Context, sp *spread, stop func(error)) {
	tick := time.NewTicker(spreadFor)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now, err := p.read(ctx); err == nil && now.Count != sp.Count { // of errors the followers tell
			stop(errSpread)
		}
	}
}

// backOff is the pause before the next try after an error.
type backOff struct{ next time.Duration }

// wait returns after the pause, or when ctx ends. The next one is longer.
func (b *backOff) wait(ctx context.Context) {
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	b.next = min(2*b.next, longestPause)
}

// follower follows the stream of one shard.
type follower struct {
	s       *shard
	cfg     Follow
	handle  func(context.Context, Record) error
	refused error    // what handle returned
	done    []string // records that were dealt with and are not acknowledged yet
	claimed time.Time
	pause   backOff
}

// run follows until ctx ends or handle refuses a record, and waits out that Redis is in trouble.
func (w *follower) run(ctx context.Context) error {
	w.pause.next = firstPause
	for {
		err := w.follow(ctx)
		switch {
		case w.refused != nil:
			return w.refused
		case over(ctx):
			return nil
		case isFinal(err):
			return fmt.Errorf("outcomes: %w", err)
		}
		w.cfg.OnError(err)
		w.pause.wait(ctx)
	}
}

// follow goes on until ctx ends, handle refuses a record, or Redis is in trouble.
func (w *follower) follow(ctx context.Context) error {
	if err := w.ack(ctx); err != nil {
		return err
	}
	if err := w.makeGroup(ctx); err != nil {
		return err
	}
	if err := w.unfinished(ctx); err != nil {
		return err
	}
	for !over(ctx) {
		if err := w.takeOver(ctx); err != nil {
			return err
		}
		records, last, err := w.read(ctx)
		if err == nil && len(records) == 0 {
			err = w.s.awaitOutcome(ctx, last, min(longestBlock, w.cfg.MinIdle))
		}
		if err == nil {
			err = w.deliver(ctx, records)
		}
		if err != nil {
			return err
		}
		w.pause.next = firstPause
	}
	return ctx.Err()
}

// makeGroup makes the group if there is none. When Redis has lost one, it starts over with the oldest record.
func (w *follower) makeGroup(ctx context.Context) error {
	start := "0"
	if w.cfg.FromNow {
		start = "$"
	}
	err := w.s.rdb.XGroupCreateMkStream(ctx, w.s.keys.Stream(), w.cfg.Group, start).Err()
	if err != nil && !redis.HasErrorPrefix(err, "BUSYGROUP") {
		return err
	}
	w.cfg.FromNow = false
	return nil
}

// unfinished deals with what this consumer was given before: by an earlier run, or in an answer that was lost.
func (w *follower) unfinished(ctx context.Context) error {
	for !over(ctx) {
		given, err := w.s.rdb.XReadGroup(ctx, w.readArgs("0")).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if len(given) == 0 || len(given[0].Messages) == 0 {
			return nil
		}
		if err := w.deliver(ctx, recordsOf(given[0].Messages)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *follower) readArgs(from string) *redis.XReadGroupArgs {
	return &redis.XReadGroupArgs{
		Group: w.cfg.Group, Consumer: w.cfg.Consumer, Streams: []string{w.s.keys.Stream(), from},
		Count: int64(w.cfg.Batch), Block: -1,
	}
}

// takeOver deals with what was given to consumers that have been silent for too long.
func (w *follower) takeOver(ctx context.Context) error {
	if time.Since(w.claimed) < w.cfg.MinIdle/2 {
		return nil
	}
	for start := "0-0"; !over(ctx); {
		messages, next, dropped, err := w.s.rdb.XAutoClaimWithDeleted(ctx, &redis.XAutoClaimArgs{
			Stream: w.s.keys.Stream(), Group: w.cfg.Group, Consumer: w.cfg.Consumer,
			MinIdle: w.cfg.MinIdle, Start: start, Count: int64(w.cfg.Batch),
		}).Result()
		if err != nil {
			return err
		}
		for _, id := range dropped {
			messages = append(messages, redis.XMessage{ID: id})
		}
		if err := w.deliver(ctx, recordsOf(messages)); err != nil {
			return err
		}
		if next == "0-0" {
			w.claimed = time.Now()
			return nil
		}
		start = next
	}
	return ctx.Err()
}

// read takes the next records, and looks at the same moment whether some before them are gone. last is the one up to which the
// group has been given records before.
func (w *follower) read(ctx context.Context) (records []Record, last string, err error) {
	tx := w.s.rdb.TxPipeline()
	groups := tx.XInfoGroups(ctx, w.s.keys.Stream())
	oldest := tx.XRangeN(ctx, w.s.keys.Stream(), "-", "+", 1)
	found := tx.XReadGroup(ctx, w.readArgs(">"))
	if _, err := tx.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, "", err
	}
	for _, g := range groups.Val() {
		if g.Name == w.cfg.Group {
			last = g.LastDeliveredID
		}
	}
	if messages := messagesOf(found); len(messages) > 0 {
		records, err = gapBefore(last, oldest.Val())
		records = append(records, recordsOf(messages)...)
	}
	return records, last, err
}

func recordsOf(messages []redis.XMessage) []Record {
	records := make([]Record, len(messages))
	for i, m := range messages {
		records[i] = recordOf(m)
	}
	return records
}

// deliver calls handle with each record, and acknowledges those that it has dealt with.
func (w *follower) deliver(ctx context.Context, records []Record) error {
	for _, r := range records {
		if over(ctx) {
			break
		}
		if w.refused = w.handle(ctx, r); w.refused != nil {
			break
		}
		if r.ID != "" {
			w.done = append(w.done, r.ID)
		}
	}
	err := w.ack(ctx)
	if w.refused != nil {
		return w.refused
	}
	return err
}

// ack acknowledges what was dealt with, also when ctx has ended. What it could not is kept for the next try.
func (w *follower) ack(ctx context.Context) error {
	if len(w.done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	defer cancel()
	err := w.s.rdb.XAck(ctx, w.s.keys.Stream(), w.cfg.Group, w.done...).Err()
	if err == nil {
		w.done = w.done[:0]
	}
	return err
}

// isFinal is true for an error that waiting does not mend: Redis has answered, and it is not in trouble.
func isFinal(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return errors.Is(err, redis.ErrClosed)
	}
	for _, prefix := range []string{"WRONGTYPE", "NOAUTH", "NOPERM", "WRONGPASS", "ERR unknown command"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}
