package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

var nine = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// fleetAtNine is a status with one worker, one page and one line.
func fleetAtNine(change func(*pace.Status, *pace.PageStatus, *pace.LineStatus)) *pace.Status {
	s := &pace.Status{At: nine, Workers: []pace.WorkerInfo{{ID: "w"}}}
	p := pace.PageStatus{
		ID: "1001", Stage: "steady", StageScope: "app", Percent: 100,
		Configured: pace.Rates{Page: 30, Bulk: 0.9, Media: 10, Replies: 0.25, Thread: time.Second, Budget: 500},
	}
	l := pace.LineStatus{Name: "1001:bulk", PageID: "1001", Lane: producer.LaneBulk, Waiting: 5, Rate: 0.9, ETA: 6 * time.Second}
	change(s, &p, &l)
	s.Pages = []pace.PageStatus{p}
	if l.Waiting > 0 {
		s.Lines = []pace.LineStatus{l}
	}
	return s
}

func TestWhyPageNamesWhatStopsOrSlowsIt(t *testing.T) {
	t.Parallel()
	since, soon := nine.Add(-2*time.Hour), nine.Add(90*time.Second)
	pause := pace.Reason{Text: "too\nfast", Code: 613, Since: since}
	mail := &broadcast.Status{State: broadcast.StatePaused, Why: "the link is broken"}
	const gone = "  until   2026-11-24 09:00:06 UTC, in 6s\n" // the line's ETA
	const sinceText, soonText = "  since   2026-11-24 07:00:00 UTC, 2h ago\n", "  until   2026-11-24 09:01:30 UTC, in 1m30s\n"
	for name, tt := range map[string]struct {
		change func(*pace.Status, *pace.PageStatus, *pace.LineStatus)
		want   string
	}{
		"nothing waits": {
			func(_ *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) { l.Waiting = 0 },
			"page 1001: sending; nothing waits\n",
		},
		"nothing waits in line": {
			func(s *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) { l.Waiting, s.Retrying = 0, 8 },
			"page 1001: sending; nothing waits in line; to be retried, of all pages: 8\n",
		},
		"no worker": {
			func(s *pace.Status, _ *pace.PageStatus, _ *pace.LineStatus) { s.Workers = nil },
			"no worker is alive\n  change  sendpace worker\n",
		},
		"halted": {
			func(s *pace.Status, _ *pace.PageStatus, _ *pace.LineStatus) { s.Halted = since },
			"the queue is paused in asynq\n" + sinceText + "  change  resume it in sendpace monitor --read-write, under Jobs\n",
		},
		"pause by the platform": {
			func(_ *pace.Status, p *pace.PageStatus, l *pace.LineStatus) {
				p.Pause, l.Limit = &pace.PauseStatus{Reason: pause, Left: 90 * time.Second}, "pause"
			},
			"page 1001 paused: too fast\n" + sinceText + soonText + "  change  wait: the platform refuses more before, and may stop it for longer\n",
		},
		"pause by hand, of all": {
			func(s *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) {
				s.App, l.Limit = &pace.PauseStatus{Reason: pace.Reason{Text: "by hand", Since: since}, Left: 90 * time.Second}, "pause"
			},
			"all pages paused: by hand\n" + sinceText + soonText + "  change  sendpace page resume app\n",
		},
		"pause, with the budget used up": {
			func(_ *pace.Status, p *pace.PageStatus, l *pace.LineStatus) {
				p.Pause, l.Limit, p.Spent = &pace.PauseStatus{Reason: pause, Left: 90 * time.Second}, "pause", 500
			},
			"for longer\n\nthe page's 500 sends of 24 hours are used up\n  change  daily_budget of the page in the configuration\n",
		},
		"hold": {
			func(_ *pace.Status, p *pace.PageStatus, l *pace.LineStatus) {
				p.Pause, l.Limit = &pace.PauseStatus{Reason: pace.Reason{Text: "expired", Since: since}, Hold: true}, "hold"
			},
			"page 1001 on hold: expired\n" + sinceText + "  change  when that is put right: sendpace page release 1001\n",
		},
		"a token that was refused": {
			func(_ *pace.Status, p *pace.PageStatus, l *pace.LineStatus) {
				reason := pace.Reason{Text: "code 190", Code: 190, Since: since, TokenMark: "a1"}
				p.Pause, l.Limit = &pace.PauseStatus{Reason: reason, Hold: true}, "hold"
			},
			"  change  make a new Page access token and put it into the configuration; workers take it without a restart. " +
				"The page goes on by itself then; sendpace page release 1001 tries the one that is there\n",
		},
		"no permission": {
			func(_ *pace.Status, p *pace.PageStatus, l *pace.LineStatus) {
				p.Pause, l.Limit = &pace.PauseStatus{Reason: pace.Reason{Code: 368, Since: since}, Hold: true}, "hold"
			},
			"  change  the platform restricts the page: see Page Quality, or Support Home, of the page; then: sendpace page release 1001\n",
		},
		"its shard is halted": {
			func(_ *pace.Status, p *pace.PageStatus, l *pace.LineStatus) {
				p.Queue, p.Halted, l.Limit = "messenger-0of2", since, "halted"
			},
			"page 1001: halted; 5 waiting, 0.0/s, ETA 6s\n\nthe queue messenger-0of2 of the page is paused in asynq\n" + sinceText +
				"  change  resume it in sendpace monitor --read-write, under Jobs\n",
		},
		"broadcast that is paused, at a page on hold": {
			func(_ *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) { l.Broadcast, l.Limit = "mail", "hold" },
			"bulk @mail: 5 wait, and the broadcast is paused: the link is broken\n  change  sendpace broadcast resume mail\n",
		},
		"no token": {
			func(_ *pace.Status, p *pace.PageStatus, l *pace.LineStatus) {
				reason := pace.Reason{Text: "no access token", Since: since, MissingToken: true}
				p.Pause, l.Limit = &pace.PauseStatus{Reason: reason, Hold: true}, "hold"
			},
			"page 1001 on hold: no access token\n" + sinceText +
				"  change  give the workers a token for it (pages in the configuration): it goes on by itself then\n",
		},
		"probe that is out": {
			func(_ *pace.Status, p *pace.PageStatus, l *pace.LineStatus) {
				p.Stage, p.StageScope, p.StageEnd, l.Limit = "probe", "page", soon, "probe"
			},
			"after a pause of the page one message went ahead, and its answer is waited for\n" + soonText +
				"  change  wait: with the answer the pace climbs\n",
		},
		"probe to come": {
			func(_ *pace.Status, p *pace.PageStatus, l *pace.LineStatus) { p.Stage, l.Limit = "probe", "probe" },
			"after a pause of all pages one message goes ahead: the next one\n  change  wait: with its answer the pace climbs\n",
		},
		"climb": {
			func(_ *pace.Status, p *pace.PageStatus, _ *pace.LineStatus) {
				p.Stage, p.StageScope, p.StageEnd, p.Percent = "climb", "page", soon, 40
			},
			"after a pause of the page the pace climbs, and is at 40 %\n" + soonText + "  change  wait; worker.adaptive: false does without the climb\n",
		},
		"usage": {
			func(s *pace.Status, p *pace.PageStatus, _ *pace.LineStatus) {
				s.AppUsage, p.Usage, p.UsageAt, p.Percent = 80, 90, nine.Add(-210*time.Second), 55
			},
			"the page uses 90 % of the platform's allowance, so the pace is at 55 %\n  since   2026-11-24 08:56:30 UTC, 3m30s ago\n" + soonText +
				"  change  less to send, or wait: the platform's next answer tells how much is used then\n",
		},
		"page rate": {limited("page", soon), "bulk: 5 wait for the page's rate of 30/s, the next for another 1m30s\n" + gone + "  change  sendpace page rate 1001 --rate RATE --for 2h\n"},
		"bulk rate": {limited("bulk", nine), "bulk: 5 wait for the bulk rate of 0.9/s\n" + gone + "  change  sendpace page rate 1001 --bulk RATE --for 2h\n"},
		"since": {
			func(_ *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) { l.Limit, l.Oldest = "bulk", 2*time.Hour },
			"bulk: 5 wait for the bulk rate of 0.9/s\n" + sinceText + gone + "  change  sendpace page rate 1001 --bulk RATE --for 2h\n",
		},
		"media rate": {limited("media", nine), "bulk: 5 wait for the media rate of 10/s\n" + gone + "  change  sendpace page rate 1001 --media RATE --for 2h\n"},
		"reply rate": {limited("replies", nine), "bulk: 5 wait for the rate of private replies, 900 an hour\n" + gone + "  change  replies_per_hour in "},
		"spacing":    {limited("thread", soon), "bulk: 5 wait for the spacing of their conversations, 1s\n" + soonText + "  change  thread_interval in "},
		"order":      {limited("order", time.Time{}), "bulk: 5 wait, each behind another message to the same person\n  change  wait: they go when "},
		"budget":     {limited("budget", soon), "bulk: 5 wait: the page's 500 sends of 24 hours are used up\n" + soonText + "  change  daily_budget of the page"},
		"app budget": {limited("app budget", soon), "bulk: 5 wait: the sends of 24 hours of all pages are used up\n" + soonText + "  change  app.daily_budget in "},
		"broadcast that is stopped": {
			func(_ *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) {
				l.Broadcast, l.Limit = "sale", "broadcast"
			},
			"bulk @sale: 5 wait, and the broadcast does not send\n  change  sendpace broadcast status sale says why; sendpace broadcast resume sale\n",
		},
		"broadcast with a pace of its own": {
			func(_ *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) {
				l.Broadcast, l.Limit, l.Next = "slow", "broadcast", soon
			},
			"bulk @slow: 5 wait, and the broadcast keeps to a pace of its own\n" + soonText + "  change  wait: it is as slow as its --finish-by allows\n",
		},
		"broadcast with a window": {
			func(_ *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) {
				l.Broadcast, l.Limit, l.Next = "sale", "broadcast", soon
			},
			"bulk @sale: 5 wait for the broadcast's own pace, start or window\n" + soonText + "  change  sendpace broadcast status sale\n",
		},
		"rates for a time": {
			func(_ *pace.Status, p *pace.PageStatus, _ *pace.LineStatus) {
				p.Temporary = &pace.Temporary{Page: 50, Bulk: 20, Until: soon}
			},
			"its rates are set for a time: rate 50/s, bulk rate 20/s\n" + soonText + "  change  sendpace page rate 1001 --reset\n",
		},
		"a new limit": {limited("moon", soon), "bulk: 5 wait for: moon\n" + soonText},
	} {
		s := fleetAtNine(tt.change)
		v, err := findPage(s, "1001")
		require.NoError(t, err)
		got := whyPage(s, v, mailings{"mail": mail, "slow": {State: broadcast.StateRunning}})
		assert.Contains(t, got.text(nine), tt.want, name)
		if !strings.HasPrefix(name, "nothing waits") && name != "pause, with the budget used up" {
			assert.Len(t, got.Obstacles, 1, "%s: that, and nothing else: %v", name, got.Obstacles)
		}
	}
}

