package broadcast

import (
	"context"
	"fmt"
	"time"

	"github.com/sendpace/sendpace/producer"
)

// rates are what holds for the bulk lane of a page: the time between two sends, or 0 for no limit, and the sends of a day.
type rates struct {
	page, bulk, media time.Duration
	budget            int64
}

// readRates reads the rates that the workers have set; the zero value if none has.
func (c *Client) readRates(ctx context.Context, page string) (rates, error) {
	texts, err := c.rdb.MGet(ctx, c.keys.Rates(page), c.keys.Rates("default")).Result()
	if err != nil {
		return rates{}, err
	}
	for _, text := range texts {
		if s, ok := text.(string); ok {
			return parseRates(s)
		}
	}
	return rates{}, nil
}

// parseRates reads the text that package pace writes (worker/pace/rates.lua).
func parseRates(text string) (rates, error) {
	var page, bulk, media, replies, thread, budget, appBudget int64
	if _, err := fmt.Sscan(text, &page, &bulk, &media, &replies, &thread, &budget, &appBudget); err != nil {
		return rates{}, fmt.Errorf("the page's rates cannot be read: %w", err)
	}
	us := func(n int64) time.Duration { return within5Years(float64(n) * float64(time.Microsecond)) }
	if budget == 0 || appBudget > 0 && appBudget < budget {
		budget = appBudget
	}
	return rates{page: us(page), bulk: us(bulk), media: us(media), budget: budget}, nil
}

// interval is the time between two bulk messages in the long run. 0 means that it is not known.
func (r rates) interval(media bool) time.Duration {
	d := max(r.page, r.bulk)
	if media {
		d = max(d, r.media)
	}
	if d > 0 && r.budget > 0 {
		d = max(d, day*time.Second/time.Duration(r.budget))
	}
	return d
}

// sharer is what wants a part of a page's bulk pace.
type sharer struct {
	name                  string // empty for the jobs of no broadcast
	people, calls, weight int
}

// active are those that share the pace of a page with a broadcast now.
func (c *Client) active(ctx context.Context, page, name string) ([]sharer, error) {
	records, err := c.readAll(ctx)
	if err != nil {
		return nil, err
	}
	var found []sharer
	for _, r := range records {
		s := r.status()
		sends := s.State == StateRunning || s.State == StateTesting || s.State == StateLoading
		if s.PageID == page && r.name != name && sends && s.Left() > 0 {
			found = append(found, sharer{name: r.name, people: s.Left(), calls: max(1, r.spec.Calls), weight: max(1, s.Weight)})
		}
	}
	bulk := producer.Line{PageID: page, Lane: producer.LaneBulk}.String()
	waiting, err := c.rdb.ZCard(ctx, c.keys.Line(bulk)).Result()
	if waiting > 0 {
		found = append(found, sharer{people: int(waiting), calls: 1, weight: 1})
	}
	return found, err
}
