package producer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestCancelWhereverTheJobWaits(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p, f := newProducer(t, rdb), fleet{t, rdb}
		for _, place := range []string{"line", "side line", "pending", "retry", "scheduled"} {
			rdb.FlushAll(bg)
			job := text("1", "2", "x")
			job.Broadcast, job.Meta = "b", map[string]any{"order": "17"}
			if place == "scheduled" {
				job.SendAt = time.Now().Add(time.Hour)
			}
			receipt, err := p.Enqueue(bg, job)
			require.NoError(t, err)
			switch place {
			case "side line":
				f.takeOut(receipt.ID)
				f.lineUp(receipt.ID, "1:bulk:media", 0)
			case "pending", "retry":
				f.move(receipt.ID, place)
			}
			result, err := p.Cancel(bg, receipt.ID)
			require.NoError(t, err)
			assert.Equal(t, producer.CancelDone, result, place)
			assert.Empty(t, f.collections()[receipt.ID], place)
			assert.Zero(t, rdb.Exists(bg, keys.Task(receipt.ID), keys.Groups(), keys.Due()).Val(), "%s: the job, or its empty line", place)
			assert.Equal(t, map[string]string{"1:accepted": "1", "1:cancelled": "1"}, rdb.HGetAll(bg, keys.Outcomes()).Val(), place)
			assert.Equal(t, map[string]string{"accepted": "1", "cancelled": "1"}, rdb.HGetAll(bg, keys.Broadcast("b")).Val(), place)

			records := f.records()
			require.Len(t, records, 1, place)
			o := records[0]
			assert.WithinDuration(t, time.Now(), o.EndedAt, time.Minute)
			stored, err := producer.ParseJob(o.Job)
			require.NoError(t, err)
			assert.JSONEq(t, string(job.Request), string(stored.Request))
			o.EndedAt, o.Job = time.Time{}, nil
			assert.Equal(t, producer.Outcome{
				JobID: receipt.ID, PageID: "1", Lane: "bulk", Broadcast: "b", Kind: producer.Cancelled, Reason: "cancelled", Meta: job.Meta,
			}, o, place)

			again, err := p.Cancel(bg, receipt.ID)
			require.NoError(t, err)
			assert.Equal(t, producer.CancelNotFound, again, place)
			assert.Len(t, f.records(), 1, place)
		}
	})
}

func TestCancelInHandOrTooLate(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p, f := newProducer(t, rdb), fleet{t, rdb}
		receipt, err := p.Enqueue(bg, text("1", "2", "x"), producer.Key("k"))
		require.NoError(t, err)
		f.take(receipt.ID)
		result, err := p.CancelKey(bg, "1", "k")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelInHand, result)
		assert.Equal(t, "1", rdb.HGet(bg, keys.Task(receipt.ID), "cancel").Val())
		assert.Equal(t, []string{keys.Active()}, f.collections()[receipt.ID])

		// An earlier hand learned too late that it was sent: the next one writes that.
		f.move(receipt.ID, "aggregating")
		rdb.HSet(bg, keys.Task(receipt.ID), "result", `{"outcome":"sent"}`)
		result, err = p.Cancel(bg, receipt.ID)
		require.NoError(t, err)
		assert.Equal(t, producer.CancelTooLate, result)

		for _, state := range []string{"archived", "completed"} {
			f.move(receipt.ID, state)
			result, err = p.Cancel(bg, receipt.ID)
			require.NoError(t, err)
			assert.Equal(t, producer.CancelTooLate, result, state)
		}
		assert.Empty(t, f.records())
		result, err = p.CancelKey(bg, "1", "another")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelNotFound, result)
		_, err = p.GetKey(bg, "1", "another")
		assert.EqualError(t, err, `key "another" of page 1: `+producer.ErrNotFound.Error())
	})
}

