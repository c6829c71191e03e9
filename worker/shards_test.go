package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

const shardPages, shardJobs = 20, 20

// onShards runs a test on one server, and on a cluster of three masters.
func onShards(t *testing.T, test func(t *testing.T, open func() redis.UniversalClient)) {
	t.Parallel()
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		addr := redistest.Server(t)
		test(t, func() redis.UniversalClient { return redistest.Client(t, addr) })
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		var addrs []string
		for _, n := range redistest.Cluster(t) {
			addrs = append(addrs, n.Addr)
		}
		test(t, func() redis.UniversalClient {
			rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
			t.Cleanup(func() { _ = rdb.Close() })
			return rdb
		})
	})
}

// spread is a fleet on several shards.
type spread struct {
	*fleet
	open  func() redis.UniversalClient
	cfg   worker.Config
	graph *sendapi.Client
	pages []string
}

func newSpread(t *testing.T, open func() redis.UniversalClient, shards int) *spread {
	t.Helper()
	s := &spread{fleet: &fleet{t: t, rdb: open()}, open: open}
	tokens := map[string]string{}
	s.cfg = worker.Config{
		Shards: shards, AppBudget: 100_003, Pages: map[string]sendapi.Page{}, Rates: rate(10), Margin: 0.005,
		FirstPause: 2 * time.Second, LongestPause: 2 * time.Second,
	}
	for i := range shardPages {
		id := fmt.Sprint(1001 + i)
		tokens[id] = tokenOf(id)
		s.pages = append(s.pages, id)
		s.cfg.Pages[id] = sendapi.Page{ID: id, Token: sendapi.Secret(tokens[id])}
	}
	box, err := sandbox.New(sandbox.Config{Tokens: tokens, Latency: 20 * time.Millisecond, Rate: -1, MediaRate: -1})
	require.NoError(t, err)
	srv := httptest.NewServer(box)
	t.Cleanup(func() { srv.Close(); box.Close() })
	s.sandbox = box
	s.graph, err = sendapi.NewClient(sendapi.Config{BaseURL: srv.URL})
	require.NoError(t, err)
	t.Cleanup(s.graph.CloseIdleConnections)
	s.producer, err = producer.New(s.rdb, producer.Config{})
	require.NoError(t, err)
	return s
}

// jobs enqueues jobs of all pages in turn, and returns the id of the last one of each page.
func (s *spread) jobs(n int) map[string]string {
	s.t.Helper()
	var jobs []producer.Job
	for i := range n {
		for _, page := range s.pages {
			jobs = append(jobs, job(page, fmt.Sprint(i%5), fmt.Sprint(i)))
		}
	}
	last := map[string]string{}
	for i, r := range s.producer.EnqueueMany(context.Background(), jobs) {
		require.NoError(s.t, r.Err)
		last[jobs[i].PageID] = r.ID
	}
	return last
}

func TestFourShards(t *testing.T) {
	onShards(t, func(t *testing.T, open func() redis.UniversalClient) {
		ctx := context.Background()
		s := newSpread(t, open, 4)
		stops := []func(){startOn(t, open(), s.graph, s.cfg), startOn(t, open(), s.graph, s.cfg)}
		require.Eventually(t, func() bool { return len(s.status().Workers) == 2 }, 10*time.Second, 10*time.Millisecond)
		last := s.jobs(shardJobs)

		s.await(shardPages*3, 30*time.Second)
		s.pauseAll()
		waits := last["1007"]
		info, err := s.producer.Get(ctx, waits)
		require.NoError(t, err)
		assert.Equal(t, producer.StateWaiting, info.State)
		assert.Equal(t, producer.StopPause, info.Stopped)
		done, err := s.producer.Cancel(ctx, waits)
		require.NoError(t, err)
		assert.Equal(t, producer.CancelDone, done)

		s.followed(shardPages * shardJobs)
		calls := s.sandbox.Accepted()
		assert.Len(t, calls, shardPages*shardJobs-1, "each once, but for the cancelled one")
		assert.Zero(t, overtaken(t, calls))
		for _, page := range s.pages {
			assert.LessOrEqual(t, paceOf(calls, page).WorstSecond, 12, "page %s", page)
		}
		s.audited(shardPages*shardJobs - 1)

		s.refused(2, "run, or did so")
		for _, stop := range stops {
			stop()
		}
		s.jobs(1)
		s.refused(2, "run workers with 4 shards until nothing")
		stop := startOn(t, open(), s.graph, s.cfg)
		s.await(shardPages*(shardJobs+1)-1, 30*time.Second)
		require.Eventually(t, func() bool { return s.status().Done() }, 10*time.Second, 10*time.Millisecond)
		stop()
		s.cfg.Shards = 2
		startOn(t, open(), s.graph, s.cfg)
		require.Eventually(t, func() bool { return len(s.status().Workers) == 1 }, 10*time.Second, 10*time.Millisecond)
		s.jobs(1)
		s.await(shardPages*(shardJobs+2)-1, 30*time.Second)
	})
}

