package pace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

const (
	// lookEvery is how often a worker that is busy looks for new lines and for tasks outside of the lines.
	lookEvery = 10 * time.Millisecond
	// pollEvery is how often the lookout asks while nothing is due. It bounds how long a job that comes to an idle fleet
	// waits to be noticed.
	pollEvery = 20 * time.Millisecond
	// standbyEvery is how often the other workers ask.
	standbyEvery = 250 * time.Millisecond
	// lookoutTTL is how long a lookout that died is waited for. With standbyEvery it bounds how long the fleet can stand
	// still then.
	lookoutTTL = 500 * time.Millisecond
	// sweepEvery is the time between two passes over the claims.
	sweepEvery = 5 * time.Second
	// permitAhead is how long before its slot a job asks for the last time whether it may be sent. It covers a quick answer of
	// Redis, whose varying length would otherwise show in the gaps.
	permitAhead = time.Millisecond
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
	// Margin is the share that lines run below their limits, from 0 to below 1. It absorbs the jitter of clocks and
	// networks: a stream at exactly 50/s shows 51 in some one-second window.
	Margin float64
	// Lead is how long ahead of its slot a job may be handed out. A longer lead evens out slower networks; each page then
	// has up to rate x Lead jobs in hand. Default 50 ms.
	Lead time.Duration
	// Places is how many jobs the worker can have in hand. Default 1.
	Places int
	// FirstPause and LongestPause bound a pause for which the platform gave no length: it doubles from the first to the
	// longest. Defaults: 30 s and 15 min.
	FirstPause, LongestPause time.Duration
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.Lead, 50*time.Millisecond)
	set(&c.FirstPause, 30*time.Second)
	set(&c.LongestPause, 15*time.Minute)
	if c.Queue == "" {
		c.Queue = producer.DefaultQueue
	}
	if c.Places == 0 {
		c.Places = 1
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if !(c.Margin >= 0 && c.Margin < 1) {
		errs = append(errs, fmt.Errorf("pace: Margin %v: must be from 0 to below 1", c.Margin))
	}
	if c.Lead < 0 || c.Lead > 10*time.Second {
		errs = append(errs, fmt.Errorf("pace: Lead %v: must be from 0 to 10s", c.Lead))
	}
	if c.Places < 0 {
		errs = append(errs, fmt.Errorf("pace: Places %d: must be above 0", c.Places))
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

	draining chan struct{}
	drain    sync.Once
	woken    chan struct{}

	mu        sync.Mutex
	turns     map[string]turn // jobs in hand, by id
	returning map[string]back // jobs on their way back, by id

	rates []any // what SetRates wrote

	// Used by dequeue alone, which asynq calls from one goroutine.
	lastLook time.Time
	more     bool // there was a task outside of the lines, and may be another
	lineNext bool // it is the lines' turn
}

// turn is what take handed out with a job: its slot in a line, or none.
type turn struct {
	line string
	slot int64
}

// back is where a job that is given back goes.
type back struct {
	line      string
	recipient string
	where     string // head, tail or park
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
	return &Pacer{
		rdb: rdb, cfg: cfg, keys: rediskeys.Keys{Queue: cfg.Queue}, id: uuid.NewString(), clock: newClock(time.Now()),
		draining: make(chan struct{}), woken: make(chan struct{}, 1),
		turns: map[string]turn{}, returning: map[string]back{},
	}, nil
}

// Run does what has to be done beside sending, until ctx ends: it listens for being woken and sweeps the claims. onError
// is told of errors of Redis, which do not end it.
func (p *Pacer) Run(ctx context.Context, onError func(error)) {
	wake := p.rdb.Subscribe(ctx, p.keys.Wake())
	defer wake.Close()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	messages := wake.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case <-messages:
			select {
			case p.woken <- struct{}{}:
			default: // it is awake
			}
		case <-sweep.C:
			if err := p.sweep(ctx); err != nil && ctx.Err() == nil {
				onError(err)
			}
		}
	}
}

