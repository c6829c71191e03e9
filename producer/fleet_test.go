package producer_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
)

// fleet does to jobs what workers do.
type fleet struct {
	t   *testing.T
	rdb redis.UniversalClient
}

var bg = context.Background()

// take puts a job from wherever it waits into a worker's hand.
func (f fleet) take(id string) {
	f.t.Helper()
	f.takeOut(id)
	require.NoError(f.t, f.rdb.HSet(bg, keys.Task(id), "state", "active", "line", f.rdb.HGet(bg, keys.Task(id), "group").Val()).Err())
	f.rdb.LPush(bg, keys.Active(), id)
}

func (f fleet) takeOut(id string) {
	line := f.rdb.HGet(bg, keys.Task(id), "group").Val()
	f.rdb.ZRem(bg, keys.Line(line), id)
	if f.rdb.Exists(bg, keys.Line(line)).Val() == 0 {
		f.rdb.SRem(bg, keys.Groups(), line)
		f.rdb.ZRem(bg, keys.Due(), line)
	}
	f.rdb.ZRem(bg, keys.Scheduled(), id)
	f.rdb.ZRem(bg, keys.Retry(), id)
	f.rdb.LRem(bg, keys.Pending(), 0, id)
	f.rdb.LRem(bg, keys.Active(), 0, id)
}

// move puts a job into one of asynq's collections.
func (f fleet) move(id, state string) {
	f.t.Helper()
	f.takeOut(id)
	f.rdb.HSet(bg, keys.Task(id), "state", state)
	switch state {
	case "pending":
		f.rdb.LPush(bg, keys.Pending(), id)
	case "retry":
		f.rdb.ZAdd(bg, keys.Retry(), redis.Z{Score: float64(time.Now().Unix() + 60), Member: id})
	case "aggregating":
		f.lineUp(id, "1:bulk", 0)
	}
}

func (f fleet) lineUp(id, line string, score float64) {
	f.rdb.HSet(bg, keys.Task(id), "group", line)
	f.rdb.ZAdd(bg, keys.Line(line), redis.Z{Score: score, Member: id})
	f.rdb.SAdd(bg, keys.Groups(), line)
}

// collections are those of asynq that each job is in.
func (f fleet) collections() map[string][]string {
	in := map[string][]string{}
	for _, key := range f.rdb.Keys(bg, "asynq:*").Val() {
		var ids []string
		switch f.rdb.Type(bg, key).Val() {
		case "list":
			ids = f.rdb.LRange(bg, key, 0, -1).Val()
		case "zset":
			ids = f.rdb.ZRange(bg, key, 0, -1).Val()
		}
		for _, id := range ids {
			in[id] = append(in[id], key)
		}
	}
	return in
}

func (f fleet) records() []producer.Outcome {
	f.t.Helper()
	var all []producer.Outcome
	for _, m := range f.rdb.XRange(bg, keys.Stream(), "-", "+").Val() {
		var o producer.Outcome
		require.NoError(f.t, json.Unmarshal([]byte(m.Values["o"].(string)), &o))
		all = append(all, o)
	}
	return all
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	require.NoError(t, err)
	return body
}
