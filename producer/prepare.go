package producer

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Prepared is a job as a script stores it in its line. Package broadcast stores many with one call; applications have
// [Producer.Enqueue] and its kin.
type Prepared struct {
	// ID is the job's id, new with each call.
	ID string
	// Line is where it waits.
	Line Line
	// Message is the task as asynq encodes it.
	Message any
}

// Check reports what [Producer.Enqueue] would refuse the job for, as a [sendapi.Problems], or nil. It writes nothing and asks
// Redis nothing, so a line that is full goes unnoticed. It may run in many goroutines.
func (p *Producer) Check(job Job, opts ...Option) error {
	_, err := p.check(job, opts)
	return err
}

// Prepare checks a job as [Producer.Check] does and encodes it. Nothing is stored but the queue's name, so that asynq's tools know
// it. A job with SendAt or a key is an error: it needs more than its line. It may run in many goroutines: order is a time-ordered
// UUID (version 7) and says where the job stands among those of the same second.
func (p *Producer) Prepare(ctx context.Context, job Job, order uuid.UUID) (Prepared, error) {
	if !job.SendAt.IsZero() || job.Key != "" {
		return Prepared{}, errors.New("prepare: only a job without send_at and key can be stored with its line alone")
	}
	c, err := p.check(job, nil)
	if err != nil {
		return Prepared{}, err
	}
	u := sortable.EncodeToString(order[:])
	c.id = u + c.id[len(u):]
	// One trace for the jobs of a whole mailing would be of no use.
	r, err := p.spread.Load().of(job.PageID).record(ctx, c, nil)
	if err != nil {
		return Prepared{}, err
	}
	return Prepared{ID: c.id, Line: c.line, Message: r.message}, nil
}
