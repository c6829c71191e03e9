package main

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// bury archives a job as workers do, with this outcome, and returns its id.
func bury(t *testing.T, rdb redis.UniversalClient, o producer.Outcome) string {
	t.Helper()
	id := put(t, rdb, o.PageID)
	require.NoError(t, asynq.NewInspectorFromRedisClient(rdb).ArchiveTask(producer.DefaultQueue, id))
	o.JobID = id
	body, err := json.Marshal(o)
	require.NoError(t, err)
	require.NoError(t, rdb.HSet(context.Background(), queueKeys.Task(id), "result", body).Err())
	return id
}

func TestDeadList(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	assert.Equal(t, ran{out: "no dead job is kept that fits\n"}, on(url, "dead", "list"))
	a := bury(t, rdb, producer.Outcome{PageID: "1001", Kind: producer.Failed, Code: 100, Subcode: 2018001, Reason: "not\nthere", EndedAt: nine})
	record(t, rdb, producer.Outcome{JobID: "b", PageID: "1002", Kind: producer.Expired, Broadcast: "sale", Reason: "late", EndedAt: nine.Add(time.Hour)})
	record(t, rdb, producer.Outcome{JobID: "c", PageID: "1001", Kind: producer.Sent})
	got := on(url, "dead", "list")
	assert.Equal(t, `ended (UTC)          page  outcome         code  job                                  again as  reason
`+strings.Repeat("─", 107)+`
2026-11-24 10:00:00  1002  expired            -  b                                              late
2026-11-24 09:00:00  1001  failed   100/2018001  `+a+`            not there
`, got.out, got.err)
	for args, want := range map[string]string{
		"--page 1001": a, "--code 100": a, "--code 100/2018001": a, "--code 100/33": "", "--since 2026-11-24T09:30:00Z": "b", "--until 2026-11-24T09:30:00Z": a, "--broadcast sale": "b",
		"--kind expired,unknown": "b", "--limit 1": "b", "--limit 0": "b " + a, "--page 1001 --code 4": "",
	} {
		got := on(url, append([]string{"dead", "list", "--json"}, strings.Fields(args)...)...)
		assert.Equal(t, 0, got.code, args)
		var ids []string
		for line := range strings.Lines(got.out) {
			var job producer.DeadJob
			require.NoError(t, json.Unmarshal([]byte(line), &job), line)
			ids = append(ids, job.JobID)
		}
		assert.Equal(t, want, strings.Join(ids, " "), args)
		assert.NotContains(t, got.out, "private words")
	}
	assert.Equal(t, "sendpace: there are more: --limit 0 shows all\n", on(url, "dead", "list", "--limit", "1").err)
}

func TestDeadShow(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	id := bury(t, rdb, producer.Outcome{PageID: "1001", Lane: "bulk", Kind: producer.Failed, Code: 551, Reason: "gone", Attempts: 2, EndedAt: nine})
	got := on(url, "dead", "show", id)
	assert.Equal(t, "job          "+id+"\n"+strings.Repeat("─", 50)+`
outcome      failed
reason       gone
code         551
ended (UTC)  2026-11-24 09:00:00
page         1001
lane         bulk
attempts     2
`, got.out, got.err)
	assert.Contains(t, on(url, "dead", "show", id, "--json").out, "private words")
	got = on(url, "dead", "show", "nobody")
	assert.Equal(t, ran{code: 1, err: "sendpace: no dead job nobody is kept\n  sendpace job show nobody tells more of one that is not dead\n"}, got)
}

