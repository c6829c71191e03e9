package pace

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/rediskeys"
)

// Temporary are rates that a page has for a time, a second, in place of the configured ones. Zero leaves one as configured. What a
// worker sets when it starts does not end them.
type Temporary struct {
	Page  float64 `json:"page,omitempty"`
	Bulk  float64 `json:"bulk,omitempty"`
	Media float64 `json:"media,omitempty"`
	// Until is when the configured rates hold again.
	Until time.Time `json:"until"`
}

// Over are the rates of r with those of t in their place; t may be nil.
func (t *Temporary) Over(r Rates) Rates {
	if t == nil {
		return r
	}
	for rate, by := range map[*float64]float64{&r.Page: t.Page, &r.Bulk: t.Bulk, &r.Media: t.Media} {
		if by > 0 {
			*rate = by
		}
	}
	return r
}

// ReadRates reads the configured rates of a page. An empty queue name means [producer.DefaultQueue]. The error is [ErrNoRates] before
// a worker has run.
func ReadRates(ctx context.Context, rdb redis.UniversalClient, queue, page string) (Rates, error) {
	queue, err := home(ctx, rdb, queue, page)
	if err != nil {
		return Rates{}, err
	}
	t, err := statusReader{rdb: rdb, keys: rediskeys.Keys{Queue: queue}}.rates(ctx, []string{page})
	switch {
	case err != nil:
		return Rates{}, fmt.Errorf("pace: rates of %s: %w", page, err)
	case !t.known:
		return Rates{}, ErrNoRates
	}
	return t.of(page), nil
}

// ErrNoRates means that no worker has set the rates yet.
var ErrNoRates = errors.New("pace: no worker has set the rates yet")

// SetTemporary gives a page rates for a time, 1 ms or more, from the next slot on; t.Until does not count. They replace those that an
// earlier call gave. It returns when they end, by Redis's clock. The error is [ErrNoRates] before a worker has run: the margin is that
// of the workers.
func (p *Pacer) SetTemporary(ctx context.Context, page string, t Temporary, d time.Duration) (until time.Time, _ error) {
	shards, err := p.known(ctx)
	if err != nil {
		return time.Time{}, err
	}
	k := rediskeys.Keys{Queue: shards.QueueOf(page)}
	rates, err := statusReader{rdb: p.rdb, keys: k}.rates(ctx, nil)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("pace: temporary rate: %w", err)
	case !rates.known:
		return time.Time{}, ErrNoRates
	case d < time.Millisecond:
		return time.Time{}, fmt.Errorf("pace: temporary rate: %v is too short", d)
	}
	us := func(rate float64) int64 { return interval(rate, rates.margin) }
	return p.temporary(ctx, k, page, d, fmt.Sprintf("%d %d %d", us(t.Page), us(t.Bulk), us(t.Media)))
}

// EndTemporary ends the temporary rates of a page at once. found is false if there were none.
func (p *Pacer) EndTemporary(ctx context.Context, page string) (found bool, _ error) {
	shards, err := p.known(ctx)
	if err != nil {
		return false, err
	}
	ended, err := p.temporary(ctx, rediskeys.Keys{Queue: shards.QueueOf(page)}, page, 0, "")
	return !ended.IsZero(), err
}

func (p *Pacer) temporary(
	ctx context.Context, k rediskeys.Keys, page string, d time.Duration, intervals string,
) (time.Time, error) {
	us, err := temporaryScript.Run(ctx, p.rdb, []string{k.Temporary(page), k.Due(), k.Shares(page)},
		page, d.Microseconds(), intervals).Int64()
	if err != nil {
		return time.Time{}, fmt.Errorf("pace: temporary rate of %s: %w", page, err)
	}
	return moment(us), nil
}

// readTemporary decodes what temporary.lua wrote; nil for what is over, or none.
func readTemporary(text string, margin float64, now time.Time) *Temporary {
	f := strings.Fields(text)
	if len(f) != 4 {
		return nil
	}
	var n [4]int64
	for i := range n {
		n[i], _ = strconv.ParseInt(f[i], 10, 64)
	}
	t := &Temporary{
		Until: moment(n[0]), Page: rateOf(n[1], margin), Bulk: rateOf(n[2], margin), Media: rateOf(n[3], margin),
	}
	if !t.Until.After(now) {
		return nil
	}
	return t
}
