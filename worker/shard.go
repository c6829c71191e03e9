package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
)

const (
	// promotionTimeout is how long a worker that starts waits for a Redis that takes no writes: in a failover a replica is promoted in a
	// moment.
	promotionTimeout = 5 * time.Second
	// giveBackTimeout is how long a worker that stops waits for Redis to take back what it did not begin.
	giveBackTimeout = 5 * time.Second
)

// shard is a worker's part in one queue.
type shard struct {
	pacer   *pace.Pacer
	server  *asynq.Server
	handler *handler
}

// newShard makes the worker's part in shard i. All parts have its id, and share its room.
func (w *Worker) newShard(i int, id string, room pace.Room, sender Sender) (*shard, error) {
	cfg := w.cfg
	var grid, ahead time.Duration
	if cfg.batches() {
		grid, ahead = batchEvery, batchAhead
	}
	pacer, err := pace.New(w.rdb, pace.Config{
		Grid: grid, Ahead: ahead, Queue: cfg.Queue, Shards: cfg.Shards, Shard: i, ID: id, Margin: cfg.Margin, Places: cfg.Concurrency, Room: room,
		FirstPause: cfg.FirstPause, LongestPause: cfg.LongestPause, StreamLength: cfg.StreamLength, Version: cfg.Version,
		Observer: pacerLog{cfg.Log},
		HasToken: func(page string) bool { _, ok := w.pages.get(page); return ok },
		Poll:     cfg.Poll, Steady: cfg.Steady, Suppress: cfg.SuppressFor > 0,
	})
	if err != nil {
		return nil, err
	}
	queue := w.spread().Queues()[i]
	server := asynq.NewServerFromRedisClient(pacer.Client(), asynq.Config{
		Concurrency: cfg.Concurrency,
		Queues:      map[string]int{queue: 1},
		// The pacer's client does the waiting. This is the pause between two of its answers.
		TaskCheckInterval:        time.Millisecond,
		DelayedTaskCheckInterval: time.Second,
		ShutdownTimeout:          cfg.ShutdownTimeout,
		Logger:                   asynqLog{cfg.Log},
		LogLevel:                 asynq.WarnLevel,
	})
	h := &handler{
		pacer: pacer, queue: queue, shards: w.spread(), sender: sender, pages: w.pages, maxAttempts: cfg.MaxAttempts,
		onUnknown: cfg.OnUnknown, suppressFor: cfg.SuppressFor, sendTimeout: cfg.ShutdownTimeout, log: cfg.Log, observer: cfg.Observer,
		plain: cfg.PlainRecipients, tracing: newTracing(cfg.Tracing),
	}
	return &shard{pacer: pacer, server: server, handler: h}, nil
}

func (w *Worker) spread() producer.Shards {
	return producer.Shards{Queue: w.cfg.Queue, Count: w.cfg.Shards}
}

// join makes the worker one of the fleet, and sees to the fleet's limits. Once it has given a sign of life nobody changes the number of
// shards: what it is then, it stays.
func (w *Worker) join(ctx context.Context) error {
	if err := w.awaitWrites(ctx); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	if err := producer.SetShards(ctx, w.rdb, w.spread()); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	for _, s := range w.shards {
		if err := s.pacer.Beat(ctx); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
	}
	if err := producer.SetShards(ctx, w.rdb, w.spread()); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	if err := w.setRates(ctx, nil); err != nil {
		return err
	}
	return w.releaseTokens(ctx)
}

// awaitWrites returns when Redis takes writes, or has refused them for promotionTimeout. The scripts would not tell well what is wrong:
// a client goes on asking a replica until the time is over, and in full memory some of them work.
func (w *Worker) awaitWrites(ctx context.Context) error {
	giveUp := time.NewTimer(promotionTimeout)
	defer giveUp.Stop()
	tick := time.NewTicker(promotionTimeout / 50)
	defer tick.Stop()
	for {
		err := producer.Writable(ctx, w.rdb, w.spread())
		var refused *producer.UnwritableError
		if !errors.As(err, &refused) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-giveUp.C:
			return err
		case <-tick.C:
		}
	}
}

func (w *Worker) releaseTokens(ctx context.Context) error {
	for _, s := range w.shards {
		if err := s.pacer.ReleaseTokens(ctx); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
	}
	return nil
}

// start lets all shards take jobs, or none.
func (w *Worker) start() error {
	for i, s := range w.shards {
		if err := s.server.Start(s.handler); err != nil {
			for _, started := range w.shards[:i] {
				started.server.Shutdown()
			}
			return fmt.Errorf("worker: %w", err)
		}
	}
	return nil
}

// stop returns when the sends of all shards have finished.
func (w *Worker) stop(ctx context.Context) {
	for _, s := range w.shards {
		s.pacer.Drain()
	}
	var wg sync.WaitGroup
	for _, s := range w.shards {
		wg.Go(func() {
			s.server.Shutdown()
			s.giveBack(ctx)
		})
	}
	wg.Wait()
}

// giveBack settles the jobs that asynq stopped too early to get.
func (s *shard) giveBack(ctx context.Context) {
	// With a job in hand that only ends the tries to settle it.
	giveUp := time.AfterFunc(giveBackTimeout, func() { _ = s.pacer.Close(ctx) })
	defer giveUp.Stop()
	for _, hand := range s.pacer.Unbegun() {
		s.handler.run(ctx, hand)
	}
}