func TestDeadReplay(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		url, rdb := "redis://"+addr, redistest.Client(t, addr)
		assert.Equal(t, ran{out: "no dead job is kept that fits\n"}, on(url, "dead", "replay"))
		const failed = 600 // more than are enqueued at a time
		for i := range failed {
			record(t, rdb, producer.Outcome{JobID: "f" + strconv.Itoa(i), PageID: "1001", Kind: producer.Failed, Code: 551, EndedAt: nine.Add(time.Duration(i))})
		}
		archived := bury(t, rdb, producer.Outcome{PageID: "1001", Kind: producer.Failed, Code: 551, EndedAt: nine})
		record(t, rdb, producer.Outcome{JobID: "unknown", PageID: "1001", Kind: producer.Unknown, Code: 551})
		waiting := func() int64 { return rdb.ZCard(context.Background(), queueKeys.Line("1001:bulk")).Val() }

		args := []string{"dead", "replay", "--code", "551"}
		got := on(url, args...)
		assert.Equal(t, 2, got.code)
		assert.Contains(t, got.err, "sendpace: send 601 dead jobs again: there is no terminal to ask at\n  add --yes")
		assert.Zero(t, waiting())
		got = on(url, append(args, "--yes")...)
		assert.Equal(t, ran{out: "601 enqueued again, 0 were so before, 0 refused\n"}, got)
		got = on(url, append(args, "--yes")...)
		assert.Equal(t, ran{out: "0 enqueued again, 601 were so before, 0 refused\n"}, got)
		assert.Equal(t, int64(failed+1), waiting())
		assert.Regexp(t, `(?m)^sent again as  \S{35}$`, on(url, "dead", "show", archived).out)

		got = on(url, "dead", "replay", "unknown", "unknown")
		assert.Equal(t, ran{out: "1 enqueued again, 0 were so before, 0 refused\n"}, got, "named by its id, nothing is asked")
		got = on(url, "dead", "replay", archived, "nobody")
		assert.Equal(t, 1, got.code)
		assert.Equal(t, "sendpace: 1 of 2 jobs are not dead, or not kept\n  sendpace dead list shows those that are; nothing was done\n", got.err)
	})
}

func TestDeadReplayOfExpiredJobs(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	o := producer.Outcome{JobID: "late", PageID: "1001", Kind: producer.Expired, EndedAt: nine}
	o.Job = json.RawMessage(strings.Replace(job("1001", "4321", "private words"), "{", `{"expires_at":"2026-11-24T09:00:00Z",`, 1))
	body, err := json.Marshal(o)
	require.NoError(t, err)
	require.NoError(t, rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: queueKeys.Stream(), Values: []any{"o", body}}).Err())
	args := []string{"dead", "replay", "--kind", "expired", "--yes"}
	got := on(url, args...)
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "sendpace: late: expires_at: has passed: it was 2026-11-24T09:00:00Z\n")
	assert.Contains(t, got.err, "1 of 1 jobs were refused, and stay as they are\n  sendpace dead replay --expires 2h gives those")
	assert.Equal(t, ran{out: "1 enqueued again, 0 were so before, 0 refused\n"}, on(url, append(args, "--expires", "2h")...))
}

func TestDeadExportIsWhatEnqueueTakes(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	bury(t, rdb, producer.Outcome{PageID: "1001", Kind: producer.Failed, EndedAt: nine.Add(time.Hour)})
	record(t, rdb, producer.Outcome{JobID: "first", PageID: "1002", Kind: producer.Unknown, EndedAt: nine})
	got := on(url, "dead", "export")
	assert.Equal(t, []any{0, "sendpace: 2 jobs exported\n"}, []any{got.code, got.err})
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(t, lines, 2)
	assert.True(t, strings.HasPrefix(lines[0], `{"page_id":"1002",`), lines[0])
	for range 2 {
		stored := sendpace(got.out, nil, "enqueue", "--redis", url, "--file", "-")
		assert.Equal(t, 0, stored.code, stored.err)
	}
	assert.Equal(t, "0 enqueued again, 1 were so before, 0 refused\n", on(url, "dead", "replay", "--yes").out, "the same key")
	assert.Equal(t, int64(1), rdb.ZCard(context.Background(), queueKeys.Line("1001:bulk")).Val())

	body, err := json.Marshal(producer.Outcome{JobID: "odd", PageID: "1003", Kind: producer.Failed, Job: json.RawMessage(`"no job"`)})
	require.NoError(t, err)
	require.NoError(t, rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: queueKeys.Stream(), Values: []any{"o", body}}).Err())
	got = on(url, "dead", "export", "odd")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "sendpace: 1 of 1 jobs cannot be exported\n")
}
