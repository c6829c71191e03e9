package pace

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

// restoreShards tells a Redis that lost its data again how many shards there are.
func (p *Pacer) restoreShards(ctx context.Context) error {
	if p.cfg.Shards <= 1 || p.cfg.Shard > 0 {
		return nil
	}
	return producer.SetShards(ctx, p.rdb, p.shards())
}

// shards are those that a worker's pacer was made for.
func (p *Pacer) shards() producer.Shards {
	return producer.Shards{Queue: p.cfg.Queue, Count: p.cfg.Shards}
}

// known are the shards of the fleet, which a pacer that was made for none asks for.
func (p *Pacer) known(ctx context.Context) (producer.Shards, error) {
	if p.cfg.Shards > 0 {
		return p.shards(), nil
	}
	shards, err := producer.ReadShards(ctx, p.rdb, p.cfg.Queue)
	if err != nil {
		return shards, fmt.Errorf("pace: %w", err)
	}
	return shards, nil
}

// part is this shard's part of a number that holds for all of them together: the parts add up to it.
func (p *Pacer) part(whole int64) int64 {
	n := int64(max(1, p.cfg.Shards))
	if int64(p.cfg.Shard) < whole%n {
		return whole/n + 1
	}
	return whole / n
}

// reach does something in each shard that scope, a page or [App], is in: at the same time, so that none waits for one that does not
// answer.
func reach[T any](ctx context.Context, p *Pacer, scope string, do func(rediskeys.Keys) (T, error)) ([]T, error) {
	shards, err := p.known(ctx)
	if err != nil {
		return nil, err
	}
	queues := scopeQueues(shards, scope)
	answers, errs := make([]T, len(queues)), make([]error, len(queues))
	var wg sync.WaitGroup
	for i, queue := range queues {
		wg.Go(func() { answers[i], errs[i] = do(rediskeys.Keys{Queue: queue}) })
	}
	wg.Wait()
	return answers, errors.Join(errs...)
}

func scopeQueues(shards producer.Shards, scope string) []string {
	if scope == App {
		return shards.Queues()
	}
	return []string{shards.QueueOf(scope)}
}

// home is the queue of a page.
func home(ctx context.Context, rdb redis.UniversalClient, queue, page string) (string, error) {
	shards, err := producer.ReadShards(ctx, rdb, queue)
	if err != nil {
		return "", fmt.Errorf("pace: %w", err)
	}
	return shards.QueueOf(page), nil
}

// eachShard reads something of each shard of a fleet.
func eachShard[T any](
	ctx context.Context, rdb redis.UniversalClient, queue string, read func(statusReader) (T, error),
) (producer.Shards, []T, error) {
	shards, err := producer.ReadShards(ctx, rdb, queue)
	if err != nil {
		return shards, nil, err
	}
	var all []T
	for _, queue := range shards.Queues() {
		one, err := read(statusReader{rdb: rdb, keys: rediskeys.Keys{Queue: queue}})
		if err != nil {
			return shards, nil, err
		}
		all = append(all, one)
	}
	return shards, all, nil
}
