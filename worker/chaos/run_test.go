package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
)

// run is one fleet in trouble.
type run struct {
	scale
	t     *testing.T
	store *store
	rdb   redis.UniversalClient // undisturbed
	pacer *pace.Pacer
	box   *sandbox.Server
	graph *Proxy
	rates map[string]pace.Rates
	logs  string // directory
	fleet []*process
	began time.Time

	mu     sync.Mutex
	events []Event
	errs   []error
}

func newRun(t *testing.T, s *store, size scale) *run {
	t.Helper()
	r := &run{scale: size, t: t, store: s, rdb: s.direct(t), rates: map[string]pace.Rates{}, logs: t.TempDir()}
	tokens := map[string]string{}
	for i := range r.pages {
		// A quarter of the pages is fast enough to be never behind, the others get a backlog.
		r.rates[pageID(i)] = pace.Rates{
			Page: float64(10 + 3*(i%4)), Bulk: float64(7 + 4*(i%4)), Media: 2, Thread: 250 * time.Millisecond,
		}
		tokens[pageID(i)] = tokenOf(pageID(i))
	}
	var err error
	// Without limits of its own the sandbox shows what the fleet does, not what it was stopped from doing.
	r.box, err = sandbox.New(sandbox.Config{Tokens: tokens, Latency: 30 * time.Millisecond, Rate: -1, MediaRate: -1})
	require.NoError(t, err)
	srv := httptest.NewServer(r.box)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close(); r.box.Close() })
	r.graph, err = NewProxy(srv.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(r.graph.Close)
	r.pacer, err = pace.New(r.rdb, pace.Config{})
	require.NoError(t, err)
	for i := range r.workers {
		p := &process{cfg: workerConfig{
			Redis: s.connection, Graph: "http://" + r.graph.Addr, Rates: r.rates,
			Log: filepath.Join(r.logs, fmt.Sprintf("worker%d.log", i)),
		}}
		require.NoError(t, p.start())
		t.Cleanup(p.kill)
		r.fleet = append(r.fleet, p)
	}
	return r
}

// play enqueues the jobs while the pranks are played, waits until all has ended, and returns what happened.
func (r *run) play(jobs []draft, pranks []prank) Record {
	ctx, stop := context.WithCancel(r.t.Context())
	defer stop()
	var load, watch sync.WaitGroup
	defer watch.Wait()
	defer stop()
	watch.Go(func() { r.watchOurselves(ctx) })
	r.began = time.Now()
	options := r.store.options()
	rdb := redis.NewUniversalClient(options)
	defer rdb.Close()
	p, err := producer.New(rdb, producer.Config{})
	require.NoError(r.t, err)
	offering, enough := context.WithTimeout(ctx, r.span+r.drain/2)
	defer enough()
	for i := range r.pages {
		load.Go(func() { r.offer(offering, p, jobs, pageID(i)) })
	}
	r.perform(ctx, pranks)
	load.Wait()
	r.box.Clear(sandbox.AllPages)
	record := r.await(ctx, jobs)
	record.Calls, err = Calls(r.box.Calls())
	require.NoError(r.t, err)
	require.Zero(r.t, r.box.Dropped())
	r.mu.Lock()
	defer r.mu.Unlock()
	record.Events = r.events
	return record
}

// offer enqueues the jobs of a page, one after the other.
func (r *run) offer(ctx context.Context, p *producer.Producer, jobs []draft, page string) {
	for i := range jobs {
		if d := &jobs[i]; d.PageID == page {
			wait(ctx, time.Until(r.began.Add(d.offerAt)))
			d.offer(ctx, p)
		}
	}
}

// await returns the record once each stored job has an outcome, or the time is up. Pages that are still held are released: a
// worker may have held one after it was mended, by an answer from before.
func (r *run) await(ctx context.Context, jobs []draft) Record {
	record := Record{Rates: r.rates, FirstPause: firstPause}
	stored := 0
	for _, d := range jobs {
		record.Jobs = append(record.Jobs, d.Job)
		if !d.Stored.IsZero() {
			stored++
		}
	}
	for end := time.Now().Add(r.drain); ; wait(ctx, time.Second) {
		s, err := pace.ReadStatus(ctx, r.rdb, "")
		if err == nil {
			r.releaseHolds(ctx, s)
		}
		late := time.Now().After(end)
		if late && s != nil && !s.Done() {
			text, _ := json.Marshal(s) // plain data
			r.fail(fmt.Errorf("not done %v after the last disturbance: %s", r.drain, text))
		}
		if err == nil && s.Done() || late {
			require.NoError(r.t, r.read(ctx, &record))
			return record
		}
	}
}