func TestCancelKeepsWhatHappenedBefore(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p, f := newProducer(t, rdb), fleet{t, rdb}
		job := text("1", "2", "x")
		job.Requests, job.Request = []json.RawMessage{job.Request, job.Request, job.Request}, nil
		rows := []struct {
			fields []any
			want   producer.Outcome
		}{
			{[]any{"step", "2", "ids", `["m1","m2"]`}, producer.Outcome{
				Kind: producer.Cancelled, StepsDone: 2, MessageIDs: []string{"m1", "m2"},
			}},
			{[]any{"mark", "w:1 0"}, producer.Outcome{Kind: producer.Unknown}},
			{[]any{"resent", "1"}, producer.Outcome{Kind: producer.Unknown, ResentUnknown: 1}},
			{[]any{"result", `{"outcome":"failed"}`}, producer.Outcome{Kind: producer.Cancelled}}, // run again by an operator
		}
		for i, row := range rows {
			receipt, err := p.Enqueue(bg, job)
			require.NoError(t, err)
			rdb.HSet(bg, keys.Task(receipt.ID), row.fields...)
			result, err := p.Cancel(bg, receipt.ID)
			require.NoError(t, err)
			assert.Equal(t, producer.CancelDone, result)
			got := f.records()[i]
			got = producer.Outcome{
				Kind: got.Kind, StepsDone: got.StepsDone, MessageIDs: got.MessageIDs, ResentUnknown: got.ResentUnknown,
			}
			assert.Equal(t, row.want, got, "%v", row.fields)
		}
		assert.Equal(t, map[string]string{"1:accepted": "4", "1:cancelled": "2", "1:unknown": "2"},
			rdb.HGetAll(bg, keys.Outcomes()).Val())
	})
}

func TestCancelledJobIsKeptAsLongAsItSays(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		receipt, err := p.Enqueue(bg, text("1", "2", "x"), producer.Retention(time.Hour))
		require.NoError(t, err)
		_, err = p.Cancel(bg, receipt.ID)
		require.NoError(t, err)
		info, err := p.Get(bg, receipt.ID)
		require.NoError(t, err)
		require.NotNil(t, info.Outcome)
		assert.Equal(t, producer.StateEnded, info.State)
		assert.Equal(t, producer.Cancelled, info.Outcome.Kind)
		seen, err := asynq.NewInspectorFromRedisClient(rdb).GetTaskInfo(keys.Queue, receipt.ID)
		require.NoError(t, err)
		assert.Equal(t, asynq.TaskStateCompleted, seen.State)
		assert.WithinDuration(t, time.Now(), seen.CompletedAt, time.Minute)
		assert.InDelta(t, float64(time.Now().Add(time.Hour).Unix()), rdb.ZScore(bg, keys.Completed(), receipt.ID).Val(), 60)

		resent, err := p.Resend(bg, *info.Outcome)
		require.NoError(t, err)
		again, err := p.Resend(bg, *info.Outcome)
		require.NoError(t, err)
		assert.True(t, again.Repeat)
		assert.Equal(t, resent.ID, again.ID)
	})
}

// What another program enqueued, without counting it, and what is no job at all.
func TestCancelWhatOthersEnqueued(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p, f := newProducer(t, rdb), fleet{t, rdb}
		client := asynq.NewClientFromRedisClient(rdb)
		task := asynq.NewTask(producer.TaskType, []byte("no job"))
		opts := []asynq.Option{asynq.Queue(keys.Queue), asynq.Group("7:bulk"), asynq.Unique(time.Hour)}
		for range 2 { // the lock of a unique task goes with it
			info, err := client.Enqueue(task, opts...)
			require.NoError(t, err)
			result, err := p.Cancel(bg, info.ID)
			require.NoError(t, err)
			assert.Equal(t, producer.CancelDone, result)
		}
		assert.Equal(t, map[string]string{"7:accepted": "2", "7:cancelled": "2"}, rdb.HGetAll(bg, keys.Outcomes()).Val())
		assert.Equal(t, `"no job"`, string(f.records()[0].Job))
	})
}

