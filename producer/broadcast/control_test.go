package broadcast_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/redistest"
)

// set writes fields of the broadcast, as workers would.
func set(t *testing.T, rdb redis.UniversalClient, fields ...any) {
	t.Helper()
	require.NoError(t, rdb.HSet(t.Context(), keys.Broadcast("sale"), fields...).Err())
}

func stateOf(t *testing.T, c *broadcast.Client) broadcast.State {
	t.Helper()
	s, err := c.Status(t.Context(), "sale")
	require.NoError(t, err)
	return s.State
}

func TestTheSettingsThatThePacerReads(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		spec := saleSpec()
		window, err := broadcast.ParseWindow("09:00-20:00", "UTC")
		require.NoError(t, err)
		spec.Window, spec.Weight, spec.TestShare, spec.TestLimit = window, 7, 25, 12.5
		spec.StartAt = time.Now().Add(time.Hour).Truncate(time.Second)
		start(t, newClient(t, rdb), spec, csvOf(people(8)))
		got := rdb.HGetAll(t.Context(), keys.Broadcast("sale")).Val()
		assert.NotContains(t, got["spec"], "token")
		assert.NotContains(t, got["spec"], "Hello", "the message is in the jobs alone")
		for _, field := range []string{"spec", "digest", "seed"} {
			assert.NotEmpty(t, got[field])
			delete(got, field)
		}
		assert.Equal(t, map[string]string{
			"state": "testing", "page": "1", "weight": "7", "every": "0", "start": fmt.Sprint(spec.StartAt.UnixMicro()),
			"window": "32400 72000 0", "test": "2", "test_limit": "12.5", "bucket": "60", "rows": "8", "accepted": "8", "loaded": "9",
		}, got)
		assert.EqualValues(t, -1, rdb.TTL(t.Context(), keys.Broadcast("sale")).Val(), "kept as long as it goes on")
		assert.EqualValues(t, 2, rdb.ZCount(t.Context(), keys.Line("1:bulk:@sale"), "1", "1").Val())
		assert.Equal(t, []string{"sale"}, rdb.ZRange(t.Context(), keys.Broadcasts(), 0, -1).Val())
		s, err := newClient(t, rdb).Status(t.Context(), "sale")
		require.NoError(t, err)
		assert.False(t, s.WaitsUntil.Before(spec.StartAt))
		assert.Contains(t, []int{9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, s.WaitsUntil.Hour())
	})
}

func TestPauseAndResume(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		c := newClient(t, rdb)
		spec := saleSpec()
		spec.TestShare, spec.FinishBy = 50, time.Now().Add(100*time.Hour)
		start(t, c, spec, csvOf(people(10)))
		every := rdb.HGet(t.Context(), keys.Broadcast("sale"), "every").Val()
		state, err := c.Pause(t.Context(), "sale", "the link is broken")
		require.NoError(t, err)
		assert.Equal(t, broadcast.StatePaused, state)
		s, err := c.Status(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, "the link is broken", s.Why)
		assert.True(t, s.ETA.IsZero())
		started := start(t, c, spec, csvOf(people(10)))
		assert.Equal(t, broadcast.Started{State: broadcast.StatePaused, Repeat: true}, started, "starting again does not resume it")

		rdb.ZAdd(t.Context(), keys.Due(), redis.Z{Score: 1e18, Member: "1:bulk:@sale"})
		set(t, rdb, "sent", 4)
		state, err = c.Resume(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, broadcast.StateTesting, state, "the test is not over")
		due, err := rdb.ZScore(t.Context(), keys.Due(), "1:bulk:@sale").Result()
		require.NoError(t, err)
		assert.InDelta(t, time.Now().UnixMicro(), due, 60e6, "it is looked at now")
		assert.NotEqual(t, every, rdb.HGet(t.Context(), keys.Broadcast("sale"), "every").Val(), "the pace is chosen anew")
		s, err = c.Status(t.Context(), "sale")
		require.NoError(t, err)
		assert.Empty(t, s.Why)

		_, err = c.Pause(t.Context(), "sale", "")
		require.NoError(t, err)
		set(t, rdb, "failed", 2)
		state, err = c.Resume(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, broadcast.StatePaused, state, "the test ended while it was paused by hand, and is judged now")
		s, err = c.Status(t.Context(), "sale")
		require.NoError(t, err)
		assert.Contains(t, s.Why, "2 of the first 6 jobs, its test share, failed")
		state, err = c.Resume(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, broadcast.StateRunning, state, "a person decided")
		state, err = c.Resume(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, broadcast.StateRunning, state, "once more does nothing")
		_, err = c.Pause(t.Context(), "nobody", "")
		assert.ErrorIs(t, err, broadcast.ErrNotFound)
	})
}

