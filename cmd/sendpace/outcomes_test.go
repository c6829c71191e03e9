package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/worker/redistest"
)

var queueKeys = rediskeys.Keys{Queue: producer.DefaultQueue}

// record writes an outcome record as a worker would.
func record(t *testing.T, rdb redis.UniversalClient, o producer.Outcome) {
	t.Helper()
	if o.EndedAt.IsZero() {
		o.EndedAt = time.Date(2026, 11, 24, 9, 5, 0, 0, time.UTC)
	}
	if o.Kind != producer.Sent && o.Job == nil {
		o.Job = json.RawMessage(job(o.PageID, "4321", "private words"))
	}
	body, err := json.Marshal(o)
	require.NoError(t, err)
	require.NoError(t, rdb.XAdd(context.Background(), &redis.XAddArgs{Stream: queueKeys.Stream(), Values: []any{"o", body}}).Err())
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	for _, o := range []producer.Outcome{
		{JobID: "a", PageID: "1001", Lane: "bulk", Kind: producer.Sent, Attempts: 1, MessageIDs: []string{"m_1", "m_2"}, ResentUnknown: 1},
		{JobID: "b", PageID: "1001", Lane: "bulk", Kind: producer.Failed, Attempts: 8, Code: 551, Reason: "not\nreachable"},
		{JobID: "c", PageID: "1002", Lane: "realtime", Kind: producer.Expired, Reason: "late"},
	} {
		record(t, rdb, o)
	}
	const header = "ended (UTC)          page              lane      outcome    job                                  tries  message or reason\n"
	row := func(page, lane, kind, id string, tries int, about string) string {
		return fmt.Sprintf("2026-11-24 09:05:00  %-16s  %-8s  %-9s  %-35s  %5d  %s\n", page, lane, kind, id, tries, about)
	}
	a := row("1001", "bulk", "sent", "a", 1, "m_1 m_2 (sent again 1 times without knowing)")
	b := row("1001", "bulk", "failed", "b", 8, "not reachable")
	c := row("1002", "realtime", "expired", "c", 0, "late")
	for args, want := range map[string]string{
		"":                             header + a + b + c,
		"--page 1001":                  header + a + b,
		"--kind failed,expired":        header + b + c,
		"--since 1h --page 1002":       header + c,
		"--since 2124-01-01T00:00:00Z": header,
	} {
		got := sendpace("", nil, append([]string{"outcomes", "--redis", url}, strings.Fields(args)...)...)
		assert.Equal(t, 0, got.code, got.err)
		assert.Equal(t, want, got.out, args)
	}
	got := sendpace("", nil, "outcomes", "--redis", url, "--json", "--kind", "failed")
	var o producer.Outcome
	require.NoError(t, json.Unmarshal([]byte(got.out), &o), got.out)
	assert.Equal(t, []any{"b", 551}, []any{o.JobID, o.Code})
	assert.Contains(t, string(o.Job), "private words", "the full record")
}

func TestOutcomesSaysThatOlderOnesAreGone(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	record(t, rdb, producer.Outcome{JobID: "a", PageID: "1001", Kind: producer.Sent})
	got := sendpace("", nil, "outcomes", "--redis", url, "--since", "1h")
	assert.Equal(t, 0, got.code)
	assert.Regexp(t, `^sendpace: the oldest record that is kept is of 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\n$`, got.err)
}

func TestOutcomesFollowsThroughAnOutage(t *testing.T) {
	t.Parallel()
	addr := redistest.FreeAddr(t)
	_, kill := redistest.StartAt(t, addr, "--save", "", "--appendonly", "no")
	rdb := redistest.Client(t, addr)
	record(t, rdb, producer.Outcome{JobID: "before", PageID: "1001", Kind: producer.Sent})
	p := start(t, nil, nil, "outcomes", "--follow", "--redis", "redis://"+addr)
	p.out.wait(t, "message or reason\n")
	record(t, rdb, producer.Outcome{JobID: "job-1", PageID: "1001", Kind: producer.Sent})
	p.out.wait(t, "job-1")
	kill()
	p.err.wait(t, "sendpace: waiting for Redis: ")
	redistest.ServerAt(t, addr, "--save", "", "--appendonly", "no")
	record(t, rdb, producer.Outcome{JobID: "job-2", PageID: "1001", Kind: producer.Sent})
	p.out.wait(t, "job-2")
	assert.Equal(t, 0, p.stop(), p.err)
	assert.NotContains(t, p.out.String(), "before")
	assert.Equal(t, 1, strings.Count(p.err.String(), "waiting for Redis"), p.err)
	assert.Contains(t, p.err.String(), "Redis answers again")
}
