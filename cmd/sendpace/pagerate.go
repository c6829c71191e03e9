package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/worker/pace"
)

// leastRate and mostRate bound a rate that a person sets, a second: one a day, and far above what the platform takes.
const (
	leastRate = 1.0 / 86400
	mostRate  = 100_000
)

func (a *app) pageRateCommand() *cobra.Command {
	var r rating
	cmd := &cobra.Command{
		Use:   "rate PAGE_ID --for SPAN",
		Short: "Give a page other rates for a time",
		Long: "rate changes what a page may send in the whole fleet, within a second, up or down. When the time is over it goes back by\n" +
			"itself, also if workers were started meanwhile: they set the configured rates. It replaces what an earlier call set. The\n" +
			"rate of the page holds for all lanes; after a pause, and as usage nears its limit, the pace stays below these rates.",
		Example: "  sendpace page rate 1001 --bulk 20 --for 2h\n  sendpace page rate 1001 --rate 60 --bulk 50 --for 30m\n" +
			"  sendpace page rate 1001 --reset",
		Args:              onePage,
		ValidArgsFunction: onlyFirst(a.completePages()),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(cmd); err != nil {
				return err
			}
			if args[0] == pace.App {
				return misuse("sendpace page list shows the pages", "rates are those of one page")
			}
			return a.onScope(cmd, args[0], func(ctx context.Context, rdb redis.UniversalClient, pacer *pace.Pacer) error {
				return a.setRate(ctx, rdb, pacer, args[0], r)
			})
		},
	}
	cmd.Flags().Float64Var(&r.page, "rate", 0, "messages a `second`, all lanes together")
	cmd.Flags().Float64Var(&r.bulk, "bulk", 0, "messages a `second` of the bulk lane")
	cmd.Flags().Float64Var(&r.media, "media", 0, "audio and video messages a `second`")
	cmd.Flags().DurationVar(&r.span, "for", 0, "how long, such as 30m or 2h")
	cmd.Flags().BoolVar(&r.reset, "reset", false, "go back to the configured rates now")
	a.queueFlags(cmd)
	return cmd
}

// rating is which rates to set; 0 leaves one as configured.
type rating struct {
	page, bulk, media float64
	span              time.Duration
	reset             bool
}

func (r rating) check(cmd *cobra.Command) error {
	const hint = "such as sendpace page rate 1001 --bulk 20 --for 2h"
	given := 0
	for flag, rate := range map[string]float64{"rate": r.page, "bulk": r.bulk, "media": r.media} {
		if !cmd.Flags().Changed(flag) {
			continue
		}
		given++
		if math.IsNaN(rate) || rate < leastRate || rate > mostRate {
			return misuse(hint, "--%s must be from one a day, 0.0000116, to %d a second", flag, mostRate)
		}
	}
	switch timed := cmd.Flags().Changed("for"); {
	case r.reset && (given > 0 || timed):
		return misuse("sendpace page rate 1001 --reset", "--reset goes alone")
	case r.reset:
		return nil
	case given == 0:
		return misuse(hint, "--rate, --bulk or --media is missing")
	case !timed:
		return misuse("for good, change the configuration and restart a worker", "--for is missing")
	case r.span < time.Second || r.span > longestPause:
		return misuse("for good, change the configuration and restart a worker", "--for must be 1s to %s", span(longestPause))
	}
	return nil
}

func (a *app) setRate(ctx context.Context, rdb redis.UniversalClient, pacer *pace.Pacer, page string, r rating) error {
	if r.reset {
		found, err := pacer.EndTemporary(ctx, page)
		if err == nil && found {
			fmt.Fprintf(a.stdout, "page %s has its configured rates again\n", page)
		} else if err == nil {
			fmt.Fprintf(a.stdout, "page %s had its configured rates\n", page)
		}
		return err
	}
	t := pace.Temporary{Page: r.page, Bulk: r.bulk, Media: r.media}
	usual, err := pace.ReadRates(ctx, rdb, "", page)
	if err == nil {
		err = a.fits(t.Over(usual), r)
	}
	if err == nil {
		t.Until, err = pacer.SetTemporary(ctx, page, t, r.span)
	}
	if errors.Is(err, pace.ErrNoRates) {
		return failure("start one: sendpace worker", "no worker has set the rates yet")
	}
	if err != nil {
		return err
	}
	for _, w := range (config.Rates{Rate: r.page, MediaRate: r.media}).Warnings() {
		a.say("warning: %s", w.Text)
	}
	fmt.Fprintln(a.stdout, hurried(page, t, r.span))
	return nil
}

// fits refuses a rate that would not be reached.
func (a *app) fits(of pace.Rates, r rating) error {
	for flag, rate := range map[string]float64{"bulk": r.bulk, "media": r.media} {
		if rate > of.Page {
			return failure(fmt.Sprintf("add --rate %g", rate), "--%s %g is above the page's rate of %s, which holds for all lanes together",
				flag, rate, perSecond(of.Page))
		}
	}
	return nil
}

// hurried says which rates a page has for a time.
func hurried(page string, t pace.Temporary, left time.Duration) string {
	return fmt.Sprintf("page %s: %s for another %s\n  the configured rates again: sendpace page rate %s --reset",
		page, ratesText(t), span(left), page)
}

// ratesText lists the rates that are set for a time.
func ratesText(t pace.Temporary) string {
	var rates []string
	for _, r := range []struct {
		name string
		rate float64
	}{{"rate", t.Page}, {"bulk rate", t.Bulk}, {"media rate", t.Media}} {
		if r.rate > 0 {
			rates = append(rates, r.name+" "+perSecond(r.rate))
		}
	}
	return strings.Join(rates, ", ")
}
