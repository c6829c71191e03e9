package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// put enqueues a job and returns its id.
func put(t *testing.T, rdb redis.UniversalClient, page string, opts ...producer.Option) string {
	t.Helper()
	p, err := producer.New(rdb, producer.Config{})
	require.NoError(t, err)
	j, err := producer.ParseJob([]byte(job(page, "4321", "private words")))
	require.NoError(t, err)
	r, err := p.Enqueue(context.Background(), j, opts...)
	require.NoError(t, err)
	return r.ID
}

// on runs a command against a Redis.
func on(url string, args ...string) ran { return sendpace("", nil, append(args, "--redis", url)...) }

func TestJobShow(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	put(t, rdb, "1001")
	id := put(t, rdb, "1001", producer.Key("order-17"), producer.InBroadcast("sale"))
	got := on(url, "job", "show", id)
	assert.Equal(t, 0, got.code, got.err)
	assert.Equal(t, "job              "+id+"\n"+strings.Repeat("─", 54)+`
state            waiting
page             1001
line             1001:bulk:@sale
place in line    1
broadcast        sale
key              order-17
failed attempts  0
`, got.out)
	got = on(url, "job", "show", id, "--json")
	var v jobView
	require.NoError(t, json.Unmarshal([]byte(got.out), &v), got.out)
	assert.Equal(t, []any{producer.StateWaiting, "1001:bulk:@sale", int64(1)}, []any{v.State, v.Line, v.Place})
	assert.Contains(t, string(v.Job.Request), "private words")

	named := on(url, "job", "show", "--page", "1001", "--key", "order-17", "--json")
	assert.Equal(t, got, named)
	got = on(url, "job", "show", "--page", "1002", "--key", "order-17")
	assert.Equal(t, ran{1, "", `sendpace: key "order-17" of page 1002: no such job, or it has ended and is not kept` + "\n" +
		"  sendpace outcomes --json | grep order-17 finds its end, if that is still kept\n"}, got)

	require.Equal(t, 0, on(url, "job", "cancel", id).code)
	got = on(url, "job", "show", id)
	assert.Regexp(t, `(?m)^state +ended\n(.*\n)*outcome +cancelled\nended \(UTC\) +20.*\nreason +cancelled\n$`, got.out)

	got = on(url, "job", "show", "nobody")
	assert.Equal(t, 1, got.code)
	assert.Equal(t, "sendpace: job nobody: no such job, or it has ended and is not kept\n"+
		"  sendpace outcomes --json | grep nobody finds its end, if that is still kept\n", got.err)
}

func TestJobTextOfOneThatWaitsForItsNextTry(t *testing.T) {
	t.Parallel()
	info := producer.JobInfo{
		ID: "x", State: producer.StateRetrying, At: time.Date(2026, 11, 24, 9, 5, 0, 0, time.UTC), Attempts: 2,
		LastError: "code 2\x1b[2J", CancelAsked: true,
	}
	assert.Equal(t, `job              x
────────────────────────────────────────────
state            retrying, to be cancelled
wanted at (UTC)  2026-11-24 09:05:00
failed attempts  2
last error       code 2 [2J`, jobText(info))
}

func TestJobTextOfOneThatWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	info := producer.JobInfo{
		ID: "x", State: producer.StateWaiting, Line: producer.Line{PageID: "1001", Lane: producer.LaneBulk}, Place: 54,
		ETA: time.Date(2026, 11, 24, 9, 5, 0, 0, time.UTC), Stopped: producer.StopPause,
	}
	assert.Equal(t, `job                     x
─────────────────────────────────────────────
state                   waiting
line                    1001:bulk
place in line           54
expected by (UTC)       2026-11-24 09:05:00
its page is stopped by  pause
failed attempts         0`, jobText(info))
}

