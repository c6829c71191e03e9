package pace

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/rediskeys"
)

// Suppression is a recipient of a page to whom nothing is sent for a time: they could not be reached.
type Suppression struct {
	// Recipient is a hash, as [producer.RecipientHash] makes it. Who it is cannot be told from it.
	Recipient string `json:"recipient"`
	// Until is when this ends, by the Redis server's clock.
	Until time.Time `json:"until"`
}

// ListSuppressed lists the recipients of a page that are suppressed now, those first for whom it ends first. An empty queue name
// means [producer.DefaultQueue].
func ListSuppressed(ctx context.Context, rdb redis.UniversalClient, queue, page string) ([]Suppression, error) {
	key, err := suppressedKey(ctx, rdb, queue, page)
	if err != nil {
		return nil, err
	}
	now, err := rdb.Time(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("pace: suppressed: %w", err)
	}
	found, err := rdb.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
		Key: key, ByScore: true, Start: "(" + strconv.FormatInt(now.UnixMicro(), 10), Stop: "+inf",
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("pace: suppressed: %w", err)
	}
	list := make([]Suppression, len(found))
	for i, z := range found {
		list[i].Recipient, _ = z.Member.(string)
		list[i].Until = time.UnixMicro(int64(z.Score)).UTC()
	}
	return list, nil
}

// Unsuppress lets a page send to a recipient again, or to all if recipient is empty. It returns how many were suppressed, those
// among them for whom that was over.
func Unsuppress(ctx context.Context, rdb redis.UniversalClient, queue, page, recipient string) (int64, error) {
	key, err := suppressedKey(ctx, rdb, queue, page)
	if err != nil {
		return 0, err
	}
	var n int64
	if recipient != "" {
		n, err = rdb.ZRem(ctx, key, recipient).Result()
	} else {
		n, err = rdb.ZRemRangeByRank(ctx, key, 0, -1).Result()
	}
	if err != nil {
		return 0, fmt.Errorf("pace: unsuppress: %w", err)
	}
	return n, nil
}

func suppressedKey(ctx context.Context, rdb redis.UniversalClient, queue, page string) (string, error) {
	queue, err := home(ctx, rdb, queue, page)
	return rediskeys.Keys{Queue: queue}.Suppressed(page), err
}
