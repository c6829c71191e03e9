package main

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/redistest"
)

func settings(found []advice) []string {
	names := []string{}
	for _, a := range found {
		names = append(names, a.setting)
	}
	return names
}

func TestAdviceOnARealRedis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"--appendonly", "yes"}, []string{}},
		{[]string{"--save", "", "--appendonly", "no"}, []string{"appendonly"}},
		{[]string{"--appendonly", "yes", "--replicaof", "127.0.0.1 1"}, []string{"role"}},
		{[]string{"--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"}, []string{"maxmemory-policy"}},
	} {
		rdb := redistest.Client(t, redistest.ServerAt(t, redistest.FreeAddr(t), tt.args...))
		assert.Equal(t, tt.want, settings(adviseOnRedis(t.Context(), rdb)), "redis-server %v", tt.args)
	}
}

// TestAdviceOnAClock also stands for a Redis that tells nothing of its version and settings.
func TestAdviceOnAClock(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer rdb.Close()
	require.Empty(t, adviseOnRedis(t.Context(), rdb))
	server.SetTime(time.Now().Add(-time.Minute))
	found := adviseOnRedis(t.Context(), rdb)
	require.Equal(t, []string{"clock"}, settings(found))
	assert.Contains(t, found[0].danger, "NTP")
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for version, older := range map[string]bool{
		"5.0.7": true, "6.0.16": true, "6.2.0": false, "7.0.15": false, "10.1": false, "6": false, "unstable": false,
	} {
		assert.Equal(t, older, olderThan(version, minRedis), version)
	}
}
