package producer

import (
	"context"
	"fmt"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// batchSize is how many jobs share a round trip in [Producer.EnqueueMany].
const batchSize = 500

// Result is what became of one job of [Producer.EnqueueMany].
type Result struct {
	Receipt
	// Err is why the job was not accepted, as [Producer.Enqueue] would have said it; nil means that it is stored.
	Err error
}

// EnqueueMany enqueues jobs in their order, several hundred a round trip, and reports on each: a job that is refused does
// not stop the others. Results stand in the order of the jobs. When ctx ends, the jobs that were not written yet get its
// error.
func (p *Producer) EnqueueMany(ctx context.Context, jobs []Job, opts ...Option) []Result {
	results := make([]Result, len(jobs))
	b := &batch{UniversalClient: p.rdb, loaded: map[string]bool{}}
	client := asynq.NewClientFromRedisClient(b)
	for start := 0; start < len(jobs); start += batchSize {
		part := results[start:min(start+batchSize, len(jobs))]
		sent := make([]*redis.Cmd, len(part))
		stored := make([]checked, len(part))
		for i := range part {
			c, err := p.check(jobs[start+i], opts)
			if err != nil {
				part[i].Err = err
				continue
			}
			b.last = nil
			part[i].Receipt, part[i].Err = p.store(ctx, client, c)
			sent[i], stored[i] = b.last, c
		}
		b.flush(ctx)
		for i, cmd := range sent {
			if cmd != nil && part[i].Err == nil {
				part[i].Receipt, part[i].Err = p.settle(ctx, cmd, part[i].Receipt, stored[i])
			}
		}
	}
	return results
}

// settle reads the answer to a job's command once the batch was written.
func (p *Producer) settle(ctx context.Context, cmd *redis.Cmd, r Receipt, c checked) (Receipt, error) {
	n, err := cmd.Int64()
	switch {
	case redis.HasErrorPrefix(err, "NOSCRIPT"): // Redis was restarted: nothing ran, and asynq's own way loads the script
		return p.store(ctx, p.client, c)
	case err != nil:
		return Receipt{}, fmt.Errorf("enqueue: %w", err)
	}
	r.Repeat = n == 0 && r.ID != c.id
	return r, nil
}

// batch is the Redis client that asynq's client writes through while many jobs are enqueued. It holds back the script
// calls that store a task, and writes them together, in order. To asynq each looks as if it had succeeded; settle reads
// the real answers. A script that this connection has not run yet goes through at once, so that asynq can load it.
type batch struct {
	redis.UniversalClient
	loaded map[string]bool
	pipe   redis.Pipeliner
	last   *redis.Cmd
}

// EvalSha holds the call back, and answers it with asynq's "stored".
func (b *batch) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if !b.loaded[sha] {
		b.flush(ctx)
		cmd := b.UniversalClient.EvalSha(ctx, sha, keys, args...)
		b.loaded[sha] = cmd.Err() == nil
		return cmd
	}
	if b.pipe == nil {
		b.pipe = b.Pipeline()
	}
	b.last = b.pipe.EvalSha(ctx, sha, keys, args...)
	stored := redis.NewCmd(ctx)
	stored.SetVal(int64(1))
	return stored
}

// flush writes what is held back. Each command keeps its own answer, or the error of the connection.
func (b *batch) flush(ctx context.Context) {
	if b.pipe != nil {
		_, _ = b.pipe.Exec(ctx)
		b.pipe = nil
	}
}
