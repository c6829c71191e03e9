package main

import (
	"bytes"
	"context"
	_ "embed" // the sample audience
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// demoAudience is a file as enqueue takes it: two campaigns and one page's answers.
//
//go:embed demo.ndjson
var demoAudience []byte

const (
	// demoLatency is what the sandbox takes for an answer.
	demoLatency = 50 * time.Millisecond
	// demoMargin is more than a fleet needs. Sender, Redis and receiver share a process that has just begun: until it is warm, a
	// message reaches the sandbox up to 15 ms after its slot.
	demoMargin = 0.02
)

// demoPages have rates under which each page's share of the audience takes some 15 seconds.
func demoPages() []config.Page {
	return []config.Page{
		{ID: "1001", AccessToken: config.NewSecret("demo-token-1001"), Rates: config.Rates{BulkRate: 1}},
		{ID: "1002", AccessToken: config.NewSecret("demo-token-1002"), Rates: config.Rates{BulkRate: 5}},
		{ID: "1003", AccessToken: config.NewSecret("demo-token-1003"), Rates: config.Rates{Rate: 15}},
	}
}

// demo is one process with everything in it.
type demo struct {
	app      *app
	cfg      *config.Config
	audience []byte
	keep     bool
	redis    *embedded
	sandbox  *sandbox.Server
	monitor  string // its address
	parts    []*part
}

func (a *app) demoCommand() *cobra.Command {
	var addr string
	d := &demo{app: a, audience: demoAudience}
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Try Sendpace out: 300 sample messages at three paces, in this process",
		Example: "  sendpace demo",
		Long: "demo starts a Redis that lives in its memory, a Send API that delivers nothing, and a worker. It\n" +
			"enqueues a sample audience for three pages and shows how each is sent at its own pace, as the receiver\n" +
			"sees it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.cfg = config.Default()
			d.cfg.Monitor.Addr = addr
			d.cfg.Pages = demoPages()
			d.cfg.Worker.Margin = demoMargin
			if !isLoopback(addr) {
				return misuse("type 127.0.0.1 and a port", "the demo's --addr must be one of this machine alone")
			}
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&d.keep, "keep", false, "go on until Ctrl-C, to look around in the monitor")
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "`host:port` of the monitor; another port if it is taken")
	return cmd
}

// run starts the parts, from the receiver to the sender, and ends them the other way round.
func (d *demo) run(ctx context.Context) (err error) {
	d.app.say("DEMO: the queue is in the memory of this process. Nothing is delivered, and nothing is kept.")
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if d.redis, err = startEmbedded(); err != nil {
		return err
	}
	defer d.redis.close()
	rdb := d.redis.open()
	defer rdb.Close()

	defer func() { err = errors.Join(err, d.stop()) }()
	if err := errors.Join(d.startSandbox(ctx, fail), d.startMonitor(ctx, fail, rdb)); err != nil {
		return err
	}
	total, err := d.enqueue(ctx, rdb)
	if err != nil {
		return err
	}
	if err := d.startWorker(ctx, fail); err != nil {
		return err
	}
	if err := d.follow(ctx, rdb, total); err != nil {
		return err
	}
	return d.finish(ctx)
}

// finish shows the figures, and stays if it was asked to.
func (d *demo) finish(ctx context.Context) error {
	fmt.Fprintf(d.app.stdout, "%s\n\n", d.summary())
	if !d.keep {
		_, err := fmt.Fprintln(d.app.stdout, "sendpace demo --keep leaves the monitor running to look around.")
		return err
	}
	fmt.Fprintf(d.app.stdout, "The monitor stays at %s; Ctrl-C ends it.\n", d.monitor)
	<-ctx.Done()
	return nil
}

// part is something that runs beside until it is stopped.
type part struct {
	cancel context.CancelFunc
	done   chan error
}

// start runs a part beside. An error that ends it goes to fail.
func (d *demo) start(ctx context.Context, fail context.CancelCauseFunc, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &part{cancel: cancel, done: make(chan error, 1)}
	d.parts = append(d.parts, p)
	go func() {
		err := run(ctx)
		if err != nil {
			fail(err)
		}
		p.done <- err
	}()
}

func (d *demo) stop() error {
	var errs []error
	for _, p := range slices.Backward(d.parts) {
		p.cancel()
		errs = append(errs, <-p.done)
	}
	return errors.Join(errs...)
}

