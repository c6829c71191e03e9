package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/redistest"
)

// A job whose next try is an hour away, and one that was archived by hand, go now.
func TestJobRetryOfJobsThatHaveNotEnded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx, url, rdb := context.Background(), "redis://"+addr, redistest.Client(t, addr)
		box, err := sandbox.New(sandbox.Config{})
		require.NoError(t, err)
		server := httptest.NewServer(box)
		t.Cleanup(func() { server.Close(); box.Close() })
		box.Fail("1001", sandbox.Fault{Code: 2})
		env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL}
		path := writeFile(t, "c.yaml", pagesFile)
		failing := put(t, rdb, "1001")
		w := start(t, nil, env, "worker", "--config", path, "--log-format", "json")
		w.err.wait(t, `"message":"will be retried"`)
		require.Equal(t, 0, w.stop(), w.err)
		later := redis.Z{Member: failing, Score: float64(time.Now().Add(time.Hour).Unix())}
		require.NoError(t, rdb.ZAddXX(ctx, queueKeys.Retry(), later).Err())
		assert.Regexp(t, `(?m)^next retries \(UTC\)\n20.* page 1001  it failed once: transient: code 2: `, on(url, "status").out)
		byHand := put(t, rdb, "1001")
		require.NoError(t, asynq.NewInspectorFromRedisClient(rdb).ArchiveTask(producer.DefaultQueue, byHand))
		box.Clear("1001")

		assert.Equal(t, 2, on(url, "job", "retry", failing, "--expires", "1h").code, "it has not ended")
		for _, id := range []string{failing, byHand} {
			assert.Equal(t, ran{0, id + ": at the head of its line\n", ""}, on(url, "job", "retry", id))
			got := on(url, "job", "retry", id)
			assert.Equal(t, 1, got.code)
			assert.Regexp(t, `job `+id+` waits at the head of its line, .*\n  sendpace why job `+id, got.err, "once is enough")
		}
		assert.Regexp(t, `^job \S+: waiting, page 1001; .*\n\nit failed once, and is on its way again: transient: code 2: `, on(url, "why", "job", failing).out)
		w = start(t, nil, env, "worker", "--config", path, "--log-format", "json")
		w.err.wait(t, `(?s)(.*"message":"sent"){2}`)
		require.Equal(t, 0, w.stop(), w.err)
		assert.Len(t, box.Accepted(), 2)
		got := on(url, "audit")
		assert.Equal(t, 0, got.code, got.out)
	})
}

func TestJobRetryOfJobsThatHaveEnded(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	record(t, rdb, producer.Outcome{JobID: "a", PageID: "1001", Kind: producer.Failed, EndedAt: time.Now()})
	record(t, rdb, producer.Outcome{JobID: "b", PageID: "1001", Kind: producer.Unknown, EndedAt: time.Now()})
	for _, id := range []string{"a", "b"} {
		got := on(url, "job", "retry", id)
		require.Equal(t, 0, got.code, got.err)
		again := regexp.MustCompile(`^` + id + `: enqueued again as (\S+)\n$`).FindStringSubmatch(got.out)
		require.NotNil(t, again, got.out)
		assert.Equal(t, ran{0, id + ": was enqueued again before, as " + again[1] + "\n", ""}, on(url, "job", "retry", id), "not doubled")
	}
	assert.Equal(t, int64(2), rdb.ZCard(context.Background(), queueKeys.Line("1001:bulk")).Val())

	old, err := producer.ParseJob([]byte(job("1001", "4321", "private words")))
	require.NoError(t, err)
	old.ExpiresAt = time.Now().Add(-time.Hour)
	body, err := json.Marshal(old)
	require.NoError(t, err)
	record(t, rdb, producer.Outcome{JobID: "late", PageID: "1001", Kind: producer.Expired, EndedAt: time.Now(), Job: body})
	got := on(url, "job", "retry", "late")
	assert.Equal(t, 1, got.code)
	assert.Regexp(t, `^sendpace: job late cannot be sent again: expires_at: .*\n  give it a new time with --expires, or `, got.err)
	assert.Equal(t, 0, on(url, "job", "retry", "late", "--expires", "1h").code)
}

func TestJobRetryWhereThereIsNothingToRetry(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	cancelled := put(t, rdb, "1001", producer.Key("k"))
	require.Equal(t, 0, on(url, "job", "cancel", cancelled).code)
	record(t, rdb, producer.Outcome{JobID: "sent", PageID: "1001", Kind: producer.Sent, EndedAt: time.Now()})
	inHand := put(t, rdb, "1002")
	require.NoError(t, rdb.HSet(context.Background(), queueKeys.Task(inHand), "state", "active").Err())
	for id, want := range map[string]string{
		cancelled:           "job " + cancelled + " was cancelled\n  to send the message after all, ",
		"sent":              "no job sent is kept that could be sent again\n  sendpace outcomes ",
		"nobody":            "no job nobody is kept that could be sent again\n  sendpace outcomes ",
		put(t, rdb, "1001"): "job .* waits in line 1001:bulk, and goes when its turn comes\n  sendpace why job ",
		put(t, rdb, "1001", producer.At(time.Now().Add(time.Hour))): "job .* waits for its send_at, 20.* UTC, and was not tried\n  to send it sooner, ",
		inHand: "a worker has job " + inHand + " in hand\n  sendpace why job ",
	} {
		got := on(url, "job", "retry", id)
		assert.Equal(t, 1, got.code, id)
		assert.Regexp(t, "^sendpace: "+want, got.err)
		assert.Empty(t, got.out, id)
	}
}
