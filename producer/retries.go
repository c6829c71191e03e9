package producer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sendpace/sendpace/producer/taskmsg"
)

// Retry is a job that was tried and waits to be tried again.
type Retry struct {
	JobID  string `json:"job_id"`
	PageID string `json:"page_id"`
	// At is when it is tried again.
	At time.Time `json:"at"`
	// Attempts is how often it was tried and failed; what is not the message's fault does not count.
	Attempts int `json:"attempts"`
	// Reason is why it was not sent when it was tried last.
	Reason string `json:"reason"`
}

// Retries are those that are tried again first, up to count, which is from 1 to 1,000.
func (p *Producer) Retries(ctx context.Context, count int) ([]Retry, error) {
	if count < 1 || count > maxRecords {
		return nil, fmt.Errorf("retries: count %d: must be from 1 to %d", count, maxRecords)
	}
	sp, err := p.current(ctx)
	if err != nil {
		return nil, fmt.Errorf("retries: %w", err)
	}
	all := []Retry{}
	for _, s := range sp.shards {
		found, err := s.retries(ctx, count)
		if err != nil {
			return nil, fmt.Errorf("retries: %w", err)
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b Retry) int { return a.At.Compare(b.At) })
	return all[:min(count, len(all))], nil
}

// retries are those of the shard, in their order.
func (s *shard) retries(ctx context.Context, count int) ([]Retry, error) {
	found, err := s.rdb.ZRangeWithScores(ctx, s.keys.Retry(), 0, int64(count)-1).Result()
	if err != nil || len(found) == 0 {
		return nil, err
	}
	ids, due := make([]string, len(found)), map[string]time.Time{}
	for i, z := range found {
		ids[i], _ = z.Member.(string)
		due[ids[i]] = time.Unix(int64(z.Score), 0).UTC()
	}
	tasks, err := s.readTasks(ctx, ids)
	if err != nil {
		return nil, err
	}
	retries := make([]Retry, len(tasks))
	for i, t := range tasks {
		retries[i] = Retry{JobID: t.id, PageID: t.page, At: due[t.id], Attempts: t.attempts(), Reason: t.m.Text(taskmsg.Error)}
	}
	return retries, nil
}