func TestCancel(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		c := newClient(t, rdb)
		start(t, c, saleSpec(), csvOf(people(250)))
		n, err := c.Cancel(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 250}, n)
		assert.Zero(t, rdb.ZCard(t.Context(), keys.Line("1:bulk:@sale")).Val())
		s, err := c.Status(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, []any{broadcast.StateCancelled, 250, 0}, []any{s.State, s.Cancelled, s.Left()})
		_, err = c.Cancel(t.Context(), "sale")
		assert.NoError(t, err, "once more does nothing")
		plan, err := c.Plan(t.Context(), saleSpec(), csvOf(people(250)))
		require.NoError(t, err)
		_, err = c.Start(t.Context(), plan)
		assert.ErrorIs(t, err, broadcast.ErrCancelled)
		for _, act := range []func() error{
			func() error { _, err := c.Resume(t.Context(), "sale"); return err },
			func() error { _, err := c.Pause(t.Context(), "sale", ""); return err },
		} {
			assert.ErrorIs(t, act(), broadcast.ErrEnded)
		}
		assert.Equal(t, broadcast.StateCancelled, stateOf(t, c))
	})
}

// failAndSendAgain ends the first job that waits as failed, as a worker would, and returns the id that the person's job has when it is sent again.
func failAndSendAgain(t *testing.T, rdb redis.UniversalClient, p *producer.Producer) string {
	t.Helper()
	line := keys.Line("1:bulk:@sale")
	id := rdb.ZRange(t.Context(), line, 0, 0).Val()[0]
	job, err := p.Get(t.Context(), id)
	require.NoError(t, err)
	rdb.ZRem(t.Context(), line, id)
	rdb.Del(t.Context(), keys.Task(id))
	rdb.HIncrBy(t.Context(), keys.Broadcast("sale"), "failed", 1)
	payload, err := json.Marshal(job.Job)
	require.NoError(t, err)
	receipt, err := p.Resend(t.Context(), producer.Outcome{JobID: id, Kind: producer.Failed, Job: payload})
	require.NoError(t, err)
	return receipt.ID
}

func TestJobsThatAreSentAgainAreStillOpen(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		c := newClient(t, rdb)
		p, err := producer.New(rdb, producer.Config{})
		require.NoError(t, err)
		start(t, c, saleSpec(), csvOf(people(3)))
		again := failAndSendAgain(t, rdb, p)
		cancel := func(id string) {
			result, err := p.Cancel(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, producer.CancelDone, result)
		}
		for _, id := range rdb.ZRange(t.Context(), keys.Line("1:bulk:@sale"), 0, -1).Val() {
			if id != again {
				cancel(id)
			}
		}
		s, err := c.Status(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, []any{false, broadcast.StateRunning, 1}, []any{s.Over(), s.State, s.Left()}, "three have ended, of four")
		state, err := c.Pause(t.Context(), "sale", "")
		require.NoError(t, err)
		assert.Equal(t, broadcast.StatePaused, state)
		cancel(again)
		assert.Equal(t, broadcast.StateDone, stateOf(t, c))
		_, err = c.Resume(t.Context(), "sale")
		require.ErrorIs(t, err, broadcast.ErrEnded)

		// It had come to its end when this one was sent again: that one would wait for ever.
		set(t, rdb, "failed", 0, "accepted", 3)
		_, err = p.Enqueue(t.Context(), jobTo(t, "77"), producer.InBroadcast("sale"))
		require.NoError(t, err)
		assert.Equal(t, broadcast.StatePaused, stateOf(t, c))
		state, err = c.Resume(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, broadcast.StateRunning, state)
		n, err := c.Cancel(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 1}, n)
		assert.Equal(t, broadcast.StateCancelled, stateOf(t, c))
	})
}

