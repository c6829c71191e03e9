package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer/broadcast"
)

func (a *app) broadcastCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "broadcast",
		Short: "Send one message to an audience, and follow it",
		Long: "A broadcast is a message with placeholders for the people of a file. It is checked for each of them before anything\n" +
			"is stored, goes out at the page's bulk pace, and reaches each person once, however often it is started again.",
	}
	group.AddCommand(
		a.broadcastStartCommand(), a.broadcastStatusCommand(), a.broadcastListCommand(), a.broadcastPauseCommand(),
		a.broadcastResumeCommand(), a.broadcastCancelCommand(), a.broadcastReportCommand(),
	)
	return group
}

// oneName makes sure that a command has the name of a broadcast.
func oneName(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misuse(cmd.CommandPath()+" spring-sale", "%s takes the name of one broadcast, but got %d arguments", name(cmd), len(args))
	}
	return nil
}

// withBroadcasts runs a command that works on broadcasts.
func (a *app) withBroadcasts(
	cmd *cobra.Command, progress func(broadcast.Progress), run func(context.Context, *broadcast.Client) error,
) error {
	return a.withRedis(cmd, func(ctx context.Context, cfg *config.Config, rdb redis.UniversalClient) error {
		c, err := broadcast.New(rdb, broadcast.Config{
			Pages: pageIDs(cfg), StreamLength: int64(cfg.Outcomes.Max), OnProgress: progress,
		})
		if err != nil {
			return err
		}
		err = run(ctx, c)
		if errors.Is(err, broadcast.ErrNotFound) {
			return failure("sendpace broadcast list shows those that there are", "%w", err)
		}
		return err
	})
}

func (a *app) broadcastPauseCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:     "pause NAME",
		Short:   "Stop the sending of a broadcast until it is resumed",
		Long:    "pause stops a broadcast at once: what a worker has in hand arrives, everything else waits.",
		Example: "  sendpace broadcast pause spring-sale --why 'the link is broken'",
		Args:    oneName,

		ValidArgsFunction: onlyFirst(a.completeBroadcasts),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withBroadcasts(cmd, nil, func(ctx context.Context, c *broadcast.Client) error {
				state, err := c.Pause(ctx, args[0], why)
				return a.tellState(args[0], state, err)
			})
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "a `reason`, which status shows")
	a.queueFlags(cmd)
	return cmd
}

func (a *app) broadcastResumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume NAME",
		Short: "Let a paused broadcast go on",
		Long: "resume lets a broadcast go on where it was paused. One that was paused because too many of its test share failed goes\n" +
			"on with everybody: look at broadcast report first.",
		Example: "  sendpace broadcast resume spring-sale",
		Args:    oneName,

		ValidArgsFunction: onlyFirst(a.completeBroadcasts),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withBroadcasts(cmd, nil, func(ctx context.Context, c *broadcast.Client) error {
				state, err := c.Resume(ctx, args[0])
				return a.tellState(args[0], state, err)
			})
		},
	}
	a.queueFlags(cmd)
	return cmd
}

func (a *app) tellState(name string, state broadcast.State, err error) error {
	if err == nil {
		fmt.Fprintf(a.stdout, "%s: %s\n", name, state)
	}
	if state == broadcast.StateLoading {
		a.say("its audience is not stored whole: run broadcast start again")
	}
	return err
}

func (a *app) broadcastCancelCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "cancel NAME",
		Short: "End a broadcast for good",
		Long: "cancel ends a broadcast: nothing more of it is sent, and it cannot be started again under that name. What a worker has\n" +
			"in hand is asked not to be sent, which may come too late. The command asks first, or takes --yes.",
		Example: "  sendpace broadcast cancel spring-sale --yes",
		Args:    oneName,

		ValidArgsFunction: onlyFirst(a.completeBroadcasts),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.confirm(yes, "cancel all of broadcast "+args[0]+" that was not sent yet"); err != nil {
				return err
			}
			return a.withBroadcasts(cmd, nil, func(ctx context.Context, c *broadcast.Client) error {
				n, err := c.Cancel(ctx, args[0])
				if err != nil && !errors.Is(err, broadcast.ErrNotFound) && !errors.Is(err, broadcast.ErrEnded) {
					return failure("run it again: it goes on where it stopped; nothing is sent meanwhile", "%w", err)
				}
				if err == nil {
					fmt.Fprintf(a.stdout, "%d cancelled, %d in hand were asked not to be sent\n", n.Cancelled, n.InHand)
				}
				return err
			})
		},
	}
	yesFlag(cmd, &yes)
	a.queueFlags(cmd)
	return cmd
}
