package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

// replayer enqueues ended jobs again, and counts what became of them.
type replayer struct {
	app      *app
	producer *producer.Producer
	opts     []producer.Option

	enqueued, repeats, refused int
	late                       bool // a job was refused because its time has passed
}

// sendAll enqueues jobs in batches, until ctx ends.
func (r *replayer) sendAll(ctx context.Context, jobs iter.Seq2[producer.DeadJob, error]) error {
	var batch []producer.Outcome
	for job, err := range jobs {
		if err != nil {
			return err
		}
		if batch = append(batch, job.Outcome); len(batch) < outcomesBatch {
			continue
		}
		if err := errors.Join(r.send(context.WithoutCancel(ctx), batch), ctx.Err()); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return r.send(context.WithoutCancel(ctx), batch)
}

// send enqueues a batch, whole: half of one would leave open which of its jobs are stored. The error is Redis's; a job that cannot
// be sent again is told of and counted.
func (r *replayer) send(ctx context.Context, batch []producer.Outcome) error {
	var jobs []producer.Job
	var ids []string
	for _, o := range batch {
		job, err := o.Again()
		if err != nil {
			r.refuse(o.JobID, err)
			continue
		}
		jobs, ids = append(jobs, job), append(ids, o.JobID)
	}
	for i, result := range r.producer.EnqueueMany(ctx, jobs, r.opts...) {
		var problems sendapi.Problems
		switch {
		case errors.As(result.Err, &problems):
			late := func(p sendapi.Problem) bool { return p.Path == "expires_at" }
			r.late = r.late || slices.ContainsFunc(problems, late)
			r.refuse(ids[i], result.Err)
		case result.Err != nil:
			return result.Err
		case result.Repeat:
			r.repeats++
		default:
			r.enqueued++
		}
	}
	return nil
}

func (r *replayer) refuse(id string, err error) {
	r.refused++
	r.app.say("%s: %s", id, oneLine(err.Error()))
}

// tell says what became of the jobs, of which there were n. err is what stopped it.
func (r *replayer) tell(err error, n int) error {
	fmt.Fprintf(r.app.stdout, "%d enqueued again, %d were so before, %d refused\n", r.enqueued, r.repeats, r.refused)
	switch {
	case err != nil:
		return failure("run it again: what is enqueued again is not doubled", "%w", err)
	case r.refused > 0:
		hint := "sendpace dead export prints them, to be mended and enqueued"
		if r.late {
			hint = "sendpace dead replay --expires 2h gives those whose time has passed a new one"
		}
		return failure(hint, "%d of %d jobs were refused, and stay as they are", r.refused, n)
	}
	return nil
}
