package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// sender is a function as a worker.Sender.
type sender func(ctx context.Context, body json.RawMessage) (*sendapi.Response, error)

func (s sender) SendRaw(ctx context.Context, _ sendapi.Page, body json.RawMessage) (*sendapi.Response, error) {
	return s(ctx, body)
}

// outcome is the record of the only job that has ended, once it has.
func (f *fleet) outcome() producer.Outcome {
	f.t.Helper()
	f.assertOneOutcomeEach(1)
	return f.records()[0]
}

func TestEveryFailureIsInTheStreamWithItsJob(t *testing.T) {
	t.Parallel()
	const n = 25_000 // asynq keeps 10,000
	f := newFleet(t, map[string]pace.Rates{"1001": rate(1e5)}, 0)
	f.enqueue("1001", n, n)
	refuse := sender(func(context.Context, json.RawMessage) (*sendapi.Response, error) {
		return nil, &sendapi.Error{Kind: sendapi.KindInvalid, Code: 100, Message: "never"}
	})
	start(t, f.redis, refuse, worker.Config{
		Pages: map[string]sendapi.Page{"1001": {ID: "1001", Token: "t"}}, Rates: rate(1e5), PageRates: f.rates,
	})
	require.Eventually(t, func() bool {
		return f.rdb.XLen(context.Background(), "sendpace:{messenger}:stream").Val() >= n
	}, 3*time.Minute, 100*time.Millisecond)
	seen := map[string]bool{}
	for _, o := range f.records() {
		seen[o.JobID] = true
		assert.Equal(t, producer.Failed, o.Kind)
		again, err := producer.ParseJob(o.Job)
		require.NoError(t, err)
		assert.NoError(t, again.Validate(time.Now()))
	}
	assert.Len(t, seen, n)
	assert.Less(t, f.rdb.ZCard(context.Background(), "asynq:{messenger}:archived").Val(), int64(n))
}

func TestTheJobsIDTravelsInTheMessage(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	for _, request := range []string{
		`{"recipient":{"id":"1"},"message":{"text":"a"}}`,
		`{"recipient":{"id":"2"},"message":{"text":"b","metadata":"mine"},"hologram":{"n":12345678901234567890}}`,
		`{"recipient":{"id":"3"},"sender_action":"typing_on"}`,
	} {
		_, err := f.producer.Enqueue(context.Background(), producer.Job{PageID: "1001", Request: json.RawMessage(request)})
		require.NoError(t, err)
	}
	f.worker(worker.Config{})
	for _, c := range f.await(3, 10*time.Second) {
		switch c.Recipient {
		case "id:1":
			assert.Regexp(t, `^sendpace:[0-9a-v]{26}-[0-9a-v]{8}:0$`, metadataOf(t, c))
		case "id:2":
			assert.Equal(t, "mine", metadataOf(t, c))
			assert.Contains(t, string(c.Body), "12345678901234567890")
		default:
			assert.NotContains(t, string(c.Body), "metadata")
		}
	}
}

func TestAPanicLosesNoJob(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.enqueue("1001", 1, 1)
	var calls atomic.Int32
	var log safeBuffer
	start(t, f.redis, sender(func(context.Context, json.RawMessage) (*sendapi.Response, error) {
		if calls.Add(1) == 1 {
			panic("the text of a message")
		}
		return &sendapi.Response{MessageID: "m"}, nil
	}), logged(&log))
	o := f.outcome()
	assert.Equal(t, producer.Sent, o.Kind)
	assert.Equal(t, 2, o.Attempts)
	assert.Equal(t, 1, o.ResentUnknown, "it may have been sent before it panicked")
	assert.Contains(t, log.String(), `"stack"`)
	assert.NotContains(t, log.String(), "the text of a message")
}

