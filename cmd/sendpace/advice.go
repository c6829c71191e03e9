package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// advice is something about Redis that a person should know before they rely on it.
type advice struct {
	setting string // what it is about, in Redis's own words
	is      string
	want    string
	danger  string // what can happen
}

const (
	// minRedis is the first version with all commands of asynq's scripts: ZRANGE BYSCORE, in its archiving.
	minRedis = "6.2"
	// maxSkew is how far this machine's clock may be from Redis's. The pace follows Redis's alone; send_at and expires_at,
	// and asynq's schedule, follow the machines'.
	maxSkew = 2 * time.Second
)

// adviseOnRedis looks for what may lose or delay jobs. What a hosted Redis does not tell is left out.
func adviseOnRedis(ctx context.Context, rdb redis.UniversalClient) []advice {
	var found []advice
	if a, ok := adviseOnVersion(ctx, rdb); ok {
		found = append(found, a)
	}
	if a, ok := adviseOnRole(ctx, rdb); ok {
		found = append(found, a)
	}
	for _, a := range []advice{
		{"appendonly", "", "yes", "a restart of Redis loses jobs; type: redis-cli config set appendonly yes, and keep it in redis.conf"},
		{"maxmemory-policy", "", "noeviction", "Redis drops jobs when its memory is full; type: redis-cli config set maxmemory-policy noeviction"},
	} {
		got, err := rdb.ConfigGet(ctx, a.setting).Result()
		if a.is = got[a.setting]; err == nil && a.is != "" && !strings.EqualFold(a.is, a.want) {
			found = append(found, a)
		}
	}
	if a, ok := adviseOnClock(ctx, rdb); ok {
		found = append(found, a)
	}
	return found
}

func adviseOnVersion(ctx context.Context, rdb redis.UniversalClient) (advice, bool) {
	info, err := rdb.InfoMap(ctx, "server").Result()
	is := info["Server"]["redis_version"]
	if err != nil || is == "" || !olderThan(is, minRedis) {
		return advice{}, false
	}
	return advice{"redis_version", is, minRedis + " or newer", "jobs that fail cannot be archived; update Redis"}, true
}

func adviseOnRole(ctx context.Context, rdb redis.UniversalClient) (advice, bool) {
	info, err := rdb.InfoMap(ctx, "replication").Result()
	if err != nil || info["Replication"]["role"] != "slave" {
		return advice{}, false
	}
	return advice{
		"role", "replica", "master", "a replica takes no jobs and no workers; name its master in redis.url, or its Sentinels: redis-sentinel://",
	}, true
}

// olderThan compares two versions by their first two numbers. One that cannot be read is not older.
func olderThan(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range min(2, len(a), len(b)) {
		m, err := strconv.Atoi(a[i])
		n, _ := strconv.Atoi(b[i])
		if err != nil || m != n {
			return err == nil && m < n
		}
	}
	return false
}

// adviseOnClock compares this machine's clock with Redis's; the time that the answer took is no difference.
func adviseOnClock(ctx context.Context, rdb redis.UniversalClient) (advice, bool) {
	before := time.Now()
	server, err := rdb.Time(ctx).Result()
	after := time.Now()
	skew := max(before.Sub(server), server.Sub(after))
	if err != nil || skew <= maxSkew {
		return advice{}, false
	}
	return advice{
		"clock", fmt.Sprintf("%s away from this machine's", skew.Round(100*time.Millisecond)), "within " + maxSkew.String(),
		"jobs with send_at or expires_at start or end at the wrong time; let both machines keep time by NTP",
	}, true
}

func logAdvice(log zerolog.Logger, found []advice) {
	for _, a := range found {
		log.Warn().Str("setting", a.setting).Str("is", a.is).Str("should_be", a.want).Msg(a.danger)
	}
}