// Its jobs would wait until the broadcast is forgotten, and then go.
func TestNothingIsEnqueuedInACancelledBroadcast(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		c := newClient(t, rdb)
		p, err := producer.New(rdb, producer.Config{})
		require.NoError(t, err)
		start(t, c, saleSpec(), csvOf(people(3)))
		stored, err := p.Enqueue(t.Context(), jobTo(t, "77"), producer.InBroadcast("sale"), producer.Key("k"))
		require.NoError(t, err)
		_, err = c.Cancel(t.Context(), "sale")
		require.NoError(t, err)

		repeat, err := p.Enqueue(t.Context(), jobTo(t, "77"), producer.InBroadcast("sale"), producer.Key("k"))
		require.NoError(t, err, "it was stored before that")
		assert.Equal(t, stored.ID, repeat.ID)
		for _, opts := range [][]producer.Option{{}, {producer.Key("other")}, {producer.At(time.Now().Add(time.Hour))}} {
			_, err = p.Enqueue(t.Context(), jobTo(t, "78"), append(opts, producer.InBroadcast("sale"))...)
			var problems sendapi.Problems
			require.ErrorAs(t, err, &problems)
			assert.Equal(t, "broadcast", problems[0].Path)
			assert.Contains(t, problems[0].Message, "cancelled")
		}
		assert.Zero(t, rdb.Exists(t.Context(), keys.Line("1:bulk:@sale"), keys.Scheduled()).Val())
		assert.Equal(t, "4", rdb.HGet(t.Context(), keys.Broadcast("sale"), "accepted").Val())

		// What was enqueued by other means is cancelled when that is asked once more.
		set(t, rdb, "state", "running")
		_, err = p.Enqueue(t.Context(), jobTo(t, "79"), producer.InBroadcast("sale"))
		require.NoError(t, err)
		set(t, rdb, "state", "cancelled")
		n, err := c.Cancel(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 1}, n)
	})
}

func jobTo(t *testing.T, psid string) producer.Job {
	t.Helper()
	req := sendapi.Text(sendapi.ID(psid), "x")
	job, err := producer.NewJob("1", req)
	require.NoError(t, err)
	job.Lane = producer.LaneBulk
	return job
}

// One that is cancelled, paused or resumed while it is stored: the loader notices, and nothing goes before all is stored.
func TestControlledWhileItIsStored(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		act   func(*broadcast.Client) (broadcast.State, error)
		then  broadcast.State // right after
		final broadcast.State
		err   error
	}{
		"pause": {func(c *broadcast.Client) (broadcast.State, error) { return c.Pause(t.Context(), "sale", "") },
			broadcast.StatePaused, broadcast.StatePaused, nil},
		"resume": {func(c *broadcast.Client) (broadcast.State, error) {
			if _, err := c.Pause(t.Context(), "sale", ""); err != nil {
				return "", err
			}
			return c.Resume(t.Context(), "sale")
		}, broadcast.StateLoading, broadcast.StateRunning, nil},
		"cancel": {func(c *broadcast.Client) (broadcast.State, error) {
			_, err := c.Cancel(t.Context(), "sale")
			return broadcast.StateCancelled, err
		}, broadcast.StateCancelled, broadcast.StateCancelled, broadcast.ErrCancelled},
	} {
		rdb := redistest.Client(t, redistest.Mini(t))
		other := newClient(t, rdb)
		acted := false
		c, err := broadcast.New(rdb, broadcast.Config{OnProgress: func(p broadcast.Progress) {
			if p.Stage == broadcast.StageLoad && !acted {
				acted = true
				state, err := tt.act(other)
				assert.NoError(t, err, what)
				assert.Equal(t, tt.then, state, what)
			}
		}})
		require.NoError(t, err)
		plan, err := c.Plan(t.Context(), saleSpec(), csvOf(people(1200)))
		require.NoError(t, err)
		_, err = c.Start(t.Context(), plan)
		assert.ErrorIs(t, err, tt.err, what)
		assert.True(t, acted)
		assert.Equal(t, tt.final, stateOf(t, other), what)
		if tt.err != nil {
			assert.Zero(t, rdb.ZCard(t.Context(), keys.Line("1:bulk:@sale")).Val(), "nothing is left behind")
		}
	}
}

