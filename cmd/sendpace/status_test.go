package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
)

func TestStatusText(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 23, 9, 5, 0, 0, time.UTC)
	rates := pace.Rates{Page: 30, Bulk: 0.9, Media: 10}
	hold := &pace.PauseStatus{Reason: pace.Reason{Text: "the token has expired", Since: since}, Hold: true}
	wait := &pace.PauseStatus{Reason: pace.Reason{Text: "code 613", Since: since}, Left: 90 * time.Second}
	budget := rates
	budget.Budget = 1000
	got := statusText(&pace.Status{
		Lines: []pace.LineStatus{
			{PageID: "1001", Lane: producer.LaneBulk, Waiting: 100_000, Rate: 0.9, ETA: 31 * time.Hour, Limit: "bulk"},
			{PageID: "1001", Lane: producer.LaneBulk, Broadcast: "sale", Waiting: 5, Rate: 0.9, ETA: 6 * time.Second, Limit: "broadcast"},
			{PageID: "1001", Lane: producer.LaneRealtime, Side: "media", Waiting: 3, Rate: 10, ETA: time.Second / 3, Limit: "media"},
			{PageID: "1002", Lane: producer.LaneBulk, Waiting: 7, Rate: 0.9, ETA: -1, Limit: "hold"},
			{PageID: "1003", Lane: producer.LaneBulk, Waiting: 5, Rate: 0.9, ETA: 96 * time.Second, Limit: "pause"},
			{PageID: "1004", Lane: producer.LaneBulk, Waiting: 5},
			{PageID: "1006", Lane: producer.LaneBulk, Side: "later", Waiting: 1, Rate: 0.9, Limit: "probe"},
			{PageID: "1007", Lane: producer.LaneBulk, Waiting: 1, Rate: 0.9, ETA: time.Second, Limit: "budget"},
		},
		Pages: []pace.PageStatus{
			{ID: "1001", Rate: 4.98, Configured: rates, Stage: "steady", Percent: 100},
			{ID: "1002", Configured: rates, Pause: hold},
			{ID: "1003", Rate: 0.04, Configured: rates, Pause: wait, Stage: "probe", Percent: 100},
			{ID: "1004"},
			{ID: "1005", Configured: rates, Stage: "climb", Percent: 40},
			{ID: "1006", Configured: rates, Stage: "probe", Percent: 100},
			{ID: "1007", Configured: budget, Stage: "steady", Percent: 55, Usage: 90, Spent: 1000},
		},
		Workers: make([]pace.WorkerInfo, 2), Active: 2, Retrying: 1, Scheduled: 4, Archived: 9, AppUsage: 12, AppBudget: 9000, AppSpent: 1,
	})
	assert.Equal(t, `page  lane            waiting   rate    now    ETA  state           waits for
───────────────────────────────────────────────────────────────────────────────
1001  bulk             100000  0.9/s  5.0/s    31h  sending         bulk
1001  bulk @sale            5  0.9/s  5.0/s     6s  sending         broadcast
1001  realtime media        3   10/s  5.0/s     1s  sending         media
1002  bulk                  7  0.9/s  0.0/s      -  on hold         hold
1003  bulk                  5  0.9/s  0.0/s  1m36s  paused          pause
1004  bulk                  5      -  0.0/s      -  sending
1005  -                     0   30/s  0.0/s      -  climbing, 40 %
1006  bulk later            1  0.9/s  0.0/s     1s  probing         probe
1007  bulk                  1  0.9/s  0.0/s     1s  slowed, 55 %    budget

workers 2   in hand 2   to be retried 1   scheduled 4   archived 9

all pages: 12 % of the platform's allowance is used
all pages: 8999 of 9000 sends of the day's budget left
page 1002: on hold since 2026-11-23 09:05 UTC: the token has expired
  when that is put right: sendpace page release 1002
page 1003: paused for another 1m30s: code 613
page 1007: 90 % of the platform's allowance is used
page 1007: 0 of 1000 sends of the day's budget left
`, got)
}

func TestAPauseOfTheAppShowsAtEveryPage(t *testing.T) {
	t.Parallel()
	got := statusText(&pace.Status{
		Pages: []pace.PageStatus{{ID: "1001"}, {ID: "1002"}},
		App:   &pace.PauseStatus{Reason: pace.Reason{Text: "code 4"}, Left: time.Hour},
	})
	assert.Regexp(t, `(?s)1001.*paused\n1002.*paused\n.*all pages: paused for another 1h: code 4\n$`, got)
}

func TestStatusSaysThatNoWorkerRuns(t *testing.T) {
	t.Parallel()
	const note = "no worker runs\n  start one: sendpace worker\n"
	assert.Contains(t, statusText(&pace.Status{Scheduled: 1}), note)
	assert.NotContains(t, statusText(&pace.Status{}), note, "there is nothing to do")
	assert.NotContains(t, statusText(&pace.Status{Scheduled: 1, Workers: make([]pace.WorkerInfo, 1)}), note)
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "1s", time.Millisecond: "1s", 1499 * time.Millisecond: "1s", time.Minute: "1m", 61 * time.Second: "1m1s",
		10 * time.Minute: "10m", 2 * time.Hour: "2h", 90 * time.Minute: "1h30m", 20 * time.Hour: "20h",
		47 * time.Hour: "47h", 72 * time.Hour: "3d",
	} {
		assert.Equal(t, want, span(d), d)
	}
}

func TestStatusAsJSONIsOneObjectALine(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	jobs := job("1001", "1", "a") + job("1001", "2", "b")
	require.Equal(t, 0, sendpace(jobs, nil, "enqueue", "--redis", url, "--file", "-").code)
	got := sendpace("", nil, "status", "--json", "--redis", url)
	require.Equal(t, 0, got.code, got.err)
	var s pace.Status
	require.NoError(t, json.Unmarshal([]byte(got.out), &s))
	require.Len(t, s.Lines, 1)
	assert.Equal(t, int64(2), s.Lines[0].Waiting)
	assert.Equal(t, "1001:bulk", s.Lines[0].Name)
}

func TestStatusWatchesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	p := start(t, nil, nil, "status", "--watch", "--redis", url)
	p.out.wait(t, `(?s)in hand 0.*in hand 0`)
	assert.Equal(t, 0, p.stop())
	assert.Empty(t, p.err.String())
	assert.NotContains(t, p.out.String(), "\x1b", "no terminal, no cursor movements")
}

func TestPageRelease(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	pacer, err := pace.New(rdb, pace.Config{})
	require.NoError(t, err)
	for scope, who := range map[string]string{"1001": "page 1001", pace.App: "the app"} {
		require.NoError(t, pacer.Hold(context.Background(), scope, pace.Reason{Text: "expired"}))
		args := []string{"page", "release", scope, "--redis", url}
		assert.Equal(t, ran{out: who + " sends again\n"}, sendpace("", nil, args...))
		assert.Equal(t, ran{out: who + " was neither paused nor on hold\n"}, sendpace("", nil, args...))
	}
}
