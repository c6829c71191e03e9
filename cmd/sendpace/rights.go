package main

import (
	"context"
	_ "embed"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

// What Redis must let the user of redis.url do, as in an ACL rule.
var (
	// callRights are commands that are called as such. Of those Redis itself says which one is not allowed.
	callRights = strings.Fields(`client|setname config|get eval evalsha exec info multi ping scan script|exists script|load subscribe xack
	xautoclaim xgroup|create xinfo|groups xrange xread xreadgroup xrevrange zscan`)
	// scriptRights are commands of asynq's scripts and of ours, some of which are also called as such.
	scriptRights = strings.Fields(`del exists expire expireat get hdel hexists hget hgetall hincrby hkeys hmget hscan hset hsetnx incr incrby llen lpush
	lrange lrem memory|usage mget pexpire pttl publish rpop rpush sadd scard set setex sismember smembers srem time
	xadd zadd zcard zmscore zpopmin zrange zrangebyscore zrank zrem zremrangebyrank zremrangebyscore zrevrange zscore`)
)

var (
	//go:embed rights.lua
	rightsLua    string
	rightsScript = redis.NewScript(rightsLua)
)

// lacking returns those of the scriptRights that the user does not have. A Redis before 7 does not tell, and then it is none.
func lacking(ctx context.Context, rdb redis.UniversalClient) ([]string, error) {
	args := []any{rediskeys.Keys{Queue: producer.DefaultQueue}.Own("rights")}
	for _, r := range scriptRights {
		args = append(args, r)
	}
	return rightsScript.Run(ctx, rdb, nil, args...).StringSlice()
}

// checkRights returns an error that names what the user of redis.url may not do.
func checkRights(ctx context.Context, rdb redis.UniversalClient) error {
	missing, err := lacking(ctx, rdb)
	switch {
	case err != nil && denied(err):
		return failure(rightsHint, "%w", err)
	case len(missing) > 0:
		return failure(rightsHint, "Redis does not let the user of redis.url run %s", strings.Join(missing, ", "))
	}
	return nil // what else is wrong shows in the work itself
}

const rightsHint = "give the user the rule of the README's section on Redis"

// explained names the commands that are not allowed if that is why err came: of a script, Redis tells only its checksum.
func explained(ctx context.Context, rdb redis.UniversalClient, err error) error {
	if err == nil || !denied(err) {
		return err
	}
	if missing, lookErr := lacking(ctx, rdb); lookErr == nil && len(missing) > 0 {
		return failure(rightsHint, "%w: Redis does not let the user of redis.url run %s", err, strings.Join(missing, ", "))
	}
	return failure(rightsHint, "%w", err)
}

// denied is true for an error about the rights of the user. Before 7.2 Redis has no code for it inside a script.
func denied(err error) bool {
	return redis.IsPermissionError(err) || strings.Contains(err.Error(), "can't run this command or subcommand") ||
		strings.Contains(err.Error(), "NOPERM")
}
