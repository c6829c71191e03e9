package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

// It does not run beside other tests, as TestARollingRestartLosesNothingAndHoldsThePace.
func TestFleetHoldsPaceAndOrder(t *testing.T) {
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 50*time.Millisecond)
	f.enqueue("1001", 250, 40)
	for range 2 {
		f.process()
	}
	calls := f.await(250, 30*time.Second)
	got := paceOf(calls, "1001")
	// Slots are exact; the bound leaves room for a loaded machine. The figures are in the benchmark.
	assert.LessOrEqual(t, got.WorstSecond, 52)
	assert.Greater(t, got.Rate, 35.0)
	assert.Zero(t, overtaken(t, calls))
	assert.Len(t, calls, 250)
}

// TestScheduledTasksComeDueWhateverTheFleetDoes has asynq's tasks come due while one worker looks out, none, and no more.
func TestScheduledTasksComeDueWhateverTheFleetDoes(t *testing.T) {
	t.Parallel()
	rows := map[string]func(f *fleet){
		"two are idle": func(f *fleet) {
			f.process()
			f.process()
			f.lookout()
		},
		"all are busy": func(f *fleet) {
			f.enqueue("1001", 2, 2)
			f.worker(worker.Config{Concurrency: 1})
			f.worker(worker.Config{Concurrency: 1})
			require.Eventually(f.t, func() bool { return f.inHand() == 2 }, 20*time.Second, time.Millisecond)
		},
		"the lookout is killed": func(f *fleet) {
			f.process()
			f.process()
			pid := f.lookout()
			require.NoError(f.t, syscall.Kill(pid, syscall.SIGKILL))
		},
		"the lookout is asked to stop": func(f *fleet) {
			f.process()
			f.process()
			pid := f.lookout()
			require.NoError(f.t, syscall.Kill(pid, syscall.SIGTERM))
		},
	}
	for name, begin := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 6*time.Second)
			begin(f)
			client, ctx := asynq.NewClientFromRedisClient(f.rdb), context.Background()
			at := time.Now().Truncate(time.Second).Add(2 * time.Second)
			_, err := client.Enqueue(asynq.NewTask(producer.TaskType, []byte(`{}`)), asynq.Queue(producer.DefaultQueue), asynq.ProcessAt(at))
			require.NoError(t, err)
			require.Eventually(t, func() bool { return f.rdb.ZCard(ctx, "asynq:{messenger}:scheduled").Val() == 0 }, 20*time.Second, time.Millisecond)
			t.Logf("%v after its time", time.Since(at).Round(time.Millisecond))
		})
	}
}

// lookout returns the process of the worker that looks out, once two workers run.
func (f *fleet) lookout() (pid int) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		s, err := pace.ReadStatus(context.Background(), f.rdb, "")
		require.NoError(f.t, err)
		for _, w := range s.Workers {
			if w.Leads {
				pid = w.PID
			}
		}
		return len(s.Workers) == 2 && pid > 0
	}, 20*time.Second, 10*time.Millisecond)
	return pid
}

func TestRateLimitPausesThePageForTheFleet(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50), "1002": rate(20)}, 20*time.Millisecond)
	f.enqueue("1001", 150, 150)
	f.enqueue("1002", 60, 60)
	for range 3 {
		f.worker(worker.Config{FirstPause: 3 * time.Second, LongestPause: 3 * time.Second})
	}
	f.await(60, 20*time.Second)
	begin := time.Now()
	f.sandbox.Fail("1001", sandbox.Fault{Code: 613, For: 2500 * time.Millisecond})
	calls := f.await(210, 60*time.Second)
	var first time.Time
	late := 0
	for _, c := range f.sandbox.Calls() {
		if c.PageID == "1001" && c.Code == 613 {
			if first.IsZero() {
				first = c.Done
			}
			// In flight when the first answer came: started before the fleet could know.
			if c.At.After(first.Add(25 * time.Millisecond)) {
				late++
			}
		}
	}
	require.False(t, first.IsZero(), "no call was refused")
	assert.Zero(t, late, "calls after the first refusal was answered")
	assert.Len(t, calls, 210, "each message exactly once")
	resumed := 0
	for _, c := range calls {
		if c.PageID == "1001" && c.At.After(first.Add(25*time.Millisecond)) {
			assert.Greater(t, c.At.Sub(first), 2900*time.Millisecond, "sent during the pause")
			resumed++
		}
	}
	assert.Positive(t, resumed)
	other := paceOf(calls, "1002")
	assert.Less(t, other.Span, 6*time.Second, "the other page was slowed: %+v since %v", other, begin)
}

