package main

import (
	"context"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

func (a *app) suppressedCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "suppressed",
		Short: "Show and end the suppression of people who could not be reached",
		Long: "With worker.suppress_for, a page sends nothing more to a person who blocked it or is gone, until that time has\n" +
			"passed. People are kept as hashes: who it is cannot be read from them.",
	}
	group.AddCommand(a.suppressedListCommand(), a.suppressedRemoveCommand())
	return group
}

// suppressedQuery names one recipient of a page, or all.
type suppressedQuery struct{ page, psid string }

func (q *suppressedQuery) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.page, "page", "", "the `id` of the page")
	cmd.Flags().StringVar(&q.psid, "recipient", "", "only the person with this `PSID` at the page")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if q.page == "" {
			return misuse(cmd.CommandPath()+" --page 1001", "--page is missing")
		}
		return takesNothing(cmd, args)
	}
}

// hash is the recipient as Redis knows it; empty for all.
func (q *suppressedQuery) hash() string {
	if q.psid == "" {
		return ""
	}
	return producer.RecipientHash(q.page, sendapi.ID(q.psid).Address())
}

func (a *app) suppressedListCommand() *cobra.Command {
	var q suppressedQuery
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list --page PAGE",
		Short: "Show who is suppressed at a page, and until when",
		Example: "  sendpace suppressed list --page 1001\n" +
			"  sendpace suppressed list --page 1001 --recipient 4321",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRedis(cmd, func(ctx context.Context, _ *config.Config, rdb redis.UniversalClient) error {
				list, err := pace.ListSuppressed(ctx, rdb, "", q.page)
				if err != nil {
					return err
				}
				return a.showSuppressed(list, q.hash(), asJSON)
			})
		},
	}
	q.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	a.queueFlags(cmd)
	return cmd
}

func (a *app) showSuppressed(list []pace.Suppression, hash string, asJSON bool) error {
	t := newTable("recipient", "until (UTC)")
	for _, s := range list {
		if hash != "" && hash != s.Recipient {
			continue
		}
		if asJSON {
			if err := a.printJSON(s); err != nil {
				return err
			}
			continue
		}
		t.AppendRow(table.Row{s.Recipient, stamp(s.Until)})
	}
	if asJSON {
		return nil
	}
	_, err := fmt.Fprintln(a.stdout, render(t))
	return err
}

func (a *app) suppressedRemoveCommand() *cobra.Command {
	var q suppressedQuery
	var yes bool
	cmd := &cobra.Command{
		Use:   "remove --page PAGE",
		Short: "Let a page send to a person again, or to all",
		Long:  "remove ends the suppression at once. Without --recipient it does for everyone at the page, and asks first.",
		Example: "  sendpace suppressed remove --page 1001 --recipient 4321\n" +
			"  sendpace suppressed remove --page 1001 --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.confirm(yes || q.psid != "", "end the suppression of everyone at page "+q.page)
			if err != nil {
				return err
			}
			return a.withRedis(cmd, func(ctx context.Context, _ *config.Config, rdb redis.UniversalClient) error {
				n, err := pace.Unsuppress(ctx, rdb, "", q.page, q.hash())
				if err == nil {
					fmt.Fprintf(a.stdout, "%d removed\n", n)
				}
				return err
			})
		},
	}
	q.flags(cmd)
	yesFlag(cmd, &yes)
	a.queueFlags(cmd)
	return cmd
}