func TestPlansShareThePaceByWeight(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	c := newClient(t, rdb)
	plan, err := c.Plan(t.Context(), saleSpec(), csvOf(people(3600)))
	require.NoError(t, err)
	assert.Zero(t, plan.Forecast.Interval, "no worker has set the pace")
	assert.True(t, plan.Forecast.End.IsZero())

	// One bulk message a second; two calls each for the other broadcast.
	require.NoError(t, rdb.Set(t.Context(), keys.Rates("default"), "33501 1000000 100503 0 250000 0 0 0", 0).Err())
	lasts := func(spec broadcast.Spec) time.Duration {
		plan, err := c.Plan(t.Context(), spec, csvOf(people(3600)))
		require.NoError(t, err)
		assert.Equal(t, time.Second, plan.Forecast.Interval)
		return plan.Forecast.End.Sub(plan.Forecast.Start).Round(time.Second)
	}
	assert.Equal(t, time.Hour, lasts(saleSpec()))
	other := saleSpec()
	other.Name, other.Weight = "other", 2
	other.Template = []byte(`[{"sender_action":"typing_on"},{"messaging_type":"UPDATE","message":{"text":"{{or .first_name .order}}"}}]`)
	assert.Equal(t, 2*time.Hour, lasts(other))
	start(t, c, other, csvOf(people(1000)))
	assert.Equal(t, 3600*time.Second+2000*time.Second, lasts(saleSpec()), "all of the other's messages go beside it")
	heavy := saleSpec()
	heavy.Weight = 20
	assert.Equal(t, 3600*time.Second+360*time.Second, lasts(heavy), "a tenth as many")
	for i := range 50 {
		require.NoError(t, rdb.ZAdd(t.Context(), keys.Line("1:bulk"), redis.Z{Score: 5, Member: fmt.Sprint(i)}).Err())
	}
	assert.Equal(t, 3600*time.Second+360*time.Second+50*time.Second, lasts(heavy), "the lane's other jobs share, too")
	plan, err = c.Plan(t.Context(), heavy, csvOf(people(3600)))
	require.NoError(t, err)
	assert.Equal(t, []string{"other"}, plan.Forecast.Beside)
}