func TestLinesThatShareARateWaitForAllOfThem(t *testing.T) {
	t.Parallel()
	s := fleetAtNine(limited("bulk", nine))
	s.Lines = append(s.Lines,
		pace.LineStatus{PageID: "1001", Lane: producer.LaneBulk, Broadcast: "a", Waiting: 9, Rate: 0.9, ETA: 10 * time.Second, Limit: "bulk"},
		pace.LineStatus{PageID: "1001", Lane: producer.LaneBulk, Broadcast: "b", Waiting: 9, Rate: 0.9, ETA: -1, Limit: "broadcast"})
	v, err := findPage(s, "1001")
	require.NoError(t, err)
	got := whyPage(s, v, nil).text(nine)
	assert.Contains(t, got, "bulk: 5 wait for the bulk rate of 0.9/s\n  until   2026-11-24 09:00:15 UTC, in 16s\n", "14 jobs")
	assert.Contains(t, got, "bulk @a: 9 wait for the bulk rate of 0.9/s\n  until   2026-11-24 09:00:15 UTC, in 16s\n")
}

func TestWhyPageTellsWhatABroadcastWaitsFor(t *testing.T) {
	t.Parallel()
	soon := nine.Add(90 * time.Second)
	const soonText = "\n  until   2026-11-24 09:01:30 UTC, in 1m30s\n"
	for want, b := range map[string]broadcast.Status{
		"and the broadcast is not stored whole yet\n":                                                  {State: broadcast.StateLoading},
		"and the broadcast's time has not come" + soonText:                                             {State: broadcast.StateRunning, WaitsUntil: soon},
		"and the broadcast sends in its window alone, 09:00-20:00 Europe/Berlin" + soonText:            {State: broadcast.StateTesting, WaitsUntil: soon, Window: "09:00-20:00 Europe/Berlin"},
		"and the broadcast's test share of 12 people goes first\n  change  wait: the others follow by": {State: broadcast.StateTesting, Test: 12},
		"bulk @mail: 5 wait for the bulk rate of 0.9/s\n":                                              {State: broadcast.StateRunning},
	} {
		s := fleetAtNine(func(_ *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) { l.Broadcast, l.Limit = "mail", "bulk" })
		v, err := findPage(s, "1001")
		require.NoError(t, err)
		assert.Contains(t, whyPage(s, v, mailings{"mail": &b}).text(nine), want)
	}
}

