package pace

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Rates are a page's limits. Page, Bulk and Media must be above zero.
type Rates struct {
	// Page, Bulk and Media are messages a second: of all lanes together, of the bulk lane, and audio and video.
	Page  float64 `json:"page"`
	Bulk  float64 `json:"bulk"`
	Media float64 `json:"media"`
	// Replies are private replies to comments and posts, a second. Zero sets no limit.
	Replies float64 `json:"replies,omitempty"`
	// Thread is the least time between two messages to one recipient. Zero sets none.
	Thread time.Duration `json:"thread_ns,omitempty"`
	// Budget is how many sends are made in any 24 hours. A send counts for up to 15 minutes longer. Zero sets no limit.
	Budget int64 `json:"budget,omitempty"`
}

// Limits are those of a whole fleet.
type Limits struct {
	// Pages are the rates by page id; a page that is not in it has those of Others.
	Pages  map[string]Rates
	Others Rates
	// AppBudget is how many sends all pages together make in any 24 hours, counted as [Rates] says. Zero sets no limit.
	AppBudget int64
}

// encode writes the rates as the scripts read them (see rates.lua): intervals in us, with the margin taken off each rate and
// rounded up, so that a slot is never early.
func (r Rates) encode(margin float64, appBudget int64) string {
	us := func(rate float64) int64 { return interval(rate, margin) }
	return fmt.Sprintf("%d %d %d %d %d %d %d %g", us(r.Page), us(r.Bulk), us(r.Media), us(r.Replies),
		r.Thread.Microseconds(), r.Budget, appBudget, margin)
}

// margin is the share that lines run below their limits.
func (c Config) margin() float64 { return 1 - (1-c.Margin)/(1+c.Grid.Seconds()) }

// interval is the us between two sends at a rate, with the margin taken off; 0 for no rate.
func interval(rate, margin float64) int64 {
	if rate == 0 {
		return 0
	}
	// A century between two sends is as good as never, and fits the scripts' numbers.
	return int64(math.Min(math.Ceil(1e6/(rate*(1-margin))), 1e15))
}

// rateOf is the rate that an interval was made from, to the precision that it has.
func rateOf(us int64, margin float64) float64 {
	if us == 0 {
		return 0
	}
	r := 1e6 / float64(us) / (1 - margin)
	exact := max(3, math.Floor(math.Log10(float64(us)))-1) // an interval is whole us
	digits := math.Pow(10, exact-math.Ceil(math.Log10(r)))
	return math.Round(r*digits) / digits
}

// SetRates makes the limits of the whole fleet those given, from the next slot on: a pacer sets those of the pages of its shard, with
// its part of the app's budget. It replaces what an earlier call set, and
// takes effect within a second, also on a line whose next slot was hours away.
func (p *Pacer) SetRates(ctx context.Context, l Limits) error {
	args := make([]any, 0, 2*len(l.Pages)+2)
	budget := p.part(l.AppBudget)
	encode := func(r Rates) string {
		if r.Thread > 0 {
			r.Thread += p.cfg.Grid // the first may leave that much after its slot, and the second at its own
		}
		return r.encode(p.cfg.margin(), budget)
	}
	args = append(args, "default", encode(l.Others))
	for id, r := range l.Pages {
		if p.cfg.Shards <= 1 || p.shards().QueueOf(id) == p.keys.Queue {
			args = append(args, id, encode(r))
		}
	}
	p.mu.Lock()
	p.rates = args
	p.mu.Unlock()
	if err := p.writeRates(ctx, false); err != nil {
		return fmt.Errorf("pace: set rates: %w", err)
	}
	return nil
}

// restoreRates sets the rates again if Redis has lost them: after a flush, or a failover to a server that had no data.
func (p *Pacer) restoreRates(ctx context.Context) error {
	if err := p.writeRates(ctx, true); err != nil {
		return fmt.Errorf("pace: restore rates: %w", err)
	}
	return nil
}

func (p *Pacer) writeRates(ctx context.Context, onlyIfLost bool) error {
	p.mu.Lock()
	args := p.rates
	p.mu.Unlock()
	if len(args) == 0 {
		return nil
	}
	return ratesScript.Run(ctx, p.rdb, []string{p.keys.RatedPages(), p.keys.Due()},
		append([]any{p.keys.Rates(""), onlyIfLost}, args...)...).Err()
}
