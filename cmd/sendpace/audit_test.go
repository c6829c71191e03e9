package main

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	put(t, rdb, "1001", producer.InBroadcast("sale"))
	id := put(t, rdb, "1001")
	require.Equal(t, 0, on(url, "job", "cancel", id).code)
	got := on(url, "audit")
	assert.Equal(t, ran{0, `page  accepted  waiting  in hand  archived  sent  failed  expired  cancelled  unknown  missing  not counted yet
─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
1001         2        1        0         0     0       0        0          1        0        0                0

broadcast  accepted  open  found  sent  failed  expired  cancelled  unknown  missing
──────────────────────────────────────────────────────────────────────────────────────
sale              1     1      -     0       0        0          0        0        0

the account adds up: no job is lost
`, ""}, got)

	lost := put(t, rdb, "1002")
	rdb.ZRem(context.Background(), queueKeys.Line("1002:bulk"), lost)
	got = on(url, "audit")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.out, "\nlost  "+lost+"\n")
	assert.NotContains(t, got.out, "adds up")
	assert.Contains(t, got.err, "sendpace: the account does not add up\n")
	assert.Equal(t, 0, on(url, "audit", "--page", "1001").code)

	assert.Equal(t, ran{1, "", "sendpace: there has never been a job of page 9 in this queue\n  sendpace audit lists all pages\n"},
		on(url, "audit", "--page", "9"))
	assert.Equal(t, ran{1, "", "sendpace: there is no broadcast slae in this queue\n  sendpace audit lists all broadcasts\n"},
		on(url, "audit", "--broadcast", "slae"))

	got = on(url, "audit", "--json", "--broadcast", "sale")
	assert.Equal(t, 1, got.code)
	var r pace.AuditReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &r))
	assert.Equal(t, []pace.Misplaced{{JobID: lost, PageID: "1002", What: pace.Lost}}, r.Misplaced)
	require.Len(t, r.Broadcasts, 1)
	assert.Equal(t, int64(1), *r.Broadcasts[0].Found)
}

func TestAuditSaysWhatItDidNotLookAt(t *testing.T) {
	t.Parallel()
	got := auditText(&pace.AuditReport{
		Pages:     []pace.PageAudit{{ID: pace.AllPages, Accepted: 1_000_000, Waiting: 1_000_000}},
		Misplaced: []pace.Misplaced{{JobID: "x", What: pace.Ghost, Where: "asynq:{messenger}:retry"}}, Unnamed: 7,
	})
	assert.Regexp(t, `(?s)^page .*\nall    1000000  1000000 .*\n\nghost  x  asynq:\{messenger\}:retry\nand 7 more\nthere are too many jobs`, got)
}
