package main

import (
	"fmt"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
)

func (a *app) configCommand() *cobra.Command {
	check := &cobra.Command{
		Use:     "check",
		Short:   "Check the configuration and show what will apply",
		Example: "  sendpace config check\n  sendpace config check --config /etc/sendpace.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := a.configWarnings(cmd)
			for _, w := range warnings {
				a.warn(w)
			}
			if err != nil {
				return err
			}
			return a.showConfig(cfg)
		},
	}
	a.queueFlags(check)
	group := &cobra.Command{Use: "config", Short: "Look at the configuration"}
	group.AddCommand(check)
	return group
}

func (a *app) showConfig(cfg *config.Config) error {
	address, err := config.ParseRedis(cfg.Redis.URL.Reveal())
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "redis  %s\ngraph  %s/%s\n", address, cfg.Graph.BaseURL, cfg.Graph.Version)
	t := newTable("page", "rate", "bulk rate", "media rate", "app secret")
	rightAlign(t, 2, 3, 4)
	for _, p := range cfg.Pages {
		r := cfg.RatesOf(p)
		t.AppendRow(table.Row{
			p.ID, perSecond(r.Rate), perSecond(r.BulkRate), perSecond(r.MediaRate), given(p.AppSecret),
		})
	}
	d := cfg.Defaults
	t.AppendRow(table.Row{"defaults", perSecond(d.Rate), perSecond(d.BulkRate), perSecond(d.MediaRate), "-"})
	_, err = fmt.Fprintf(a.stdout, "%s\nOK\n", render(t))
	return err
}

func given(s config.Secret) string {
	if s.IsZero() {
		return "no"
	}
	return "yes"
}

// perSecond prints a rate as one would type it, with its unit.
func perSecond(rate float64) string {
	return strconv.FormatFloat(rate, 'f', -1, 64) + "/s"
}
