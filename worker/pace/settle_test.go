package pace

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestSettlingTwiceEndsAJobOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []producer.OutcomeKind{producer.Sent, producer.Failed, producer.Cancelled, ""} {
		for _, retention := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprintf("%q kept for %v", kind, retention), func(t *testing.T) {
				t.Parallel()
				redistest.Each(t, func(t *testing.T, addr string) {
					ctx := context.Background()
					d := newDesk(t, addr, Config{}, fast, nil)
					id := d.enqueue("1", "7", "x", func(j *producer.Job) {
						if retention > 0 {
							j.Key = "k"
						}
					})
					d.permitFor(d.takeJob(id), Ask{})
					d.settleAs(id, d.routeOf("1", "7"), endAs(kind))
					before := asynqHolds(t, d.rdb)
					s := endAs(kind)
					s.Outcome.JobID, s.Outcome.PageID = id, "1"
					_, err := d.Settle(ctx, d.taken[id], s)
					require.ErrorIs(t, err, ErrGone)
					assertSameHeld(t, before, asynqHolds(t, d.rdb))
					want := 1
					if kind == "" {
						want = 0
					}
					assert.Len(t, d.outcomes(), want)
					s = sent("m1")
					s.Outcome.JobID, s.Outcome.PageID = id, "1"
					_, err = d.Settle(ctx, d.taken[id], s)
					require.ErrorIs(t, err, ErrGone)
					if kind == producer.Sent && retention == 0 {
						assert.Zero(t, d.rdb.Exists(ctx, d.keys.Task(id)).Val(), "no hash without a task")
					}
				})
			})
		}
	}
}

// takeLineless takes a job that came from no line, whose id names the recipient of another one, and gives it a place. It returns the id.
func (d *desk) takeLineless(other string, r producer.Route) string {
	d.t.Helper()
	id := "lineless" + other[len("lineless"):]
	_, err := asynq.NewClientFromRedisClient(d.rdb).Enqueue(asynq.NewTask("other", nil),
		asynq.Queue(producer.DefaultQueue), asynq.TaskID(id))
	require.NoError(d.t, err)
	require.Equal(d.t, "task", d.ask().verb)
	d.taken[id].Place(r)
	return id
}

// TestAnEndFreesOnlyWhatItsJobHas ends a job that came from no line and never got its recipient's claim, although its id and its job
// name the recipient.
func TestAnEndFreesOnlyWhatItsJobHas(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		first, r := d.enqueue("1", "7", "first"), d.routeOf("1", "7")
		d.takeJob(first)
		lineless := d.takeLineless(first, r)
		d.settleAs(lineless, r, endAs(producer.Expired))
		assert.Equal(t, first, d.rdb.HGet(ctx, d.keys.Busy(), "1:"+r.Recipient).Val())
		d.done(first, r)
		assert.Zero(t, d.rdb.Exists(ctx, d.keys.Busy()).Val())
	})
}

// TestAnEndInAGroupThatIsNoLineFreesNobodyElse ends a job of a group whose name only begins like a line of the page. It is refused
// before it is given a place, as one is that was enqueued to the wrong shard. Its claim was never one of the page's recipient.
func TestAnEndInAGroupThatIsNoLineFreesNobodyElse(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		first, r := d.enqueue("1", "7", "first"), d.routeOf("1", "7")
		d.takeJob(first)
		odd := "oddgroup" + first[len("oddgroup"):]
		_, err := asynq.NewClientFromRedisClient(d.rdb).Enqueue(asynq.NewTask(producer.TaskType, nil),
			asynq.Queue(producer.DefaultQueue), asynq.TaskID(odd), asynq.Group("1:odd"))
		require.NoError(t, err)
		d.takeJob(odd)
		d.settleAs(odd, r, endAs(producer.Failed))
		assert.Equal(t, first, d.rdb.HGet(ctx, d.keys.Busy(), "1:"+r.Recipient).Val())
	})
}

// TestAJobThatStepsAsideInTheCallThatEndsTheOneBeforeItGoesNext is for both orders of the two in that call.
func TestAJobThatStepsAsideInTheCallThatEndsTheOneBeforeItGoesNext(t *testing.T) {
	t.Parallel()
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, addr string) {
				ctx := context.Background()
				d := newDesk(t, addr, Config{}, fast, nil)
				first, r := d.enqueue("1", "7", "first"), d.routeOf("1", "7")
				d.takeJob(first)
				lineless := d.takeLineless(first, r)
				all := make([]settling, 2)
				for i, s := range []Settlement{endAs(producer.Failed), {Where: park}} {
					id := []string{first, lineless}[i]
					s.Outcome.JobID, s.Outcome.PageID, s.Recipient = id, "1", r.Recipient
					var err error
					all[order[i]], err = d.settling(d.taken[id], s)
					require.NoError(t, err)
				}
				got, err := d.settleAll(all)
				require.NoError(t, err)
				for _, a := range got {
					require.Equal(t, []string{"ok"}, a.answer)
				}
				d.takeJob(lineless)
				assert.Equal(t, lineless, d.rdb.HGet(ctx, d.keys.Busy(), "1:"+r.Recipient).Val())
				d.done(lineless, r)
				assert.Zero(t, d.rdb.Exists(ctx, d.keys.Busy(), d.keys.Parked("1", r.Recipient)).Val())
			})
		})
	}
}

