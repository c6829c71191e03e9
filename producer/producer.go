package producer

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpace/sendpace/sendapi"
)

var queueName = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

// Config is how a [Producer] enqueues. The zero value is ready to use.
type Config struct {
	// Queue is the asynq queue to write to. Empty means [DefaultQueue]. Workers read the same name. Where a fleet has several
	// [Shards], which a producer finds out by itself, it is the beginning of their names.
	Queue string
	// Pages, where there are any, are the pages that jobs may name; a job for another one is refused. Empty means that
	// every page is accepted.
	Pages []string
	// MaxWaiting is how many jobs may wait in one line; a job for a full line is refused with [ErrLineFull]. Jobs that are
	// scheduled, retried or in hand do not count. Zero means any number.
	MaxWaiting int
	// MaxDrain is how long the jobs that wait in one line may take to be sent, at the page's configured pace: a job for a line
	// that needs so long is refused with [ErrLineFull], and so an accepted one waits for less, unless its page is paused, slowed
	// down, out of its daily budget or kept busy by the realtime lane. Jobs count as for MaxWaiting. Before the first worker has
	// set the pace nothing is refused. At least a millisecond; zero means any time.
	MaxDrain time.Duration
	// StreamLength is about how many records the stream of outcomes keeps when this producer writes to it, which it does when
	// it cancels jobs. Default: [DefaultStreamLength], as for workers.
	StreamLength int64
	// Tracing, where it is set, makes a span for each job that is stored. With it or without, a job carries the W3C trace context of
	// the span in the caller's context, if there is one, and workers go on in that trace. nil means no spans of the producer's own.
	Tracing trace.TracerProvider
}

// DefaultStreamLength is about how many records the stream of outcomes keeps, the newest. One takes about a kilobyte.
const DefaultStreamLength = 100_000

func (c Config) withDefaults() Config {
	if c.Queue == "" {
		c.Queue = DefaultQueue
	}
	if c.StreamLength == 0 {
		c.StreamLength = DefaultStreamLength
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if !queueName.MatchString(c.Queue) {
		errs = append(errs, fmt.Errorf("producer: Queue %q: use 1 to 64 of a-z, 0-9, '_', '.', '-'", c.Queue))
	}
	if c.MaxWaiting < 0 {
		errs = append(errs, fmt.Errorf("producer: MaxWaiting %d: must be above 0, or 0 for any number", c.MaxWaiting))
	}
	if c.MaxDrain < 0 || c.MaxDrain > 0 && c.MaxDrain < time.Millisecond {
		errs = append(errs, fmt.Errorf("producer: MaxDrain %v: must be a millisecond or more, or 0 for any time", c.MaxDrain))
	}
	if c.StreamLength < 0 {
		errs = append(errs, fmt.Errorf("producer: StreamLength %d: must be above 0", c.StreamLength))
	}
	return errors.Join(errs...)
}

// Producer enqueues jobs. It is safe for concurrent use.
type Producer struct {
	rdb    redis.UniversalClient
	cfg    Config
	pages  map[string]bool
	heeds  bool         // rdb heeds the deadlines of contexts
	tracer trace.Tracer // nil: none
	spread atomic.Pointer[spread]
}

// New makes a producer that writes through rdb, which stays the caller's to close. Any client of go-redis will do. With
// ContextTimeoutEnabled set, enqueueing with a deadline takes about a third less time; a context that is cancelled before its
// deadline may then be noticed only at the deadline.
func New(rdb redis.UniversalClient, cfg Config) (*Producer, error) {
	cfg = cfg.withDefaults()
	if rdb == nil {
		return nil, errors.New("producer: no Redis client")
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Producer{rdb: rdb, cfg: cfg, heeds: heedsDeadlines(rdb)}
	if cfg.Tracing != nil {
		p.tracer = cfg.Tracing.Tracer(tracerName)
	}
	p.spread.Store(p.over(Shards{Queue: cfg.Queue})) // until Redis says otherwise
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

// Enqueue checks the job and stores it, in one round trip. When it returns without an error the job is in Redis. The error is
// a [sendapi.Problems] if the job is not valid or its broadcast was cancelled, or a [LineFullError] if its line has no room, and
// nothing was written then; any other error means that Redis could not be asked before ctx ended. The job may have been stored
// even so: use a key where a repeat must not send twice. That goes for the Redis client's own repeats too: without a key, a job
// whose answer was lost and that was sent before the client asked again is stored a second time.
func (p *Producer) Enqueue(ctx context.Context, job Job, opts ...Option) (Receipt, error) {
	c, err := p.check(job, opts)
	if err != nil {
		return Receipt{}, err
	}
	return within(ctx, p.heeds, func() (Receipt, error) { return p.store(ctx, c) })
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