// sweep makes one pass over the claims, after it made sure of the rates.
func (p *Pacer) sweep(ctx context.Context) error {
	if err := p.restoreRates(ctx); err != nil {
		return err
	}
	cursor := "0"
	for {
		next, err := sweepScript.Run(ctx, p.rdb, []string{p.keys.Busy(), p.keys.Due(), p.keys.Groups()},
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

// Drain stops the handing out of jobs, and sends those that wait for their slot back to their lines. Sends in flight go on.
func (p *Pacer) Drain() {
	p.drain.Do(func() { close(p.draining) })
}

// Verdict is the answer to a job that wants to be sent.
type Verdict struct {
	// Go is true if the job may be sent now.
	Go bool
	// Why says, where it may not, what it waits for. The job is then to be returned to asynq with this as its error's
	// text; it goes back to its line.
	Why string
}

// Await waits for the job's slot, and asks then whether it may still be sent. A job that came without a slot gets one if
// there is one soon. After a verdict without Go the caller ends its handler with any error: the job goes back to its line,
// no failure is counted. The error is Redis's, or ctx's.
func (p *Pacer) Await(ctx context.Context, id string, r producer.Route) (Verdict, error) {
	t := p.turn(id)
	slot := t.slot
	if t.line != r.Line.String() {
		slot = 0 // it stood in a line of another name: that slot was not its own
	}
	for {
		if slot == 0 || !claimedBy(id, r.Recipient) {
			var where string
			var err error
			if slot, where, err = p.admit(ctx, id, r, slot); err != nil {
				return Verdict{}, err
			}
			if where != "" {
				return p.giveBack(id, r, where, whyBack[where]), nil
			}
		}
		if !p.wait(ctx, slot-permitAhead.Microseconds()) {
			return p.giveBack(id, r, "head", "the worker is stopping"), ctx.Err()
		}
		paused, err := p.rdb.Exists(ctx, p.keys.Pause(App), p.keys.Pause(r.Line.PageID)).Result()
		if err != nil {
			return Verdict{}, fmt.Errorf("pace: permit: %w", err)
		}
		if paused > 0 {
			return p.giveBack(id, r, "head", "the page is paused"), nil
		}
		if !p.wait(ctx, slot) {
			return p.giveBack(id, r, "head", "the worker is stopping"), ctx.Err()
		}
		if time.Since(p.clock.at(slot)) <= p.cfg.Lead {
			p.setTurn(id, turn{line: r.Line.String(), slot: slot})
			return Verdict{Go: true}, nil
		}
		slot = 0 // held up for so long that others have the time now
	}
}

var whyBack = map[string]string{
	"head": "the next free slot is later",
	"tail": "others in the line are first",
	"park": "an earlier message to this recipient is first",
}

// claimedBy is true if take could claim the job's recipient by the id alone.
func claimedBy(id, recipient string) bool { return strings.HasSuffix(id, "-"+recipient) }

// GiveBack sends a job that was not accepted by the platform back to the head of its line once the caller's handler has
// ended with an error. No failure is counted.
func (p *Pacer) GiveBack(id string, r producer.Route) { p.giveBack(id, r, "head", "") }

func (p *Pacer) giveBack(id string, r producer.Route, where, why string) Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.returning[id] = back{line: r.Line.String(), recipient: r.Recipient, where: where}
	return Verdict{Why: why}
}

// Done ends the job's place in this worker, whatever came of it. Each job that was handed out needs one call.
func (p *Pacer) Done(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.turns, id)
}

// Left tells when a job's message was really written to the platform. A page's next slots keep their distance to a message
// that left later than its slot, by a stall or over a new connection. A part of the margin is left for small delays.
func (p *Pacer) Left(ctx context.Context, id string, at time.Time) error {
	t := p.turn(id)
	late := at.Sub(p.clock.at(t.slot)) - time.Duration(p.cfg.Margin*slackShare*float64(time.Second))
	if t.slot == 0 || late <= 0 {
		return nil
	}
	err := lateScript.Run(ctx, p.rdb, []string{p.keys.Rates()},
		p.keys.Own(""), t.line, t.slot, t.slot+late.Microseconds()).Err()
	if err != nil {
		return fmt.Errorf("pace: late: %w", err)
	}
	return nil
}

// Unused gives back the slot of a job that will not be sent. It may be called only before [Pacer.Await].
func (p *Pacer) Unused(ctx context.Context, id string) error {
	t := p.turn(id)
	if t.slot == 0 {
		return nil
	}
	err := unusedScript.Run(ctx, p.rdb, []string{p.keys.Rates(), p.keys.Due()}, p.keys.Own(""), t.line, t.slot).Err()
	if err != nil {
		return fmt.Errorf("pace: unused: %w", err)
	}
	return nil
}

func (p *Pacer) setTurn(id string, t turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns[id] = t
}

func (p *Pacer) turn(id string) turn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turns[id]
}

// admit asks for a slot, or for the recipient where there is a slot. where says, if there is none to be had, where in its
// line the job belongs.
func (p *Pacer) admit(ctx context.Context, id string, r producer.Route, slot int64) (_ int64, where string, _ error) {
	line, page := r.Line.String(), r.Line.PageID
	got, err := readReply(admitScript.Run(ctx, p.rdb,
		[]string{p.keys.Line(line), p.keys.Rates(), p.keys.Busy(), p.keys.Pause(App), p.keys.Pause(page), p.keys.Due()},
		p.keys.Task(""), p.keys.Own(""), id, line, r.Recipient, p.cfg.Lead.Microseconds(), slot, p.keys.Line("")))
	if err != nil {
		return 0, "", fmt.Errorf("pace: admit: %w", err)
	}
	p.clock.observe(got.now, time.Now())
	if got.verb != "job" {
		return 0, got.verb, nil
	}
	slot, err = got.us(0)
	return slot, "", err
}

// wait returns true at the slot, and false if the worker stops before.
func (p *Pacer) wait(ctx context.Context, slot int64) bool {
	select {
	case <-p.draining:
		return false
	default:
	}
	timer := time.NewTimer(time.Until(p.clock.at(slot)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.draining:
		return false
	case <-ctx.Done():
		return false
	}
}

// Finish notes how a job ended, and lets the next one to the same recipient go ahead. A job that will be retried, or was
// given back, has not ended.
func (p *Pacer) Finish(ctx context.Context, id string, r producer.Route, outcome string) error {
	err := finishScript.Run(ctx, p.rdb, []string{p.keys.Busy(), p.keys.Due(), p.keys.Outcomes()},
		id, r.Line.PageID, r.Recipient, outcome, p.keys.Own(""), p.keys.Task(""), p.keys.Line("")).Err()
	if err != nil {
		return fmt.Errorf("pace: finish: %w", err)
	}
	return nil
}
