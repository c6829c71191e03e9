package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// prank is one disturbance, drawn before the run begins.
type prank struct {
	at time.Duration // since the run began
	do func(context.Context)
}

// settleTime is how long a fleet may need after the way to Redis was broken until every worker has done what it could not:
// clients wait up to two seconds before they try again.
const settleTime = 3 * time.Second

// takeover is longer than a worker may be silent before its jobs are given to others.
const takeover = 18 * time.Second

// calm is how long a run begins without a disturbance but refusals at every other page, so that there are stops to judge in each.
const calm = 4 * time.Second

// pranks draws the disturbances of a run, spread over its span.
func (r *run) pranks(rng *rand.Rand) []prank {
	var all []prank
	for i := 1; i < r.pages; i += 2 { // not the slowest
		all = append(all, prank{calm / 4, func(context.Context) {
			r.box.Fail(pageID(i), sandbox.Fault{Code: 613, Times: 1})
		}})
	}
	add := func(n int, draw func() func(context.Context)) {
		for range n {
			all = append(all, prank{calm + upTo(rng, r.span-calm), draw()})
		}
	}
	add(r.kills, func() func(context.Context) {
		who, away := rng.IntN(r.workers), upTo(rng, 3*time.Second)
		return func(ctx context.Context) { r.killWorker(ctx, who, away) }
	})
	add(r.stalls, func() func(context.Context) {
		who := rng.IntN(r.workers)
		return func(ctx context.Context) { r.stallWorker(ctx, who) }
	})
	add(r.breaks, func() func(context.Context) { return r.drawBreak(rng) })
	add(r.faults, func() func(context.Context) { return r.drawFault(rng) })
	// Spread evenly, so that a server is not killed before it has got up.
	for i := range r.redisKills {
		away := time.Second + upTo(rng, 2*time.Second)
		all = append(all, prank{calm + (r.span-calm)*time.Duration(i+1)/time.Duration(r.redisKills+1), func(ctx context.Context) {
			r.killRedis(ctx, away)
		}})
	}
	return all
}

// perform does the pranks in their time, and returns when all are over.
func (r *run) perform(ctx context.Context, all []prank) {
	var wg sync.WaitGroup
	for _, p := range all {
		wg.Go(func() {
			wait(ctx, time.Until(r.began.Add(p.at)))
			if ctx.Err() == nil {
				p.do(ctx)
			}
		})
	}
	wg.Wait()
}

func (r *run) killWorker(ctx context.Context, who int, away time.Duration) {
	w := r.fleet[who]
	w.prank.Lock()
	defer w.prank.Unlock()
	r.during(Event{What: fmt.Sprintf("worker %d was killed", who), Deafens: true}, w.kill)
	wait(ctx, away)
	r.fail(w.start())
}

// stallWorker stops a process as a hung machine would, for longer than the fleet waits for it.
func (r *run) stallWorker(ctx context.Context, who int) {
	w := r.fleet[who]
	w.prank.Lock()
	defer w.prank.Unlock()
	r.during(Event{What: fmt.Sprintf("worker %d was stopped", who), Deafens: true}, func() { w.signal(syscall.SIGSTOP) })
	r.during(Event{What: fmt.Sprintf("worker %d stood still", who)}, func() { wait(ctx, takeover) })
	w.signal(syscall.SIGCONT)
}

func (r *run) killRedis(ctx context.Context, away time.Duration) {
	from := time.Now()
	start, err := r.store.kill(ctx)
	r.fail(err)
	if err != nil {
		return
	}
	wait(ctx, away)
	r.fail(start())
	wait(ctx, settleTime)
	r.note(Event{What: "Redis was killed and came back", From: from, To: time.Now(), Deafens: true})
	if r.store.loses {
		r.note(Event{What: "what Redis had acknowledged may be lost", From: from.Add(-lag), To: from.Add(lag), Loses: true})
	}
}

// lag is more than a replica is behind its master on one machine, and more than a call takes whose job was handed out before.
const lag = time.Second

