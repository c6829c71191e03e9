package pace

import (
	"context"
	"fmt"
	"math"

	"github.com/redis/go-redis/v9"
)

// Rates are a page's limits in messages a second. Each must be above zero.
type Rates struct {
	Page  float64 `json:"page"`  // all lanes together
	Bulk  float64 `json:"bulk"`  // the bulk lane
	Media float64 `json:"media"` // audio and video
}

// encode writes the rates as the intervals that the scripts read: 'page bulk media' in us, with the margin taken off each
// rate and rounded up, so that a slot is never early.
func (r Rates) encode(margin float64) string {
	us := func(rate float64) int64 {
		// A century between two sends is as good as never, and fits the scripts' numbers.
		return int64(math.Min(math.Ceil(1e6/(rate*(1-margin))), 1e15))
	}
	return fmt.Sprintf("%d %d %d", us(r.Page), us(r.Bulk), us(r.Media))
}

// SetRates makes the rates of all pages those given, for the whole fleet, from the next slot on. A page that is not in
// pages has the rates of others. It replaces what an earlier call set.
func (p *Pacer) SetRates(ctx context.Context, others Rates, pages map[string]Rates) error {
	fields := make([]any, 0, 2*len(pages)+4)
	fields = append(fields, "margin", p.cfg.Margin, "default", others.encode(p.cfg.Margin))
	for id, r := range pages {
		fields = append(fields, id, r.encode(p.cfg.Margin))
	}
	p.mu.Lock()
	p.rates = fields
	p.mu.Unlock()
	_, err := p.rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.Del(ctx, p.keys.Rates())
		tx.HSet(ctx, p.keys.Rates(), fields...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("pace: set rates: %w", err)
	}
	return nil
}

// restoreRates sets the rates again if Redis has lost them: after a flush, or a failover to a server that had no data.
func (p *Pacer) restoreRates(ctx context.Context) error {
	n, err := p.rdb.Exists(ctx, p.keys.Rates()).Result()
	p.mu.Lock()
	fields := p.rates
	p.mu.Unlock()
	if err == nil && n == 0 && len(fields) > 0 {
		err = p.rdb.HSet(ctx, p.keys.Rates(), fields...).Err()
	}
	if err != nil {
		return fmt.Errorf("pace: restore rates: %w", err)
	}
	return nil
}
