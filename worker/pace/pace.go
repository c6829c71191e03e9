package pace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

const (
	// wakeLookout is the word for the worker that looks out alone: a line has a job that is due. Any other word is for all.
	wakeLookout = "line"
	// lookEvery is how often the fleet looks for tasks outside of the lines, and for lines that asynq's clients made. A producer
	// of ours says itself that a line is new.
	lookEvery = 100 * time.Millisecond
	// takeMost is how many jobs a worker takes at once, and how many it has whose time has come and that were not sent yet: on a
	// machine that is busy to the full more would only be late.
	takeMost = 16
	// busyPause is how long a worker that has as many waits before it looks again.
	busyPause = time.Millisecond
	// readyShare is the part of the lead, one over it, that is left for an answer of Redis and for a worker that oversleeps. The
	// rest is time whose slots one answer hands out together.
	readyShare = 2
	// lookoutTTL is how long a lookout that did not ask when it should have is waited for. With Config.Poll it bounds how long the
	// fleet can stand still then. A lookout says that it goes on when half of that is over.
	lookoutTTL = 500 * time.Millisecond
	// sweepEvery is the time between two passes over the claims.
	sweepEvery = 5 * time.Second
	// shortestAhead is how long before its slot a job asks at the latest whether it may be sent: a timer is up to a millisecond late,
	// and the varying length of Redis's answer would show in the gaps otherwise.
	shortestAhead = 2 * time.Millisecond
	// lateTimeout bounds the note of a message that left late.
	lateTimeout = time.Second
	// slackShare is the share of the margin that late messages may use up. The rest is for what the pacer cannot see: the
	// way from here to the platform.
	slackShare = 0.4
	// takeTimeout bounds one question to Redis. asynq counts a job's lease from before the question: an answer that comes
	// after an outage would be a job whose lease has ended.
	takeTimeout = 5 * time.Second
	// errorPause keeps a worker from asking in a tight loop while Redis answers with errors.
	errorPause = 250 * time.Millisecond
	// drainGrace is how long an answer of Redis is waited for after Drain. A job in an answer that is not waited for would
	// be found only when its lease has ended.
	drainGrace = 2 * time.Second
)