func TestASendThatOutlastsItsWorkerEndsOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.enqueue("1001", 1, 1)
	started, release := make(chan struct{}), make(chan struct{})
	stop := start(t, f.redis, sender(func(context.Context, json.RawMessage) (*sendapi.Response, error) {
		close(started)
		<-release
		return &sendapi.Response{MessageID: "m"}, nil
	}), worker.Config{
		Pages: map[string]sendapi.Page{"1001": {ID: "1001", Token: "t"}}, Rates: rate(50), ShutdownTimeout: time.Second,
	})
	<-started
	stop()
	assert.EqualValues(t, 1, f.inHand(), "asynq did not put it back while it is being sent")
	assert.Empty(t, f.records())
	close(release)
	assert.Equal(t, producer.Sent, f.outcome().Kind)
}

func TestAJobOfALaterVersionWaits(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	enqueue := f.plainClient()
	enqueue(`{"page_id":"1001","v":2,"hologram":1,"request":{"recipient":{"id":"1"},"message":{"text":"1"}}}`)
	enqueue(`{"page_id":"1001","v":1,"hologram":1,"request":{"recipient":{"id":"1"},"message":{"text":"1"}}}`)
	f.worker(worker.Config{})
	errs := f.archived(context.Background(), 1)
	assert.Contains(t, errs, "failed: ")
	require.Eventually(t, func() bool {
		tasks, err := asynq.NewInspectorFromRedisClient(f.rdb).ListRetryTasks(producer.DefaultQueue)
		return err == nil && len(tasks) == 1 && tasks[0].Retried == 0 &&
			strings.HasPrefix(tasks[0].LastErr, "a later version of Sendpace is needed: ")
	}, 10*time.Second, 10*time.Millisecond)
	assert.Empty(t, f.sandbox.Calls())
}

func TestSuppressedRecipientsAreNotTried(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.sandbox.Fail("1001", sandbox.Fault{Code: 551, Times: 1})
	f.enqueue("1001", 3, 1)
	f.worker(worker.Config{SuppressFor: time.Hour})
	require.Eventually(t, func() bool { return len(f.sandbox.Calls()) > 0 }, 10*time.Second, time.Millisecond)
	_, err := f.producer.Enqueue(context.Background(), job("1001", "7", "7"))
	require.NoError(t, err)
	f.assertOneOutcomeEach(4)
	assert.Len(t, f.sandbox.Calls(), 2, "one was refused, and the other person got theirs")
	reasons := 0
	for _, o := range f.records() {
		if o.Kind == producer.Failed && strings.HasPrefix(o.Reason, "suppressed") {
			reasons++
			assert.Zero(t, o.Attempts)
		}
	}
	assert.Equal(t, 2, reasons)
}

func TestAJobsOwnAttemptsAndPolicy(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault sandbox.Fault
		job   func(*producer.Job)
		want  producer.OutcomeKind
		calls int
	}{
		"one attempt":            {sandbox.Fault{Code: 2}, func(j *producer.Job) { j.MaxAttempts = 1 }, producer.Failed, 1},
		"one attempt, no answer": {sandbox.Fault{Drop: sandbox.DropAfter}, func(j *producer.Job) { j.MaxAttempts = 1 }, producer.Unknown, 1},
		"never, no answer": {sandbox.Fault{Drop: sandbox.DropAfter},
			func(j *producer.Job) { j.OnUnknown = producer.NeverResend }, producer.Unknown, 1},
		"never, dropped before": {sandbox.Fault{Drop: sandbox.DropBefore},
			func(j *producer.Job) { j.OnUnknown = producer.NeverResend }, producer.Unknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
			f.sandbox.Fail("1001", row.fault)
			_, err := f.producer.Enqueue(context.Background(), job("1001", "1", "1"), row.job)
			require.NoError(t, err)
			f.worker(worker.Config{})
			o := f.outcome()
			assert.Equal(t, row.want, o.Kind)
			assert.Equal(t, 1, o.Attempts)
			assert.NotEmpty(t, o.Job)
			assert.Len(t, f.sandbox.Calls(), row.calls)
		})
	}
}

