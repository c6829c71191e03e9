package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
)

func TestSuppressed(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	until := time.Now().Add(time.Hour).UTC()
	hash := func(psid string) string { return producer.RecipientHash("1001", "id:"+psid) }
	for psid, at := range map[string]time.Time{"4321": until, "5": until.Add(time.Hour), "6": until.Add(-2 * time.Hour)} {
		require.NoError(t, rdb.ZAdd(context.Background(), queueKeys.Suppressed("1001"),
			redis.Z{Score: float64(at.UnixMicro()), Member: hash(psid)}).Err())
	}
	got := on(url, "suppressed", "list", "--page", "1001")
	assert.Equal(t, ran{0, "recipient  until (UTC)\n" + strings.Repeat("─", 32) + "\n" +
		hash("4321") + "   " + stamp(until) + "\n" + hash("5") + "   " + stamp(until.Add(time.Hour)) + "\n", ""}, got)
	got = on(url, "suppressed", "list", "--page", "1001", "--recipient", "4321", "--json")
	assert.Contains(t, got.out, `{"recipient":"`+hash("4321")+`","until":"`+until.Format("2006-01-02T15:04:05"))
	assert.Equal(t, 1, strings.Count(got.out, "\n"))

	got = on(url, "suppressed", "remove", "--page", "1001", "--recipient", "4321")
	assert.Equal(t, ran{0, "1 removed\n", ""}, got)
	got = on(url, "suppressed", "remove", "--page", "1001")
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "everyone at page 1001: there is no terminal to ask at")
	got = on(url, "suppressed", "remove", "--page", "1001", "--yes")
	assert.Equal(t, ran{0, "2 removed\n", ""}, got)
}
