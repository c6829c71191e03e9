package producer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/spans"
	"github.com/sendpace/sendpace/producer/taskmsg"
)

// DeadJob is a job that ended as [Failed], [Expired] or [Unknown], or that a person put into asynq's archive.
type DeadJob struct {
	// Outcome is how it ended, with the job. Of one that was archived by hand it is made up: failed, with the last error.
	Outcome
	// ReplayedAs is the id of the job that [Producer.Resend] made of it in the last 24 hours; empty if it did not.
	ReplayedAs string `json:"replayed_as,omitempty"`
}

// dead are those of the shard.
func (s *shard) dead(ctx context.Context, newestFirst bool, wanted func(Outcome) bool) iter.Seq2[DeadJob, error] {
	return func(yield func(DeadJob, error) bool) {
		refs, err := s.deadRefs(ctx, wanted)
		if newestFirst {
			slices.Reverse(refs)
		}
		for chunk := range slices.Chunk(refs, cancelChunk) {
			var jobs []DeadJob
			if err == nil {
				jobs, err = s.deadJobs(ctx, chunk)
			}
			for _, job := range jobs {
				if !yield(job, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(DeadJob{}, fmt.Errorf("dead jobs: %w", err))
		}
	}
}

// newestArchived are those that failed last, up to count.
func (s *shard) newestArchived(ctx context.Context, count int) ([]Outcome, error) {
	found, err := s.rdb.ZRevRangeWithScores(ctx, s.keys.Archived(), 0, int64(count)-1).Result()
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	outcomes, err := s.archived(ctx, found)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return outcomes, nil
}

// deadRef is where a dead job is kept.
type deadRef struct {
	id     string
	at     time.Time
	record string // of the stream; empty: the job is in the archive
}

// deadRefs finds the dead jobs that are wanted, in the order of their ends.
func (s *shard) deadRefs(ctx context.Context, wanted func(Outcome) bool) ([]deadRef, error) {
	refs := map[string]deadRef{}
	note := func(o Outcome, record string) {
		o.Job = nil
		if wanted == nil || wanted(o) {
			refs[o.JobID] = deadRef{id: o.JobID, at: o.EndedAt, record: record}
		}
	}
	// A job can end again that a person took out of the archive: its last record counts.
	err := s.eachRecord(ctx, func(r Record) {
		delete(refs, r.Outcome.JobID)
		if k := r.Outcome.Kind; k == Failed || k == Expired || k == Unknown {
			note(r.Outcome, r.ID)
		}
	})
	if err != nil {
		return nil, err
	}
	found, err := s.rdb.ZRangeWithScores(ctx, s.keys.Archived(), 0, -1).Result()
	if err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(found, cancelChunk) {
		outcomes, err := s.archived(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, o := range outcomes {
			note(o, "")
		}
	}
	return slices.SortedFunc(maps.Values(refs), func(a, b deadRef) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id))
	}), nil
}

// eachRecord calls f with what the stream has now.
func (s *shard) eachRecord(ctx context.Context, f func(Record)) error {
	after := "0-0"
	for {
		records, err := s.readOutcomes(ctx, after, maxRecords)
		if err != nil || len(records) == 0 {
			return errors.Join(err, ctx.Err())
		}
		for _, r := range records {
			f(r)
			if r.ID != "" {
				after = r.ID
			}
		}
	}
}

// archived reads tasks of the archive. Those that are gone by now are left out.
func (s *shard) archived(ctx context.Context, found []redis.Z) ([]Outcome, error) {
	ids, ended := make([]string, len(found)), map[string]time.Time{}
	for i, z := range found {
		ids[i], _ = z.Member.(string)
		ended[ids[i]] = time.Unix(int64(z.Score), 0).UTC()
	}
	tasks, err := s.readTasks(ctx, ids)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(tasks))
	for i, t := range tasks {
		outcomes[i] = t.ended(ended[t.id])
	}
	return outcomes, nil
}

// ended is how an archived task ended. asynq archives without us what a person tells it to.
func (t task) ended(at time.Time) Outcome {
	if o := readResult(text(t.fields[5]), t.m.Payload()); o != nil && o.Kind != Sent {
		return *o
	}
	o := NewOutcome(t.id, t.job, t.m.Payload(), Failed)
	o.PageID, o.Attempts, o.EndedAt, o.TraceParent = t.page, t.attempts(), at, t.m.Header(spans.TraceParent)
	o.Reason = cmp.Or(t.m.Text(taskmsg.Error), "archived by hand")
	return o
}

// deadJobs reads the jobs of refs. Those that are gone by now, or run again, are left out.
func (s *shard) deadJobs(ctx context.Context, refs []deadRef) ([]DeadJob, error) {
	pipe := s.rdb.Pipeline()
	stands, records := make([]*redis.StringCmd, len(refs)), make([]*redis.XMessageSliceCmd, len(refs))
	var found []redis.Z
	for i, ref := range refs {
		stands[i] = pipe.HGet(ctx, s.keys.Task(ref.id), "state")
		if ref.record == "" {
			found = append(found, redis.Z{Member: ref.id, Score: float64(ref.at.Unix())})
		} else {
			records[i] = pipe.XRange(ctx, s.keys.Stream(), ref.record, ref.record)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	archived, err := s.archived(ctx, found)
	if err != nil {
		return nil, err
	}
	bodies := map[string]Outcome{}
	for _, o := range archived {
		bodies[o.JobID] = o
	}
	var jobs []DeadJob
	for i, ref := range refs {
		if records[i] != nil {
			for _, m := range records[i].Val() {
				bodies[ref.id] = recordOf(m).Outcome
			}
		}
		o, kept := bodies[ref.id]
		if state := stands[i].Val(); kept && (state == "" || states[state] == StateEnded) {
			jobs = append(jobs, DeadJob{Outcome: o})
		}
	}
	return jobs, s.noteReplays(ctx, jobs)
}

// noteReplays fills in what was made of the jobs.
func (s *shard) noteReplays(ctx context.Context, jobs []DeadJob) error {
	pipe := s.rdb.Pipeline()
	keys := make([]*redis.StringCmd, len(jobs))
	for i, job := range jobs {
		keys[i] = pipe.Get(ctx, s.jobKey(job.PageID, againKey(job.JobID)))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for i := range jobs {
		jobs[i].ReplayedAs = keys[i].Val()
	}
	return nil
}
