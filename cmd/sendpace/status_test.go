package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
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
	s := &pace.Status{
		Lines: []pace.LineStatus{
			{PageID: "1001", Lane: producer.LaneBulk, Waiting: 100_000, Rate: 0.9, ETA: 31 * time.Hour, Limit: "bulk", Oldest: 26 * time.Hour},
			{PageID: "1001", Lane: producer.LaneBulk, Broadcast: "sale", Waiting: 5, Rate: 0.9, ETA: 6 * time.Second, Limit: "broadcast"},
			{PageID: "1001", Lane: producer.LaneRealtime, Side: "media", Waiting: 3, Rate: 10, ETA: time.Second / 3, Limit: "media"},
			{PageID: "1002", Lane: producer.LaneBulk, Waiting: 7, Rate: 0.9, ETA: -1, Limit: "hold"},
			{PageID: "1003", Lane: producer.LaneBulk, Waiting: 5, Rate: 0.9, ETA: 96 * time.Second, Limit: "pause"},
			{PageID: "1004", Lane: producer.LaneBulk, Waiting: 5},
			{PageID: "1006", Lane: producer.LaneBulk, Side: "later", Waiting: 1, Rate: 0.9, Limit: "probe"},
			{PageID: "1007", Lane: producer.LaneBulk, Waiting: 1, Rate: 0.9, ETA: time.Second, Limit: "budget"},
		},
		Pages: []pace.PageStatus{
			{ID: "1001", Rate: 4.98, Configured: rates, Stage: "steady", Percent: 100, Outcomes: map[string]int64{"sent": 12, "failed": 1}},
			{ID: "1002", Configured: rates, Pause: hold, Outcomes: map[string]int64{"sent": 3, "accepted": 10}},
			{ID: "1003", Rate: 0.04, Configured: rates, Pause: wait, Stage: "probe", Percent: 100},
			{ID: "1004"},
			{ID: "1005", Configured: rates, Stage: "climb", Percent: 40},
			{ID: "1006", Configured: rates, Stage: "probe", Percent: 100},
			{ID: "1007", Configured: budget, Stage: "steady", Percent: 55, Usage: 90, Spent: 1000},
		},
		Workers: []pace.WorkerInfo{
			{Version: "v1.2.0", Host: "web-1", PID: 7, Leads: true}, {Version: "v1.3.0"}, {Version: "v1.3.0"},
		},
		Active: 2, Retrying: 1, Scheduled: 4, Archived: 9, AppUsage: 12, AppBudget: 9000, AppSpent: 1,
	}
	got := statusText(&fleetView{Status: s, Totals: totalsOf(s), LastErrors: []producer.Outcome{
		{PageID: "1001", Kind: producer.Failed, EndedAt: since, Reason: "not\nreachable"},
	}, NextRetries: []producer.Retry{
		{PageID: "1001", At: since, Attempts: 2, Reason: "code\n2"}, {PageID: "1002", At: since.Add(time.Minute), Reason: "too much to one person"},
	}})
	assert.Equal(t, `3 workers, 1 of v1.2.0 and 2 of v1.3.0, led by web-1 (pid 7)

page  lane            waiting  oldest   rate    now  usage    ETA  state           waits for
──────────────────────────────────────────────────────────────────────────────────────────────
1001  bulk             100000     26h  0.9/s  5.0/s      -    31h  sending         bulk
1001  bulk @sale            5       -  0.9/s  5.0/s      -     6s  sending         broadcast
1001  realtime media        3       -   10/s  5.0/s      -     1s  sending         media
1002  bulk                  7       -  0.9/s  0.0/s      -      -  on hold         hold
1003  bulk                  5       -  0.9/s  0.0/s      -  1m36s  paused          pause
1004  bulk                  5       -      -  0.0/s      -      -  sending
1005  -                     0       -   30/s  0.0/s      -      -  climbing, 40 %
1006  bulk later            1       -  0.9/s  0.0/s      -     1s  probing         probe
1007  bulk                  1       -  0.9/s  0.0/s   90 %     1s  budget used up  budget

waiting 100027   now 5.0/s   in hand 2   to be retried 1   scheduled 4   archived 9
sent 15   failed 1

all pages: 12 % of the platform's allowance is used
all pages: 8999 of 9000 sends of the day's budget left
page 1002: on hold since 2026-11-23 09:05 UTC: the token has expired
  when that is put right: sendpace page release 1002
page 1003: paused for another 1m30s: code 613
page 1007: 90 % of the platform's allowance is used
page 1007: 0 of 1000 sends of the day's budget left

next retries (UTC)
2026-11-23 09:05:00  page 1001  it failed 2 times: code 2
2026-11-23 09:06:00  page 1002  it was tried, which counts as no attempt: too much to one person

last errors (UTC)
2026-11-23 09:05:00  page 1001  failed: not reachable
`, got)
}