func TestAnAnswerThatNeverCameIsCounted(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.sandbox.Fail("1001", sandbox.Fault{Drop: sandbox.DropAfter, Times: 1})
	f.enqueue("1001", 1, 1)
	f.worker(worker.Config{})
	o := f.outcome()
	assert.Equal(t, producer.Sent, o.Kind)
	assert.Equal(t, 1, o.ResentUnknown)
	assert.Equal(t, 1, f.assertRepeatsAreExplained())
}

func TestASequenceIsOneJob(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(20)}, 0)
	texts := make([]string, 6)
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	_, err := f.producer.Enqueue(context.Background(), sequence("1001", "77", texts...))
	require.NoError(t, err)
	_, err = f.producer.Enqueue(context.Background(), job("1001", "77", "50"))
	require.NoError(t, err)
	f.sandbox.Fail("1001", sandbox.Fault{Code: 2, Times: 1})
	f.worker(worker.Config{})
	f.assertOneOutcomeEach(2)
	calls := f.sandbox.Accepted()
	require.Len(t, calls, 7)
	for i, c := range calls[:6] {
		assert.Equal(t, i, textOf(t, c))
		assert.Contains(t, metadataOf(t, c), fmt.Sprintf(":%d", i))
	}
	assert.Equal(t, 50, textOf(t, calls[6]))
	whole := slices.IndexFunc(f.records(), func(o producer.Outcome) bool { return o.StepsDone == 6 })
	require.GreaterOrEqual(t, whole, 0)
	assert.Len(t, f.records()[whole].MessageIDs, 6)
	assert.Equal(t, 2, f.records()[whole].Attempts)
}

func logged(log *safeBuffer) worker.Config {
	cfg := config(50)
	cfg.Log = newLog(log)
	return cfg
}

func TestAPlainTaskOfAPageWithoutATokenIsNotLost(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.plainClient()(`{"request":{"recipient":{"id":"1"},"messaging_type":"UPDATE","message":{"text":"x"}},"page_id":"1001"}`)
	stop := f.worker(worker.Config{Pages: map[string]sendapi.Page{"7": {ID: "7", Token: "t"}}})
	require.Eventually(t, func() bool {
		s, err := pace.ReadStatus(context.Background(), f.rdb, "")
		return err == nil && len(s.Lines) == 1 && s.Lines[0].Name == "1001:bulk" && s.Lines[0].Limit == "hold"
	}, 10*time.Second, 20*time.Millisecond, "it waits in its line")
	stop()
	f.worker(worker.Config{})
	assert.Equal(t, producer.Sent, f.outcome().Kind)
}

func TestAPlainTaskWithHeadersThatAreNoneIsServed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.plainClient()(`{"page_id":"1001","request":{"recipient":{"id":"1"},"messaging_type":"UPDATE","message":{"text":"x"}}}`)
	ctx := context.Background()
	key := "asynq:{messenger}:t:" + f.rdb.LIndex(ctx, "asynq:{messenger}:pending", 0).Val()
	msg := f.rdb.HGet(ctx, key, "msg").Val()
	require.NoError(t, f.rdb.HSet(ctx, key, "msg", msg+"\x7a\x01\xff").Err())
	f.worker(worker.Config{})
	assert.Equal(t, producer.Sent, f.outcome().Kind)
}

func TestAJobThatWasTriedAsOftenAsItMayIsTriedOnceWhenItIsRunAgain(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.sandbox.Fail("1001", sandbox.Fault{Code: 2, Times: 1})
	_, err := f.producer.Enqueue(context.Background(), job("1001", "1", "1"), producer.MaxAttempts(1))
	require.NoError(t, err)
	f.worker(worker.Config{})
	failed := f.outcome()
	require.Equal(t, producer.Failed, failed.Kind)
	require.NoError(t, asynq.NewInspectorFromRedisClient(f.rdb).RunTask(producer.DefaultQueue, failed.JobID))
	f.await(1, 10*time.Second)
}