func TestExpectedReckonsWithWhatStopsAJob(t *testing.T) {
	t.Parallel()
	due, later := nine.Add(time.Minute), nine.Add(time.Hour)
	job := producer.JobInfo{ETA: due}
	pause := &pace.PauseStatus{Left: 30 * time.Second}
	page := func(p pace.PageStatus) pageView { return pageView{PageStatus: p} }
	steady := page(pace.PageStatus{Percent: 100})
	for name, tt := range map[string]struct {
		v         pageView
		page, own []obstacle
		want      time.Time
	}{
		"nothing":                   {steady, nil, nil, due},
		"what only slows":           {steady, []obstacle{{What: "rate"}}, nil, due},
		"a hold":                    {steady, []obstacle{{Stops: true}}, nil, time.Time{}},
		"a job that goes first":     {steady, nil, []obstacle{{Stops: true, Until: later}}, later},
		"one in hand":               {steady, nil, []obstacle{{Stops: true}}, due},
		"half the pace":             {page(pace.PageStatus{Percent: 50}), nil, nil, nine.Add(2 * time.Minute)},
		"half, behind its pause":    {page(pace.PageStatus{Percent: 50, Pause: pause}), nil, nil, nine.Add(90 * time.Second)},
		"the window of a mailing":   {steady, []obstacle{{Stops: true, Until: later}}, nil, later},
		"a probe that is soon back": {steady, []obstacle{{Stops: true, Until: nine}}, nil, due},
	} {
		s := fleetAtNine(func(*pace.Status, *pace.PageStatus, *pace.LineStatus) {})
		assert.Equal(t, tt.want, expected(s, tt.v, job, tt.page, tt.own), name)
	}
	s := fleetAtNine(limited("budget", later))
	s.Lines[0].Name = "1001:bulk"
	v, err := findPage(s, "1001")
	require.NoError(t, err)
	job.Line = producer.Line{PageID: "1001", Lane: producer.LaneBulk}
	assert.Equal(t, later.Add(time.Minute), expected(s, v, job, nil, nil), "from when the budget has room")
	assert.Zero(t, expected(fleetAtNine(func(*pace.Status, *pace.PageStatus, *pace.LineStatus) {}), steady, producer.JobInfo{}, nil, nil))
}