func (s *spread) status() *pace.Status {
	s.t.Helper()
	status, err := pace.ReadStatus(context.Background(), s.rdb, "")
	require.NoError(s.t, err)
	return status
}

// pauseAll pauses the app for 3 seconds, and sees that nothing is sent in them.
func (s *spread) pauseAll() {
	s.t.Helper()
	ctx := context.Background()
	hand, err := pace.New(s.rdb, pace.Config{Steady: true})
	require.NoError(s.t, err)
	left, err := hand.Pause(ctx, pace.App, 3*time.Second, pace.Reason{Text: "a test", Since: time.Now().UTC()})
	require.NoError(s.t, err)
	paused := time.Now()
	assert.InDelta(s.t, 3*time.Second, left, float64(100*time.Millisecond))
	status := s.status()
	require.NotNil(s.t, status.App)
	assert.Equal(s.t, "a test", status.App.Text)
	assert.EqualValues(s.t, 100_003, status.AppBudget, "the parts add up")
	assert.Len(s.t, status.Pages, shardPages)
	assert.Len(s.t, status.Lines, shardPages)
	s.t.Cleanup(func() {
		for _, c := range s.sandbox.Accepted() {
			// What had its permit may still arrive.
			late := c.At.After(paused.Add(700*time.Millisecond)) && c.At.Before(paused.Add(2800*time.Millisecond))
			assert.False(s.t, late, "page %s was sent %v after the pause began", c.PageID, c.At.Sub(paused))
		}
	})
}

// followed reads n outcomes through a consumer group, each of another job.
func (s *spread) followed(n int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	seen := map[string]producer.OutcomeKind{}
	err := s.producer.Outcomes(ctx, producer.Follow{Group: "g", Consumer: "a"}, func(_ context.Context, r producer.Record) error {
		assert.Nil(s.t, r.Gap)
		if seen[r.Outcome.JobID] = r.Outcome.Kind; len(seen) == n {
			cancel()
		}
		return nil
	})
	require.NoError(s.t, err)
	assert.Len(s.t, seen, n)
}

func (s *spread) audited(sent int64) {
	s.t.Helper()
	report, err := pace.Audit(context.Background(), s.rdb, pace.AuditQuery{Deep: true})
	require.NoError(s.t, err)
	assert.True(s.t, report.Fits(), "%+v", report)
	assert.Len(s.t, report.Pages, shardPages)
	var sum int64
	for _, p := range report.Pages {
		sum += p.Sent
	}
	assert.Equal(s.t, sent, sum)
}

// refused starts a worker with another number of shards.
func (s *spread) refused(shards int, says string) {
	s.t.Helper()
	cfg := s.cfg
	cfg.Shards = shards
	w, err := worker.New(s.open(), s.graph, cfg)
	require.NoError(s.t, err)
	err = w.Run(context.Background())
	require.ErrorIs(s.t, err, producer.ErrShards)
	assert.Contains(s.t, err.Error(), says)
}