// A job that is cancelled while it goes before others to its recipient must not block them.
func TestCancelLetsTheNextToTheRecipientGo(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p, f := newProducer(t, rdb), fleet{t, rdb}
		ids := make([]string, 4)
		for i := range ids {
			receipt, err := p.Enqueue(bg, text("1", "2", fmt.Sprint(i)))
			require.NoError(t, err)
			ids[i] = receipt.ID
		}
		const parked = 1e10
		to := ids[0][27:]
		f.move(ids[0], "retry")
		rdb.HSet(bg, keys.Busy(), "1:"+to, ids[0])
		for i, id := range ids[1:] {
			f.lineUp(id, "1:bulk", parked+float64(i))
			rdb.ZAdd(bg, keys.Parked("1", to), redis.Z{Score: float64(i), Member: id})
		}
		rdb.ZAdd(bg, keys.Due(), redis.Z{Score: 1e17, Member: "1:bulk"})

		for _, id := range []string{ids[1], ids[0]} { // one that stepped aside, and the one before all
			result, err := p.Cancel(bg, id)
			require.NoError(t, err)
			assert.Equal(t, producer.CancelDone, result)
		}
		assert.Equal(t, []string{ids[2], ids[3]}, rdb.ZRange(bg, keys.Line("1:bulk"), 0, -1).Val())
		assert.Zero(t, rdb.ZScore(bg, keys.Line("1:bulk"), ids[2]).Val(), "the next one is not at the head of its line")
		assert.InDelta(t, float64(time.Now().UnixMicro()), rdb.ZScore(bg, keys.Due(), "1:bulk").Val(), 1e8)
		assert.Equal(t, []string{ids[2], ids[3]}, rdb.ZRange(bg, keys.Parked("1", to), 0, -1).Val())
	})
}

func TestCancelPageAndBroadcast(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p, f := newProducer(t, rdb), fleet{t, rdb}
		var jobs []producer.Job
		for i := range 600 {
			job := text(fmt.Sprint(i%3+1), fmt.Sprint(i), "x")
			job.Broadcast = fmt.Sprint("b", i%2)
			if i%5 == 0 {
				job.SendAt = time.Now().Add(time.Hour)
			}
			jobs = append(jobs, job)
		}
		results := p.EnqueueMany(bg, jobs)
		f.take(results[1].ID)           // page 2, b1
		f.take(results[4].ID)           // page 2, b0
		f.move(results[7].ID, "retry")  // page 2, b1
		f.move(results[10].ID, "retry") // page 2, b0
		f.move(results[13].ID, "pending")

		count, err := p.CancelBroadcast(bg, "b0", "2")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 99, InHand: 1}, count)
		count, err = p.CancelPage(bg, "2")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 99, InHand: 2}, count)
		f.move(results[4].ID, "aggregating")
		count, err = p.CancelBroadcast(bg, "b0", "")
		require.NoError(t, err)
		assert.Equal(t, producer.CancelCount{Cancelled: 201}, count, "those of pages 1 and 3, and the one that came back")
		assert.Equal(t, "200", rdb.HGet(bg, keys.Outcomes(), "1:accepted").Val())
		assert.Equal(t, "100", rdb.HGet(bg, keys.Outcomes(), "1:cancelled").Val())
		assert.Equal(t, map[string]string{"accepted": "300", "cancelled": "300"}, rdb.HGetAll(bg, keys.Broadcast("b0")).Val())
		assert.Len(t, f.records(), 399)
	})
}

// A name that a program has lost must not stand for all jobs that have none.
func TestCancellingNothingInParticularIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		r, err := p.Enqueue(bg, text("1", "2", "x"))
		require.NoError(t, err)
		_, err = p.CancelBroadcast(bg, "", "")
		require.EqualError(t, err, "cancel: the broadcast has no name")
		_, err = p.CancelBroadcast(bg, "", "1")
		require.Error(t, err)
		_, err = p.CancelPage(bg, "")
		require.EqualError(t, err, `cancel: page "": must be the page's number`)
		info, err := p.Get(bg, r.ID)
		require.NoError(t, err)
		assert.Equal(t, producer.StateWaiting, info.State)
	})
}