func (r *run) releaseHolds(ctx context.Context, s *pace.Status) {
	for _, page := range s.Pages {
		if page.Pause != nil && page.Pause.Hold {
			r.release(ctx, page.ID)
		}
	}
}

// read adds what the fleet reported to the record.
func (r *run) read(ctx context.Context, record *Record) error {
	keys := rediskeys.Keys{Queue: producer.DefaultQueue}
	entries, err := r.rdb.XRange(ctx, keys.Stream(), "-", "+").Result()
	if err != nil {
		return err
	}
	for _, e := range entries {
		var o producer.Outcome
		text, _ := e.Values["o"].(string)
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return fmt.Errorf("outcome %s: %w", e.ID, err)
		}
		record.Outcomes = append(record.Outcomes, o)
	}
	record.Counts, err = r.rdb.HGetAll(ctx, keys.Outcomes()).Result()
	return err
}

// release ends a pause or hold as an operator does who has mended its cause.
func (r *run) release(ctx context.Context, page string) {
	r.during(Event{What: "page " + page + " was released", Page: page, Frees: true}, func() {
		for ctx.Err() == nil {
			brief, cancel := context.WithTimeout(ctx, 3*time.Second)
			_, err := r.pacer.Release(brief, page)
			cancel()
			if err == nil {
				return
			}
			wait(ctx, 100*time.Millisecond)
		}
	})
}

// watchOurselves notes, as events without a name, when this process, and with it the sandbox's clock and the proxies, stood still.
func (r *run) watchOurselves(ctx context.Context) {
	const every, late = 2 * time.Millisecond, 20 * time.Millisecond
	for ctx.Err() == nil {
		before := time.Now()
		wait(ctx, every)
		if now := time.Now(); now.Sub(before) > late {
			r.note(Event{From: before, To: now, Blurs: true})
		}
	}
}

// during notes an event that lasts as long as do.
func (r *run) during(e Event, do func()) {
	e.From = time.Now()
	do()
	e.To = time.Now()
	r.note(e)
}

func (r *run) note(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// fail keeps trouble of the harness itself for the end.
func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

// logged returns what the workers' logs say of a job.
func (r *run) logged(record Record, label string) string {
	var id string
	for _, j := range record.Jobs {
		if j.Label == label {
			id = j.ID
		}
	}
	var found bytes.Buffer
	for _, p := range r.fleet {
		text, err := os.ReadFile(p.cfg.Log)
		require.NoError(r.t, err)
		for line := range bytes.Lines(text) {
			if id != "" && bytes.Contains(line, []byte(id)) {
				fmt.Fprintf(&found, "  %s: %s", filepath.Base(p.cfg.Log), line)
			}
		}
	}
	return found.String()
}

// process is one worker, through its lives. Whatever ends it, it is started again, as a service manager does: a worker gives
// up if Redis cannot be reached as it starts.
type process struct {
	cfg workerConfig

	prank sync.Mutex // one is played with it

	mu     sync.Mutex
	cmd    *exec.Cmd
	stop   io.Closer
	down   bool // it is to stay so
	exited chan struct{}
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
	return p.launch()
}

// launch begins a life. p.mu is locked.
func (p *process) launch() (err error) {
	if p.cmd, p.stop, err = startWorker(p.cfg); err != nil {
		return err
	}
	p.exited = make(chan struct{})
	go p.watch(p.cmd, p.stop, p.exited)
	return nil
}

// watch waits for the end of one life, and begins the next one unless kill was what ended it.
func (p *process) watch(cmd *exec.Cmd, stop io.Closer, exited chan struct{}) {
	_ = cmd.Wait()
	_ = stop.Close()
	close(exited)
	wait(context.Background(), 200*time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.down && p.exited == exited {
		_ = p.launch() // a system without room for a process fails the run soon enough
	}
}

// kill ends it with -9, and returns when it is gone.
func (p *process) kill() {
	p.mu.Lock()
	p.down = true
	_ = p.cmd.Process.Kill()
	exited := p.exited
	p.mu.Unlock()
	<-exited
}

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Signal(s)
}
