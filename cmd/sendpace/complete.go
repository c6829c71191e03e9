package main

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/worker/pace"
)

// completeTimeout bounds how long a person who presses Tab waits for Redis.
const completeTimeout = time.Second

// completions lets the shell complete what has a known set of values, in cmd and all below it: pages, outcomes and the like.
func (a *app) completions(cmd *cobra.Command) {
	fixed := map[string][]string{
		"log-level": {"trace", "debug", "info", "warn", "error"}, "log-format": {"json", "console", "auto"},
	}
	for _, kind := range outcomeKinds {
		fixed["kind"] = append(fixed["kind"], string(kind))
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		complete := cobra.FixedCompletions(fixed[f.Name], cobra.ShellCompDirectiveNoFileComp)
		_, own := cmd.GetFlagCompletionFunc(f.Name)
		switch {
		case own:
			return
		case f.Name == "page":
			complete = a.completePages()
		case f.Name == "broadcast":
			complete = a.completeBroadcasts
		case fixed[f.Name] == nil:
			return
		}
		completeFlag(cmd, f.Name, complete)
	})
	for _, sub := range cmd.Commands() {
		a.completions(sub)
	}
}

func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the names are constants: every test run would meet it
	}
}

// completePages completes the id of a page as a flag's value, or as the only argument; words may stand in its place.
func (a *app) completePages(words ...cobra.Completion) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return append(a.knownPages(cmd), words...), cobra.ShellCompDirectiveNoFileComp
	}
}

// onlyFirst completes the first argument alone.
func onlyFirst(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, typed)
	}
}

// knownPages are the configured pages; where none is, those that the fleet knows. What goes wrong only leaves them out.
func (a *app) knownPages(cmd *cobra.Command) []cobra.Completion {
	cfg, _, err := a.configWarnings(cmd)
	if err != nil {
		return nil
	}
	ids := pageIDs(cfg)
	if len(ids) > 0 {
		return ids
	}
	askInTime(cmd, cfg, func(ctx context.Context, rdb redis.UniversalClient) error {
		s, err := pace.ReadStatus(ctx, rdb, "")
		if err != nil {
			return err
		}
		for _, p := range s.Pages {
			ids = append(ids, p.ID)
		}
		return nil
	})
	return ids
}

// askInTime asks Redis something for a completion.
func askInTime(cmd *cobra.Command, cfg *config.Config, ask func(context.Context, redis.UniversalClient) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), completeTimeout)
	defer cancel()
	_ = onRedis(ctx, cfg, ask) // what goes wrong leaves the shell without words
}

// completeBroadcasts completes the name of a broadcast.
func (a *app) completeBroadcasts(cmd *cobra.Command, _ []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
	cfg, _, err := a.configWarnings(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	askInTime(cmd, cfg, func(ctx context.Context, rdb redis.UniversalClient) error {
		c, err := broadcast.New(rdb, broadcast.Config{})
		if err != nil {
			return err
		}
		list, err := c.List(ctx)
		for _, b := range list {
			names = append(names, b.Name)
		}
		return err
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}
