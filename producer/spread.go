package producer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpace/sendpace/producer/rediskeys"
)

// spreadFor is how long the number of shards is taken for granted. Enqueueing notices at once that it was changed.
const spreadFor = 5 * time.Second

// errClosed means that pages are spread over other queues than the producer knows of.
var errClosed = errors.New("enqueue: the number of shards is being changed, nothing was written; try again")

// spread is the shards of a fleet, as Redis had them at a time.
type spread struct {
	Shards
	rdb    redis.UniversalClient
	shards []*shard
	at     time.Time
}

// shard is one queue.
type shard struct {
	rdb     redis.UniversalClient
	cfg     Config
	keys    rediskeys.Keys
	encoder *asynq.Client // encodes jobs; see recorder
	tracer  trace.Tracer  // nil: none
}

func (p *Producer) over(shards Shards) *spread {
	sp := &spread{Shards: shards, rdb: p.rdb}
	for _, k := range shards.keys() {
		sp.shards = append(sp.shards, &shard{
			rdb: p.rdb, cfg: p.cfg, keys: k, tracer: p.tracer, encoder: asynq.NewClientFromRedisClient(recorder{UniversalClient: p.rdb, keys: k}),
		})
	}
	return sp
}

// read asks Redis for the number of shards.
func (p *Producer) read(ctx context.Context) (*spread, error) {
	shards, err := ReadShards(ctx, p.rdb, p.cfg.Queue)
	if err != nil {
		return nil, err
	}
	now := p.over(shards)
	now.at = time.Now()
	p.spread.Store(now)
	return now, nil
}

// current is the spread of the last few seconds.
func (p *Producer) current(ctx context.Context) (*spread, error) {
	if sp := p.spread.Load(); time.Since(sp.at) < spreadFor {
		return sp, nil
	}
	return p.read(ctx)
}

// Shards are the queues that the pages are spread over now. What [Producer.Prepare] encodes is for them.
func (p *Producer) Shards(ctx context.Context) (Shards, error) {
	sp, err := p.read(ctx)
	if err != nil {
		return Shards{}, err
	}
	return sp.Shards, nil
}

func (sp *spread) of(page string) *shard { return sp.shards[sp.index(page)] }

// holder is the shard that has a job; any if none has it.
func (p *Producer) holder(ctx context.Context, id string) (*shard, error) {
	sp, err := p.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", id, err)
	}
	if len(sp.shards) == 1 {
		return sp.shards[0], nil
	}
	pipe := p.rdb.Pipeline()
	there := make([]*redis.IntCmd, len(sp.shards))
	for i, s := range sp.shards {
		there[i] = pipe.Exists(ctx, s.keys.Task(id))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("job %s: %w", id, err)
	}
	found := slices.IndexFunc(there, func(cmd *redis.IntCmd) bool { return cmd.Val() == 1 })
	return sp.shards[max(0, found)], nil
}

// Get tells where a job is: in one round trip, in two where there are several shards. The error is [ErrNotFound] if there is none
// of that id.
func (p *Producer) Get(ctx context.Context, id string) (JobInfo, error) {
	s, err := p.holder(ctx, id)
	if err != nil {
		return JobInfo{}, err
	}
	return s.get(ctx, id)
}

// GetKey tells where the job is that a page's key stands for, as [Producer.Get] does, in one round trip more.
func (p *Producer) GetKey(ctx context.Context, page, key string) (JobInfo, error) {
	sp, err := p.current(ctx)
	if err != nil {
		return JobInfo{}, fmt.Errorf("key %q of page %s: %w", key, page, err)
	}
	s := sp.of(page)
	id, err := s.idOfKey(ctx, page, key)
	if err != nil {
		return JobInfo{}, err
	}
	return s.get(ctx, id)
}

// Cancel ends a job that has not been sent. It works wherever the job waits: in a line, for its time, or to be retried. Its key
// goes on standing for it.
func (p *Producer) Cancel(ctx context.Context, id string) (CancelResult, error) {
	s, err := p.holder(ctx, id)
	if err != nil {
		return "", err
	}
	return s.cancel(ctx, id)
}

// CancelKey cancels the job that a page's key stands for.
func (p *Producer) CancelKey(ctx context.Context, page, key string) (CancelResult, error) {
	sp, err := p.current(ctx)
	if err != nil {
		return "", fmt.Errorf("cancel: key %q of page %s: %w", key, page, err)
	}
	return sp.of(page).cancelKey(ctx, page, key)
}

