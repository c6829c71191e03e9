package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

// plainClient enqueues a payload as an asynq client that knows nothing of Sendpace would.
func (f *fleet) plainClient() func(payload string) {
	client := asynq.NewClientFromRedisClient(f.rdb)
	return func(payload string) {
		_, err := client.Enqueue(asynq.NewTask(producer.TaskType, []byte(payload)), asynq.Queue(producer.DefaultQueue))
		require.NoError(f.t, err)
	}
}

// archived returns the errors of the archived tasks once there are n.
func (f *fleet) archived(ctx context.Context, n int) string {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		return f.rdb.ZCard(ctx, "asynq:{messenger}:archived").Val() >= int64(n)
	}, 10*time.Second, 10*time.Millisecond, "%d archived tasks", n)
	inspector := asynq.NewInspectorFromRedisClient(f.rdb)
	tasks, err := inspector.ListArchivedTasks(producer.DefaultQueue)
	require.NoError(f.t, err)
	var errs []string
	for _, task := range tasks {
		errs = append(errs, task.LastErr)
	}
	return strings.Join(errs, "\n")
}

// dump returns all that Redis holds.
func (f *fleet) dump() string {
	ctx := context.Background()
	keys, err := f.rdb.Keys(ctx, "*").Result()
	require.NoError(f.t, err)
	var b strings.Builder
	for _, key := range keys {
		fmt.Fprintln(&b, key)
		switch kind := f.rdb.Type(ctx, key).Val(); kind {
		case "string":
			fmt.Fprintln(&b, f.rdb.Get(ctx, key).Val())
		case "hash":
			fmt.Fprintln(&b, f.rdb.HGetAll(ctx, key).Val())
		case "list":
			fmt.Fprintln(&b, f.rdb.LRange(ctx, key, 0, -1).Val())
		case "set":
			fmt.Fprintln(&b, f.rdb.SMembers(ctx, key).Val())
		case "zset":
			fmt.Fprintln(&b, f.rdb.ZRange(ctx, key, 0, -1).Val())
		case "stream":
			fmt.Fprintln(&b, f.rdb.XRange(ctx, key, "-", "+").Val())
		default:
			require.Equal(f.t, "none", kind, "this kind is not looked at: %s", key) // it has just ended
		}
	}
	return b.String()
}

// safeBuffer is a buffer that a log writes to while a test reads it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newLog(b *safeBuffer) zerolog.Logger { return zerolog.New(b) }

// fleet is a Redis server, a sandbox and a producer; the workers are started by the test.
type fleet struct {
	t        testing.TB
	redis    string
	graph    string
	rdb      redis.UniversalClient
	sandbox  *sandbox.Server
	producer *producer.Producer
	rates    map[string]pace.Rates
}

func rate(r float64) pace.Rates { return pace.Rates{Page: r, Bulk: r, Media: r} }

func newFleet(t testing.TB, rates map[string]pace.Rates, latency time.Duration) *fleet {
	t.Helper()
	tokens := map[string]string{}
	for id := range rates {
		tokens[id] = tokenOf(id)
	}
	// Without limits of its own the sandbox shows what the fleet does, not what it was stopped from doing.
	box, err := sandbox.New(sandbox.Config{Tokens: tokens, Latency: latency, Rate: -1, MediaRate: -1})
	require.NoError(t, err)
	srv := httptest.NewServer(box)
	t.Cleanup(func() { srv.Close(); box.Close() })
	f := &fleet{t: t, redis: redistest.Server(t), graph: srv.URL, sandbox: box, rates: rates}
	f.rdb = redistest.Client(t, f.redis)
	f.producer, err = producer.New(f.rdb, producer.Config{})
	require.NoError(t, err)
	return f
}

func (f *fleet) pages() []string {
	var ids []string
	for id := range f.rates {
		ids = append(ids, id)
	}
	return ids
}

// process starts a worker process.
func (f *fleet) process() (kill func(syscall.Signal)) {
	cmd := f.processCmd()
	return func(s syscall.Signal) { require.NoError(f.t, cmd.Process.Signal(s)) }
}

func (f *fleet) processCmd() *exec.Cmd {
	return startProcess(f.t, fleetWorker{
		Redis: f.redis, Graph: f.graph, Rates: rate(30), PageRates: f.rates, Pages: f.pages(),
	})
}

// worker starts a worker in this process; cfg is what differs from the fleet's configuration.
func (f *fleet) worker(cfg worker.Config) (stop func()) {
	f.t.Helper()
	client, err := sendapi.NewClient(sendapi.Config{BaseURL: f.graph})
	require.NoError(f.t, err)
	f.t.Cleanup(client.CloseIdleConnections)
	if cfg.Pages == nil {
		cfg.Pages = map[string]sendapi.Page{}
		for _, id := range f.pages() {
			cfg.Pages[id] = sendapi.Page{ID: id, Token: sendapi.Secret(tokenOf(id))}
		}
	}
	cfg.Rates, cfg.PageRates, cfg.Margin = rate(30), f.rates, 0.005
	return start(f.t.(*testing.T), f.redis, client, cfg)
}

// enqueue stores n jobs of recipients that come round in turn. Texts are numbers that rise for each recipient.
func (f *fleet) enqueue(page string, n, recipients int) {
	f.t.Helper()
	jobs := make([]producer.Job, n)
	for i := range jobs {
		jobs[i] = job(page, strconv.Itoa(1000+i%recipients), strconv.Itoa(i))
	}
	for _, r := range f.producer.EnqueueMany(context.Background(), jobs) {
		require.NoError(f.t, r.Err)
	}
}

// await returns the accepted calls once there are n of them.
func (f *fleet) await(n int, limit time.Duration) []sandbox.Call {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return len(f.sandbox.Accepted()) >= n }, limit, 20*time.Millisecond,
		"%d sends", n)
	return f.sandbox.Accepted()
}

func textOf(t testing.TB, c sandbox.Call) int {
	t.Helper()
	var body struct {
		Message struct{ Text string }
	}
	require.NoError(t, json.Unmarshal(c.Body, &body))
	n, err := strconv.Atoi(body.Message.Text)
	require.NoError(t, err)
	return n
}

// overtaken counts the messages that came after a later one to the same recipient.
func overtaken(t testing.TB, calls []sandbox.Call) int {
	t.Helper()
	last, n := map[string]int{}, 0
	for _, c := range calls {
		text := textOf(t, c)
		if before, ok := last[c.PageID+c.Recipient]; ok && text < before {
			n++
		}
		last[c.PageID+c.Recipient] = text
	}
	return n
}

func paceOf(calls []sandbox.Call, page string) sandbox.Pace {
	var times []time.Time
	for _, c := range calls {
		if c.PageID == page {
			times = append(times, c.At)
		}
	}
	return sandbox.Measure(times)
}
