package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

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

func TestPageReleaseOfAPageThatIsNotConfigured(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	pacer, err := pace.New(rdb, pace.Config{})
	require.NoError(t, err)
	require.NoError(t, pacer.Hold(context.Background(), "77", pace.Reason{Text: "expired"}))
	args := []string{"page", "release", "77", "--redis", url, "--config", writeFile(t, "c.yaml", pagesFile)}
	assert.Equal(t, ran{out: "page 77 sends again\n"}, sendpace("", nil, args...), "it was taken out while it was on hold")
	got := sendpace("", nil, args...)
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "page 77 is not configured")
}

func TestPageReleaseSaysThatAllPagesAreStopped(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	require.Equal(t, 0, on(url, "page", "hold", "app", "--yes", "--why", "an incident").code)
	require.Equal(t, 0, on(url, "page", "hold", "1001").code)
	got := on(url, "page", "release", "1001")
	assert.Regexp(t, `^page 1001 is released, but waits for all pages to be\nall pages: on hold since .* UTC: an incident\n  when that is put `+
		`right: sendpace page release app\n$`, got.out)
}

// newPacer is a worker's pacer, with rates set.
func newPacer(t *testing.T, rdb redis.UniversalClient) *pace.Pacer {
	t.Helper()
	pacer, err := pace.New(rdb, pace.Config{Version: "v1.2.3"})
	require.NoError(t, err)
	require.NoError(t, pacer.SetRates(context.Background(), pace.Limits{
		Others: pace.Rates{Page: 30, Bulk: 0.9, Media: 10, Thread: time.Second},
		Pages:  map[string]pace.Rates{"1001": {Page: 40, Bulk: 2, Media: 10, Replies: 0.25, Budget: 500}},
	}))
	return pacer
}

func TestPagePauseAndHold(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		url, rdb := "redis://"+addr, redistest.Client(t, addr)
		got := on(url, "page", "pause", "1001", "--for", "2h", "--why", "the shop\nis down")
		assert.Equal(t, ran{out: "page 1001: paused for another 2h: the shop is down\n"}, got)
		got = on(url, "page", "pause", "1001", "--for", "1m")
		assert.Equal(t, 0, got.code)
		assert.Equal(t, "sendpace: it was stopped before, and that lasts longer: nothing was changed\n", got.err)
		assert.Contains(t, got.out, ": the shop is down\n")
		got = on(url, "page", "hold", "1001")
		assert.Regexp(t, `^page 1001: on hold since 20.* UTC: stopped by hand\n  when that is put right: sendpace page release 1001\n$`, got.out)
		got = on(url, "page", "pause", "1001", "--for", "3h")
		assert.Contains(t, got.err, "nothing was changed")
		assert.Equal(t, time.Duration(-1), rdb.PTTL(context.Background(), queueKeys.Pause("1001")).Val())
		assert.Equal(t, ran{out: "page 1001 sends again\n"}, on(url, "page", "resume", "1001"))
		assert.Zero(t, rdb.Exists(context.Background(), queueKeys.Adapt("1001")).Val(), "it goes on at its rates, without a probe")

		got = on(url, "page", "pause", "app", "--for", "90s")
		assert.Equal(t, 2, got.code)
		assert.Equal(t, "sendpace: stop all pages: there is no terminal to ask at\n  add --yes if that is meant\n", got.err)
		assert.Zero(t, rdb.Exists(context.Background(), queueKeys.Pause(pace.App)).Val(), "nothing was done")
		got = on(url, "page", "pause", "app", "--for", "90s", "--yes")
		assert.Equal(t, ran{out: "all pages: paused for another 1m30s: stopped by hand\n"}, got)
	})
}

