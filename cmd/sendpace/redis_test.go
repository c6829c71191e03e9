package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/worker/redistest"
)

func optionsOf(t *testing.T, url string) *redis.UniversalOptions {
	t.Helper()
	cfg, _, err := config.Load(config.Source{Env: []string{"SENDPACE_REDIS_URL=" + url}})
	require.NoError(t, err)
	address, err := config.ParseRedis(url)
	require.NoError(t, err)
	return redisOptions(cfg.Redis, address)
}

func TestRedisOptions(t *testing.T) {
	t.Parallel()
	o := optionsOf(t, "redis://u:p@h:1/3")
	assert.Equal(t, []any{[]string{"h:1"}, "u", "p", 3}, []any{o.Addrs, o.Username, o.Password, o.DB})
	assert.False(t, o.IsClusterMode)
	assert.Nil(t, o.TLSConfig)

	o = optionsOf(t, "rediss-cluster://h")
	assert.True(t, o.IsClusterMode, "also with one node named")
	assert.NotNil(t, o.TLSConfig)

	o = optionsOf(t, "redis-sentinel://:p@a,b/2?master=m&sentinel_user=v&sentinel_password=s")
	assert.Equal(t, []any{"m", "p", "v", "s", 2, 2},
		[]any{o.MasterName, o.Password, o.SentinelUsername, o.SentinelPassword, o.DB, len(o.Addrs)})
}

// Each row is one way to meet a Redis that speaks TLS.
func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	ca, stranger := redistest.NewAuthority(t), redistest.NewAuthority(t)
	soon := time.Now().Add(time.Hour)
	cert, key := ca.Issue(t, "a client", soon)
	good := redistest.TLSServer(t, ca, "127.0.0.1", soon, false)
	strict := redistest.TLSServer(t, ca, "127.0.0.1", soon, true)
	elsewhere := redistest.TLSServer(t, ca, "redis.example", soon, false)
	expired := redistest.TLSServer(t, ca, "127.0.0.1", time.Now().Add(-time.Minute), false)
	plain := redistest.Server(t)
	const trust, name = "SENDPACE_REDIS_TLS_CA_FILE=", "SENDPACE_REDIS_TLS_SERVER_NAME="
	const certFile, keyFile, insecure = "SENDPACE_REDIS_TLS_CERT_FILE=", "SENDPACE_REDIS_TLS_KEY_FILE=", "SENDPACE_REDIS_TLS_INSECURE=true"
	for what, tt := range map[string]struct {
		url  string
		env  []string
		want string // of the error and its hint, empty for none
	}{
		"trusted":                      {"rediss://" + good, []string{trust + ca.File}, ""},
		"no authority":                 {"rediss://" + good, nil, "certificate signed by unknown authority"},
		"another authority":            {"rediss://" + good, []string{trust + stranger.File}, "\n  name the file with the certificate of those who signed"},
		"another authority, asked for": {"rediss://" + good, []string{insecure}, ""},
		"another name":                 {"rediss://" + elsewhere, []string{trust + ca.File}, "\n  type the name that Redis's certificate has in redis.tls_server_name"},
		"another name, expected":       {"rediss://" + elsewhere, []string{trust + ca.File, name + "redis.example"}, ""},
		"expired":                      {"rediss://" + expired, []string{trust + ca.File}, "\n  give Redis a new certificate"},
		"no client certificate":        {"rediss://" + strict, []string{trust + ca.File}, "certificate required\n  this Redis asks for a client certificate"},
		"client certificate":           {"rediss://" + strict, []string{trust + ca.File, certFile + cert, keyFile + key}, ""},
		"TLS to a plain port":          {"rediss://" + plain, nil, "\n  start it; if it speaks no TLS at that port, begin"},
		"plain to a TLS port":          {"redis://" + good, nil, "\n  if this Redis speaks TLS, begin redis.url with rediss"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got := sendpace("", append(tt.env, "SENDPACE_REDIS_URL="+tt.url), "status")
			assert.Equal(t, tt.want == "", got.code == 0, got.err)
			assert.Contains(t, got.err, tt.want)
		})
	}
}

