package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer"
)

func (a *app) jobCancelCommand() *cobra.Command {
	var c cancelling
	cmd := &cobra.Command{
		Use:   "cancel ID... | --page PAGE --key KEY | --page PAGE --all | --broadcast BROADCAST",
		Short: "End jobs that were not sent yet",
		Long: "cancel ends jobs wherever they wait; their outcome is cancelled. A job that a worker has in hand is asked not to\n" +
			"be sent, which may come too late: its outcome tells. --all and --broadcast ask first, or take --yes.",
		Example: "  sendpace job cancel 06h0o17d4nhq7em5t2q9e4s5m0-o5a8u2k1\n" +
			"  sendpace job cancel --page 1001 --key order-17\n" +
			"  sendpace job cancel --page 1001 --all\n" +
			"  sendpace job cancel --broadcast spring-sale --yes",
		Args: func(_ *cobra.Command, args []string) error { return c.check(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if question := c.question(); question != "" {
				if err := a.confirm(c.yes, question); err != nil {
					return err
				}
			}
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error {
				return a.cancel(ctx, p, c, args)
			})
		},
	}
	cmd.Flags().StringVar(&c.page, "page", "", "the `id` of the page")
	cmd.Flags().StringVar(&c.key, "key", "", "the job of the page with this `key`")
	cmd.Flags().StringVar(&c.broadcast, "broadcast", "", "all jobs of the broadcast with this `id`; with --page only the page's")
	cmd.Flags().BoolVar(&c.all, "all", false, "all jobs of the page")
	yesFlag(cmd, &c.yes)
	a.queueFlags(cmd)
	return cmd
}

// cancelling says which jobs to cancel.
type cancelling struct {
	page, key, broadcast string
	all, yes             bool
}

// check makes sure that exactly one way of naming the jobs is used.
func (c cancelling) check(ids []string) error {
	ways := 0
	for _, used := range []bool{len(ids) > 0, c.key != "", c.all, c.broadcast != ""} {
		if used {
			ways++
		}
	}
	hint := "name jobs by their ids, or with --page and --key, --page and --all, or --broadcast"
	switch {
	case ways != 1:
		return misuse(hint, "job cancel needs one way of naming the jobs, but got %d", ways)
	case (c.key != "" || c.all) && c.page == "":
		return misuse(hint, "--page is missing")
	case len(ids) > 0 && c.page != "":
		return misuse(hint, "--page does not go with job ids")
	}
	return nil
}

// question is what to ask before many jobs are cancelled.
func (c cancelling) question() string {
	switch {
	case c.broadcast != "" && c.page != "":
		return fmt.Sprintf("cancel all jobs of broadcast %s at page %s", c.broadcast, c.page)
	case c.broadcast != "":
		return "cancel all jobs of broadcast " + c.broadcast
	case c.all:
		return "cancel all jobs of page " + c.page
	}
	return ""
}

func (a *app) cancel(ctx context.Context, p *producer.Producer, c cancelling, ids []string) error {
	var n producer.CancelCount
	var err error
	switch {
	case c.key != "":
		result, err := p.CancelKey(ctx, c.page, c.key)
		if err != nil {
			return err
		}
		return a.cancelled(result, "the job of key "+c.key)
	case c.broadcast != "":
		n, err = p.CancelBroadcast(ctx, c.broadcast, c.page)
	case c.all:
		n, err = p.CancelPage(ctx, c.page)
	default:
		return a.cancelIDs(ctx, p, ids)
	}
	fmt.Fprintf(a.stdout, "%d cancelled, %d in hand were asked not to be sent\n", n.Cancelled, n.InHand)
	if err != nil {
		return failure("run it again: it goes on where it stopped", "%w", err)
	}
	return nil
}

// cancelIDs goes on behind a job that cannot be cancelled, and fails for it at the end.
func (a *app) cancelIDs(ctx context.Context, p *producer.Producer, ids []string) error {
	var failed error
	for _, id := range ids {
		result, err := p.Cancel(ctx, id)
		if err != nil {
			return err
		}
		if err := a.cancelled(result, id); err != nil {
			failed = err
		}
	}
	return failed
}

// cancelled tells what became of a job. The error is for one that could not be cancelled.
func (a *app) cancelled(result producer.CancelResult, job string) error {
	said := map[producer.CancelResult]string{
		producer.CancelDone: "cancelled", producer.CancelInHand: "in hand, asked not to be sent",
		producer.CancelTooLate: "has ended before", producer.CancelNotFound: "not found, or ended and not kept",
	}
	fmt.Fprintf(a.stdout, "%s: %s\n", job, said[result])
	if result == producer.CancelDone || result == producer.CancelInHand {
		return nil
	}
	return failure("sendpace outcomes shows how jobs ended", "not every job could be cancelled")
}