// CancelPage cancels all jobs of a page. It works in small steps, so that sending goes on meanwhile; a job that is enqueued
// while it runs may be cancelled or not. Called again, it goes on where an error stopped it.
func (p *Producer) CancelPage(ctx context.Context, page string) (CancelCount, error) {
	if !IsPageID(page) {
		return CancelCount{}, fmt.Errorf("cancel: page %.40q: must be the page's number", page)
	}
	sp, err := p.current(ctx)
	if err != nil {
		return CancelCount{}, fmt.Errorf("cancel: %w", err)
	}
	return sp.of(page).cancelPage(ctx, page)
}

// CancelBroadcast cancels all jobs of a broadcast; only those of one page, if page is not empty. It works as
// [Producer.CancelPage] does. Those of its own lines come first. Lines that it shares with other jobs, which may be long, are looked
// through only if its counts tell that it has more.
func (p *Producer) CancelBroadcast(ctx context.Context, id, page string) (CancelCount, error) {
	if id == "" { // or every job that is part of none would be cancelled
		return CancelCount{}, errors.New("cancel: the broadcast has no name")
	}
	sp, err := p.current(ctx)
	if err != nil {
		return CancelCount{}, fmt.Errorf("cancel: %w", err)
	}
	in := sp.shards
	if page != "" {
		in = []*shard{sp.of(page)}
	}
	var sum CancelCount
	for _, s := range in {
		n, err := s.cancelBroadcast(ctx, id, page)
		sum.Cancelled, sum.InHand = sum.Cancelled+n.Cancelled, sum.InHand+n.InHand
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// Dead are the dead jobs that are kept and wanted, the oldest first, or the newest: those of asynq's archive (10,000, for 90 days) and
// those that the stream of outcomes has. wanted sees an outcome without its job; nil wants all. A job that was taken out of the
// archive in order to run again is not dead. What is kept is read before the first one is yielded; an error is yielded last.
func (p *Producer) Dead(ctx context.Context, newestFirst bool, wanted func(Outcome) bool) iter.Seq2[DeadJob, error] {
	return func(yield func(DeadJob, error) bool) {
		sp, err := p.current(ctx)
		if err != nil {
			yield(DeadJob{}, fmt.Errorf("dead jobs: %w", err))
			return
		}
		var each []iter.Seq2[DeadJob, error]
		for _, s := range sp.shards {
			each = append(each, s.dead(ctx, newestFirst, wanted))
		}
		first := func(a, b DeadJob) int { return cmp.Or(a.EndedAt.Compare(b.EndedAt), cmp.Compare(a.JobID, b.JobID)) }
		if newestFirst {
			first = func(a, b DeadJob) int { return cmp.Or(b.EndedAt.Compare(a.EndedAt), cmp.Compare(b.JobID, a.JobID)) }
		}
		merge(each, first, yield)
	}
}

// merge yields the values of sequences that are each in order, in that order. It ends with the first error.
func merge[T any](each []iter.Seq2[T, error], order func(a, b T) int, yield func(T, error) bool) {
	type head struct {
		value T
		next  func() (T, error, bool)
	}
	var heads []head
	advance := func(h head) bool {
		value, err, more := h.next()
		if err != nil {
			yield(value, err)
			return false
		}
		if more {
			h.value = value
			heads = append(heads, h)
		}
		return true
	}
	for _, seq := range each {
		next, stop := iter.Pull2(seq)
		defer stop()
		if !advance(head{next: next}) {
			return
		}
	}
	for len(heads) > 0 {
		at := 0
		for i := range heads {
			if order(heads[i].value, heads[at].value) < 0 {
				at = i
			}
		}
		h := heads[at]
		heads = slices.Delete(heads, at, at+1)
		if !yield(h.value, nil) || !advance(h) {
			return
		}
	}
}

// Archived are the newest jobs of asynq's archive, up to count, which is from 1 to 1,000: those that failed last.
func (p *Producer) Archived(ctx context.Context, count int) ([]Outcome, error) {
	if count < 1 || count > maxRecords {
		return nil, fmt.Errorf("archive: count %d: must be from 1 to %d", count, maxRecords)
	}
	sp, err := p.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	all := []Outcome{}
	for _, s := range sp.shards {
		found, err := s.newestArchived(ctx, count)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if len(sp.shards) > 1 {
		slices.SortStableFunc(all, func(a, b Outcome) int { return b.EndedAt.Compare(a.EndedAt) })
	}
	return all[:min(count, len(all))], nil
}
