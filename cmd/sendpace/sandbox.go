package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func (a *app) sandboxCommand() *cobra.Command {
	var addr string
	var cfg sandbox.Config
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a Send API to try things out against",
		Long: "sandbox answers as the Send API does, and delivers nothing. Point SENDPACE_GRAPH_BASE_URL at it.\n" +
			"It accepts the tokens of the configured pages; without any, every token.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := a.config(cmd)
			if err != nil {
				return err
			}
			if cfg.Latency < 0 || cfg.Rate < 0 {
				return misuse("see sendpace sandbox --help", "--latency and --rate must not be below 0")
			}
			for _, p := range loaded.Pages {
				if cfg.Tokens == nil {
					cfg.Tokens = map[string]string{}
				}
				cfg.Tokens[p.ID] = p.AccessToken.Reveal()
			}
			return a.serveSandbox(cmd, addr, cfg)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:9090", "`host:port` to listen on")
	cmd.Flags().DurationVar(&cfg.Latency, "latency", 50*time.Millisecond, "time that each answer takes")
	cmd.Flags().Float64Var(&cfg.Rate, "rate", 0, "sends a second that a page may make; 0 for the platform's own limit")
	a.configFlag(cmd)
	return cmd
}

func (a *app) serveSandbox(cmd *cobra.Command, addr string, cfg sandbox.Config) error {
	server, err := sandbox.New(cfg)
	if err != nil {
		return err
	}
	defer server.Close()
	listener, err := listen(cmd.Context(), addr)
	if err != nil {
		return failure("choose another port with --addr", "%w", err)
	}
	fmt.Fprintf(a.stdout, "the sandbox answers at http://%s; Ctrl-C ends it\n", listener.Addr())
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