func TestRateLimitOnTheLastAttemptIsNotArchived(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.sandbox.Fail("1001", sandbox.Fault{Code: 613, Times: 1})
	f.enqueue("1001", 1, 1)
	f.worker(worker.Config{MaxAttempts: 1, FirstPause: 200 * time.Millisecond, LongestPause: time.Second})
	f.await(1, 20*time.Second)
	assert.Zero(t, f.rdb.ZCard(context.Background(), "asynq:{messenger}:archived").Val())
}

func TestErrorsDecideWhatBecomesOfAJob(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name         string
		fault        sandbox.Fault
		maxAttempts  int
		calls        int
		sent, failed int64
		held         bool
	}{
		{"transient: tried again", sandbox.Fault{Code: 2, Times: 1}, 3, 2, 1, 0, false},
		{"transient: tried as often as it may be", sandbox.Fault{Code: 2, Times: 2}, 2, 2, 0, 1, false},
		{"no answer: sent again", sandbox.Fault{Drop: sandbox.DropAfter, Times: 1}, 3, 2, 1, 0, false},
		{"no such recipient: failed", sandbox.Fault{Code: 100, Subcode: 2018001, Times: 1}, 3, 1, 0, 1, false},
		{"outside the window: failed", sandbox.Fault{Code: 10, Subcode: 2018278, Times: 1}, 3, 1, 0, 1, false},
		{"token expired: held", sandbox.Fault{Code: 190, Subcode: 463, Times: 1}, 3, 1, 0, 0, true},
		{"policy: held", sandbox.Fault{Code: 368, Times: 1}, 3, 1, 0, 0, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
			f.sandbox.Fail("1001", row.fault)
			f.enqueue("1001", 1, 1)
			f.worker(worker.Config{MaxAttempts: row.maxAttempts})
			ctx := context.Background()
			settled := func() bool {
				s, err := pace.ReadStatus(ctx, f.rdb, "")
				require.NoError(t, err)
				page := s.Pages[0]
				if row.held {
					return page.Pause != nil && page.Pause.Hold && len(s.Lines) == 1 && s.Active == 0
				}
				return page.Outcomes["sent"] == row.sent && page.Outcomes["failed"] == row.failed &&
					s.Archived == row.failed && s.Active == 0
			}
			require.Eventually(t, settled, 30*time.Second, 20*time.Millisecond)
			assert.Len(t, f.sandbox.Calls(), row.calls)
		})
	}
}

func TestHoldIsReleased(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.sandbox.Fail("1001", sandbox.Fault{Code: 190, Times: 1})
	f.enqueue("1001", 5, 5)
	f.worker(worker.Config{})
	p, err := pace.New(f.rdb, pace.Config{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		found, err := p.Release(context.Background(), "1001")
		require.NoError(t, err)
		return found
	}, 10*time.Second, 20*time.Millisecond)
	f.await(5, 10*time.Second)
}

