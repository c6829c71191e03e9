package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer"
)

func (a *app) jobResendCommand() *cobra.Command {
	q := outcomesQuery{kinds: []producer.OutcomeKind{producer.Failed}, since: "24h"}
	var failed, yes bool
	cmd := &cobra.Command{
		Use:   "resend --failed",
		Short: "Send failed jobs again",
		Long: "resend enqueues the jobs of failed outcomes again, under new ids, as far as their records are kept (outcomes.max).\n" +
			"A sequence goes on behind what was sent of it.\n\n" +
			"It is safe to run twice: the new job has the key resend:<id of the failed one> in place of its own, so that it is\n" +
			"stored once within 24 hours. Beyond that only --since tells what was sent again before. A job that failed once more\n" +
			"has a new id, and is sent again. The command asks first, or takes --yes.",
		Example: "  sendpace job resend --failed --code 551 --since 6h\n" +
			"  sendpace job resend --failed --page 1001 --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !failed {
				return misuse("sendpace job resend --failed", "--failed is missing")
			}
			var err error
			if q.from, err = parseSince(q.since, time.Now()); err != nil {
				return err
			}
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error {
				return a.resend(ctx, p, q, yes)
			})
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "jobs whose outcome is failed")
	cmd.Flags().IntVar(&q.code, "code", 0, "only those that failed with this `code` of the platform")
	q.flags(cmd)
	yesFlag(cmd, &yes)
	a.queueFlags(cmd)
	return cmd
}

// resend counts first, so that one knows what is asked, and sends again no more than was counted.
func (a *app) resend(ctx context.Context, p *producer.Producer, q outcomesQuery, yes bool) error {
	last, err := p.LastOutcomeID(ctx)
	if err != nil {
		return err
	}
	s := resender{replayer: replayer{app: a, producer: p}, query: q, last: last}
	n := 0
	err = s.each(ctx, a.say, func(batch []producer.Outcome) error {
		n += len(batch)
		return nil
	})
	switch {
	case err != nil:
		return err
	case n == 0:
		fmt.Fprintln(a.stdout, "no failed job is kept that fits")
		return nil
	}
	if err := a.confirm(yes, fmt.Sprintf("send %d failed jobs again", n)); err != nil {
		return err
	}
	said := func(string, ...any) {} // when they were counted
	err = s.each(ctx, said, func(batch []producer.Outcome) error { return s.send(context.WithoutCancel(ctx), batch) })
	return s.tell(err, n)
}

// resender goes through the records up to the one that was the last when it began.
type resender struct {
	replayer
	query outcomesQuery
	last  string
}

// each calls f with the outcomes that are wanted, in their order, a batch at a time.
func (s *resender) each(ctx context.Context, say func(string, ...any), f func([]producer.Outcome) error) error {
	after, err := s.query.start(ctx, s.producer)
	if err != nil {
		return err
	}
	r := recordReader{producer: s.producer, say: say, after: after, until: s.last, fromTime: !s.query.from.IsZero()}
	for !r.done {
		outcomes, err := r.read(ctx, 0)
		if err == nil {
			err = f(slices.DeleteFunc(outcomes, func(o producer.Outcome) bool { return !s.query.wants(o) }))
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}
