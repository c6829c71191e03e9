package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

// Sender sends one message. [sendapi.Client] is the one to use. Of an error that is not a [sendapi.Error] nor one of a context
// the worker believes that nothing was sent.
type Sender interface {
	SendRaw(ctx context.Context, page sendapi.Page, body json.RawMessage) (*sendapi.Response, error)
}

const (
	// defaultThread keeps one person from being flooded. The platform limits a conversation too, but names no figure.
	defaultThread = 250 * time.Millisecond
	// defaultReplies is what the platform allows a page, 750 an hour.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting
	defaultReplies = 750.0 / 3600
	// ballast is how many bytes of memory a worker holds and never touches, which therefore cost nothing. They let the garbage
	// collector begin at a heap of twice as much more: a worker's own heap is so small that it would run without a pause in a drain, and
	// look at the stacks of all jobs in hand each time.
	ballast = 8 << 20
)

// Config is how a [Worker] works. Zero values mean the defaults, but for Rates, which must be given.
type Config struct {
	// Queue is the asynq queue. Default: [producer.DefaultQueue].
	Queue string
	// Shards is over how many queues the pages are spread, up to [producer.MaxShards]; see [producer.Shards]. All workers of a fleet
	// must have the same. It can be changed while no worker runs and nothing waits. Each worker serves all of them, and each costs
	// it and Redis what an idle fleet of one queue does. Default 1.
	Shards int
	// Pages are the pages to send for, with their tokens, by page id. A page that a job names and that is not here is held.
	Pages map[string]sendapi.Page
	// Rates are the limits of a page that PageRates does not have. They apply to the fleet: the worker that starts last
	// sets them. Replies of 0 mean 750 an hour, and Thread of 0 means 250 ms, below 0 none. A Budget of 0 means none.
	Rates pace.Rates
	// PageRates are the limits by page id, with the same defaults.
	PageRates map[string]pace.Rates
	// AppBudget is how many sends all pages together make in any 24 hours. The platform allows an app 200 times the number of
	// its engaged users. 0 means no limit. A send counts for up to 15 minutes longer. Each shard has an equal part.
	AppBudget int64
	// Steady keeps the pace at the rates, where by default it adapts: after a pause one probe goes first and then the pace climbs
	// back within a minute, and it slows down as usage, of which the platform tells, nears its limit.
	Steady bool
	// Margin is the share that pages are sent below their rates. See [pace.Config].
	Margin float64
	// Concurrency is how many jobs may be in hand at once, of all shards together. Default 250.
	Concurrency int
	// MaxAttempts is how often a job is tried before it fails, from 1 to 100. Only errors that say something about the job
	// count; rate limits, holds and crashes do not. Default 8.
	MaxAttempts int
	// OnUnknown is what becomes of a job that does not say so itself where nobody can know whether its message was sent.
	// Default: [producer.Resend].
	OnUnknown producer.UnknownPolicy
	// SuppressFor is how long nothing more is sent to a recipient who cannot be reached: jobs for them fail without a call.
	// Zero means that each job is tried.
	SuppressFor time.Duration
	// StreamLength is about how many outcome records are kept for [producer.Producer.Outcomes]. Default: [producer.DefaultStreamLength].
	StreamLength int64
	// Version is that of the program, for people who look at the workers.
	Version string
	// ShutdownTimeout is how long sends in flight may take to finish after Run's context ended, and how long one send may
	// take at all. It must be longer than a send can take, which is 85 s where the platform fetches media. Default 90 s.
	ShutdownTimeout time.Duration
	// FirstPause and LongestPause bound pauses of no given length. See [pace.Config].
	FirstPause, LongestPause time.Duration
	// Batch is how many messages of a page may share a call, up to [sendapi.MaxBatch]; the sender must be a [BatchSender] then. They
	// leave together up to 25 ms after their slots, pages run 2 % further below their rates, and two messages to one person are 20 ms
	// further apart. The platform counts each by itself. 0 and 1 mean that each goes alone.
	Batch int
	// Poll is how often an idle fleet looks for new jobs. See [pace.Config].
	Poll time.Duration
	// Checker checks the token of a page that is on hold because of another one, and what works is released. nil leaves that to a
	// person.
	Checker Checker
	// Log gets a line for each outcome. The zero value logs nothing.
	Log zerolog.Logger
	// PlainRecipients shows in the log whom a message was for. By default a line has a hash, which is the same for all messages of
	// a page to one person.
	PlainRecipients bool
	// Observer is told what the worker does, for metrics. nil means nobody is.
	Observer Observer
	// Tracing makes spans of each job's way, in the trace that it brought along from its producer or in one of its own. nil means
	// none.
	Tracing trace.TracerProvider
}

