package pace

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// beatEvery is the time between two signs of life of a worker that has jobs in hand, or reaps; others leave some out.
	beatEvery = 2 * time.Second
	// idleBeats is the number of beats of which a worker that does neither gives one.
	idleBeats = 2
	// deadAfter is how long a worker gives no sign of life before its jobs are handed to others. A job is taken over at the
	// latest this and two beats after its worker was killed.
	deadAfter = 10 * time.Second
	// gapAfter is how long no worker at all could give a sign of life before nobody is called dead for that. It is more than
	// idleBeats apart, or a worker alone would see a gap between its own; and the two together are less than deadAfter, because a
	// worker may have been handed its first job just before the gap.
	gapAfter = 5 * time.Second
	// forgetAfter is how long a dead worker is remembered.
	forgetAfter = time.Minute
	// reaperTTL is how long a worker that looked for dead ones, and died, is waited for. See beat.lua for how it and gapAfter go
	// together.
	reaperTTL = gapAfter
	// lostAfter is when an answer of take has surely come, or been lost: a job of which this worker knows nothing is put back
	// then.
	lostAfter = takeTimeout + time.Second
	// ownEvery is the number of beats between two looks for such jobs.
	ownEvery = 3
	// reapSize is how many jobs in hand one call looks at.
	reapSize = 200
)

// WorkerInfo is what a worker says of itself.
type WorkerInfo struct {
	// ID is the worker's name in Redis, new with each start.
	ID      string    `json:"id,omitempty"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Version string    `json:"version,omitempty"` // empty if it does not know
	Started time.Time `json:"started"`           // by its own clock
	// Leads is true for the worker that looks out for what is due while the others stand by. While all are busy none does.
	Leads bool `json:"leads,omitempty"`
}

func newInfo(version string) []byte {
	host, _ := os.Hostname() // for people; an empty one does no harm
	text, _ := json.Marshal(WorkerInfo{Host: host, PID: os.Getpid(), Version: version, Started: time.Now().UTC()})
	return text
}

// alive are the workers that have given a sign of life lately, the longest running first. beats has the us of the last one of
// each, told what each says of itself.
func alive(now time.Time, beats []redis.Z, told map[string]string) []WorkerInfo {
	var workers []WorkerInfo
	for _, beat := range beats {
		var info WorkerInfo
		id, _ := beat.Member.(string)
		if now.UnixMicro()-int64(beat.Score) > deadAfter.Microseconds() || json.Unmarshal([]byte(told[id]), &info) != nil {
			continue
		}
		info.ID = id
		workers = append(workers, info)
	}
	slices.SortFunc(workers, func(a, b WorkerInfo) int { return a.Started.Compare(b.Started) })
	return workers
}

// Beat says that this worker is alive. It is to be called before the first job is taken; Run goes on with it.
func (p *Pacer) Beat(ctx context.Context) error {
	_, err := p.beat(ctx)
	return err
}

func (p *Pacer) beat(ctx context.Context) (reap bool, _ error) {
	ctx, cancel := context.WithTimeout(ctx, takeTimeout)
	defer cancel()
	k := p.keys
	verb, err := beatScript.Run(ctx, p.rdb, []string{k.Workers(), k.WorkersInfo(), k.Steady(), k.Reaper()},
		p.id, p.info, deadAfter.Microseconds(), gapAfter.Microseconds(), forgetAfter.Microseconds(),
		reaperTTL.Milliseconds()).Text()
	p.spared.Store(verb == "spared")
	if err != nil {
		return false, fmt.Errorf("pace: beat: %w", err)
	}
	return verb == "reap", nil
}

// Observer is told what happens beside the sending of jobs.
type Observer interface {
	// Error is an error of Redis, which does not end the pacer.
	Error(err error)
	// TakenOver is a job that was in hand, and that nobody would have settled: its worker died, or the answer that handed it
	// out was lost. It is back in its line; a lost one was an id whose task is gone. token is that of the hand, empty if it
	// is not known.
	TakenOver(id, token string, lost bool)
}

type noObserver struct{}

func (noObserver) Error(error)                    {}
func (noObserver) TakenOver(string, string, bool) {}

// heartbeat beats until ctx ends, and takes care of the jobs that nobody else would settle.
func (p *Pacer) heartbeat(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := p.care(ctx, n); err != nil && ctx.Err() == nil {
			p.cfg.Observer.Error(err)
		}
	}
}

// care is what is to be done at beat n. A worker that leaves it out still looks for its own jobs: they are most easily lost while it
// knows of none.
func (p *Pacer) care(ctx context.Context, n int) error {
	var reap bool
	var err error
	if !p.leavesOut(n) {
		reap, err = p.beat(ctx)
	}
	if err == nil && (reap || n%ownEvery == 0) {
		err = p.reap(ctx, reap, lostAfter)
	}
	if !reap {
		p.sampled = nil // another one writes the history
	} else if err == nil {
		err = p.record(ctx)
	}
	return err
}

// leavesOut is true if this worker need not give its beat n.
func (p *Pacer) leavesOut(n int) bool { return p.spared.Load() && p.inHand() == 0 && n%idleBeats != 0 }

// reap looks at all jobs in hand once: at this worker's own that were handed out at least lost ago, and if it is to at those
// of others.
func (p *Pacer) reap(ctx context.Context, others bool, lost time.Duration) error {
	k, flag := p.keys, 0
	if others {
		flag = 1
	} else if n, err := p.rdb.LLen(ctx, k.Active()).Result(); err != nil {
		return fmt.Errorf("pace: reap: %w", err)
	} else if n == 0 {
		return nil
	}
	keys := []string{k.Active(), k.Lease(), k.Pending(), k.Groups(), k.Due(), k.Workers()}
	for from := "-1"; from != "0"; {
		args := append([]any{
			k.Task(""), k.Line(""), p.id, from, reapSize, deadAfter.Microseconds(), lost.Microseconds(), flag, k.Own(""),
		}, p.openHands()...)
		found, err := reapScript.Run(ctx, p.rdb, keys, args...).StringSlice()
		if err != nil {
			return fmt.Errorf("pace: reap: %w", err)
		}
		if len(found)%3 != 1 {
			return fmt.Errorf("pace: reap answered %d values", len(found))
		}
		if _, err := strconv.Atoi(found[0]); err != nil {
			return fmt.Errorf("pace: reap: %w", err)
		}
		from = found[0]
		for rest := found[1:]; len(rest) > 0; rest = rest[3:] {
			p.cfg.Observer.TakenOver(rest[1], rest[2], rest[0] == "lost")
		}
	}
	return nil
}
