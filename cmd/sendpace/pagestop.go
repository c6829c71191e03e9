package main

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/worker/pace"
)

const (
	// longestPause bounds a pause that a person sets. What is to last longer is a hold.
	longestPause = 30 * 24 * time.Hour
	// maxWhy bounds a person's reason, in bytes.
	maxWhy = 500
	// byHand is the reason of one who gives none.
	byHand = "stopped by hand"
)

func (a *app) pagePauseCommand() *cobra.Command {
	var s stopping
	cmd := &cobra.Command{
		Use:   "pause PAGE_ID --for SPAN",
		Short: "Stop a page for a time",
		Long: "pause stops a page in the whole fleet at once: calls that are on their way are not called back, and no other starts until\n" +
			"the time is over. Then it goes on at its rates. With the word app in place of an id it stops all pages, and asks first.\n" +
			"A pause that is on is made longer, never shorter: page resume ends it.",
		Example: "  sendpace page pause 1001 --for 2h --why 'the shop is down'\n  sendpace page pause app --for 10m --yes",
		Args:    onePage,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case s.span == 0:
				return misuse("such as --for 2h; sendpace page hold stops it until a person lets it go on", "--for is missing")
			case s.span < time.Second || s.span > longestPause:
				return misuse("sendpace page hold stops it until a person lets it go on", "--for must be 1s to %s", span(longestPause))
			}
			return a.stop(cmd, args[0], s)
		},
	}
	cmd.Flags().DurationVar(&s.span, "for", 0, "how long, such as 90s or 2h")
	a.stopFlags(cmd, &s)
	return cmd
}

func (a *app) pageHoldCommand() *cobra.Command {
	var s stopping
	cmd := &cobra.Command{
		Use:   "hold PAGE_ID",
		Short: "Stop a page until a person lets it go on",
		Long: "hold stops a page in the whole fleet at once, until page release. Calls that are on their way are not called back. With\n" +
			"the word app in place of an id it stops all pages, and asks first.",
		Example: "  sendpace page hold 1001 --why 'legal asks'\n  sendpace page hold app --yes",
		Args:    onePage,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.stop(cmd, args[0], s) },
	}
	a.stopFlags(cmd, &s)
	return cmd
}

// stopping is how to stop a page.
type stopping struct {
	span time.Duration // 0: until a person lets it go on
	why  string
	yes  bool
}

func (a *app) stopFlags(cmd *cobra.Command, s *stopping) {
	cmd.ValidArgsFunction = onlyFirst(a.completePages(pace.App))
	cmd.Flags().StringVar(&s.why, "why", byHand, "a `reason`, for others who look at the status")
	yesFlag(cmd, &s.yes)
	a.queueFlags(cmd)
}

// stop stops a page, or all, and shows what stops it then: what was on before may last longer.
func (a *app) stop(cmd *cobra.Command, scope string, s stopping) error {
	if len(s.why) > maxWhy || !utf8.ValidString(s.why) {
		return misuse("", "--why must be text of at most %d bytes", maxWhy)
	}
	if scope == pace.App {
		if err := a.confirm(s.yes, "stop all pages"); err != nil {
			return err
		}
	}
	return a.onScope(cmd, scope, func(ctx context.Context, rdb redis.UniversalClient, pacer *pace.Pacer) error {
		now, changed, err := stopScope(ctx, rdb, pacer, scope, s.span, s.why)
		if err != nil || now == nil {
			return err
		}
		if !changed {
			a.say("it was stopped before, and that lasts longer: nothing was changed")
		}
		_, err = fmt.Fprintln(a.stdout, stillness(scopeName(scope), scope, now))
		return err
	})
}

// stopScope pauses a page, or all, for a time, or holds it with a span of 0. It returns what stops it then: what was on before
// may last longer, and changed is false. nil means that it was released in between.
func stopScope(
	ctx context.Context, rdb redis.UniversalClient, pacer *pace.Pacer, scope string, span time.Duration, text string,
) (now *pace.PauseStatus, changed bool, err error) {
	why := pace.Reason{Text: oneLine(text), Since: time.Now().UTC()}
	if span > 0 {
		_, err = pacer.Pause(ctx, scope, span, why)
	} else {
		err = pacer.Hold(ctx, scope, why)
	}
	if err != nil {
		return nil, false, err
	}
	now, err = pace.ReadPause(ctx, rdb, "", scope)
	return now, now != nil && now.Since.Equal(why.Since), err
}

