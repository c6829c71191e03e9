// Package producertest gives the tests of an application a queue without a Redis server: a real producer on a Redis that lives in
// the memory of the test, a look at what was enqueued, and a way to end jobs as workers do. It opens no port and needs no
// network, so it works in a testing/synctest bubble too.
//
// The producer is the real one: it refuses what it would refuse elsewhere, keys work, Get and Cancel answer. There is no
// worker; a job waits until the test ends it with [Queue.End] or cancels it.
package producertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/sendapi"
)

// Queue is a producer with a queue of its own.
type Queue struct {
	// Producer is what the code under test enqueues with.
	*producer.Producer
	// Redis is the client of the queue's Redis, for code that makes a producer itself. The test closes it.
	Redis redis.UniversalClient

	t    testing.TB
	name string
	keys rediskeys.Keys
}

// New makes a queue that lives as long as the test. A configuration that is not valid fails the test.
func New(t testing.TB, cfg producer.Config) *Queue {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	rdb := redis.NewClient(&redis.Options{
		Addr:   "127.0.0.1:0", // nothing connects to it
		Dialer: func(context.Context, string, string) (net.Conn, error) { return server.Dial() },
	})
	t.Cleanup(func() {
		_ = rdb.Close()
		server.Close()
	})
	p, err := producer.New(rdb, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Queue == "" {
		cfg.Queue = producer.DefaultQueue
	}
	return &Queue{Producer: p, Redis: rdb, t: t, name: cfg.Queue, keys: rediskeys.Keys{Queue: cfg.Queue}}
}

// Jobs are the jobs that have not ended, scheduled ones too, in the order of enqueueing.
func (q *Queue) Jobs() []producer.JobInfo {
	q.t.Helper()
	ctx := context.Background()
	lines, err := q.Redis.SMembers(ctx, q.keys.Groups()).Result()
	q.must(err)
	places := []string{q.keys.Scheduled()}
	for _, line := range lines {
		places = append(places, q.keys.Line(line))
	}
	var ids []string
	for _, key := range places {
		found, err := q.Redis.ZRange(ctx, key, 0, -1).Result()
		q.must(err)
		ids = append(ids, found...)
	}
	slices.Sort(ids) // ids of one process sort by time
	return q.get(ids)
}

// Line are the jobs that wait in the line of a lane, in the order in which they would be sent. Those of a broadcast wait in its own.
func (q *Queue) Line(page string, lane producer.Lane) []producer.JobInfo {
	q.t.Helper()
	return q.waiting(producer.Line{PageID: page, Lane: lane})
}

// Broadcast are the jobs that wait in the line of a broadcast, in the order in which they would be sent.
func (q *Queue) Broadcast(page, id string) []producer.JobInfo {
	q.t.Helper()
	return q.waiting(producer.Line{PageID: page, Lane: producer.LaneBulk, Broadcast: id})
}

func (q *Queue) waiting(line producer.Line) []producer.JobInfo {
	q.t.Helper()
	ids, err := q.Redis.ZRange(context.Background(), q.keys.Line(line.String()), 0, -1).Result()
	q.must(err)
	return q.get(ids)
}

func (q *Queue) get(ids []string) []producer.JobInfo {
	q.t.Helper()
	jobs := make([]producer.JobInfo, len(ids))
	for i, id := range ids {
		var err error
		jobs[i], err = q.Get(context.Background(), id)
		q.must(err)
	}
	return jobs
}

// End ends a job that waits, as a worker does that took it: followers of the outcomes are given its record, Get shows it if the
// job is kept, and it is counted. What the record says beyond the job itself is as for one call that the platform answered:
// one attempt, and for a job that was sent an id for each message. change may put in something else, such as an error's code.
// It returns the record. A job that does not wait any more fails the test.
func (q *Queue) End(id string, kind producer.OutcomeKind, change ...func(*producer.Outcome)) producer.Outcome {
	q.t.Helper()
	ctx := context.Background()
	task, err := asynq.NewInspectorFromRedisClient(q.Redis).GetTaskInfo(q.name, id)
	if err != nil {
		q.t.Fatalf("end job %s: %v", id, err)
	}
	if task.State != asynq.TaskStateAggregating && task.State != asynq.TaskStateScheduled {
		q.t.Fatalf("end job %s: it does not wait, it is %s", id, task.State)
	}
	job, err := producer.ParseJob(task.Payload)
	q.must(err)
	o := producer.NewOutcome(id, job, task.Payload, kind)
	answer(&o, job)
	for _, c := range change {
		c(&o)
	}
	tx := q.Redis.TxPipeline()
	q.takeOut(ctx, tx, task)
	q.settle(ctx, tx, task, o)
	_, err = tx.Exec(ctx)
	q.must(err)
	return o
}

// answer fills in what one call says.
func answer(o *producer.Outcome, job producer.Job) {
	switch o.Kind {
	case producer.Sent:
		o.Attempts, o.SentAt, o.StepsDone = 1, o.EndedAt, len(job.Steps())
		for i, step := range job.Steps() {
			if req, err := sendapi.ParseRequest(step); err == nil && req.Message != nil {
				o.MessageIDs = append(o.MessageIDs, fmt.Sprintf("m_%s_%d", o.JobID, i+1))
			}
		}
	case producer.Failed, producer.Unknown:
		o.Attempts, o.Reason = 1, "ended as "+string(o.Kind)+" by the test"
	default:
		o.Reason = "ended as " + string(o.Kind) + " by the test"
	}
}

// takeOut takes the task out of where it waits.
func (q *Queue) takeOut(ctx context.Context, tx redis.Pipeliner, task *asynq.TaskInfo) {
	if task.State == asynq.TaskStateScheduled {
		tx.ZRem(ctx, q.keys.Scheduled(), task.ID)
		return
	}
	line := q.keys.Line(task.Group)
	tx.ZRem(ctx, line, task.ID)
	if q.Redis.ZCard(ctx, line).Val() == 1 {
		tx.SRem(ctx, q.keys.Groups(), task.Group)
		tx.ZRem(ctx, q.keys.Due(), task.Group)
	}
}

// settle writes and counts the outcome, and keeps the task as workers do: what was not sent is archived.
func (q *Queue) settle(ctx context.Context, tx redis.Pipeliner, task *asynq.TaskInfo, o producer.Outcome) {
	record, err := json.Marshal(o)
	q.must(err)
	tx.XAdd(ctx, &redis.XAddArgs{Stream: q.keys.Stream(), Values: []any{"o", record}})
	tx.HIncrBy(ctx, q.keys.Outcomes(), o.PageID+":"+string(o.Kind), 1)
	if o.Broadcast != "" {
		tx.HIncrBy(ctx, q.keys.Broadcast(o.Broadcast), string(o.Kind), 1)
	}
	o.Job = nil // the task has it
	result, err := json.Marshal(o)
	q.must(err)
	key := q.keys.Task(task.ID)
	state, set, until := "archived", q.keys.Archived(), o.EndedAt
	if o.Kind == producer.Sent || o.Kind == producer.Cancelled {
		if task.Retention == 0 {
			tx.Del(ctx, key)
			return
		}
		state, set, until = "completed", q.keys.Completed(), o.EndedAt.Add(task.Retention)
	}
	tx.HSet(ctx, key, "state", state, "result", result)
	tx.HDel(ctx, key, "acc")
	tx.ZAdd(ctx, set, redis.Z{Score: float64(until.Unix()), Member: task.ID})
}

func (q *Queue) must(err error) {
	q.t.Helper()
	if err != nil {
		q.t.Fatal(err)
	}
}