func TestAPageWithoutATokenIsHeldUntilAWorkerHasOne(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.enqueue("1001", 3, 3)
	stop := f.worker(worker.Config{Pages: map[string]sendapi.Page{"7": {ID: "7", Token: "t"}}})
	require.Eventually(t, func() bool {
		s, err := pace.ReadStatus(context.Background(), f.rdb, "")
		require.NoError(t, err)
		return s.Pages[0].Pause != nil && s.Pages[0].Pause.MissingToken && len(s.Lines) == 1 && s.Lines[0].Waiting == 3
	}, 10*time.Second, 20*time.Millisecond)
	stop()
	assert.Empty(t, f.sandbox.Calls())
	f.worker(worker.Config{})
	f.await(3, 10*time.Second)
}

func TestStoppingWorkerGivesBackWhatItHasNotSent(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(100)}, 100*time.Millisecond)
	f.enqueue("1001", 150, 150)
	stop := f.worker(worker.Config{})
	f.await(30, 10*time.Second)
	stop()
	s, err := pace.ReadStatus(context.Background(), f.rdb, "")
	require.NoError(t, err)
	sent := f.sandbox.Accepted()
	assert.Zero(t, s.Active)
	assert.EqualValues(t, 150-len(sent), s.Lines[0].Waiting)
	f.worker(worker.Config{})
	calls := f.await(150, 20*time.Second)
	seen := map[int]bool{}
	for _, c := range calls {
		seen[textOf(t, c)] = true
	}
	assert.Len(t, seen, 150)
	assert.Len(t, calls, 150)
}

func TestRedisOutageLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(100)}, 50*time.Millisecond)
	dir := t.TempDir()
	addr := redistest.FreeAddr(t)
	aof := []string{"--appendonly", "yes", "--appendfsync", "everysec", "--dir", dir}
	_, kill := redistest.StartAt(t, addr, aof...)
	f.redis, f.rdb = addr, redistest.Client(t, addr)
	var err error
	f.producer, err = producer.New(f.rdb, producer.Config{})
	require.NoError(t, err)
	f.enqueue("1001", 300, 300)
	stop := f.process()
	f.await(100, 20*time.Second)
	kill()
	redistest.ServerAt(t, addr, aof...)
	calls := f.await(300, 60*time.Second)
	require.Eventually(t, func() bool {
		s, err := pace.ReadStatus(context.Background(), f.rdb, "")
		return err == nil && s.Done()
	}, 30*time.Second, 50*time.Millisecond)
	assert.Len(t, calls, 300)
	assert.Zero(t, overtaken(t, calls))
	f.assertOneOutcomeEach(300)
	for _, o := range f.records() {
		assert.Equal(t, producer.Sent, o.Kind)
		assert.Zero(t, o.ResentUnknown)
	}
	stop(syscall.SIGKILL) // Redis is the first to go when the test ends, and a worker waits for it
}

func TestJobsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	ctx := context.Background()
	client := f.plainClient()
	bad := map[string]string{
		"invalid JSON": `{"page_id":`,
		"request.message.text": `{"page_id":"1001","request":{"recipient":{"id":"1"},"message":{"text":"` +
			string(bytes.Repeat([]byte("x"), 2001)) + `"}}}`,
		"request.recipient": `{"page_id":"1001","request":{"message":{"text":"1"}}}`,
		"expired":           `{"page_id":"1001","expires_at":"2020-01-01T00:00:00Z","request":{"recipient":{"id":"1"},"message":{"text":"1"}}}`,
		"page_id":           `{"page_id":"x","request":{"recipient":{"id":"1"},"message":{"text":"1"}}}`,
	}
	for _, body := range bad {
		client(body)
	}
	f.enqueue("1001", 3, 3)
	f.worker(worker.Config{})
	assert.Len(t, f.await(3, 10*time.Second), 3, "the good ones are not held up")
	errs := f.archived(ctx, len(bad))
	for want := range bad {
		assert.Contains(t, errs, want)
	}
	assert.Len(t, f.sandbox.Calls(), 3)
}