// Config is how a [Pacer] works. Zero values mean the defaults.
type Config struct {
	// Queue is the asynq queue. Default: [producer.DefaultQueue].
	Queue string
	// Shards is over how many queues the pages are spread, and Shard is the number of the one, from 0, that this pacer hands out the
	// jobs of; see [producer.Shards]. 0 shards are for one that only pauses, holds and releases: it asks Redis how many there are.
	Shards, Shard int
	// ID is the worker's. The pacers of one worker have the same. Default: a new one.
	ID string
	// Margin is the share that lines run below their limits, from 0 to below 1. It absorbs the jitter of clocks and
	// networks: a stream at exactly 50/s shows 51 in some one-second window.
	Margin float64
	// Grid and Ahead let messages leave together: at the first multiple of Grid, on Redis's clock, that is Ahead or more after the
	// slot. The job is let go Ahead before that. By the least jitter a second holds the messages of one multiple more than fit it, so
	// lines run below their limits by that too; conversations are spaced by a Grid more. 0 means that each leaves at its slot.
	Grid, Ahead time.Duration
	// Lead is how long ahead of its slot a job may be handed out. A longer lead evens out slower networks; each page then
	// has up to rate x Lead jobs in hand. Default 50 ms.
	Lead time.Duration
	// Places is how many jobs the worker can have in hand. Default 1.
	Places int
	// Room is what the pacers of one worker share those places with. Default: room for Places.
	Room Room
	// HasToken tells which pages this worker has a token for. It releases those that another one held because it has none.
	// nil means none.
	HasToken func(page string) bool
	// Suppress is true if recipients that are suppressed are to be refused.
	Suppress bool
	// Observer is told what happens beside sending. nil means nobody is.
	Observer Observer
	// StreamLength is about how many outcome records the stream keeps. Default: [producer.DefaultStreamLength].
	StreamLength int64
	// Version is that of the program, for people who look at the workers.
	Version string
	// FirstPause and LongestPause bound a pause for which the platform gave no length: it doubles from the first to the
	// longest. Defaults: 30 s and 15 min.
	FirstPause, LongestPause time.Duration
	// Poll is how often the fleet asks Redis while nothing is due. It bounds how long a job of a plain asynq client that comes to
	// an idle fleet waits to be noticed, and any job if the word of its producer is lost. A worker that asks for the fleet and is
	// killed is waited for half a second longer than that. Default 200 ms.
	Poll time.Duration
	// Steady keeps the pace at the rates: no probe and no climb after a pause, and none slower as usage nears its limit.
	Steady bool
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.Lead, 50*time.Millisecond)
	set(&c.Poll, 200*time.Millisecond)
	set(&c.FirstPause, 30*time.Second)
	set(&c.LongestPause, 15*time.Minute)
	if c.Queue == "" {
		c.Queue = producer.DefaultQueue
	}
	if c.Places == 0 {
		c.Places = 1
	}
	if c.Room == nil && c.Places > 0 {
		c.Room = NewRoom(c.Places)
	}
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	if c.StreamLength == 0 {
		c.StreamLength = producer.DefaultStreamLength
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if !(c.Margin >= 0 && c.Margin < 1) {
		errs = append(errs, fmt.Errorf("pace: Margin %v: must be from 0 to below 1", c.Margin))
	}
	if c.Grid < 0 || c.Ahead < 0 || c.Grid > time.Second || c.Ahead > time.Second {
		errs = append(errs, fmt.Errorf("pace: Grid %v, Ahead %v: must be from 0 to 1s", c.Grid, c.Ahead))
	}
	if c.Lead < 0 || c.Lead > 10*time.Second {
		errs = append(errs, fmt.Errorf("pace: Lead %v: must be from 0 to 10s", c.Lead))
	}
	if c.Poll < time.Millisecond || c.Poll > time.Minute {
		errs = append(errs, fmt.Errorf("pace: Poll %v: must be from 1ms to 1m", c.Poll))
	}
	if c.Places < 0 {
		errs = append(errs, fmt.Errorf("pace: Places %d: must be above 0", c.Places))
	}
	if c.Shards < 0 || c.Shards > producer.MaxShards || c.Shard < 0 || c.Shard >= max(1, c.Shards) {
		errs = append(errs, fmt.Errorf("pace: Shards %d, Shard %d: must be up to %d, and one of them", c.Shards, c.Shard, producer.MaxShards))
	}
	if c.StreamLength < 0 {
		errs = append(errs, fmt.Errorf("pace: StreamLength %d: must be above 0", c.StreamLength))
	}
	if c.FirstPause < 0 || c.LongestPause < c.FirstPause {
		errs = append(errs, errors.New("pace: FirstPause and LongestPause: must be positive, and rising"))
	}
	return errors.Join(errs...)
}

// Pacer is one worker's part in the pacing of a fleet. It is safe for concurrent use.
type Pacer struct {
	rdb   redis.UniversalClient
	cfg   Config
	keys  rediskeys.Keys
	id    string
	clock *clock

	info []byte // a WorkerInfo

	draining chan struct{}
	drain    sync.Once
	asking   context.Context // ends some time after Drain
	silence  context.CancelFunc
	closed   chan struct{}
	close    sync.Once
	woken    chan struct{}
	standsBy atomic.Bool  // the last answer said that another worker looks out
	spared   atomic.Bool  // the last beat said that another worker reaps
	heard    atomic.Int64 // when the lookout said last that it goes on, in ns since the clock's base

	permits together[permitting, reply]
	lates   together[lateness, []string]
	settles together[settling, []string]

	mu    sync.Mutex
	ready []*Hand          // hands that asynq has not got yet
	fresh map[string]*Hand // hands that have not begun, by the job's id
	hands map[string]*Hand // all open hands, by name
	rates []any            // what SetRates wrote

	tokenless map[string]time.Time // when this worker held a page for want of a token

	sampled *sample // the last one of the history; nil while another worker writes it. Used by heartbeat alone.

	// Used by dequeue alone, which asynq calls from one goroutine.
	askAt    time.Time // when the next question is worth it
	more     bool      // there was a task outside of the lines, and may be another
	lineNext bool      // it is the lines' turn
}