func TestSettleWritesTheOutcomeEverywhere(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "x")
		d.rdb.HDel(ctx, d.keys.Task(id), "acc")
		before := d.rdb.HGet(ctx, d.keys.Outcomes(), "1:accepted").Val()
		d.takeJob(id)
		s := endAs(producer.Failed)
		s.Outcome.Code, s.Outcome.Broadcast, s.Outcome.Job, s.Suppress = 551, "spring", json.RawMessage(`{"page_id":"1"}`), time.Hour
		d.settleAs(id, d.routeOf("1", "7"), s)
		all := d.outcomes()
		require.Len(t, all, 1)
		assert.JSONEq(t, `{"page_id":"1"}`, string(all[0].Job))
		assert.Equal(t, 551, all[0].Code)
		var kept producer.Outcome
		require.NoError(t, json.Unmarshal([]byte(d.rdb.HGet(ctx, d.keys.Task(id), "result").Val()), &kept))
		assert.Equal(t, producer.Failed, kept.Kind)
		assert.Empty(t, kept.Job, "the task has its payload")
		assert.Equal(t, map[string]string{"failed": "1", "accepted": "1"}, d.rdb.HGetAll(ctx, d.keys.Broadcast("spring")).Val())
		assert.Equal(t, "1", d.rdb.HGet(ctx, d.keys.Outcomes(), "1:failed").Val())
		n, _ := strconv.Atoi(before)
		assert.Equal(t, strconv.Itoa(n+1), d.rdb.HGet(ctx, d.keys.Outcomes(), "1:accepted").Val(), "nobody had counted it before")
		until := d.rdb.ZScore(ctx, d.keys.Suppressed("1"), d.routeOf("1", "7").Recipient).Val()
		assert.InDelta(t, time.Hour, d.rdb.PTTL(ctx, d.keys.Suppressed("1")).Val(), float64(time.Minute))
		assert.InDelta(t, time.Now().Add(time.Hour).UnixMicro(), until, 60e6)
		assert.Zero(t, d.rdb.HLen(ctx, d.keys.Busy()).Val())
		info, err := asynq.NewInspectorFromRedisClient(d.rdb).GetTaskInfo(producer.DefaultQueue, id)
		require.NoError(t, err)
		assert.Equal(t, "failed: because", info.LastErr)
	})
}

func TestAnOperatorRunsAFailedJobAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "x")
		d.permitFor(d.takeJob(id), Ask{})
		d.settleAs(id, d.routeOf("1", "7"), endAs(producer.Failed))
		require.NoError(t, asynq.NewInspectorFromRedisClient(d.rdb).RunTask(producer.DefaultQueue, id))
		got := d.ask()
		require.Contains(t, []string{"task", "job"}, got.verb)
		h := d.taken[id]
		h.line = "1:bulk"
		p := d.permitFor(h, Ask{Never: true})
		assert.Equal(t, Permit{Verdict: Go}, p)
		d.done(id, d.routeOf("1", "7"))
		assert.Len(t, d.outcomes(), 2, "it was counted and ended twice")
		assert.Equal(t, "2", d.rdb.HGet(context.Background(), d.keys.Outcomes(), "1:accepted").Val())
	})
}

func TestSettleTriesUntilRedisAnswers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	addr := redistest.FreeAddr(t)
	aof := []string{"--appendonly", "yes", "--dir", t.TempDir()}
	_, kill := redistest.StartAt(t, addr, aof...)
	d := newDesk(t, addr, Config{}, fast, nil)
	id := d.enqueue("1", "7", "x")
	d.permitFor(d.takeJob(id), Ask{})
	kill()
	ended := make(chan producer.Outcome)
	go func() { ended <- d.settleAs(id, d.routeOf("1", "7"), sent("m1")) }()
	redistest.ServerAt(t, addr, aof...)
	assert.Equal(t, producer.Sent, (<-ended).Kind)
	assert.Len(t, d.outcomes(), 1)
	assert.Zero(t, d.rdb.Exists(ctx, d.keys.Task(id)).Val())
}

func TestSettleEndsWhenThePacerCloses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	addr := redistest.FreeAddr(t)
	_, kill := redistest.StartAt(t, addr)
	d := newDesk(t, addr, Config{}, fast, nil)
	id := d.enqueue("1", "7", "x")
	h := d.takeJob(id)
	kill()
	failed := make(chan error)
	go func() {
		_, err := d.Settle(ctx, h, sent("m1"))
		failed <- err
	}()
	require.NoError(t, d.Close(ctx))
	require.Error(t, <-failed)
}