// A certificate that is renewed under a running process is taken with the next connection.
func TestAClientCertificateIsReadForEachConnection(t *testing.T) {
	t.Parallel()
	ca := redistest.NewAuthority(t)
	addr := redistest.TLSServer(t, ca, "127.0.0.1", time.Now().Add(time.Hour), true)
	old, oldKey := ca.Issue(t, "a client", time.Now().Add(-time.Minute))
	cfg, _, err := config.Load(config.Source{Env: []string{
		"SENDPACE_REDIS_URL=rediss://" + addr, "SENDPACE_REDIS_TLS_CA_FILE=" + ca.File,
		"SENDPACE_REDIS_TLS_CERT_FILE=" + old, "SENDPACE_REDIS_TLS_KEY_FILE=" + oldKey,
	}})
	require.NoError(t, err)
	_, _, err = openRedis(t.Context(), cfg.Redis)
	require.ErrorContains(t, err, "expired")
	renewed, renewedKey := ca.Issue(t, "a client", time.Now().Add(time.Hour))
	require.NoError(t, os.Rename(renewed, old))
	require.NoError(t, os.Rename(renewedKey, oldKey))
	_, closeRedis, err := openRedis(t.Context(), cfg.Redis)
	require.NoError(t, err)
	require.NoError(t, closeRedis())
}

func TestAPasswordFromAFile(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	rdb := redistest.Client(t, addr)
	require.NoError(t, rdb.Do(t.Context(), "ACL", "SETUSER", "app", "on", ">pass/word?@", "allkeys", "allchannels", "+@all").Err())
	url := "SENDPACE_REDIS_URL=redis://app@" + addr
	for file, want := range map[string]string{"pass/word?@\n": "", "other": "check the user and the password"} {
		got := sendpace("", []string{url, "SENDPACE_REDIS_PASSWORD_FILE=" + writeFile(t, "password", file)}, "status")
		assert.Equal(t, want == "", got.code == 0, got.err)
		assert.Contains(t, got.err, want)
		assert.NotContains(t, got.err, strings.TrimSpace(file))
	}
}

// The Sentinels have users and passwords of their own.
func TestSentinelsWithALogin(t *testing.T) {
	t.Parallel()
	s := redistest.NewSentinels(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, addr := range s.Addrs {
		rdb := redistest.Client(t, addr)
		require.NoError(t, rdb.Do(ctx, "ACL", "SETUSER", "app", "on", ">seen", "allchannels", "+@all").Err())
		require.NoError(t, rdb.Do(ctx, "ACL", "SETUSER", "default", "off").Err())
	}
	url := "redis-sentinel://" + strings.Join(s.Addrs, ",") + "?master=" + redistest.MasterName
	assert.Equal(t, 0, sendpace("", nil, "status", "--redis", url+"&sentinel_user=app&sentinel_password=seen").code)
	got := sendpace("", nil, "status", "--redis", url)
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "sentinel_user")
}

func TestWhyRedisDoesNotAnswer(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	mute, err := net.Listen("tcp", "127.0.0.1:0") // the kernel connects, nobody reads
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, mute.Close()) })
	const hint = "\n  start it, or name another with --redis or SENDPACE_REDIS_URL\n"
	config := writeFile(t, "sendpace.yaml", `{pages: [{id: "1001", access_token: token-of-1001}]}`)
	for addr, want := range map[string]string{
		closed.Addr().String(): " does not answer: dial tcp " + closed.Addr().String() + ": connect: connection refused" + hint,
		mute.Addr().String():   " does not answer within 5s" + hint,
	} {
		for _, command := range []string{"status", "worker"} {
			got := sendpace("", nil, command, "--redis", "redis://"+addr, "--config", config)
			assert.Equal(t, ran{code: 1, err: "sendpace: Redis at redis://" + addr + want}, got, command)
		}
	}
}

func TestCtrlCWhileRedisIsSilent(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, mute.Close()) })
	p := start(t, nil, nil, "status", "--redis", "redis://"+mute.Addr().String())
	conn, err := mute.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	assert.Equal(t, 1, p.stop())
	assert.Equal(t, "sendpace: interrupted; nothing was done\n", p.err.String())
}

func TestCtrlCInTheMiddle(t *testing.T) {
	t.Parallel()
	going := t.Context()
	ended, cancel := context.WithCancel(going)
	cancel()
	err := errors.Join(context.Canceled, fmt.Errorf("read tasks: %w", context.Canceled))
	require.EqualError(t, cutShort(ended, err), "interrupted")
	var said *hinted
	require.ErrorAs(t, cutShort(ended, failure("run it again", "cancel: %w", err)), &said)
	assert.Equal(t, "interrupted\n  run it again", said.Error()+"\n  "+said.hint)
	assert.Equal(t, err, cutShort(going, err), "it was not the person")
	assert.Equal(t, io.EOF, cutShort(ended, io.EOF))
	assert.NoError(t, cutShort(ended, nil))
	for _, err := range []error{err, failure("choose another port", "%w", err)} {
		assert.NoError(t, unlessStopped(ended, cutShort(ended, err)), "a gateway or a monitor that is told to end ends well")
	}
}

