package worker_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
)

// takeoverLimit is how long the jobs of a worker may be without one after it was killed.
const takeoverLimit = 15 * time.Second

// records are the outcomes in the stream.
func (f *fleet) records() []producer.Outcome {
	f.t.Helper()
	entries, err := f.rdb.XRange(context.Background(), "sendpace:{messenger}:stream", "-", "+").Result()
	require.NoError(f.t, err)
	all := make([]producer.Outcome, len(entries))
	for i, e := range entries {
		require.NoError(f.t, json.Unmarshal([]byte(e.Values["o"].(string)), &all[i]))
	}
	return all
}

// assertOneOutcomeEach waits until n jobs have ended, and no job is left.
func (f *fleet) assertOneOutcomeEach(n int) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		s, err := pace.ReadStatus(context.Background(), f.rdb, "")
		return err == nil && s.Done()
	}, time.Minute, 20*time.Millisecond)
	seen := map[string]bool{}
	for _, o := range f.records() {
		assert.False(f.t, seen[o.JobID], "%s ended twice", o.JobID)
		seen[o.JobID] = true
	}
	assert.Len(f.t, seen, n)
}

// assertRepeatsAreExplained holds the sandbox's record against the outcomes: a message that was accepted twice must be one
// whose outcome says so.
func (f *fleet) assertRepeatsAreExplained() (repeats int) {
	f.t.Helper()
	explained := map[string]int{}
	for _, o := range f.records() {
		explained[o.JobID] = o.ResentUnknown
	}
	times := map[string]int{}
	for _, c := range f.sandbox.Accepted() {
		times[metadataOf(f.t, c)]++
	}
	for key, n := range times {
		id := strings.Split(key, ":")[1]
		assert.LessOrEqual(f.t, n-1, explained[id], "%s was accepted %d times", key, n)
		repeats += n - 1
	}
	return repeats
}

func metadataOf(t testing.TB, c sandbox.Call) string {
	t.Helper()
	var body struct{ Message struct{ Metadata string } }
	require.NoError(t, json.Unmarshal(c.Body, &body))
	return body.Message.Metadata
}

// inHand is the number of jobs that workers have.
func (f *fleet) inHand() int64 {
	return f.rdb.LLen(context.Background(), "asynq:{messenger}:active").Val()
}

func (f *fleet) startProcess(w fleetWorker) *exec.Cmd {
	w.Redis, w.Graph, w.Rates, w.PageRates, w.Pages = f.redis, f.graph, rate(30), f.rates, f.pages()
	return startProcess(f.t, w)
}

func TestJobsOfAKilledWorkerAreTakenOver(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]int{"another one lives": 1, "the whole fleet died": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, map[string]pace.Rates{"1001": rate(100)}, 200*time.Millisecond)
			f.enqueue("1001", 300, 300)
			victim := f.startProcess(fleetWorker{})
			f.await(20, 20*time.Second)
			for range others {
				f.startProcess(fleetWorker{})
			}
			f.await(60, 20*time.Second)
			require.NoError(t, victim.Process.Kill())
			killed := time.Now()
			if others == 0 {
				require.NotZero(t, f.inHand())
				f.startProcess(fleetWorker{})
			}
			f.assertOneOutcomeEach(300)
			var last time.Time
			for _, c := range f.sandbox.Accepted() {
				if c.At.After(last) {
					last = c.At
				}
			}
			assert.Less(t, last.Sub(killed), takeoverLimit)
			t.Logf("taken over after %v, %d sent twice", last.Sub(killed), f.assertRepeatsAreExplained())
		})
	}
}

func TestAStalledWorkerFindsOutBeforeItSends(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(100)}, 300*time.Millisecond)
	f.enqueue("1001", 1500, 1500)
	stalled := f.startProcess(fleetWorker{})
	f.await(20, 20*time.Second)
	f.startProcess(fleetWorker{})
	f.await(100, 20*time.Second)
	require.NoError(t, stalled.Process.Signal(syscall.SIGSTOP))
	calls := len(f.sandbox.Calls())
	// Its jobs were taken over once the whole of what it had has ended.
	require.Eventually(t, func() bool {
		return f.rdb.HLen(context.Background(), "sendpace:{messenger}:workers:info").Val() == 2 && len(f.sandbox.Calls()) > calls+1200
	}, time.Minute, 20*time.Millisecond)
	require.NoError(t, stalled.Process.Signal(syscall.SIGCONT))
	f.assertOneOutcomeEach(1500)
	repeats := f.assertRepeatsAreExplained()
	t.Logf("%d sent twice", repeats)
}

func TestNeverResendAfterAKill(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 400*time.Millisecond)
	f.enqueue("1001", 100, 100)
	victim := f.startProcess(fleetWorker{OnUnknown: producer.NeverResend})
	f.await(40, 20*time.Second)
	require.NoError(t, victim.Process.Kill())
	f.startProcess(fleetWorker{OnUnknown: producer.NeverResend})
	f.assertOneOutcomeEach(100)
	assert.Zero(t, f.assertRepeatsAreExplained())
	kinds := map[producer.OutcomeKind]int{}
	for _, o := range f.records() {
		kinds[o.Kind]++
		if o.Kind == producer.Unknown {
			assert.NotEmpty(t, o.Job)
			assert.NotEmpty(t, o.Reason)
		}
	}
	assert.NotZero(t, kinds[producer.Unknown], "some were in flight")
	assert.Equal(t, 100, kinds[producer.Sent]+kinds[producer.Unknown])
}

func TestASequenceResumesAtItsStepAfterAKill(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(10)}, 20*time.Millisecond)
	ctx := context.Background()
	_, err := f.producer.Enqueue(ctx, sequence("1001", "77", "0", "1", "2", "3", "4", "5", "6", "7"))
	require.NoError(t, err)
	_, err = f.producer.Enqueue(ctx, job("1001", "77", "100"))
	require.NoError(t, err)
	victim := f.startProcess(fleetWorker{})
	f.await(3, 20*time.Second)
	require.NoError(t, victim.Process.Kill())
	f.startProcess(fleetWorker{})
	f.assertOneOutcomeEach(2)
	repeats := f.assertRepeatsAreExplained()
	calls := f.sandbox.Accepted()
	assert.Len(t, calls, 9+repeats)
	assert.LessOrEqual(t, repeats, 1)
	assert.Zero(t, overtaken(t, calls), "the steps in order, and the next message behind them")
	for _, o := range f.records() {
		if o.StepsDone == 8 {
			assert.Len(t, o.MessageIDs, 8)
			assert.Equal(t, producer.Sent, o.Kind)
			return
		}
	}
	t.Fatal("no record of the whole sequence")
}

func sequence(page, psid string, texts ...string) producer.Job {
	j := producer.Job{PageID: page}
	for _, text := range texts {
		j.Requests = append(j.Requests, job(page, psid, text).Request)
	}
	return j
}