func (c Config) withDefaults() Config {
	if c.Queue == "" {
		c.Queue = producer.DefaultQueue
	}
	if c.Shards == 0 {
		c.Shards = 1
	}
	if c.Concurrency == 0 {
		c.Concurrency = 250
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 8
	}
	if c.OnUnknown == "" {
		c.OnUnknown = producer.Resend
	}
	if c.ShutdownTimeout == 0 {
		c.ShutdownTimeout = 90 * time.Second
	}
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("worker: "+format, args...))
		}
	}
	check(c.Concurrency > 0, "Concurrency %d: must be above 0", c.Concurrency)
	check(c.MaxAttempts > 0 && c.MaxAttempts <= 100, "MaxAttempts %d: must be from 1 to 100", c.MaxAttempts)
	check(c.ShutdownTimeout >= time.Second, "ShutdownTimeout %v: must be a second or more", c.ShutdownTimeout)
	check(c.OnUnknown == producer.Resend || c.OnUnknown == producer.NeverResend,
		"OnUnknown %q: must be %q or %q", c.OnUnknown, producer.Resend, producer.NeverResend)
	check(c.Batch >= 0 && c.Batch <= sendapi.MaxBatch, "Batch %d: must be from 0 to %d", c.Batch, sendapi.MaxBatch)
	check(c.SuppressFor >= 0, "SuppressFor %v: must not be below 0", c.SuppressFor)
	const rule = "each rate must be above 0, Replies and Budget 0 or above, Thread at most a day"
	for id, r := range c.PageRates {
		check(valid(r), "PageRates[%s]: "+rule, id)
	}
	check(valid(c.Rates), "Rates: "+rule)
	check(c.AppBudget >= 0, "AppBudget %d: must be 0 or above", c.AppBudget)
	check(c.Shards > 0 && c.Shards <= producer.MaxShards, "Shards %d: must be from 1 to %d", c.Shards, producer.MaxShards)
	check(c.AppBudget == 0 || c.AppBudget >= int64(c.Shards), "AppBudget %d: must be %d or more, 1 for each shard", c.AppBudget, c.Shards)
	return errors.Join(errs...)
}

func (c Config) batches() bool { return c.Batch > 1 }

func valid(r pace.Rates) bool {
	return r.Page > 0 && r.Bulk > 0 && r.Media > 0 && r.Replies >= 0 && r.Budget >= 0 && r.Thread <= 24*time.Hour
}

// limits are those of the fleet, with the defaults.
func (c Config) limits() pace.Limits {
	l := pace.Limits{Others: withDefaults(c.Rates), Pages: make(map[string]pace.Rates, len(c.PageRates)), AppBudget: c.AppBudget}
	for id, r := range c.PageRates {
		l.Pages[id] = withDefaults(r)
	}
	return l
}

func withDefaults(r pace.Rates) pace.Rates {
	if r.Replies == 0 {
		r.Replies = defaultReplies
	}
	switch {
	case r.Thread == 0:
		r.Thread = defaultThread
	case r.Thread < 0:
		r.Thread = 0
	}
	return r
}