// drawBreak spoils the way to Redis, or the one to the platform.
func (r *run) drawBreak(rng *rand.Rand) func(context.Context) {
	long := time.Second + upTo(rng, 4*time.Second)
	toRedis := func(what string, spoil, mend func(*Proxy)) func(context.Context) {
		return func(ctx context.Context) {
			r.during(Event{What: what + " to Redis", Deafens: true}, func() {
				r.store.each(spoil)
				wait(ctx, long)
				r.store.each(mend)
				wait(ctx, settleTime)
			})
		}
	}
	toPlatform := func(e Event, spoil, mend func(*Proxy)) func(context.Context) {
		return func(ctx context.Context) {
			e.What += " to the platform"
			r.during(e, func() {
				spoil(r.graph)
				wait(ctx, long)
				mend(r.graph)
				wait(ctx, time.Second) // what is on its way
			})
		}
	}
	nothing := func(*Proxy) {}
	refuse := func(p *Proxy) { p.Refuse(true); p.Cut() }
	accept := func(p *Proxy) { p.Refuse(false) }
	delay := func(d time.Duration) func(*Proxy) { return func(p *Proxy) { p.Delay(d) } }
	throttle := func(rate int) func(*Proxy) { return func(p *Proxy) { p.Throttle(rate) } }
	draws := []func(context.Context){
		toRedis("all connections were cut", (*Proxy).Cut, nothing),
		toRedis("no connections", refuse, accept),
		toRedis("slow connections", delay(upTo(rng, 100*time.Millisecond)), delay(0)),
		toRedis("narrow connections", throttle(20_000+rng.IntN(100_000)), throttle(0)),
		toPlatform(Event{What: "all connections were cut", Deafens: true}, (*Proxy).Cut, nothing),
		toPlatform(Event{What: "no connections"}, refuse, accept),
		toPlatform(Event{What: "slow connections", Blurs: true}, delay(upTo(rng, time.Second)), delay(0)),
		toPlatform(Event{What: "narrow connections", Blurs: true}, throttle(500+rng.IntN(2000)), throttle(0)),
	}
	return draws[rng.IntN(len(draws))]
}

// drawFault makes the platform fail at a page.
func (r *run) drawFault(rng *rand.Rand) func(context.Context) {
	page := pageID(rng.IntN(r.pages))
	times := 1 + rng.IntN(5)
	brief := 200*time.Millisecond + upTo(rng, time.Second)
	passing := func(f sandbox.Fault) func(context.Context) {
		return func(context.Context) {
			what := fmt.Sprintf("page %s: code %d/%d, HTTP %d, drop %q, delay %v, %d times, for %v",
				page, f.Code, f.Subcode, f.Status, f.Drop, f.Delay, f.Times, f.For)
			r.during(Event{What: what, Page: page}, func() { r.box.Fail(page, f) })
		}
	}
	lasting := func(f sandbox.Fault) func(context.Context) {
		return func(ctx context.Context) {
			r.during(Event{What: fmt.Sprintf("page %s: code %d until it was mended", page, f.Code), Page: page}, func() {
				r.box.Fail(page, f)
				wait(ctx, 3*time.Second+2*brief)
				r.box.Clear(page)
			})
			r.release(ctx, page)
		}
	}
	draws := []func(context.Context){
		passing(sandbox.Fault{Code: 613, For: brief}),
		passing(sandbox.Fault{Code: 613, For: brief}),
		passing(sandbox.Fault{Code: 4, For: brief}),
		passing(sandbox.Fault{Code: 2, Times: times}),
		passing(sandbox.Fault{Code: 1200, Status: 503, Times: times}),
		passing(sandbox.Fault{Code: 100, Subcode: 2534037, Times: times}),
		passing(sandbox.Fault{Code: 551, Times: times}),
		passing(sandbox.Fault{Code: 100, Subcode: 2018001, Times: times}),
		passing(sandbox.Fault{Code: 10, Subcode: 2018278, Times: times}),
		passing(sandbox.Fault{Drop: sandbox.DropBefore, Times: times}),
		passing(sandbox.Fault{Drop: sandbox.DropAfter, Times: times}),
		passing(sandbox.Fault{Drop: sandbox.DropAfter, Times: times}),
		passing(sandbox.Fault{Delay: 3 * time.Second, Times: 5 * times}),
		passing(sandbox.Fault{Status: 502, Times: times}),
		lasting(sandbox.Fault{Code: 190, Subcode: 463}),
		lasting(sandbox.Fault{Code: 368}),
	}
	if r.span >= 20*time.Second { // these stop a page or a recipient for a minute
		draws = append(draws, passing(sandbox.Fault{Code: 80006, RetryAfter: time.Minute, Times: 1}),
			passing(sandbox.Fault{Code: 613, Subcode: 2018338, Times: 1}))
	}
	return draws[rng.IntN(len(draws))]
}
