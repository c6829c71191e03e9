package pace

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

// Client is the Redis client to give to a worker's asynq server. It passes everything on, but for some of asynq's script calls,
// which it knows by their keys. The one that dequeues a task gets the pacer's answer. Those that end a task's run are answered
// without Redis: the handler has settled its job when it returns, or will; asynq ends a run early when its lease is over or the
// server stops, and must not put a job back that is being sent. asynq's search for tasks whose lease is over finds none: jobs of
// dead workers are taken over by the pacer, sooner. What each server of a fleet does for all, a worker that stands by leaves to the
// one that looks out: there is nothing for it to do. And a server with no job in hand does not clear its list of them each time.
//
// Where asynq changes its keys this client recognises nothing, and no job leaves its line: it fails safe.
type Client struct {
	redis.UniversalClient
	pacer *Pacer
	lists atomic.Bool // asynq's server has jobs in its list
}

// Client returns the Redis client for the worker's asynq server.
func (p *Pacer) Client() *Client { return &Client{UniversalClient: p.rdb, pacer: p} }

// EvalSha runs a script that Redis has already, or what stands in for it.
func (c *Client) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	k := c.pacer.keys
	switch {
	case len(keys) == 4 && keys[0] == k.Pending() && keys[2] == k.Active():
		return c.pacer.dequeue(keys, args)
	case endsRun(k, keys):
		return answer("OK", nil)
	case len(keys) == 1 && keys[0] == k.Lease():
		return answer([]any{}, nil)
	case c.pacer.standsBy.Load() && forAll(k, keys):
		return answer(int64(0), nil)
	case len(keys) == 2 && strings.HasPrefix(keys[0], serverKey) && len(args) >= 2:
		return c.signOfLife(ctx, sha, keys, args)
	}
	return c.UniversalClient.EvalSha(ctx, sha, keys, args...)
}

// endsRun recognises the scripts that take a task out of the active list: done, complete and requeue have the list first,
// retry and archive the task.
func endsRun(k rediskeys.Keys, keys []string) bool {
	at := slices.Index(keys, k.Active())
	return len(keys) >= 4 && (at == 0 || at == 1) && keys[at+1] == k.Lease()
}

// Subscribe listens to the lookout too, for asynq's only subscription, which is by task id: go-redis asks Redis for a sign of life
// where it has heard nothing for three seconds, for each worker.
func (c *Client) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return c.UniversalClient.Subscribe(ctx, append(channels, c.pacer.keys.Lookout())...)
}

// serverKey is how the key begins in which an asynq server says each five seconds that it is alive.
const serverKey = "asynq:servers:"

