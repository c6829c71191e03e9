package main

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/worker/pace"
)

func (a *app) pageCommand() *cobra.Command {
	release := &cobra.Command{
		Use:   "release PAGE_ID",
		Short: "Let a page send again that is on hold or paused",
		Long: "release ends the hold or pause of one page at once; with the word app in place of an id, that of all\n" +
			"pages together. Put right first what stopped it, or it stops again: status shows the reason.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("sendpace page release 1001",
					"%s takes one page id, but got %d arguments", name(cmd), len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.releasePage(cmd, args[0]) },
	}
	a.queueFlags(release)
	group := &cobra.Command{Use: "page", Short: "Act on a page"}
	group.AddCommand(a.pageCheckCommand(), release)
	return group
}

func (a *app) releasePage(cmd *cobra.Command, scope string) error {
	cfg, err := a.config(cmd)
	if err != nil {
		return err
	}
	if _, known := cfg.Page(scope); len(cfg.Pages) > 0 && !known && scope != pace.App {
		return misuse("sendpace config check lists the pages", "page %s is not configured", scope)
	}
	return onRedis(cmd.Context(), cfg, func(ctx context.Context, rdb redis.UniversalClient) error {
		pacer, err := pace.New(rdb, pace.Config{})
		if err != nil {
			return err
		}
		found, err := pacer.Release(ctx, scope)
		if err == nil {
			fmt.Fprintln(a.stdout, released(scope, found))
		}
		return err
	})
}

func released(scope string, found bool) string {
	who := "page " + scope
	if scope == pace.App {
		who = "the app"
	}
	if !found {
		return who + " was neither paused nor on hold"
	}
	return who + " sends again"
}