func TestAPauseOfTheAppShowsAtEveryPage(t *testing.T) {
	t.Parallel()
	got := textOf(&pace.Status{
		Pages: []pace.PageStatus{{ID: "1001"}, {ID: "1002"}},
		App:   &pace.PauseStatus{Reason: pace.Reason{Text: "code 4"}, Left: time.Hour},
	})
	assert.Regexp(t, `(?s)1001.*paused\n1002.*paused\n.*all pages: paused for another 1h: code 4\n$`, got)
}

func textOf(s *pace.Status) string { return statusText(&fleetView{Status: s, Totals: totalsOf(s)}) }

func TestStatusSaysThatNothingCanBeSent(t *testing.T) {
	t.Parallel()
	const note = "\nno worker runs\n  start one: sendpace worker\n"
	assert.Contains(t, textOf(&pace.Status{Scheduled: 1}), note)
	assert.NotContains(t, textOf(&pace.Status{}), note, "there is nothing to do")
	assert.NotContains(t, textOf(&pace.Status{Scheduled: 1, Workers: make([]pace.WorkerInfo, 1)}), note)
	assert.Regexp(t, `(?s)1001 .* halted\n.*all pages: the queue is paused in asynq since 2026-11-24 09:05:00 UTC\n  resume it in sendpace monitor --read-write, under Jobs\n$`,
		textOf(&pace.Status{Pages: []pace.PageStatus{{ID: "1001"}}, Halted: time.Date(2026, 11, 24, 9, 5, 0, 0, time.UTC)}))
}

func TestAShardThatIsPausedInAsynqStopsItsPagesAlone(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 24, 9, 5, 0, 0, time.UTC)
	s := &pace.Status{Workers: make([]pace.WorkerInfo, 1), Pages: []pace.PageStatus{
		{ID: "1001", Queue: "messenger-1of2", Halted: since}, {ID: "1002", Queue: "messenger-0of2"}, {ID: "1003", Queue: "messenger-1of2", Halted: since},
	}}
	assert.Regexp(t, `(?s)1001 .* halted\n1002 .* sending\n1003 .* halted\n.*\n`+
		`2 pages of the queue messenger-1of2: it is paused in asynq since 2026-11-24 09:05:00 UTC\n  resume it in sendpace monitor --read-write, under Jobs\n$`, textOf(s))
	assert.NotContains(t, textOf(s), "page release", "that would change nothing")
	assert.Regexp(t, `1001  halted .* the queue messenger-1of2 is paused in asynq\n1002 +sending .*  -\n`, render(pageTable(s)))
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
	var s fleetView
	require.NoError(t, json.Unmarshal([]byte(got.out), &s))
	require.Len(t, s.Lines, 1)
	assert.Equal(t, int64(2), s.Totals.Waiting)
	assert.Contains(t, got.out, `"last_errors":[]`)
	assert.Contains(t, got.out, `"next_retries":[]`)
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

func TestStatusWatchTellsOnceThatRedisIsAway(t *testing.T) {
	t.Parallel()
	answers := []error{nil, errors.New("EOF"), errors.New("EOF"), nil}
	ctx, cancel := context.WithCancel(t.Context())
	out, said := newOutput(), newOutput()
	w := watcher{app: &app{stdout: out, stderr: said}, read: func(context.Context) (*fleetView, error) {
		if len(answers) == 0 {
			cancel()
			return nil, ctx.Err()
		}
		err := answers[0]
		answers = answers[1:]
		return &fleetView{Status: &pace.Status{}}, err
	}}
	synctest.Test(t, func(t *testing.T) { require.NoError(t, w.watch(ctx)) })
	assert.Equal(t, "sendpace: waiting for Redis: EOF\nsendpace: Redis answers again\n", said.String())
	assert.Equal(t, 2, strings.Count(out.String(), "in hand 0"))
}