func (d *demo) startSandbox(ctx context.Context, fail context.CancelCauseFunc) error {
	tokens := map[string]string{}
	for _, p := range d.cfg.Pages {
		tokens[p.ID] = p.AccessToken.Reveal()
	}
	var err error
	if d.sandbox, err = sandbox.New(sandbox.Config{Tokens: tokens, Latency: demoLatency}); err != nil {
		return err
	}
	listener, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.cfg.Graph.BaseURL = "http://" + listener.Addr().String()
	// The worker stops first, and its sends in flight need their answers even after Ctrl-C.
	d.start(context.WithoutCancel(ctx), fail, func(ctx context.Context) error {
		defer d.sandbox.Close()
		return d.sandbox.Serve(ctx, listener)
	})
	return nil
}

func (d *demo) startMonitor(ctx context.Context, fail context.CancelCauseFunc, rdb redis.UniversalClient) error {
	listener, err := listen(ctx, d.cfg.Monitor.Addr)
	if err != nil {
		listener, err = listen(ctx, "127.0.0.1:0")
	}
	if err != nil {
		return err
	}
	d.monitor = "http://" + listener.Addr().String()
	fmt.Fprintf(d.app.stdout, "Watch the queue at %s\n", d.monitor)
	handler, err := monitorHandler(d.cfg, rdb, true)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	d.start(ctx, fail, func(ctx context.Context) error { return serve(ctx, listener, handler, monitorGrace) })
	return nil
}

// enqueue puts the audience into the queue, as the enqueue command would, and returns the number of jobs by page.
func (d *demo) enqueue(ctx context.Context, rdb redis.UniversalClient) (map[string]int, error) {
	p, err := producer.New(rdb, producer.Config{Pages: pageIDs(d.cfg)})
	if err != nil {
		return nil, err
	}
	e := &enqueuer{producer: p, progress: &progressBar{out: d.app.stderr}}
	if err := e.run(ctx, newLineReader(bytes.NewReader(d.audience))); err != nil {
		return nil, err
	}
	s, err := pace.ReadStatus(ctx, rdb, "")
	if err != nil {
		return nil, err
	}
	total := map[string]int{}
	for _, l := range s.Lines {
		total[l.PageID] += int(l.Waiting)
	}
	fmt.Fprintf(d.app.stdout, "%d messages are in the queue of %d pages\n", e.accepted, len(total))
	return total, nil
}

func (d *demo) startWorker(ctx context.Context, fail context.CancelCauseFunc) error {
	log, err := newLog(d.app.stderr, config.Log{Level: "warn", Format: "console"})
	if err != nil {
		return err
	}
	client, err := newSender(d.cfg)
	if err != nil {
		return err
	}
	rdb := d.redis.open(worker.DurableRetries)
	w, err := worker.New(rdb, client, workerConfig(d.cfg, log))
	if err != nil {
		return errors.Join(err, rdb.Close())
	}
	d.start(ctx, fail, func(ctx context.Context) error {
		defer client.CloseIdleConnections()
		return errors.Join(w.Run(ctx), rdb.Close())
	})
	return nil
}

// follow shows how far each page is until nothing is left to do.
func (d *demo) follow(ctx context.Context, rdb redis.UniversalClient, total map[string]int) error {
	b := newBoard(d.app, total)
	defer b.stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		b.show(d.sandbox.Summary())
		s, err := pace.ReadStatus(ctx, rdb, "")
		if err == nil && s.Done() {
			b.show(d.sandbox.Summary())
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("ended before all was sent; nothing of it is kept: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// summary shows what the receiver saw.
func (d *demo) summary() string {
	arrived := map[string][]time.Time{}
	for _, c := range d.sandbox.Accepted() {
		arrived[c.PageID] = append(arrived[c.PageID], c.At)
	}
	t := newTable("page", "lane", "sent", "configured", "held", "most in a second")
	rightAlign(t, 3, 4, 5, 6)
	for _, p := range d.cfg.Pages {
		lane, rate := "bulk", d.cfg.RatesOf(p).BulkRate
		if p.Rates.BulkRate == 0 {
			lane, rate = "realtime", d.cfg.RatesOf(p).Rate
		}
		m := sandbox.Measure(arrived[p.ID])
		t.AppendRow(table.Row{p.ID, lane, m.Count, perSecond(rate), heldRate(m), m.WorstSecond})
	}
	return fmt.Sprintf("\n%s\n\nAs the receiver saw it. Pages run %g %% below their rate here (worker.margin), "+
		"so that no second has one too many.", render(t), d.cfg.Worker.Margin*100)
}
