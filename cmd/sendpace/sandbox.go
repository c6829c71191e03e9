package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// sandboxOptions are the flags of the sandbox.
type sandboxOptions struct {
	addr             string
	cfg              sandbox.Config
	window           string
	engaged          int
	jitter           time.Duration
	failing, dropped float64
}

func (a *app) sandboxCommand() *cobra.Command {
	var o sandboxOptions
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a Send API to try things out against",
		Long: "sandbox answers as the Send API does, and delivers nothing. Point SENDPACE_GRAPH_BASE_URL at it.\n" +
			"It accepts the tokens of the configured pages; without any, every token. While it runs, /sandbox/ tells how\n" +
			"to let tokens expire, block people, close windows, make calls fail, and read what was accepted.",
		Example: "  sendpace sandbox --rate 5 --fail 0.02 --drop 0.01\n" +
			"  curl http://127.0.0.1:9090/sandbox/",
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := a.config(cmd)
			if err != nil {
				return err
			}
			for _, p := range loaded.Pages {
				if o.cfg.Tokens == nil {
					o.cfg.Tokens = map[string]string{}
				}
				o.cfg.Tokens[p.ID] = p.AccessToken.Reveal()
			}
			return a.serveSandbox(cmd, &o)
		},
	}
	o.flags(cmd.Flags())
	a.configFlag(cmd)
	return cmd
}

func (o *sandboxOptions) flags(f *pflag.FlagSet) {
	cfg := &o.cfg
	f.StringVar(&o.addr, "addr", "127.0.0.1:9090", "`host:port` to listen on")
	f.DurationVar(&cfg.Latency, "latency", 50*time.Millisecond, "time that each answer takes")
	f.DurationVar(&o.jitter, "jitter", 0, "random time on top of --latency, up to this")
	f.Float64Var(&cfg.Rate, "rate", 0, "calls a second that a page may make; 0 for the platform's own limit")
	f.Float64Var(&cfg.MediaRate, "media-rate", 0, "of those, audio and video; 0 for the platform's own limit")
	f.Float64Var(&cfg.ThreadRate, "thread-rate", 0, "messages a second to one person; 0 for no limit")
	f.DurationVar(&cfg.Block, "block", 0, "how long a page must be silent after it went over a limit")
	f.IntVar(&o.engaged, "engaged-users", 0, "allow a page 200 calls for each of them in 24 hours; 0 for no limit")
	f.Float64Var(&cfg.Usage, "usage", 0, "least percentage that the usage headers show")
	f.Float64Var(&cfg.HighVolume, "high-volume", 0, "messages a second that make a page high-volume; 0 for the platform's 40")
	f.StringVar(&o.window, "window", "open", "open or closed, for people of whom it is not known when they wrote")
	f.DurationVar(&cfg.WindowLength, "window-length", sandbox.DefaultWindowLength, "how long after that a page may write to them")
	f.BoolVar(&cfg.AllowRemoved, "allow-removed", false, "accept what the platform has removed, as an older version")
	f.Float64Var(&o.failing, "fail", 0, "share of calls that fail with the temporary code 2, 0 to 1")
	f.Float64Var(&o.dropped, "drop", 0, "share of calls that are accepted and then get no answer, 0 to 1")
	f.Uint64Var(&cfg.Seed, "seed", 0, "where the random choices begin")
}

// check reports every flag that is out of its range.
func (o *sandboxOptions) check() error {
	share := func(f float64) bool { return 0 <= f && f <= 1 }
	rate := func(f float64) bool { return f == 0 || 0.0001 <= f && f <= 100_000 }
	delay := func(d time.Duration) bool { return 0 <= d && d <= 4*time.Minute }
	const rates, shares, delays = "must be 0, or 0.0001 to 100000 a second", "must be 0 to 1", "must be 0 to 4m"
	var wrong []string
	for _, flag := range []struct {
		name  string
		right bool
		must  string
	}{
		{"latency", delay(o.cfg.Latency), delays},
		{"jitter", delay(o.jitter), delays},
		{"rate", rate(o.cfg.Rate), rates},
		{"media-rate", rate(o.cfg.MediaRate), rates},
		{"thread-rate", rate(o.cfg.ThreadRate), rates},
		{"high-volume", rate(o.cfg.HighVolume), rates},
		{"block", o.cfg.Block >= 0, "must not be below 0"},
		{"engaged-users", 0 <= o.engaged && o.engaged <= 1_000_000_000, "must be 0 to 1000000000"},
		{"usage", 0 <= o.cfg.Usage && o.cfg.Usage <= 1000, "must be 0 to 1000"},
		{"window", o.window == "open" || o.window == "closed", "must be open or closed"},
		{"window-length", o.cfg.WindowLength > 0, "must be above 0"},
		{"fail", share(o.failing), shares},
		{"drop", share(o.dropped), shares},
	} {
		if !flag.right {
			wrong = append(wrong, "--"+flag.name+" "+flag.must)
		}
	}
	if len(wrong) > 0 {
		return misuse("see sendpace sandbox --help", "%s", strings.Join(wrong, "; "))
	}
	return nil
}

func (o *sandboxOptions) newServer() (*sandbox.Server, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.cfg.Window = sandbox.Window(o.window)
	o.cfg.PageCalls = sandbox.CallsPerEngagedUser * o.engaged
	server, err := sandbox.New(o.cfg)
	if err != nil {
		return nil, err
	}
	if o.jitter > 0 {
		server.Fail(sandbox.AllPages, sandbox.Fault{DelayUpTo: o.jitter})
	}
	if o.failing > 0 {
		server.Fail(sandbox.AllPages, sandbox.Fault{Chance: o.failing, Code: 2})
	}
	if o.dropped > 0 {
		server.Fail(sandbox.AllPages, sandbox.Fault{Chance: o.dropped, Drop: sandbox.DropAfter})
	}
	return server, nil
}

func (a *app) serveSandbox(cmd *cobra.Command, o *sandboxOptions) error {
	server, err := o.newServer()
	if err != nil {
		return err
	}
	defer server.Close()
	listener, err := listen(cmd.Context(), o.addr)
	if err != nil {
		return failure("choose another port with --addr", "%w", err)
	}
	fmt.Fprintf(a.stdout, "the sandbox answers at http://%s; Ctrl-C ends it\n", listener.Addr())
	fmt.Fprintf(a.stdout, "http://%s/sandbox/ tells what it can do\n", listener.Addr())
	if err := server.Serve(cmd.Context(), listener); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, sandboxSummary(server.Summary()))
	return err
}

// sandboxSummary shows what the sandbox received, by page.
func sandboxSummary(pages map[string]sandbox.PageCalls) string {
	if len(pages) == 0 {
		return "nothing was received"
	}
	t := newTable("page", "calls", "accepted", "refused", "rate", "most in a second")
	rightAlign(t, 2, 3, 4, 5, 6)
	for _, id := range slices.Sorted(maps.Keys(pages)) {
		p := pages[id]
		t.AppendRow(table.Row{id, p.Count, p.Accepted, p.Refused, heldRate(p.Pace), p.Pace.WorstSecond})
	}
	return render(t)
}

// heldRate prints a measured rate; one send alone has none.
func heldRate(p sandbox.Pace) string {
	if p.Rate == 0 {
		return "-"
	}
	return strconv.FormatFloat(p.Rate, 'f', 2, 64) + "/s"
}
