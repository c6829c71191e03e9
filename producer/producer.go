package producer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/sendapi"
)

const (
	// maxRetry is what asynq is told. The workers' own budget (worker.max_attempts) ends a job long before; asynq archives
	// a task at its own count whatever the error means, so that count must never be the one that is reached.
	maxRetry = 1000
	// keyWindow is how long a job's key stands for it, from enqueueing. A finished job is kept as long, since asynq
	// accepts the id of a task that is gone.
	keyWindow = 24 * time.Hour
)

var queueName = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

// Config is how a [Producer] enqueues. The zero value is ready to use.
type Config struct {
	// Queue is the asynq queue to write to. Empty means [DefaultQueue]. Workers read the same name.
	Queue string
	// Pages, where there are any, are the pages that jobs may name; a job for another one is refused. Empty means that
	// every page is accepted.
	Pages []string
}

// Producer enqueues jobs. It is safe for concurrent use.
type Producer struct {
	rdb    redis.UniversalClient
	client *asynq.Client
	queue  string
	pages  map[string]bool
}

// New makes a producer that writes through rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient, cfg Config) (*Producer, error) {
	if cfg.Queue == "" {
		cfg.Queue = DefaultQueue
	}
	if rdb == nil {
		return nil, errors.New("producer: no Redis client")
	}
	if !queueName.MatchString(cfg.Queue) {
		return nil, fmt.Errorf("producer: Queue %q: use 1 to 64 of a-z, 0-9, '_', '.', '-'", cfg.Queue)
	}
	p := &Producer{rdb: rdb, client: asynq.NewClientFromRedisClient(rdb), queue: cfg.Queue}
	if len(cfg.Pages) > 0 {
		p.pages = make(map[string]bool, len(cfg.Pages))
		for _, id := range cfg.Pages {
			p.pages[id] = true
		}
	}
	return p, nil
}

// Receipt says where an accepted job went.
type Receipt struct {
	// ID is the job's id, and its asynq task id. IDs of one process sort in the order of enqueueing.
	ID string
	// Line is where the job waits, or will wait once its SendAt has come.
	Line Line
	// Repeat is true if the job's key was used before: ID is the earlier job's, and nothing was stored.
	Repeat bool
}

// Enqueue checks the job and stores it. When it returns without an error the job is in Redis. The error is a
// [sendapi.Problems] if the job is not valid, and nothing was written then; any other error means that Redis could not be
// asked within ctx. The job may have been stored even so: use a key where a repeat must not send twice.
func (p *Producer) Enqueue(ctx context.Context, job Job, opts ...Option) (Receipt, error) {
	c, err := p.check(job, opts)
	if err != nil {
		return Receipt{}, err
	}
	return p.store(ctx, p.client, c)
}

// check applies the options and validates.
func (p *Producer) check(job Job, opts []Option) (checked, error) {
	for _, opt := range opts {
		opt(&job)
	}
	c, err := job.check(time.Now())
	if err == nil && p.pages != nil && !p.pages[job.PageID] {
		err = sendapi.Problems{{
			Path: "page_id", Message: fmt.Sprintf("page %s is not configured; add it to pages, with its token", job.PageID),
		}}
	}
	return c, err
}

// store writes a checked job through client. Ids are never used twice, so a conflict can only mean that an earlier try of
// this call was stored although its answer was lost, or, for a job with a key, that it is a repeat.
func (p *Producer) store(ctx context.Context, client *asynq.Client, c checked) (Receipt, error) {
	first, err := p.claimKey(ctx, c)
	if err != nil {
		return Receipt{}, fmt.Errorf("enqueue: %w", err)
	}
	repeat := first != c.id
	c.id = first
	_, err = client.EnqueueContext(ctx, asynq.NewTask(TaskType, c.body), p.taskOptions(c)...)
	switch {
	case errors.Is(err, asynq.ErrTaskIDConflict):
		return Receipt{ID: c.id, Line: c.line, Repeat: repeat}, nil
	case err != nil:
		return Receipt{}, fmt.Errorf("enqueue: %w", err)
	}
	return Receipt{ID: c.id, Line: c.line}, nil
}

func (p *Producer) taskOptions(c checked) []asynq.Option {
	opts := []asynq.Option{
		asynq.Queue(p.queue), asynq.TaskID(c.id), asynq.MaxRetry(maxRetry), asynq.Group(c.line.String()),
	}
	if !c.job.SendAt.IsZero() {
		// asynq drops the fraction of a second, and would start early.
		opts = append(opts, asynq.ProcessAt(c.job.SendAt.Add(time.Second-time.Nanosecond).Truncate(time.Second)))
	}
	if c.job.Key != "" {
		opts = append(opts, asynq.Retention(keyWindow))
	}
	return opts
}

// claimKey returns the id that the job's key stands for: the job's own, unless the key was used before. A claim whose
// job was never stored (a crash in between) does no harm: the repeat stores it under the claimed id.
func (p *Producer) claimKey(ctx context.Context, c checked) (string, error) {
	if c.job.Key == "" {
		return c.id, nil
	}
	sum := sha256.Sum256([]byte(c.job.PageID + "\x00" + c.job.Key))
	name := "sendpace:{" + p.queue + "}:key:" + hex.EncodeToString(sum[:16])
	for {
		set, err := p.rdb.SetNX(ctx, name, c.id, keyWindow).Result()
		if err != nil || set {
			return c.id, err
		}
		first, err := p.rdb.Get(ctx, name).Result()
		if !errors.Is(err, redis.Nil) { // Nil: the key's window ended between the two calls
			return first, err
		}
	}
}