func TestGet(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p, f := newProducer(t, rdb), fleet{t, rdb}
		at := time.Now().Add(time.Hour).Truncate(time.Second)
		first, err := p.Enqueue(bg, text("1", "2", "x"))
		require.NoError(t, err)
		second, err := p.Enqueue(bg, text("1", "3", "y"))
		require.NoError(t, err)
		planned, err := p.Enqueue(bg, text("1", "3", "y"), producer.At(at))
		require.NoError(t, err)
		get := func(id string) producer.JobInfo {
			info, err := p.Get(bg, id)
			require.NoError(t, err)
			assert.Equal(t, id, info.ID)
			assert.Equal(t, "1", info.Job.PageID)
			info.ID, info.Job = "", producer.Job{}
			return info
		}
		bulk := producer.Line{PageID: "1", Lane: producer.LaneBulk}
		assert.Equal(t, producer.JobInfo{State: producer.StateWaiting, Line: bulk, Place: 1}, get(first.ID))
		assert.Equal(t, producer.JobInfo{State: producer.StateWaiting, Line: bulk, Place: 2}, get(second.ID))
		assert.Equal(t, producer.JobInfo{State: producer.StateScheduled, At: at}, get(planned.ID))
		f.take(first.ID)
		_, err = p.Cancel(bg, first.ID)
		require.NoError(t, err)
		assert.Equal(t, producer.JobInfo{State: producer.StateInHand, Line: bulk, CancelAsked: true}, get(first.ID))
		f.move(second.ID, "retry")
		assert.Equal(t, producer.StateRetrying, get(second.ID).State)
		assert.WithinDuration(t, time.Now().Add(time.Minute), get(second.ID).At, 30*time.Second)

		rdb.HSet(bg, keys.Task(second.ID), "state", "archived", "result", `{"job_id":"j","outcome":"failed","code":551}`)
		ended := get(second.ID)
		require.NotNil(t, ended.Outcome)
		assert.Equal(t, 551, ended.Outcome.Code)
		assert.Contains(t, string(ended.Outcome.Job), `"page_id":"1"`, "the job is completed from the task")
		rdb.HSet(bg, keys.Task(second.ID), "result", "not ours")
		assert.Nil(t, get(second.ID).Outcome)
		_, err = p.Get(bg, "nobody")
		assert.ErrorIs(t, err, producer.ErrNotFound)
	})
}

// What asynq writes of a failed attempt is read as it means it.
func TestGetReadsAttemptsOfAsynq(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	p := newProducer(t, rdb)
	task := asynq.NewTask(producer.TaskType, mustJSON(t, text("1", "2", "x")), asynq.Queue(keys.Queue), asynq.TaskID("a"))
	_, err := asynq.NewClientFromRedisClient(rdb).Enqueue(task)
	require.NoError(t, err)
	failed := make(chan struct{})
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Queues: map[string]int{keys.Queue: 1}, LogLevel: asynq.FatalLevel, TaskCheckInterval: 10 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { close(failed); return time.Hour },
	})
	require.NoError(t, server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return fmt.Errorf("no luck") })))
	<-failed
	server.Shutdown()
	info, err := p.Get(bg, "a")
	require.NoError(t, err)
	assert.Equal(t, producer.StateRetrying, info.State)
	assert.Equal(t, 1, info.Attempts)
	assert.Equal(t, "no luck", info.LastError)
}

func TestResendGoesOnBehindWhatWasSent(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	p := newProducer(t, rdb)
	job := text("1", "2", "x")
	steps := []json.RawMessage{text("1", "2", "a").Request, text("1", "2", "b").Request, text("1", "2", "c").Request}
	job.Request, job.Requests, job.Key = nil, steps, "mine"
	for done := range 3 {
		o := producer.NewOutcome(fmt.Sprint("j", done), job, mustJSON(t, job), producer.Failed)
		o.StepsDone = done
		receipt, err := p.Resend(bg, o)
		require.NoError(t, err)
		info, err := p.Get(bg, receipt.ID)
		require.NoError(t, err)
		assert.Equal(t, steps[done:], info.Job.Steps())
		assert.NotEqual(t, "mine", info.Job.Key)
	}
	for name, o := range map[string]producer.Outcome{
		"sent": {JobID: "j", Kind: producer.Sent}, "no job": {JobID: "j", Kind: producer.Failed},
		"garbage": {JobID: "j", Kind: producer.Failed, Job: json.RawMessage(`"x"`)},
	} {
		_, err := p.Resend(bg, o)
		assert.ErrorContains(t, err, "resend j", name)
	}
	late := text("1", "2", "x")
	late.ExpiresAt = time.Now().Add(-time.Hour)
	o := producer.NewOutcome("late", late, mustJSON(t, late), producer.Expired)
	_, err := p.Resend(bg, o)
	assert.ErrorContains(t, err, "expires_at")
	_, err = p.Resend(bg, o, producer.ExpireAt(time.Now().Add(time.Hour)))
	assert.NoError(t, err)
}
