package bench

import (
	"context"
	"errors"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

// comparatorPlaces is the concurrency of a comparator's server. asynq's own examples have 10, which fits 50/s at 50 ms in four
// processes several times over. Waiting in the handler gets dearer with each place: all that wait ask again for each free slot.
const comparatorPlaces = 10

// comparator is an asynq handler as one writes it: it parses the job, asks the limiter if there is one, and sends.
type comparator struct {
	client *sendapi.Client
	admit  func(ctx context.Context, page string) error
}

// limited is what a retrying comparator returns for a job that is early.
type limited struct{ after time.Duration }

func (limited) Error() string { return "rate limited" }

func (p workerConfig) runAsynq(ctx context.Context, rdb redis.UniversalClient, client *sendapi.Client) error {
	limiter := redis_rate.NewLimiter(rdb)
	allow := func(ctx context.Context, page string) (*redis_rate.Result, error) {
		return limiter.Allow(ctx, page, redis_rate.PerSecond(int(p.PageRates[page].Page)))
	}
	c := comparator{client: client}
	switch p.System {
	case retrying:
		c.admit = func(ctx context.Context, page string) error { return orRetry(allow(ctx, page)) }
	case waiting:
		c.admit = func(ctx context.Context, page string) error { return wait(ctx, page, allow) }
	default:
		c.admit = func(context.Context, string) error { return nil }
	}
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency: comparatorPlaces,
		Queues:      map[string]int{producer.DefaultQueue: 1},
		// A second is what asynq resolves times to.
		DelayedTaskCheckInterval: time.Second,
		IsFailure:                func(err error) bool { return !errors.As(err, &limited{}) },
		RetryDelayFunc: func(n int, err error, task *asynq.Task) time.Duration {
			if early := (limited{}); errors.As(err, &early) {
				return early.after
			}
			return asynq.DefaultRetryDelayFunc(n, err, task)
		},
		LogLevel: asynq.ErrorLevel,
	})
	if err := server.Start(c); err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}

// ProcessTask sends one job.
func (c comparator) ProcessTask(ctx context.Context, t *asynq.Task) error {
	job, err := producer.ParseJob(t.Payload())
	if err != nil {
		return err
	}
	if err := c.admit(ctx, job.PageID); err != nil {
		return err
	}
	_, err = c.client.SendRaw(ctx, page(job.PageID), job.Request)
	return err
}

// orRetry makes the limiter's refusal an error that says when to try again.
func orRetry(r *redis_rate.Result, err error) error {
	if err == nil && r.Allowed == 0 {
		return limited{after: r.RetryAfter}
	}
	return err
}

// wait asks until the limiter lets the job go.
func wait(ctx context.Context, page string, allow func(context.Context, string) (*redis_rate.Result, error)) error {
	for {
		r, err := allow(ctx, page)
		if err != nil || r.Allowed > 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.RetryAfter):
		}
	}
}