// handPacer is for what a person stops. That says nothing about what the platform takes: it needs no probe and no climb.
func handPacer(rdb redis.UniversalClient) (*pace.Pacer, error) {
	return pace.New(rdb, pace.Config{Steady: true})
}

// onScope runs a command that acts on a page, or on all.
func (a *app) onScope(
	cmd *cobra.Command, scope string, run func(context.Context, redis.UniversalClient, *pace.Pacer) error,
) error {
	cfg, err := a.config(cmd)
	if err != nil {
		return err
	}
	if scope != pace.App {
		if err := checkPage(cfg, scope); err != nil {
			return err
		}
	}
	return withPacer(cmd, cfg, run)
}

func withPacer(
	cmd *cobra.Command, cfg *config.Config, run func(context.Context, redis.UniversalClient, *pace.Pacer) error,
) error {
	return onRedis(cmd.Context(), cfg, func(ctx context.Context, rdb redis.UniversalClient) error {
		pacer, err := handPacer(rdb)
		if err != nil {
			return err
		}
		return run(ctx, rdb, pacer)
	})
}

func (a *app) pageReleaseCommand() *cobra.Command {
	return a.releaseCommand(&cobra.Command{
		Use:   "release PAGE_ID",
		Short: "Let a page send again that is on hold or paused",
		Long: "release ends the hold or pause of one page at once; with the word app in place of an id, that of all\n" +
			"pages together. Put right first what stopped it, or it stops again: status shows the reason.",
		Example: "  sendpace page release 1001\n  sendpace page release app",
	})
}

func (a *app) pageResumeCommand() *cobra.Command {
	return a.releaseCommand(&cobra.Command{
		Use:     "resume PAGE_ID",
		Short:   "Let a page send again that is paused or on hold",
		Long:    "resume is page release by another name.",
		Example: "  sendpace page resume 1001\n  sendpace page resume app",
	})
}

func (a *app) releaseCommand(cmd *cobra.Command) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = onePage, onlyFirst(a.completePages(pace.App))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := a.config(cmd)
		if err == nil && args[0] != pace.App {
			err = checkPageID(args[0])
		}
		if err != nil {
			return err
		}
		return withPacer(cmd, cfg, func(ctx context.Context, rdb redis.UniversalClient, pacer *pace.Pacer) error {
			return a.release(ctx, cfg, rdb, pacer, args[0])
		})
	}
	a.queueFlags(cmd)
	return cmd
}

// release lets a page go on, or all, and says so if a stop of all pages is in its way. A page that is not configured any more may
// still be stopped.
func (a *app) release(ctx context.Context, cfg *config.Config, rdb redis.UniversalClient, pacer *pace.Pacer, scope string) error {
	found, err := pacer.Release(ctx, scope)
	if err == nil && !found && scope != pace.App {
		err = checkPage(cfg, scope)
	}
	if err != nil {
		return err
	}
	app, err := pace.ReadPause(ctx, rdb, "", pace.App)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, released(scope, found, app != nil))
	if app != nil {
		fmt.Fprintln(a.stdout, stillness(scopeName(pace.App), pace.App, app))
	}
	return nil
}

// released says what became of a release. stopped is true if all pages are.
func released(scope string, found, stopped bool) string {
	who := "page " + scope
	if scope == pace.App {
		who = "the app"
	}
	switch {
	case !found:
		return who + " was neither paused nor on hold"
	case stopped:
		return who + " is released, but waits for all pages to be"
	}
	return who + " sends again"
}

// scopeName is a page, or all, in the status.
func scopeName(scope string) string {
	if scope == pace.App {
		return "all pages"
	}
	return "page " + scope
}