// New makes the pacer of one worker. rdb stays the caller's to close. Its retries should outlast a short outage of Redis:
// what a worker cannot write then is lost or done twice.
func New(rdb redis.UniversalClient, cfg Config) (*Pacer, error) {
	cfg = cfg.withDefaults()
	if rdb == nil {
		return nil, errors.New("pace: no Redis client")
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	queue := producer.Shards{Queue: cfg.Queue, Count: cfg.Shards}.Queues()[cfg.Shard]
	p := &Pacer{
		rdb: rdb, cfg: cfg, keys: rediskeys.Keys{Queue: queue}, id: cfg.ID, clock: newClock(time.Now()),
		info: newInfo(cfg.Version), draining: make(chan struct{}), woken: make(chan struct{}, 1), closed: make(chan struct{}),
		fresh: map[string]*Hand{}, hands: map[string]*Hand{}, tokenless: map[string]time.Time{},
	}
	p.asking, p.silence = context.WithCancel(context.Background())
	p.permits.ask, p.lates.ask, p.settles.ask = p.permitAll, p.lateAll, p.settleAll
	return p, nil
}

// Run does what has to be done beside sending, until ctx ends: it beats, takes jobs over from workers that died, listens for
// being woken and sweeps the claims. What is enough for the fleet to do once the worker does that reaps.
func (p *Pacer) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { p.heartbeat(ctx) })
	wake := p.rdb.Subscribe(ctx, p.keys.Wake(), p.keys.Lookout())
	defer wake.Close()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	messages, draining := wake.Channel(), p.draining
	for {
		select {
		case <-ctx.Done():
			return
		case <-draining:
			draining = nil
			if err := p.handOn(ctx); err != nil && ctx.Err() == nil {
				p.cfg.Observer.Error(err)
			}
		case m := <-messages:
			p.hear(m)
		case <-sweep.C:
			if err := p.sweep(ctx); err != nil && ctx.Err() == nil {
				p.cfg.Observer.Error(err)
			}
		}
	}
}

// handOn lets another worker look out at once, where it is this one that does and takes no more jobs.
func (p *Pacer) handOn(ctx context.Context) error {
	holder, err := p.rdb.Get(ctx, p.keys.Lookout()).Result()
	if err == nil && strings.HasPrefix(holder, p.id+" ") {
		_, err = p.rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.Del(ctx, p.keys.Lookout())
			pipe.Publish(ctx, p.keys.Wake(), "")
			return nil
		})
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("pace: hand on: %w", err)
	}
	return nil
}

// hear acts on a word from the fleet.
func (p *Pacer) hear(m *redis.Message) {
	switch {
	case m.Channel == p.keys.Lookout():
		p.heard.Store(int64(time.Since(p.clock.base)))
	case m.Payload == wakeLookout && p.standsBy.Load():
		// It is for the lookout.
	default:
		select {
		case p.woken <- struct{}{}:
		default: // it is awake
		}
	}
}

// sweep sees to the pages that wait for a token, which other workers may not have. Where no other worker reaps it makes sure of the
// shards and of the rates, and makes one pass over the claims.
func (p *Pacer) sweep(ctx context.Context) error {
	if err := p.ReleaseTokens(ctx); err != nil || p.spared.Load() {
		return err
	}
	// The shards may have to wait for a person; the rest need not.
	return errors.Join(p.restoreShards(ctx), p.sweepQueue(ctx))
}

func (p *Pacer) sweepQueue(ctx context.Context) error {
	if err := p.restoreRates(ctx); err != nil {
		return err
	}
	cursor := "0"
	for {
		next, err := sweepScript.Run(ctx, p.rdb, []string{p.keys.Busy(), p.keys.Due(), p.keys.Groups(), p.keys.Threads()},
			cursor, p.keys.Own(""), p.keys.Task(""), p.keys.Line("")).Text()
		if err != nil {
			return fmt.Errorf("pace: sweep: %w", err)
		}
		if next == "0" {
			return nil
		}
		cursor = next
	}
}

// Drain stops the handing out of jobs, and sends those that wait for their slot back to their lines. Sends in flight go on. When
// asynq's server has stopped then, the hands of [Pacer.Unbegun] are to be settled.
func (p *Pacer) Drain() {
	p.drain.Do(func() {
		close(p.draining)
		time.AfterFunc(drainGrace, p.silence)
	})
}

// Close ends what still tries to reach Redis. A worker that has nothing in hand says that it is gone; the jobs of another one
// are taken over a while later, unless their sends end before.
func (p *Pacer) Close(ctx context.Context) error {
	p.close.Do(func() { close(p.closed) })
	if p.inHand() > 0 {
		return nil
	}
	_, err := p.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRem(ctx, p.keys.Workers(), p.id)
		pipe.HDel(ctx, p.keys.WorkersInfo(), p.id)
		return nil
	})
	if err != nil {
		return fmt.Errorf("pace: close: %w", err)
	}
	return nil
}