func TestNoSecretLeaks(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	var log safeBuffer
	f.sandbox.Fail("1001", sandbox.Fault{
		Code: 100, Times: 1, Message: "no good: token " + tokenOf("1001") + " text 0",
	})
	f.enqueue("1001", 5, 5)
	f.worker(worker.Config{Log: zerolog.New(&log)})
	f.await(4, 10*time.Second)
	f.archived(context.Background(), 1)
	assert.Contains(t, log.String(), `"sent"`)
	assert.NotContains(t, log.String(), tokenOf("1001"))
	everything := f.dump()
	assert.Regexp(t, `(?m)^sendpace:\{messenger\}:stream\n.*no good: token \[redacted\]`, everything, "the records are looked at")
	assert.NotContains(t, everything, tokenOf("1001"))
}

func TestKeyMakesEnqueueingIdempotent(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.worker(worker.Config{})
	j := job("1001", "1", "7")
	first, err := f.producer.Enqueue(context.Background(), j, producer.Key("order-17"))
	require.NoError(t, err)
	f.await(1, 10*time.Second)
	again, err := f.producer.Enqueue(context.Background(), j, producer.Key("order-17"))
	require.NoError(t, err)
	assert.True(t, again.Repeat)
	assert.Equal(t, first.ID, again.ID)
	_, err = f.producer.Enqueue(context.Background(), job("1001", "2", "8"))
	require.NoError(t, err)
	assert.Len(t, f.await(2, 10*time.Second), 2)
}

func TestSendAtIsNotEarly(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.worker(worker.Config{})
	at := time.Now().Add(1500 * time.Millisecond)
	_, err := f.producer.Enqueue(context.Background(), job("1001", "1", "7"), producer.At(at))
	require.NoError(t, err)
	calls := f.await(1, 10*time.Second)
	assert.False(t, calls[0].At.Before(at), "%v early", at.Sub(calls[0].At))
}

func TestAnotherPageDoesNotWaitBehindABacklog(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(0.9), "1002": rate(50)}, 10*time.Millisecond)
	f.enqueue("1001", 5000, 5000)
	f.worker(worker.Config{})
	f.await(1, 10*time.Second)
	begin := time.Now()
	f.enqueue("1002", 1, 1)
	require.Eventually(t, func() bool { return paceOf(f.sandbox.Accepted(), "1002").Count == 1 },
		10*time.Second, time.Millisecond)
	assert.Less(t, time.Since(begin), time.Second)
}

func TestExpiredJobsHoldNothingUp(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(1)}, 0)
	for i := range 30 {
		_, err := f.producer.Enqueue(context.Background(), job("1001", strconv.Itoa(i), "0"),
			producer.ExpireAt(time.Now().Add(time.Second)))
		require.NoError(t, err)
	}
	f.enqueue("1001", 2, 2)
	timer := time.NewTimer(1100 * time.Millisecond)
	<-timer.C
	begin := time.Now()
	f.worker(worker.Config{})
	calls := f.await(2, 20*time.Second)
	assert.Less(t, calls[0].At.Sub(begin), 2*time.Second, "thirty expired jobs were first in the line")
	assert.Greater(t, calls[1].At.Sub(calls[0].At), 990*time.Millisecond)
	assert.Len(t, calls, 2)
}

func TestAPlainClientsLastAttemptHasAnOutcome(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.sandbox.Fail("1001", sandbox.Fault{Code: 2, Times: 1})
	body, err := json.Marshal(job("1001", "1", "1"))
	require.NoError(t, err)
	_, err = asynq.NewClientFromRedisClient(f.rdb).Enqueue(asynq.NewTask(producer.TaskType, body),
		asynq.Queue(producer.DefaultQueue), asynq.Group("1001:bulk"), asynq.MaxRetry(0))
	require.NoError(t, err)
	f.worker(worker.Config{})
	f.archived(context.Background(), 1)
	s, err := pace.ReadStatus(context.Background(), f.rdb, "")
	require.NoError(t, err)
	assert.EqualValues(t, 1, s.Pages[0].Outcomes["failed"])
}