func limited(by string, next time.Time) func(*pace.Status, *pace.PageStatus, *pace.LineStatus) {
	return func(_ *pace.Status, _ *pace.PageStatus, l *pace.LineStatus) { l.Limit, l.Next = by, next }
}

// inHand takes the next job out as a worker does, and returns its id.
func inHand(t *testing.T, rdb redis.UniversalClient, pacer *pace.Pacer) string {
	t.Helper()
	server := asynq.NewServerFromRedisClient(pacer.Client(), asynq.Config{
		Queues: map[string]int{producer.DefaultQueue: 1}, TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	started, done := make(chan string, 1), make(chan struct{})
	require.NoError(t, server.Start(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		started <- id
		<-done
		return nil
	})))
	t.Cleanup(func() {
		close(done)
		pacer.Drain()
		server.Shutdown()
	})
	select {
	case id := <-started:
		return id
	case <-time.After(20 * time.Second):
		require.Fail(t, "no job was handed out")
		return ""
	}
}

func TestWhyJob(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		url, rdb := "redis://"+addr, redistest.Client(t, addr)
		pacer := newPacer(t, rdb)
		require.NoError(t, pacer.Beat(context.Background()))
		first, second := put(t, rdb, "1001"), put(t, rdb, "1001")
		later := put(t, rdb, "1001", producer.At(time.Now().Add(time.Hour)))
		require.Equal(t, first, inHand(t, rdb, pacer))

		got := on(url, "why", "job", first)
		assert.Regexp(t, `^job `+first+`: in hand, page 1001\n\na worker has it, and waits for its slot\n  since   20.* UTC, \S+ ago\n$`, got.out, got.err)
		rdb.HSet(context.Background(), rediskeys.Keys{Queue: producer.DefaultQueue}.Task(first), "mark", "a token and a step, as with the permit")
		got = on(url, "why", "job", first)
		assert.Contains(t, got.out, "\n\na worker sends it, or waits for its next step or the answer\n  since", got.err)
		got = on(url, "why", "job", later)
		assert.Regexp(t, `^job \S+: scheduled, page 1001\n\nit is not to be sent before its send_at\n  until   20.* UTC, in (1h|59m\S*)\n`+
			`  change  sendpace job cancel `+later+` gives it up\n`, got.out)
		require.Equal(t, 0, on(url, "page", "hold", "1001").code)
		got = on(url, "why", "job", second)
		assert.Regexp(t, `^job \S+: waiting, page 1001; place 1 in line 1001:bulk\n\n`+
			`another message to the same person goes first: job `+first+`, in hand\n`+
			`  change  sendpace why job `+first+`, or sendpace job cancel `+first+`\n\n`+
			`page 1001 on hold: stopped by hand\n  since   20.* ago\n  change  when that is put right: sendpace page release 1001\n$`, got.out, got.err)
		assert.NotContains(t, got.out, "private words")

		var w answer
		require.NoError(t, json.Unmarshal([]byte(on(url, "why", "job", second, "--json").out), &w))
		assert.Len(t, w.Obstacles, 2)
		assert.True(t, w.Obstacles[1].Stops)
		require.NoError(t, json.Unmarshal([]byte(on(url, "why", "page", "1001", "--json").out), &w))
		assert.Equal(t, "page 1001", w.About)

		require.Equal(t, 0, on(url, "job", "cancel", second).code)
		got = on(url, "why", "job", second)
		assert.Equal(t, ran{code: 1, err: "sendpace: job " + second + ": no such job, or it has ended and is not kept\n" +
			"  sendpace outcomes | grep " + second + " finds its end, if that is still kept\n"}, got)
	})
}

