package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer"
)

// jobResendCommand is dead replay for the failed jobs of a day.
func (a *app) jobResendCommand() *cobra.Command {
	q := deadQuery{kinds: []string{string(producer.Failed)}, since: "24h"}
	var failed, yes bool
	cmd := &cobra.Command{
		Use:   "resend --failed",
		Short: "Send failed jobs again",
		Long: "resend is dead replay for failed jobs, of the last day unless --since says otherwise: it enqueues them again, under new\n" +
			"ids. A sequence goes on behind what was sent of it.\n\n" +
			"It is safe to run twice: the new job has the key resend:<id of the failed one> in place of its own, so that it is\n" +
			"stored once within 24 hours. Beyond that only --since tells what was sent again before. A job that failed once more\n" +
			"has a new id, and is sent again. The command asks first, or takes --yes.",
		Example: "  sendpace job resend --failed --code 551 --since 6h\n" +
			"  sendpace job resend --failed --page 1001 --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !failed {
				return misuse("sendpace job resend --failed", "--failed is missing")
			}
			if err := q.check(cmd, nil); err != nil {
				return err
			}
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error {
				return a.replay(ctx, &replayer{app: a, producer: p}, &q, "failed job", yes)
			})
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "jobs whose outcome is failed")
	q.flags(cmd)
	yesFlag(cmd, &yes)
	a.queueFlags(cmd)
	return cmd
}
