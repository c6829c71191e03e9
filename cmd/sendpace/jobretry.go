package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

func (a *app) jobRetryCommand() *cobra.Command {
	var expires time.Duration
	cmd := &cobra.Command{
		Use:   "retry ID",
		Short: "Send a job now that waits for its next try, or that was not sent",
		Long: "retry puts a job that waits for its next try, or that was archived by hand, at the head of its line. One that ended as\n" +
			"failed, expired or unknown is enqueued again under a new id, as by dead replay: once within 24 hours, a sequence behind\n" +
			"what was sent of it. One that expired needs a new time with --expires; one whose outcome is unknown may arrive twice.",
		Example: "  sendpace job retry 06h0o17d4nhq7em5t2q9e4s5m0-o5a8u2k1\n" +
			"  sendpace job retry 06h0o17d4nhq7em5t2q9e4s5m0-o5a8u2k1 --expires 2h",
		Args: oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if expires < 0 {
				return misuse("such as --expires 2h", "--expires must be above 0")
			}
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error { return a.retryJob(ctx, p, args[0], expires) })
		},
	}
	cmd.Flags().DurationVar(&expires, "expires", 0, "give a job that has ended this `span` to be sent, in place of its expires_at")
	a.queueFlags(cmd)
	return cmd
}

func (a *app) retryJob(ctx context.Context, p *producer.Producer, id string, expires time.Duration) error {
	info, err := p.Get(ctx, id)
	if errors.Is(err, producer.ErrNotFound) {
		return a.resendJob(ctx, p, id, expires) // its record may be kept
	}
	if err != nil {
		return err
	}
	switch info.State {
	case producer.StateRetrying:
	case producer.StateEnded:
		if info.Outcome != nil {
			return a.resendEnded(ctx, p, info, expires)
		}
	default:
		return notToRetry(info)
	}
	if expires > 0 {
		return misuse("cancel it, and enqueue it with another expires_at", "--expires is for jobs that have ended, and this one goes on")
	}
	if err := p.RunNow(ctx, id); err != nil {
		return failure("sendpace job show "+oneLine(id)+" tells where it is now", "%w", err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: at the head of its line\n", id)
	return err
}

// resendEnded is for a job that has ended and is kept.
func (a *app) resendEnded(ctx context.Context, p *producer.Producer, info producer.JobInfo, expires time.Duration) error {
	switch info.Outcome.Kind {
	case producer.Sent:
		return failure("to send the message once more, enqueue it as a new job", "job %s was sent", info.ID)
	case producer.Cancelled:
		return failure("to send the message after all, enqueue it as a new job", "job %s was cancelled", info.ID)
	}
	return a.resendJob(ctx, p, info.ID, expires)
}

// notToRetry says why a job that goes on by itself is left alone, and what to do instead.
func notToRetry(info producer.JobInfo) error {
	switch info.State {
	case producer.StateScheduled:
		return failure("to send it sooner, cancel it and enqueue it without send_at",
			"job %s waits for its send_at, %s UTC, and was not tried", info.ID, stamp(info.At))
	case producer.StateInHand:
		return failure("sendpace why job "+info.ID+" tells what it waits for", "a worker has job %s in hand", info.ID)
	}
	line := "at the head of its line" // of one that is due again: it is put there once a worker looks
	if info.Line.PageID != "" {
		line = "in line " + info.Line.String()
	}
	return failure("sendpace why job "+info.ID+" tells what it waits for", "job %s waits %s, and goes when its turn comes", info.ID, line)
}

// resendJob enqueues a dead job again.
func (a *app) resendJob(ctx context.Context, p *producer.Producer, id string, expires time.Duration) error {
	q := deadQuery{ids: []string{id}}
	for dead, err := range p.Dead(ctx, true, q.wants) {
		if err != nil {
			return err
		}
		var opts []producer.Option
		if expires > 0 {
			opts = append(opts, producer.ExpireAt(time.Now().Add(expires)))
		}
		r, err := p.Resend(ctx, dead.Outcome, opts...)
		return a.resent(id, r, err)
	}
	return failure("sendpace outcomes --json | grep "+oneLine(id)+" finds its end, if that is still kept",
		"no job %s is kept that could be sent again", oneLine(id))
}

// resent tells what became of a job that was enqueued again.
func (a *app) resent(id string, r producer.Receipt, err error) error {
	var problems sendapi.Problems
	switch {
	case errors.As(err, &problems):
		return failure("give it a new time with --expires, or mend what sendpace dead export "+id+" prints, and enqueue that",
			"job %s cannot be sent again: %w", id, err)
	case err != nil:
		return failure("run it again: it is not doubled", "%w", err)
	case r.Repeat:
		_, err = fmt.Fprintf(a.stdout, "%s: was enqueued again before, as %s\n", id, r.ID)
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: enqueued again as %s\n", id, r.ID)
	return err
}