func TestWhyJobOfOneThatEndedOrWaitsForItsNextTry(t *testing.T) {
	t.Parallel()
	s := fleetAtNine(limited("bulk", nine))
	failed := &producer.Outcome{Kind: producer.Failed, Reason: "not reachable", EndedAt: nine.Add(-time.Hour)}
	for name, tt := range map[string]struct {
		info  producer.JobInfo
		stand pace.Stand
		want  string
	}{
		"retry": {
			producer.JobInfo{State: producer.StateRetrying, Attempts: 2, LastError: "code 2", At: nine.Add(time.Minute)}, pace.Stand{},
			"job x: retrying\n\nit failed 2 times, and waits to be tried again: code 2\n  until   2026-11-24 09:01:00 UTC, in 1m\n  change  wait; sendpace job retry x sends it now, and job cancel gives it up\n",
		},
		"retry without an attempt": {
			producer.JobInfo{State: producer.StateRetrying, LastError: "a later version is needed", At: nine.Add(time.Minute)}, pace.Stand{},
			"job x: retrying\n\nit was tried, which counts as no attempt, and waits to be tried again: a later version is needed\n  until   2026-11-24 09:01:00 UTC",
		},
		"on its way again": {
			producer.JobInfo{State: producer.StateInHand, Attempts: 1, LastError: "code 2"}, pace.Stand{Worker: "w"},
			"job x: in hand\n\nit failed once, and is on its way again: code 2\n\na worker has it",
		},
		"failed": {
			producer.JobInfo{State: producer.StateEnded, Outcome: failed}, pace.Stand{},
			"job x: it has ended: failed\n\nnot reachable\n  since   2026-11-24 08:00:00 UTC, 1h ago\n  change  sendpace dead replay x\n",
		},
		"sent":    {producer.JobInfo{State: producer.StateEnded, Outcome: &producer.Outcome{Kind: producer.Sent}}, pace.Stand{}, "job x: it has ended: sent\n"},
		"sending": {producer.JobInfo{State: producer.StateInHand}, pace.Stand{Worker: "w", Sending: true}, "job x: in hand\n\na worker sends it, or waits "},
		"dead worker": {
			producer.JobInfo{State: producer.StateInHand, CancelAsked: true}, pace.Stand{Worker: "other"},
			"job x: in hand, to be cancelled\n\nthe worker that had it is not alive\n  change  wait: another worker takes it over within 15 seconds\n",
		},
		"expired": {
			producer.JobInfo{State: producer.StateEnded, Outcome: &producer.Outcome{Kind: producer.Expired, Reason: "too late", EndedAt: nine}}, pace.Stand{},
			"job x: it has ended: expired\n\ntoo late\n  since   2026-11-24 09:00:00 UTC, 1s ago\n  change  sendpace dead replay x --expires 2h\n",
		},
		"others before it": {
			producer.JobInfo{State: producer.StateWaiting, Place: 3, Line: producer.Line{PageID: "1001", Lane: "bulk"}, ETA: nine.Add(time.Minute)}, pace.Stand{},
			"job x: waiting; place 3 in line 1001:bulk, expected by 2026-11-24 09:01:00 UTC, in 1m\n\n" +
				"2 jobs before it in its line, at the bulk rate of 0.9/s\n  until   2026-11-24 09:01:00 UTC, in 1m\n" +
				"  change  sendpace page rate 1001 --bulk RATE --for 2h\n",
		},
		"behind another one": {
			producer.JobInfo{State: producer.StateWaiting, Place: 1, Line: producer.Line{PageID: "1001", Lane: "realtime"}, ETA: nine}, pace.Stand{Behind: "y"},
			"job x: waiting; place 1 in line 1001:realtime, expected by 2026-11-24 09:00:09 UTC, in 9s\n\n" +
				"another message to the same person goes first: job y, waiting\n  until   2026-11-24 09:00:09 UTC, in 9s\n",
		},
		"behind one that is retried": {
			producer.JobInfo{State: producer.StateWaiting, Place: 1, Line: producer.Line{PageID: "1001", Lane: "realtime"}, ETA: nine}, pace.Stand{Behind: "retried"},
			"job x: waiting; place 1 in line 1001:realtime, expected by 2026-11-24 09:00:09 UTC, in 9s\n\n" +
				"another message to the same person goes first: job retried, retrying: code 2\n  until   2026-11-24 09:00:09 UTC, in 9s\n",
		},
		"spacing": {
			producer.JobInfo{State: producer.StateWaiting, Place: 3, Line: producer.Line{PageID: "1001", Lane: "bulk", Side: "later"}, ETA: nine.Add(time.Minute)},
			pace.Stand{Due: nine.Add(time.Second)},
			"job x: waiting; place 3 in line 1001:bulk:later, expected by 2026-11-24 09:01:00 UTC, in 1m\n\n" +
				"the same person has just got a message\n  until   2026-11-24 09:00:01 UTC, in 1s\n  change  thread_interval in the configuration\n",
		},
	} {
		tt.info.ID = "x"
		behind := map[string]producer.JobInfo{
			"y":       {State: producer.StateWaiting, ETA: nine.Add(9 * time.Second)},
			"retried": {State: producer.StateRetrying, At: nine.Add(9 * time.Second), LastError: "code 2"},
		}[tt.stand.Behind]
		got := whyJob(s, tt.info, tt.stand, behind, nil).text(nine)
		assert.True(t, len(got) >= len(tt.want) && got[:len(tt.want)] == tt.want, "%s\ngot:  %s\nwant: %s", name, got, tt.want)
	}
}
