package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	gopsutil "github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

// fleet is a Redis server, a sandbox that receives, and worker processes.
type fleet struct {
	t         testing.TB
	cfg       workerConfig // of each process
	rdb       redis.UniversalClient
	producer  *producer.Producer
	inspector *asynq.Inspector
	sandbox   *sandbox.Server
	answered  atomic.Int64 // calls; the sandbox's record of them is dear to ask
	running   []*process
}

func newFleet(t testing.TB, cfg workerConfig, latency time.Duration) *fleet {
	t.Helper()
	// Without limits of its own the sandbox shows what the fleet does, not what it was stopped from doing.
	box, err := sandbox.New(sandbox.Config{Latency: latency, Rate: -1, MediaRate: -1})
	require.NoError(t, err)
	f := &fleet{t: t, cfg: cfg, sandbox: box}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		box.ServeHTTP(w, r)
		f.answered.Add(1)
	}))
	t.Cleanup(func() { srv.Close(); box.Close() })
	f.cfg.Redis, f.cfg.Graph = redistest.Server(t), srv.URL
	f.rdb = redistest.Client(t, f.cfg.Redis)
	f.inspector = asynq.NewInspectorFromRedisClient(f.rdb)
	f.producer, err = producer.New(f.rdb, producer.Config{})
	require.NoError(t, err)
	return f
}

func rate(r float64) pace.Rates { return pace.Rates{Page: r, Bulk: r, Media: r} }

// one is a fleet's configuration with one page.
func one(s system, perSecond float64) workerConfig {
	return workerConfig{System: s, Pages: 1, Rates: rate(30), PageRates: map[string]pace.Rates{pageID(0): rate(perSecond)}}
}

// process is a worker process.
type process struct {
	cmd   *exec.Cmd
	stat  *gopsutil.Process
	ended chan struct{}
}

// start starts n processes, and returns when they work.
func (f *fleet) start(n int) {
	f.t.Helper()
	for range n {
		f.running = append(f.running, f.exec())
	}
	require.Eventually(f.t, func() bool {
		servers, err := f.inspector.Servers()
		require.NoError(f.t, err)
		up := map[int]bool{}
		for _, s := range servers {
			up[s.PID] = true
		}
		for _, p := range f.running {
			if !up[p.cmd.Process.Pid] {
				return false
			}
		}
		return true
	}, time.Minute, 20*time.Millisecond, "%d processes", n)
}

// exec starts a process, and kills it when the benchmark ends.
func (f *fleet) exec() *process {
	f.t.Helper()
	cfg := f.cfg
	if *profile != "" {
		cfg.Profile = filepath.Join(*profile, fmt.Sprintf("%s-%d.pprof", filepath.Base(f.t.Name()), time.Now().UnixNano()))
	}
	text, err := json.Marshal(cfg)
	require.NoError(f.t, err)
	p := &process{cmd: exec.CommandContext(context.Background(), os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), processEnv+"="+string(text)), os.Stderr
	require.NoError(f.t, p.cmd.Start())
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	f.t.Cleanup(func() { p.stop(syscall.SIGTERM) })
	p.stat, err = gopsutil.NewProcess(int32(p.cmd.Process.Pid)) // pids are below 2^22
	require.NoError(f.t, err)
	return p
}

// stop ends a process, and returns how long that took.
func (p *process) stop(s syscall.Signal) time.Duration {
	begin := time.Now()
	_ = p.cmd.Process.Signal(s)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return time.Since(begin)
}

// stop ends all processes, and returns the longest time that one took.
func (f *fleet) stop() (longest time.Duration) {
	for _, p := range f.running {
		longest = max(longest, p.stop(syscall.SIGTERM))
	}
	f.running = nil
	return longest
}

// jobs makes n jobs of recipients that come round in turn. Texts begin with numbers that rise.
func jobs(n, recipients int, page func(i int) int) iter.Seq[producer.Job] {
	return func(yield func(producer.Job) bool) {
		for i := range n {
			if !yield(job(pageID(page(i)), i, i%recipients)) {
				return
			}
		}
	}
}

// first is the page of all jobs where there is only one.
func first(int) int { return 0 }

func job(page string, i, recipient int) producer.Job {
	return producer.Job{PageID: page, Lane: producer.LaneBulk, Request: json.RawMessage(fmt.Sprintf(
		`{"recipient":{"id":"%d"},"messaging_type":"UPDATE","message":{"text":"%d Your parcel is on its way: between 9 and 12 tomorrow."}}`,
		10_000_000+recipient, i))}
}

// enqueue stores the jobs in the way of the fleet's system.
func (f *fleet) enqueue(jobs iter.Seq[producer.Job]) {
	f.t.Helper()
	if f.cfg.System == sendpace {
		for r := range f.producer.EnqueueSeq(context.Background(), jobs) {
			require.NoError(f.t, r.Err)
		}
		return
	}
	client := asynq.NewClientFromRedisClient(f.rdb)
	for j := range jobs {
		body, err := json.Marshal(j)
		require.NoError(f.t, err)
		_, err = client.Enqueue(asynq.NewTask(producer.TaskType, body), asynq.Queue(producer.DefaultQueue))
		require.NoError(f.t, err)
	}
}

// run lets n worker processes, which are up already, send n jobs, and returns what the receiver saw and what that cost. It gives up
// after limit.
func (f *fleet) run(processes int, work iter.Seq[producer.Job], n int, limit time.Duration) ([]sandbox.Call, cost) {
	f.t.Helper()
	require.NoError(f.t, f.inspector.PauseQueue(producer.DefaultQueue))
	f.enqueue(work)
	f.start(processes)
	defer collectNothing()()
	before := f.usage()
	require.NoError(f.t, f.inspector.UnpauseQueue(producer.DefaultQueue))
	f.await(n, limit)
	return f.sandbox.Accepted(), f.usage().since(before)
}

// collectNothing lets this process, which is the receiver, collect no garbage until the returned function is called, or it has very
// much: a collection holds up what arrives by tens of milliseconds, and what one second brought counts for the next.
func collectNothing() (undo func()) {
	const much = 4 << 30
	runtime.GC()
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(much)
	return func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }
}

// await returns when the sandbox has answered n calls, or after limit; done is whether it has.
func (f *fleet) await(n int, limit time.Duration) (done bool) {
	end := time.Now().Add(limit)
	for f.answered.Load() < int64(n) && time.Now().Before(end) {
		pass(5 * time.Millisecond)
	}
	return f.answered.Load() >= int64(n)
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

// number is the number that a message's text begins with.
func number(t testing.TB, c sandbox.Call) int {
	t.Helper()
	var body struct {
		Message struct{ Text string }
	}
	require.NoError(t, json.Unmarshal(c.Body, &body))
	var n int
	_, err := fmt.Sscan(body.Message.Text, &n)
	require.NoError(t, err, "text %q", body.Message.Text)
	return n
}