func TestARedisThatTakesNothing(t *testing.T) {
	t.Parallel()
	pages := writeFile(t, "c.yaml", pagesFile)
	for _, tt := range []struct {
		what, hint string
		args       []string
		command    string
	}{
		{"its memory is full", "the memory of Redis is full: raise its maxmemory", []string{"--maxmemory", "100kb"}, "status"},
		{
			"it is a replica", "this Redis is a replica: name its master in redis.url, or its Sentinels",
			[]string{"--replicaof", "127.0.0.1 1"}, "page pause 1001 --for 1m",
		},
	} {
		addr := redistest.ServerAt(t, redistest.FreeAddr(t), tt.args...)
		for _, command := range []string{tt.command, "worker"} {
			t.Run(tt.what+": "+command, func(t *testing.T) {
				t.Parallel()
				got := sendpace("", []string{"SENDPACE_REDIS_URL=redis://" + addr, "SENDPACE_CONFIG=" + pages}, strings.Fields(command)...)
				assert.Equal(t, 1, got.code)
				assert.Contains(t, got.err, "\n  "+tt.hint+"\n")
				if command == "worker" {
					assert.Contains(t, got.err, "sendpace: worker: Redis takes no writes: "+tt.what+"\n")
				}
			})
		}
	}
}

// A client that finds the master by itself can meet a replica only as long as the others do not agree.
func TestAReplicaThatTheURLDoesNotName(t *testing.T) {
	t.Parallel()
	readOnly := errors.New("READONLY You can't write against a read only replica.")
	for mode, hint := range map[config.RedisMode]string{
		config.RedisSingle:   "this Redis is a replica: name its master in redis.url, or its Sentinels",
		config.RedisSentinel: "the Redis servers are just being rearranged: type it again",
		config.RedisCluster:  "the Redis servers are just being rearranged: type it again",
	} {
		var said *hinted
		require.ErrorAs(t, unwritable(t.Context(), nil, readOnly, mode), &said)
		assert.Equal(t, hint, said.hint, mode)
	}
}

func TestAnotherKindOfRedisThanTheURLSays(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	for url, hint := range map[string]string{
		"redis-cluster://" + addr:                "this Redis is no cluster: begin redis.url with redis in place of redis-cluster",
		"redis-sentinel://" + addr + "?master=m": "this is a Redis, not a Sentinel: name the Sentinels and their port, mostly 26379, or begin redis.url with redis",
	} {
		got := sendpace("", nil, "status", "--redis", url)
		assert.Equal(t, 1, got.code, url)
		assert.Contains(t, got.err, "\n  "+hint+"\n")
	}
	moved, pages := 0, writeFile(t, "c.yaml", pagesFile)
	for _, node := range redistest.Cluster(t) {
		got := sendpace("", nil, "status", "--redis", "redis://"+node.Addr)
		if got.code != 0 { // the queue is on another one
			moved++
			const hint = "\n  this Redis is a part of a cluster: begin redis.url with redis-cluster in place of redis\n"
			assert.Contains(t, got.err, hint)
			if moved > 1 {
				continue // a worker waits a few seconds for a failover to end
			}
			got = sendpace("", []string{"SENDPACE_CONFIG=" + pages}, "worker", "--redis", "redis://"+node.Addr)
			assert.Equal(t, 1, got.code)
			assert.Contains(t, got.err, hint)
		}
	}
	assert.Positive(t, moved)
}

func TestOutage(t *testing.T) {
	t.Parallel()
	address, err := config.ParseRedis("redis://127.0.0.1")
	require.NoError(t, err)
	hintOf := func(err error) string {
		var h *hinted
		errors.As(outage(err, address), &h)
		if h == nil {
			return ""
		}
		return h.hint
	}
	const again = "type it again once Redis at redis://127.0.0.1:6379 answers"
	assert.Equal(t, again, hintOf(fmt.Errorf("broadcast: %w", &net.OpError{Op: "dial", Err: errors.New("refused")})))
	assert.Equal(t, again, hintOf(fmt.Errorf("enqueue: %w", io.EOF)))
	assert.Equal(t, "go on", hintOf(failure("go on", "%w", io.EOF)), "the command knows better")
	assert.Empty(t, hintOf(&net.OpError{Op: "listen", Err: errors.New("in use")}))
	assert.Empty(t, hintOf(&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}))
	assert.Empty(t, hintOf(errors.New("something else")))
	assert.NoError(t, outage(nil, address))
}