func TestPageList(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	pacer := newPacer(t, rdb)
	put(t, rdb, "1001")
	put(t, rdb, "1001")
	put(t, rdb, "1002")
	assert.Regexp(t, `1001  no worker        2 +40/s    2/s  0.0/s      -    -\n`, on(url, "page", "list").out, "nothing is sent, and nobody knows when")
	require.NoError(t, pacer.Beat(context.Background()))
	require.Equal(t, 0, on(url, "page", "hold", "1002", "--why", strings.Repeat("very ", 20)+"long").code)
	got := on(url, "page", "list")
	assert.Equal(t, 0, got.code, got.err)
	assert.Regexp(t, `^page  state    waiting  rate   bulk    now  usage  ETA  why
─+
1001  sending        2  40/s    2/s  0.0/s      -   1s
1002  on hold        1  30/s  0.9/s  0.0/s      -    -  `+strings.Repeat("very ", 11)+"very…\n$", got.out)

	got = on(url, "page", "list", "--json")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(t, lines, 2)
	var v pageView
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &v))
	assert.Equal(t, []any{"1002", "on hold", int64(1)}, []any{v.ID, v.State, v.Lines[0].Waiting})
	assert.True(t, v.Pause.Hold)
}

func TestPageShow(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	require.NoError(t, newPacer(t, rdb).Beat(context.Background()))
	put(t, rdb, "1001")
	id := put(t, rdb, "1001")
	require.Equal(t, 0, on(url, "job", "cancel", id).code)
	require.Equal(t, 0, on(url, "page", "pause", "1001", "--for", "1h").code)
	got := on(url, "page", "show", "1001")
	assert.Equal(t, 0, got.code, got.err)
	assert.Regexp(t, `^page             1001
─+
state            paused
rate now         0.0/s
rate             40/s
bulk rate        2/s
media rate       10/s
private replies  900 an hour
cancelled        1

lane +waiting +oldest +rate +ETA +waits for
─+
bulk        1 +\S+ +2/s +1h  pause

page 1001: paused for another 1h: stopped by hand
page 1001: 500 of 500 sends of the day's budget left
$`, got.out)
	var v pageView
	require.NoError(t, json.Unmarshal([]byte(on(url, "page", "show", "1001", "--json").out), &v))
	assert.Equal(t, []any{"1001", "paused", 2.0, producer.LaneBulk}, []any{v.ID, v.State, v.Configured.Bulk, v.Lines[0].Lane})

	got = on(url, "page", "show", "4711")
	assert.Equal(t, 1, got.code)
	assert.Equal(t, "sendpace: nothing is known of page 4711: it has no job and no rates\n  sendpace page list shows those that there are; those of the configuration show once a worker has run\n", got.err)
}

func TestPagesWaitAsLongAsAllTheirLines(t *testing.T) {
	t.Parallel()
	bulk := func(broadcast string, n int64, eta time.Duration) pace.LineStatus {
		return pace.LineStatus{Lane: producer.LaneBulk, Broadcast: broadcast, Waiting: n, Rate: 10, ETA: eta}
	}
	media := pace.LineStatus{Lane: producer.LaneBulk, Side: producer.SideMedia, Waiting: 60, Rate: 1, ETA: time.Minute}
	rows := []struct {
		lines []pace.LineStatus
		n     int64
		until string
	}{
		{nil, 0, "-"},
		{[]pace.LineStatus{bulk("", 100, 10*time.Second)}, 100, "10s"},
		{[]pace.LineStatus{bulk("a", 100, 10*time.Second), bulk("b", 200, 20*time.Second)}, 300, "30s"},
		{[]pace.LineStatus{bulk("a", 100, 70*time.Second), bulk("b", 200, 80*time.Second)}, 300, "1m30s"}, // both behind a pause of a minute
		{[]pace.LineStatus{bulk("a", 100, time.Hour), bulk("b", 200, 20*time.Second)}, 300, "1h"},
		{[]pace.LineStatus{bulk("a", 100, 10*time.Second), media}, 160, "1m"},
		{[]pace.LineStatus{bulk("a", 100, -1), bulk("b", 200, 20*time.Second)}, 300, "-"}, // one is paused; all are counted
	}
	for _, row := range rows {
		n, until := pageView{Lines: row.lines}.waiting()
		assert.Equal(t, []any{row.n, row.until}, []any{n, until}, "%+v", row.lines)
	}
}
