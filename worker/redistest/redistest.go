// Package redistest starts the Redis servers that tests run against.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Each runs a test, in parallel, on each kind of Redis that the scripts must work on.
func Each(t *testing.T, test func(t *testing.T, addr string)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB) string{"redis-server": Server, "miniredis": Mini} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// Server starts a redis-server of its own on a free loopback port, without persistence, and stops it when the test ends.
// A machine without redis-server fails the test.
func Server(t testing.TB) string {
	t.Helper()
	return ServerAt(t, FreeAddr(t), "--save", "", "--appendonly", "no")
}

// ServerAt starts a redis-server on addr with more arguments.
func ServerAt(t testing.TB, addr string, args ...string) string {
	t.Helper()
	_, stop := StartAt(t, addr, args...)
	t.Cleanup(stop)
	return addr
}

// StartAt starts a redis-server on addr, and returns its process and what kills it. Tests that restart Redis use it.
func StartAt(t testing.TB, addr string, args ...string) (*exec.Cmd, func()) {
	t.Helper()
	cmd, stop, err := startPlain(addr, append([]string{"--dir", t.TempDir()}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, stop
}

// startPlain runs redis-server on addr until stop kills it with -9. It returns once the server answers.
func startPlain(addr string, args ...string) (_ *exec.Cmd, stop func(), _ error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	return start(&redis.Options{Addr: addr}, append(args, "--port", port)...)
}

// start runs redis-server on the host of at until stop kills it. It returns once the server answers a client with these options.
func start(at *redis.Options, args ...string) (_ *exec.Cmd, stop func(), _ error) {
	host, _, err := net.SplitHostPort(at.Addr)
	if err != nil {
		return nil, nil, err
	}
	args = append(args, "--bind", host, "--loglevel", "warning")
	cmd := exec.CommandContext(context.Background(), "redis-server", args...)
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("no redis-server: %w; install it with: apt-get install redis-server", err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if err := waitFor(at); err != nil {
		stop()
		return nil, nil, err
	}
	return cmd, stop, nil
}

// waitFor returns when a server answers.
func waitFor(at *redis.Options) error {
	at.MaxRetries = -1
	rdb := redis.NewClient(at)
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := rdb.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("redis-server at %s does not answer: %w", at.Addr, err)
		case <-tick.C:
		}
	}
}

// FreeAddr returns a loopback address that nothing listens on.
func FreeAddr(t testing.TB) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Mini starts a miniredis whose keys expire by the clock.
func Mini(t testing.TB) string {
	t.Helper()
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m.Addr()
}

// patience is how long a client waits for a Redis, above all a miniredis, that a busy machine makes slow.
const patience = 30 * time.Second

// Client returns a client of the server at addr that is closed when the test ends.
func Client(t testing.TB, addr string) redis.UniversalClient {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: patience, WriteTimeout: patience})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}