// Worker sends the jobs of one fleet. Make it with [New], and call Run once.
type Worker struct {
	cfg      Config
	rdb      redis.UniversalClient
	pages    *pageBook
	shards   []*shard
	running  atomic.Bool // it takes jobs
	reloaded chan struct{}
	ballast  []byte

	mu    sync.Mutex
	rated map[string]pace.Rates // by page, as set last
}

// DurableRetries makes a Redis client fit for a worker: what a worker has to write after a send must outlast a short
// outage of Redis, because asynq gives up on a completion as soon as its client does, and the message is then sent again.
func DurableRetries(o *redis.UniversalOptions) {
	o.MaxRetries = 30
	o.MinRetryBackoff = 50 * time.Millisecond
	o.MaxRetryBackoff = 2 * time.Second
}

// New makes a worker. rdb should have [DurableRetries]; it stays the caller's to close.
func New(rdb redis.UniversalClient, sender Sender, cfg Config) (*Worker, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.batches() {
		next, ok := sender.(BatchSender)
		if !ok {
			return nil, fmt.Errorf("worker: Batch %d: the sender must be a BatchSender", cfg.Batch)
		}
		sender = newBatcher(next, cfg.Batch)
	}
	w := &Worker{
		cfg: cfg, rdb: rdb, pages: newPageBook(cfg.Pages), reloaded: make(chan struct{}, 1), rated: maps.Clone(cfg.PageRates),
		ballast: make([]byte, ballast),
	}
	id, room := uuid.NewString(), pace.NewRoom(cfg.Concurrency)
	for i := range cfg.Shards {
		s, err := w.newShard(i, id, room, sender)
		if err != nil {
			return nil, err
		}
		w.shards = append(w.shards, s)
	}
	return w, nil
}

// Run sends until ctx ends, and returns when the sends in flight have finished or ShutdownTimeout has passed. It fails if
// Redis cannot be reached at the start, unless ctx ends before that is sure; later outages are waited out. The error is a
// [producer.UnwritableError] if Redis takes no writes at the start, because it is a replica, for example, and is not promoted within
// seconds; and a [producer.ErrShards] if the fleet has another number of shards, which cannot be changed now.
func (w *Worker) Run(ctx context.Context) error {
	aside, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer w.leave(aside, stop, &wg)
	if err := w.join(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // it was stopped before it took a job
		}
		return err
	}
	for _, s := range w.shards {
		wg.Go(func() { s.pacer.Run(aside) })
	}
	wg.Go(func() { w.freePages(aside) })
	if err := w.start(); err != nil {
		return err
	}
	w.running.Store(true)
	w.cfg.Log.Info().Int("pages", len(w.pages.ids())).Int("concurrency", w.cfg.Concurrency).Int("shards", w.cfg.Shards).
		Msg("worker started")
	<-ctx.Done()
	w.running.Store(false)
	w.cfg.Log.Info().Msg("worker stopping: sends in flight finish, the rest goes back")
	w.stop(aside)
	w.cfg.Log.Info().Msg("worker stopped")
	return nil
}

// Ready is nil while the worker takes jobs: it has started, it is not stopping, and Redis takes writes, without which no job is handed
// out and none can be settled. The error is a [producer.UnwritableError] if Redis answers, and refuses them.
func (w *Worker) Ready(ctx context.Context) error {
	if !w.running.Load() {
		return errors.New("worker: it has not started, or is stopping")
	}
	if err := producer.Writable(ctx, w.rdb, w.spread()); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

// leave ends what runs beside the sending.
func (w *Worker) leave(ctx context.Context, stop func(), wg *sync.WaitGroup) {
	brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	stop()
	wg.Wait()
	for _, s := range w.shards {
		if err := s.pacer.Close(brief); err != nil {
			w.cfg.Log.Warn().Err(err).Msg("could not say that the worker is gone")
		}
	}
}