func TestStatusListAndReport(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	c := newClient(t, rdb)
	require.NoError(t, rdb.Set(t.Context(), keys.Rates("1"), "33501 100000 100503 0 250000 0 0 0", 0).Err())
	started := time.Now().Truncate(time.Second)
	start(t, c, saleSpec(), csvOf(people(100)))
	s, err := c.Status(t.Context(), "sale")
	require.NoError(t, err)
	assert.WithinDuration(t, started.Add(10*time.Second), s.ETA, 5*time.Second)
	assert.Zero(t, s.Rate)
	assert.Equal(t, "1", rdb.HGet(t.Context(), keys.Broadcast("sale"), "bucket").Val())

	now := started.Unix()
	set(t, rdb, "sent", 42, "failed", 6, "unknown", 1, "expired", 2, "cancelled", 3,
		fmt.Sprintf("at:%d", now-5), 20, fmt.Sprintf("at:%d", now-2), 22,
		"reason:551/0", 4, "text:551/0", "This person isn't available right now.",
		"reason:0/0", 1, "text:0/0", "<script>alert(1)</script>", "reason:10/2018278", 1, "text:10/2018278", "outside of the window", "reason:x", 3)
	s, err = c.Status(t.Context(), "sale")
	require.NoError(t, err)
	assert.Equal(t, 46, s.Left())
	assert.True(t, s.WaitsUntil.IsZero())
	assert.InDelta(t, 42.0/5, s.Rate, 42.0/5-1, "since the first was sent")
	r, err := c.Report(t.Context(), "sale")
	require.NoError(t, err)
	assert.Equal(t, []broadcast.Reason{
		{Code: 551, Text: "This person isn't available right now.", Count: 4}, {Text: "<script>alert(1)</script>", Count: 1},
		{Code: 10, Subcode: 2018278, Text: "outside of the window", Count: 1},
	}, r.Reasons)
	assert.Equal(t, time.Second, r.Step)
	require.Len(t, r.Course, 4)
	assert.Equal(t, []int{20, 0, 0, 22}, []int{r.Course[0].Sent, r.Course[1].Sent, r.Course[2].Sent, r.Course[3].Sent})

	var page bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	html := page.String()
	assertSelfContained(t, html)
	assert.Contains(t, html, "&lt;script&gt;alert(1)")
	assert.NotContains(t, html, "<script")
	assert.Equal(t, 4, strings.Count(html, "<rect "))
	assert.Contains(t, html, `<td>sent</td><td class="n">42</td><td class="n">42.0 %</td>`)
	assert.Contains(t, html, "10/2018278")

	set(t, rdb, "cancelled", 49, "ended", time.Now().UnixMicro())
	assert.Equal(t, broadcast.StateDone, stateOf(t, c))
	assert.Equal(t, broadcast.Started{State: broadcast.StateDone, Repeat: true}, start(t, c, saleSpec(), csvOf(people(100))))
	other := saleSpec()
	other.Name = "later"
	start(t, c, other, csvOf(people(2)))
	require.NoError(t, rdb.ZAdd(t.Context(), keys.Broadcasts(), redis.Z{Score: float64(now + 60), Member: "later"},
		redis.Z{Score: 1, Member: "expired"}).Err())
	list, err := c.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, []string{"later", "sale"}, []string{list[0].Name, list[1].Name})
	assert.Equal(t, []broadcast.State{broadcast.StateRunning, broadcast.StateDone}, []broadcast.State{list[0].State, list[1].State})
	assert.EqualValues(t, 2, rdb.ZCard(t.Context(), keys.Broadcasts()).Val(), "a name that nothing is kept of is forgotten")
}

// assertSelfContained makes sure that a browser needs nothing else to show the page.
func assertSelfContained(t *testing.T, html string) {
	t.Helper()
	assert.NotRegexp(t, regexp.MustCompile(`(?i)https?://|\ssrc=|\shref=|url\(|@import|<script|<link`), html)
	assert.True(t, strings.HasPrefix(html, "<!DOCTYPE html>"))
}

func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	c := newClient(t, rdb)
	start(t, c, saleSpec(), csvOf(people(1)))
	r, err := c.Report(t.Context(), "sale")
	require.NoError(t, err)
	var page bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	assert.Contains(t, page.String(), "Nothing was sent yet.")
	_, err = c.Report(t.Context(), "nobody")
	assert.ErrorIs(t, err, broadcast.ErrNotFound)
}

// A course of months is cut down to what a page can show, without losing anyone.
func TestALongCourse(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	c := newClient(t, rdb)
	start(t, c, saleSpec(), csvOf(people(1)))
	set(t, rdb, "bucket", 60)
	for n := range 50 {
		set(t, rdb, fmt.Sprintf("at:%d", 1000+n*1000), 2)
	}
	r, err := c.Report(t.Context(), "sale")
	require.NoError(t, err)
	assert.LessOrEqual(t, len(r.Course), 10_000)
	total := 0
	for _, p := range r.Course {
		total += p.Sent
	}
	assert.Equal(t, 100, total)
	var page bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	assert.LessOrEqual(t, strings.Count(page.String(), "<rect "), 400)
}
