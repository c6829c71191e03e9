package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sendpace/sendpace/config"
)

const pingTimeout = 5 * time.Second

// A tweak changes how a client connects.
type tweak func(*redis.UniversalOptions)

// openRedis connects to the queue's Redis and makes sure that it answers. The closer closes the client.
func openRedis(ctx context.Context, cfg config.Redis, tweaks ...tweak) (redis.UniversalClient, func() error, error) {
	address, err := config.ParseRedis(cfg.URL.Reveal())
	if err != nil {
		return nil, nil, misuse("", "redis.url: %s", err)
	}
	if address.Mode == config.RedisEmbedded {
		return nil, nil, misuse("name a running Redis with --redis or SENDPACE_REDIS_URL, or run sendpace demo",
			"redis.url: an embedded Redis lives and dies with its process; only sendpace demo can use one")
	}
	rdb := redis.NewUniversalClient(redisOptions(cfg, address))
	if err := ping(ctx, rdb); err != nil {
		if ctx.Err() != nil {
			return nil, nil, errors.Join(interrupted("interrupted; nothing was done"), rdb.Close())
		}
		return nil, nil, failure(redisHint(err, address), "Redis at %s does not answer%w", address, errors.Join(err, rdb.Close()))
	}
	if len(tweaks) == 0 {
		return rdb, rdb.Close, nil
	}
	// A client that tries for long would not have told in time why it cannot connect.
	if err := rdb.Close(); err != nil {
		return nil, nil, err
	}
	opts := redisOptions(cfg, address)
	for _, change := range tweaks {
		change(opts)
	}
	rdb = redis.NewUniversalClient(opts)
	return rdb, rdb.Close, nil
}

// interrupted is the error of a Ctrl-C, in words for the person who typed it.
type interrupted string

func (i interrupted) Error() string { return string(i) }
func (interrupted) Unwrap() error   { return context.Canceled }

func ping(ctx context.Context, rdb redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := rdb.Ping(ctx).Err()
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return silent{err}
	}
	return fmt.Errorf(": %w", err)
}

// silent is the error of a Redis that takes a connection and says nothing.
type silent struct{ error }

func (silent) Error() string   { return fmt.Sprintf(" within %s", pingTimeout) }
func (s silent) Unwrap() error { return s.error }

// redisHint says what to do about a Redis that does not answer.
func redisHint(err error, address config.RedisAddress) string {
	var stranger x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	switch {
	case redis.IsAuthError(err) && address.Mode == config.RedisSentinel:
		return "check the user and the password in redis.url, and sentinel_user and sentinel_password if the Sentinels have their own"
	case redis.IsAuthError(err):
		return "check the user and the password in redis.url and redis.password_file"
	case errors.As(err, &stranger):
		return "name the file with the certificate of those who signed Redis's one in redis.tls_ca_file"
	case errors.As(err, &name):
		return "type the name that Redis's certificate has in redis.tls_server_name"
	case errors.As(err, &invalid):
		return "give Redis a new certificate, and check the clocks"
	case errors.As(err, &plain), address.TLS && errors.Is(err, context.DeadlineExceeded): // most say nothing to what is no command
		return "start it; if it speaks no TLS at that port, begin redis.url with redis in place of rediss"
	case strings.Contains(err.Error(), "tls: certificate required"): // crypto/tls has no type for it
		return "this Redis asks for a client certificate: name its files in redis.tls_cert_file and redis.tls_key_file"
	case strings.Contains(err.Error(), "cluster support disabled"):
		return "this Redis is no cluster: begin redis.url with redis in place of redis-cluster"
	case address.Mode == config.RedisSentinel && strings.Contains(err.Error(), "unknown command"):
		return "this is a Redis, not a Sentinel: name the Sentinels and their port, mostly 26379, or begin redis.url with redis"
	case errors.Is(err, io.EOF):
		return "if this Redis speaks TLS, begin redis.url with rediss in place of redis"
	}
	return "start it, or name another with --redis or SENDPACE_REDIS_URL"
}

func redisOptions(cfg config.Redis, a config.RedisAddress) *redis.UniversalOptions {
	opts := &redis.UniversalOptions{
		Addrs:            a.Hosts,
		DB:               a.DB,
		Username:         a.Username,
		Password:         a.Password.Reveal(),
		SentinelUsername: a.SentinelUsername,
		SentinelPassword: a.SentinelPassword.Reveal(),
		MasterName:       a.Master,
		IsClusterMode:    a.Mode == config.RedisCluster,
		TLSConfig:        cfg.TLS,
		ClientName:       "sendpace",
		// What only some Redis servers know would be a refused command in the log of the others.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		// Without it a command outlives its context by the read timeout.
		ContextTimeoutEnabled: true,
	}
	if !cfg.Password.IsZero() {
		opts.Password = cfg.Password.Reveal()
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
