package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/config"
)

const pingTimeout = 5 * time.Second

// A tweak changes how a client connects.
type tweak func(*redis.UniversalOptions)

// openRedis connects to the Redis of a redis.url and makes sure that it answers. The closer closes the client.
func openRedis(ctx context.Context, url string, tweaks ...tweak) (redis.UniversalClient, func() error, error) {
	address, err := config.ParseRedis(url)
	if err != nil {
		return nil, nil, misuse("", "redis.url: %s", err)
	}
	if address.Mode == config.RedisEmbedded {
		return nil, nil, misuse("name a running Redis with --redis or SENDPACE_REDIS_URL, or run sendpace demo",
			"redis.url: an embedded Redis lives and dies with its process; only sendpace demo can use one")
	}
	opts := redisOptions(address)
	for _, change := range tweaks {
		change(opts)
	}
	rdb := redis.NewUniversalClient(opts)
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := rdb.Ping(ctx).Err(); err != nil {
		return nil, nil, failure(redisHint(err), "Redis at %s does not answer: %w",
			address, errors.Join(err, rdb.Close()))
	}
	return rdb, rdb.Close, nil
}

func redisHint(err error) string {
	if redis.IsAuthError(err) {
		return "check the user and the password in redis.url"
	}
	return "start it, or name another with --redis or SENDPACE_REDIS_URL"
}

func redisOptions(a config.RedisAddress) *redis.UniversalOptions {
	opts := &redis.UniversalOptions{
		Addrs:            a.Hosts,
		DB:               a.DB,
		Username:         a.Username,
		Password:         a.Password.Reveal(),
		SentinelPassword: a.SentinelPassword.Reveal(),
		MasterName:       a.Master,
		IsClusterMode:    a.Mode == config.RedisCluster,
		ClientName:       "sendpace",
		// Without it a command outlives its context by the read timeout.
		ContextTimeoutEnabled: true,
	}
	if a.TLS {
		opts.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return opts
}

// embedded is a Redis inside this process. It keeps nothing.
type embedded struct {
	server   *miniredis.Miniredis
	password string
}

// startEmbedded listens on a free loopback port. (A pipe within the process blocks on long pipelines: both sides
// write.) The password keeps the machine's other users out.
func startEmbedded() (*embedded, error) {
	e := &embedded{server: miniredis.NewMiniRedis(), password: rand.Text()}
	e.server.ClockTTL(true) // its keys would never expire otherwise
	e.server.RequireAuth(e.password)
	if err := e.server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	return e, nil
}

// open connects one more client.
func (e *embedded) open(tweaks ...tweak) redis.UniversalClient {
	opts := &redis.UniversalOptions{
		Addrs: []string{e.server.Addr()}, Password: e.password, ContextTimeoutEnabled: true,
	}
	for _, change := range tweaks {
		change(opts)
	}
	return redis.NewUniversalClient(opts)
}

func (e *embedded) close() { e.server.Close() }