func TestALimitOfTheAppStopsAllShards(t *testing.T) {
	onShards(t, func(t *testing.T, open func() redis.UniversalClient) {
		ctx := context.Background()
		s := newSpread(t, open, 4)
		startOn(t, open(), s.graph, s.cfg)
		require.Eventually(t, func() bool { return len(s.status().Workers) == 1 }, 10*time.Second, 10*time.Millisecond)
		s.sandbox.Fail("1001", sandbox.Fault{Code: 4, Times: 1})
		_, err := s.producer.Enqueue(ctx, job("1001", "1", "0"))
		require.NoError(t, err)
		shards, err := s.producer.Shards(ctx)
		require.NoError(t, err)
		require.Len(t, shards.Queues(), 4)
		for _, queue := range shards.Queues() {
			require.Eventually(t, func() bool {
				p, err := pace.ReadPause(ctx, s.rdb, queue, pace.App)
				return err == nil && p != nil && p.Code == 4
			}, 10*time.Second, 5*time.Millisecond, queue)
		}
		hand, err := pace.New(s.rdb, pace.Config{})
		require.NoError(t, err)
		found, err := hand.Release(ctx, pace.App)
		require.NoError(t, err)
		assert.True(t, found)
		for _, queue := range shards.Queues() {
			p, err := pace.ReadPause(ctx, s.rdb, queue, pace.App)
			require.NoError(t, err)
			assert.Nil(t, p, queue)
		}
		s.await(1, 30*time.Second)
	})
}

func TestAJobInTheQueueOfOtherPagesFails(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	addr := redistest.Server(t)
	s := newSpread(t, func() redis.UniversalClient { return redistest.Client(t, addr) }, 4)
	startOn(t, s.open(), s.graph, s.cfg)
	require.Eventually(t, func() bool { return len(s.status().Workers) == 1 }, 10*time.Second, 10*time.Millisecond)
	body, err := json.Marshal(job("1001", "1", "0"))
	require.NoError(t, err)
	_, err = asynq.NewClientFromRedisClient(s.rdb).Enqueue(asynq.NewTask(producer.TaskType, body), asynq.Queue("messenger-2of4"))
	require.NoError(t, err)
	records, err := s.producer.ReadOutcomes(ctx, "", 1, 30*time.Second)
	require.NoError(t, err)
	require.Len(t, records, 1)
	assert.Equal(t, producer.Failed, records[0].Outcome.Kind)
	assert.Equal(t, "page 1001 belongs to the queue messenger-1of4, and the job was enqueued to messenger-2of4", records[0].Outcome.Reason)
	again, err := s.producer.Resend(ctx, records[0].Outcome)
	require.NoError(t, err)
	s.await(1, 30*time.Second)
	assert.NotEmpty(t, again.ID)
	for _, p := range s.status().Pages {
		assert.Equal(t, p.ID == "1001", p.Outcomes["failed"] == 1, "page %s: %v", p.ID, p.Outcomes)
	}
}

func TestShardsShareTheConcurrency(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	s := newSpread(t, func() redis.UniversalClient { return redistest.Client(t, addr) }, 4)
	s.cfg.Concurrency, s.cfg.Rates = 3, rate(1000)
	var now, most atomic.Int64
	startOn(t, s.open(), sender(func(context.Context, json.RawMessage) (*sendapi.Response, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-time.After(5 * time.Millisecond)
		return &sendapi.Response{MessageID: "m"}, nil
	}), s.cfg)
	require.Eventually(t, func() bool { return len(s.status().Workers) == 1 }, 10*time.Second, 10*time.Millisecond)
	s.jobs(10)
	s.followed(10 * shardPages)
	assert.EqualValues(t, 3, most.Load())
	require.Eventually(t, func() bool { return s.status().Done() }, 10*time.Second, 10*time.Millisecond)
}

func TestARedisThatLostItsDataLearnsItsShardsAgain(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	s := newSpread(t, func() redis.UniversalClient { return redistest.Client(t, addr) }, 4)
	start(t, addr, s.graph, s.cfg)
	count := func(want int) {
		t.Helper()
		require.Eventually(t, func() bool {
			got, err := producer.ReadShards(context.Background(), s.rdb, "")
			return err == nil && got.Count == want
		}, 30*time.Second, 20*time.Millisecond, "%d shards", want)
	}
	count(4)
	require.NoError(t, s.rdb.FlushAll(context.Background()).Err())
	count(4)
	s.enqueue("1001", 3, 3)
	s.await(3, 20*time.Second)
}
