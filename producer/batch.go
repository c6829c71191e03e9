package producer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
)

const (
	// batchJobs and batchBytes bound what shares a round trip in [Producer.EnqueueMany].
	batchJobs  = 200
	batchBytes = 1 << 20
)

// Result is what became of one job of [Producer.EnqueueMany].
type Result struct {
	Receipt
	// Err is why the job was not accepted, as [Producer.Enqueue] would have said it; nil means that it is stored.
	Err error
}

// EnqueueMany enqueues jobs in their order, two hundred a round trip, and reports on each: a job that is refused does
// not stop the others. Results stand in the order of the jobs. When ctx ends, the jobs that were not written yet get its
// error. For more jobs than should be in memory at once there is [Producer.EnqueueSeq].
func (p *Producer) EnqueueMany(ctx context.Context, jobs []Job, opts ...Option) []Result {
	return slices.AppendSeq(make([]Result, 0, len(jobs)), p.EnqueueSeq(ctx, slices.Values(jobs), opts...))
}

// EnqueueSeq enqueues the jobs of a stream as [Producer.EnqueueMany] does those of a slice, and yields a result for each, in
// their order. It holds no more than two hundred jobs at a time, or those that make up a megabyte. Nothing is enqueued
// before the results are ranged over. A loop that is left early leaves up to two hundred jobs behind the last result that it
// saw: they may be stored or not.
func (p *Producer) EnqueueSeq(ctx context.Context, jobs iter.Seq[Job], opts ...Option) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		b := batch{p: p}
		for job := range jobs {
			b.add(ctx, job, opts)
			if b.full() && !b.flush(ctx, yield) {
				return
			}
		}
		b.flush(ctx, yield)
	}
}

// batch is what shares the next round trip.
type batch struct {
	p       *Producer
	results []Result // of all jobs that were taken, also of those that are refused
	jobs    []checked
	of      []int // the results of jobs
	bytes   int
}

func (b *batch) full() bool { return len(b.results) == batchJobs || b.bytes >= batchBytes }

func (b *batch) add(ctx context.Context, job Job, opts []Option) {
	c, err := checked{}, ctx.Err()
	if err == nil {
		c, err = b.p.check(job, opts)
	}
	if err == nil {
		b.jobs, b.of, b.bytes = append(b.jobs, c), append(b.of, len(b.results)), b.bytes+len(c.body)
	}
	b.results = append(b.results, Result{Err: err})
}

// flush stores the jobs, yields what became of them and empties the batch. It returns false if no more results are wanted.
func (b *batch) flush(ctx context.Context, yield func(Result) bool) bool {
	p, jobs := b.p, b.jobs // a call that is left to itself goes on with them
	stored, err := within(ctx, p.heeds, func() ([]Result, error) { return p.storeAll(ctx, jobs), nil })
	for i, at := range b.of {
		if err != nil {
			b.results[at].Err = err
		} else {
			b.results[at] = stored[i]
		}
	}
	for _, r := range b.results {
		if !yield(r) {
			return false
		}
	}
	*b = batch{p: p, results: b.results[:0], of: b.of[:0]}
	return true
}

// storeAll stores jobs in one round trip, to each master of a cluster.
func (p *Producer) storeAll(ctx context.Context, jobs []checked) []Result {
	results := p.spread.Load().storeAll(ctx, jobs)
	closed := func(r Result) bool { return errors.Is(r.Err, errClosed) }
	if !slices.ContainsFunc(results, closed) {
		return results
	}
	now, err := p.read(ctx)
	for i, r := range results {
		switch {
		case !closed(r):
		case err != nil:
			results[i].Err = fmt.Errorf("enqueue: %w", err)
		default:
			results[i].Receipt, results[i].Err = now.of(jobs[i].job.PageID).store(ctx, jobs[i])
		}
	}
	return results
}

// storeAll stores jobs, each in the shard of its page. The first call to a shard brings the script along, in case that its Redis does
// not have it.
func (sp *spread) storeAll(ctx context.Context, jobs []checked) []Result {
	results, calls := make([]Result, len(jobs)), make([]storeCall, len(jobs))
	cmds, traced := make([]*redis.Cmd, len(jobs)), make([]trace.Span, len(jobs))
	pipe, met := sp.rdb.Pipeline(), map[*shard]bool{}
	for i, c := range jobs {
		s := sp.of(c.job.PageID)
		var own context.Context
		own, traced[i] = s.startSpan(ctx, c)
		if calls[i], results[i].Err = s.encode(own, c); results[i].Err != nil {
			continue
		}
		run := enqueueScript.EvalSha
		if !met[s] {
			run, met[s] = enqueueScript.Eval, true
		}
		cmds[i] = run(ctx, pipe, calls[i].keys, calls[i].args...)
	}
	_, _ = pipe.Exec(ctx) // each command has its own answer, or the error of the connection
	for i, call := range calls {
		if cmds[i] == nil {
			endSpan(traced[i], Receipt{}, results[i].Err)
			continue
		}
		if redis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") { // Redis forgot it in between: this call did not run
			cmds[i] = enqueueScript.Run(ctx, sp.rdb, call.keys, call.args...)
		}
		results[i].Receipt, results[i].Err = sp.of(jobs[i].job.PageID).receipt(call, cmds[i])
		endSpan(traced[i], results[i].Receipt, results[i].Err)
	}
	return results
}
