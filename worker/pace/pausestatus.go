package pace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

// pauseCmds are the two questions about a pause.
type pauseCmds struct {
	why  *redis.StringCmd
	left *redis.DurationCmd
}

func (r statusReader) askPause(ctx context.Context, pipe redis.Pipeliner, scope string) pauseCmds {
	return pauseCmds{pipe.Get(ctx, r.keys.Pause(scope)), pipe.PTTL(ctx, r.keys.Pause(scope))}
}

func (c pauseCmds) status() *PauseStatus {
	if c.why.Err() != nil {
		return nil
	}
	s := &PauseStatus{Left: max(0, c.left.Val()), Hold: c.left.Val() == -1}
	if json.Unmarshal([]byte(c.why.Val()), &s.Reason) != nil {
		s.Text = "(the reason cannot be read)"
	}
	return s
}

// ReadPause reads the pause or hold of scope, a page id or [App]; nil if there is none. An empty queue name means
// [producer.DefaultQueue].
func ReadPause(ctx context.Context, rdb redis.UniversalClient, queue, scope string) (*PauseStatus, error) {
	shards, err := producer.ReadShards(ctx, rdb, queue)
	if err != nil {
		return nil, fmt.Errorf("pace: %w", err)
	}
	pipe := rdb.Pipeline()
	var asked []pauseCmds
	for _, queue := range scopeQueues(shards, scope) {
		asked = append(asked, statusReader{keys: rediskeys.Keys{Queue: queue}}.askPause(ctx, pipe, scope))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("pace: pause of %s: %w", scope, err)
	}
	var longest *PauseStatus
	for _, cmds := range asked {
		longest = longer(longest, cmds.status())
	}
	return longest, nil
}