// signOfLife runs the script that writes what a server says of itself, args[1], for args[0] seconds, and the list of what it has in
// hand, which are all other args. With an empty list before and now there is only the first of the two to write.
func (c *Client) signOfLife(ctx context.Context, sha string, keys []string, args []any) *redis.Cmd {
	lists := len(args) > 2
	seconds, ok := args[0].(float64)
	if c.lists.Swap(lists) || lists || !ok {
		return c.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
	return answer("OK", c.SetEx(ctx, keys[0], args[1], time.Duration(seconds*float64(time.Second))).Err())
}

// forAll recognises the scripts that move the tasks which have come due, scheduled ones and retries, and the one that deletes
// completed tasks whose retention is over. Each answers how many there were.
func forAll(k rediskeys.Keys, keys []string) bool {
	switch len(keys) {
	case 1:
		return keys[0] == k.Completed()
	case 2:
		return (keys[0] == k.Scheduled() || keys[0] == k.Retry()) && keys[1] == k.Pending()
	}
	return false
}

// dequeue answers asynq with the next job, waiting up to a second for one to be due: asynq counts the job's lease from
// before the call. Of several jobs that one answer of Redis hands out, asynq gets the others with its next calls.
func (p *Pacer) dequeue(keys []string, args []any) *redis.Cmd {
	ctx, end := p.asking, time.Now().Add(time.Second)
	for {
		if h := p.nextReady(); h != nil {
			return answer(h.forAsynq(), nil)
		}
		if !p.rest(end) {
			return answer(nil, redis.Nil)
		}
		q := p.question()
		if q.most == 0 {
			p.askAt = time.Now().Add(busyPause)
			continue
		}
		got, err := p.take(ctx, q, keys, args)
		if err != nil {
			p.cfg.Room.leave(q.most)
			p.recoverFrom(ctx)
			return answer(nil, err)
		}
		opened, err := p.openAll(got)
		p.cfg.Room.leave(q.most - opened)
		if err != nil {
			return answer(nil, err)
		}
	}
}

// question is what one call of take asks for.
type question struct {
	look   int64         // ARGV[7] of take.lua
	most   int           // jobs that are wanted; there is room for them
	last   bool          // there are no more places
	passed string        // pages whose lines are left to others
	ready  time.Duration // how far ahead the first slot may be
}

// question asks for as many jobs as this worker can begin. Tasks outside of the lines and the lines take turns: neither waits for the
// other to empty.
func (p *Pacer) question() question {
	q := question{look: lookEvery.Microseconds(), ready: p.cfg.Lead / readyShare}
	switch {
	case p.lineNext:
		q.look = -1
	case p.more:
		q.look = 0
	}
	q.passed, q.most, q.last = p.free()
	q.most = p.cfg.Room.enter(q.most)
	q.last = q.last || p.cfg.Room.full()
	return q
}

// take asks for jobs. args are those of asynq's own call.
func (p *Pacer) take(ctx context.Context, q question, keys []string, args []any) (taken, error) {
	ctx, cancel := context.WithTimeout(ctx, takeTimeout)
	defer cancel()
	k, asked := p.keys, time.Now()
	got, err := readTaken(takeScript.Run(ctx, p.rdb,
		append(keys[:4:4], k.Groups(), k.Due(), k.Busy(), k.Pause(App), k.Lookout(), k.Looked()),
		args[0], k.Task(""), k.Line(""), k.Own(""), p.cfg.Lead.Microseconds(), p.id, q.look, q.most, q.last,
		p.lookoutLife().Milliseconds(), q.passed, q.ready.Microseconds()))
	if err != nil {
		return taken{}, err
	}
	now := time.Now()
	p.clock.observe(got.now, asked, now) // a slot is at most a lead later: the clock is fresh enough for it without permit
	p.standsBy.Store(got.verb == "standby")
	p.lineNext = got.verb == "task"
	p.more = p.lineNext || p.more && q.look != 0
	p.askAt = now.Add(p.waitOf(got))
	return got, nil
}

// recoverFrom waits a little after an error of Redis. A Redis that came back empty gets its rates again. The answer that was
// an error may have handed out a job: while nothing is asked, each one that this worker has not heard of is such a job.
func (p *Pacer) recoverFrom(ctx context.Context) {
	pause := time.NewTimer(errorPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-p.draining:
		return
	}
	ctx, cancel := context.WithTimeout(ctx, takeTimeout)
	defer cancel()
	// If Redis is still in trouble, the next question says so.
	if p.restoreRates(ctx) == nil {
		_ = p.reap(ctx, false, 0)
	}
}

// openAll opens the hands of the jobs that were handed out, and returns how many. One whose task cannot be read ends with that.
func (p *Pacer) openAll(got taken) (n int, err error) {
	var errs []error
	for _, job := range got.jobs {
		h, err := p.newHand(got, job)
		if err != nil {
			errs = append(errs, err, p.discard(h, job.msg))
			continue
		}
		h.inside = true
		p.open(h)
		n++
	}
	return n, errors.Join(errs...)
}

// discard ends a job whose task cannot be read: asynq would take it out again and again.
func (p *Pacer) discard(h *Hand, raw string) error {
	o := producer.Outcome{JobID: h.ID, Kind: producer.Failed, Reason: "the task in Redis cannot be read"}
	o.Job, _ = json.Marshal(raw) // texts can always be encoded
	if line, ok := producer.ParseLine(h.line); ok {
		o.PageID, o.Lane = line.PageID, line.Lane
	}
	_, err := p.Settle(context.Background(), h, Settlement{Outcome: o})
	return err
}

// answer makes the reply that asynq reads.
func answer(val any, err error) *redis.Cmd {
	cmd := redis.NewCmd(context.Background())
	cmd.SetVal(val)
	cmd.SetErr(err)
	return cmd
}