func TestJobCancel(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	a, b := put(t, rdb, "1001"), put(t, rdb, "1001")
	got := on(url, "job", "cancel", a, "nobody", b)
	assert.Equal(t, 1, got.code)
	assert.Equal(t, a+": cancelled\nnobody: not found, or ended and not kept\n"+b+": cancelled\n", got.out)

	put(t, rdb, "1001", producer.Key("order-17"))
	got = on(url, "job", "cancel", "--page", "1001", "--key", "order-17")
	assert.Equal(t, ran{0, "the job of key order-17: cancelled\n", ""}, got)

	put(t, rdb, "1001", producer.InBroadcast("sale"))
	put(t, rdb, "1002", producer.InBroadcast("sale"))
	put(t, rdb, "1001")
	got = on(url, "job", "cancel", "--broadcast", "sale", "--page", "1002", "--yes")
	assert.Equal(t, ran{0, "1 cancelled, 0 in hand were asked not to be sent\n", ""}, got)
	got = on(url, "job", "cancel", "--broadcast", "sale", "--yes")
	assert.Equal(t, ran{0, "1 cancelled, 0 in hand were asked not to be sent\n", ""}, got)
	got = on(url, "job", "cancel", "--page", "1001", "--all", "--yes")
	assert.Equal(t, ran{0, "1 cancelled, 0 in hand were asked not to be sent\n", ""}, got)

	put(t, rdb, "1001")
	got = on(url, "job", "cancel", "--page", "1001", "--all")
	assert.Equal(t, 2, got.code)
	assert.Equal(t, "sendpace: cancel all jobs of page 1001: there is no terminal to ask at\n  add --yes if that is meant\n", got.err)
	assert.Equal(t, int64(1), rdb.ZCard(context.Background(), queueKeys.Line("1001:bulk")).Val(), "nothing was done")
}

func TestOnlyYesIsYes(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"y\n": true, "YES\r\n": true, "n\n": false, "": false, "\n": false, "yesterday\n": false} {
		var out bytes.Buffer
		err := ask(strings.NewReader(answer), &out, "do it")
		assert.Equal(t, want, err == nil, "%q", answer)
		assert.Equal(t, "do it? [y/N] ", out.String())
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 9, 5, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "2h": now.Add(-2 * time.Hour), "2026-12-01T09:00:00Z": time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC),
	} {
		got, err := parseTimeFlag("since", text, now)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"yesterday", "-2h", "2"} {
		_, err := parseTimeFlag("since", text, now)
		assert.ErrorIs(t, err, errMisuse, text)
	}
}

func TestJobResend(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		url, rdb := "redis://"+addr, redistest.Client(t, addr)
		got := on(url, "job", "resend", "--failed")
		assert.Equal(t, ran{0, "no failed job is kept that fits\n", ""}, got)

		const failed = 1200 // more than are read at a time
		for i := range failed {
			record(t, rdb, producer.Outcome{JobID: "f" + strconv.Itoa(i), PageID: "1001", Kind: producer.Failed, Code: 551, EndedAt: time.Now()})
		}
		record(t, rdb, producer.Outcome{JobID: "other-page", PageID: "1002", Kind: producer.Failed, Code: 551, EndedAt: time.Now()})
		record(t, rdb, producer.Outcome{JobID: "other-code", PageID: "1001", Kind: producer.Failed, Code: 100, EndedAt: time.Now()})
		record(t, rdb, producer.Outcome{JobID: "sent", PageID: "1001", Kind: producer.Sent, EndedAt: time.Now()})
		record(t, rdb, producer.Outcome{JobID: "cancelled", PageID: "1001", Kind: producer.Cancelled, Code: 551, EndedAt: time.Now()})

		args := []string{"job", "resend", "--failed", "--page", "1001", "--code", "551"}
		got = on(url, args...)
		assert.Equal(t, 2, got.code)
		assert.Contains(t, got.err, "send 1200 failed jobs again: there is no terminal to ask at\n  add --yes")
		got = on(url, append(args, "--yes")...)
		assert.Equal(t, 0, got.code, got.err)
		assert.Equal(t, "1200 enqueued again, 0 were so before, 0 refused\n", got.out)
		got = on(url, append(args, "--yes")...)
		assert.Equal(t, "0 enqueued again, 1200 were so before, 0 refused\n", got.out)
		assert.Equal(t, int64(failed), rdb.ZCard(context.Background(), queueKeys.Line("1001:bulk")).Val())
		assert.Equal(t, int64(1), rdb.SCard(context.Background(), queueKeys.Groups()).Val(), "no job of another page")
	})
}

func TestJobResendRefusesWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	config := writeFile(t, "c.yaml", pagesFile)
	record(t, rdb, producer.Outcome{JobID: "a", PageID: "1001", Kind: producer.Failed, EndedAt: time.Now()})
	record(t, rdb, producer.Outcome{JobID: "b", PageID: "77", Kind: producer.Failed, EndedAt: time.Now()})
	got := on(url, "job", "resend", "--failed", "--yes", "--config", config)
	assert.Equal(t, 1, got.code)
	assert.Equal(t, "1 enqueued again, 0 were so before, 1 refused\n", got.out)
	assert.Contains(t, got.err, "sendpace: b: page_id: page 77 is not configured")
	assert.NotContains(t, got.err, "private words")
}
