package pace

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/taskmsg"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestAStalledWorkerMeetsTheFence(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		a, b := newDesk(t, addr, Config{}, fast, nil), newDesk(t, addr, Config{}, fast, nil)
		id := a.enqueue("1", "7", "x")
		first := a.takeJob(id)
		a.lose(id)
		assert.Equal(t, Gone, a.permitFor(first, Ask{}).Verdict, "back in its line")
		second := b.takeJob(id)
		assert.Equal(t, Gone, a.permitFor(first, Ask{}).Verdict, "in another hand")
		first.slot = 0
		got, err := a.admit(ctx, first, a.routeOf("1", "7"))
		require.NoError(t, err)
		assert.Equal(t, Gone, got.Verdict, "it takes no slot either")
		_, err = a.Settle(ctx, first, Settlement{Outcome: producer.Outcome{PageID: "1"}})
		require.ErrorIs(t, err, ErrGone)
		assert.Equal(t, Go, b.permitFor(second, Ask{}).Verdict)
		b.done(id, b.routeOf("1", "7"))
		assert.Len(t, b.outcomes(), 1)
	})
}

func TestTwoHandsOfAJobInOneWorker(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "x")
		first := d.takeJob(id)
		d.lose(id)
		second := d.takeJob(id)
		assert.Equal(t, Gone, d.permitFor(first, Ask{}).Verdict)
		d.End(first)
		assert.Equal(t, 1, d.inHand())
		assert.Equal(t, Go, d.permitFor(second, Ask{}).Verdict)
		d.done(id, d.routeOf("1", "7"))
		assert.Zero(t, d.inHand())
	})
}

// TestWhatTheFirstHandLearnsLate goes through the moments at which a hand that was taken for dead learns its answer.
func TestWhatTheFirstHandLearnsLate(t *testing.T) {
	t.Parallel()
	learned := map[string]struct {
		settle  Settlement
		verdict Verdict // of the next hand
		resent  int
		step    int
	}{
		"it was sent":               {sent("m1"), Known, 0, 0},
		"it was refused":            {endAs(producer.Failed), Go, 0, 0},
		"it was not sent":           {Settlement{}, Go, 0, 0},
		"a step of it was sent":     {Settlement{Outcome: producer.Outcome{MessageIDs: []string{"m1"}}, Step: 1}, Go, 0, 1},
		"nobody knows":              {Settlement{Unknown: true, Retry: time.Minute}, Go, 1, 0},
		"nobody knows, and it ends": {Settlement{Outcome: producer.Outcome{Kind: producer.Unknown}, Unknown: true}, Go, 1, 0},
	}
	for name, row := range learned {
		for _, where := range []string{"in its line", "in another hand"} {
			t.Run(name+", the job is "+where, func(t *testing.T) {
				t.Parallel()
				redistest.Each(t, func(t *testing.T, addr string) {
					d := newDesk(t, addr, Config{}, fast, nil)
					id := d.enqueue("1", "7", "x")
					first := d.takeJob(id)
					require.Equal(t, Go, d.permitFor(first, Ask{}).Verdict)
					d.lose(id)
					if where == "in another hand" {
						d.takeJob(id)
					}
					late := row.settle
					late.Outcome.JobID, late.Outcome.PageID = id, "1"
					late.Recipient = d.routeOf("1", "7").Recipient
					_, err := d.Settle(context.Background(), first, late)
					require.ErrorIs(t, err, ErrGone)
					if where == "in its line" {
						d.takeJob(id)
					}
					got := d.permitFor(d.taken[id], Ask{})
					assert.Equal(t, row.verdict, got.Verdict)
					assert.Equal(t, row.resent, got.Resent)
					assert.Equal(t, row.step, got.Step)
					if row.verdict == Known {
						assert.Equal(t, []string{"m1"}, got.Known.MessageIDs)
					}
					d.done(id, d.routeOf("1", "7"))
					assert.Len(t, d.outcomes(), 1)
				})
			})
		}
	}
}

func TestAnEarlierSendDecidesHowAJobEnds(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		before *Settlement // what the first hand learned, too late; nil: nothing
		second bool        // the second hand has its permit
		settle Settlement
		want   producer.OutcomeKind
		goesOn bool
	}{
		{"no answer, then it expires", nil, false, endAs(producer.Expired), producer.Unknown, false},
		{"no answer, then it is cancelled", nil, false, endAs(producer.Cancelled), producer.Unknown, false},
		{"no answer, and it cannot be read any more", nil, false, endAs(producer.Failed), producer.Unknown, false},
		{"no answer, sent again, and expires in a retry", nil, true, endAs(producer.Expired), producer.Unknown, false},
		{"no answer, then it is refused", nil, true, endAs(producer.Failed), producer.Failed, false},
		{"sent, then it expires", new(sent("m1")), false, endAs(producer.Expired), producer.Sent, false},
		{"sent, while the second hand has a permit", nil, true, endAs(producer.Unknown), producer.Unknown, false},
		{"not sent, then it expires", new(Settlement), false, endAs(producer.Expired), producer.Expired, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, addr string) {
				d := newDesk(t, addr, Config{}, fast, nil)
				id := d.enqueue("1", "7", "x")
				first := d.takeJob(id)
				require.Equal(t, Go, d.permitFor(first, Ask{}).Verdict)
				d.lose(id)
				if row.before != nil {
					s := *row.before
					s.Outcome.JobID, s.Outcome.PageID = id, "1"
					_, err := d.Settle(context.Background(), first, s)
					require.ErrorIs(t, err, ErrGone)
				}
				d.takeJob(id)
				if row.second {
					require.Equal(t, 1, d.permitFor(d.taken[id], Ask{}).Resent)
				}
				got := d.settleAs(id, d.routeOf("1", "7"), row.settle)
				assert.Equal(t, row.want, got.Kind)
				all := d.outcomes()
				require.Len(t, all, 1)
				assert.Equal(t, row.want, all[0].Kind)
				n, err := d.rdb.HGet(context.Background(), d.keys.Outcomes(), "1:"+string(row.want)).Int()
				require.NoError(t, err)
				assert.Equal(t, 1, n)
			})
		})
	}
}

func TestALateAnswerBeatsTheSecondSend(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "x")
		first := d.takeJob(id)
		d.permitFor(first, Ask{})
		d.lose(id)
		d.takeJob(id)
		require.Equal(t, Go, d.permitFor(d.taken[id], Ask{}).Verdict)
		s := sent("m1")
		s.Outcome.JobID, s.Outcome.PageID = id, "1"
		_, err := d.Settle(context.Background(), first, s)
		require.ErrorIs(t, err, ErrGone)
		got := d.settleAs(id, d.routeOf("1", "7"), endAs(producer.Failed))
		assert.Equal(t, producer.Sent, got.Kind, "the second send was refused, the first was not")
		assert.Equal(t, []string{"m1"}, got.MessageIDs)
		assert.Empty(t, got.Reason)
	})
}

func TestNeverResendEndsAsUnknown(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "x")
		require.Equal(t, Go, d.permitFor(d.takeJob(id), Ask{Never: true}).Verdict)
		d.lose(id)
		assert.Equal(t, Unanswered, d.permitFor(d.takeJob(id), Ask{Never: true}).Verdict)
		assert.Equal(t, Unanswered, d.permitFor(d.taken[id], Ask{Never: true}).Verdict, "asked again")
		assert.Equal(t, producer.Unknown, d.settleAs(id, d.routeOf("1", "7"), endAs(producer.Unknown)).Kind)
	})
}

func TestPermitRefuses(t *testing.T) {
	t.Parallel()
	rows := map[string]struct {
		prepare func(ctx context.Context, d *desk, id string)
		want    Permit
	}{
		"a paused page": {func(ctx context.Context, d *desk, _ string) {
			_, err := d.Pause(ctx, "1", time.Minute, Reason{})
			require.NoError(d.t, err)
		}, Permit{Verdict: Back, Where: Head, Why: "the page is paused"}},
		"a held app": {func(ctx context.Context, d *desk, _ string) {
			require.NoError(d.t, d.Hold(ctx, App, Reason{}))
		}, Permit{Verdict: Back, Where: Head, Why: "the page is paused"}},
		"what was cancelled": {func(ctx context.Context, d *desk, id string) {
			d.rdb.HSet(ctx, d.keys.Task(id), "cancel", "1")
		}, Permit{Verdict: Cancelled}},
		"a suppressed recipient": {func(ctx context.Context, d *desk, _ string) {
			d.rdb.ZAdd(ctx, d.keys.Suppressed("1"), redis.Z{
				Score: float64(time.Now().Add(time.Minute).UnixMicro()), Member: d.routeOf("1", "7").Recipient,
			})
		}, Permit{Verdict: Suppressed}},
		"nothing for a recipient who was suppressed long ago": {func(ctx context.Context, d *desk, _ string) {
			d.rdb.ZAdd(ctx, d.keys.Suppressed("1"), redis.Z{
				Score: float64(time.Now().Add(-time.Minute).UnixMicro()), Member: d.routeOf("1", "7").Recipient,
			})
		}, Permit{Verdict: Go}},
		"nothing because of the result of a run that failed": {func(ctx context.Context, d *desk, id string) {
			d.rdb.HSet(ctx, d.keys.Task(id), "result", `{"outcome":"failed"}`)
		}, Permit{Verdict: Go}},
		"nothing because of a result that is no record": {func(ctx context.Context, d *desk, id string) {
			d.rdb.HSet(ctx, d.keys.Task(id), "result", `done`)
		}, Permit{Verdict: Go}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, addr string) {
				ctx := context.Background()
				d := newDesk(t, addr, Config{Suppress: true}, fast, nil)
				id := d.enqueue("1", "7", "x")
				h := d.takeJob(id)
				row.prepare(ctx, d, id)
				got := d.permitFor(h, Ask{})
				assert.Equal(t, row.want, got)
				marked := d.rdb.HExists(ctx, d.keys.Task(id), "mark").Val()
				assert.Equal(t, row.want.Verdict == Go, marked, "a mark is there if a send may have started, and only then")
			})
		})
	}
}

func TestCancellationDuringASendEndsWhatWouldGoOn(t *testing.T) {
	t.Parallel()
	rows := map[string]struct {
		settle Settlement
		want   producer.OutcomeKind
	}{
		"refused for now":  {Settlement{Retry: time.Minute, Counted: true}, producer.Cancelled},
		"back to its line": {Settlement{}, producer.Cancelled},
		"no answer":        {Settlement{Retry: time.Minute, Unknown: true}, producer.Unknown},
		"sent":             {sent("m1"), producer.Sent},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, addr string) {
				d := newDesk(t, addr, Config{}, fast, nil)
				id := d.enqueue("1", "7", "x")
				d.permitFor(d.takeJob(id), Ask{})
				d.rdb.HSet(context.Background(), d.keys.Task(id), "cancel", "1")
				assert.Equal(t, row.want, d.settleAs(id, d.routeOf("1", "7"), row.settle).Kind)
			})
		})
	}
}

func TestATaskThatCannotBeReadFails(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "x")
		d.rdb.HSet(ctx, d.keys.Task(id), "msg", "\x0a\xff\xffgarbage")
		keys := []string{d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease()}
		require.ErrorIs(t, d.dequeue(keys, []any{1}).Err(), taskmsg.ErrMalformed)
		all := d.outcomes()
		require.Len(t, all, 1)
		assert.Equal(t, producer.Failed, all[0].Kind)
		assert.Equal(t, "1", all[0].PageID)
		_, err := asynq.NewInspectorFromRedisClient(d.rdb).ListArchivedTasks(producer.DefaultQueue)
		require.NoError(t, err, "one bad task breaks asynqmon")
		assert.Zero(t, d.inHand())
	})
}

func TestOfThoseBehindACancelledJobTheFirstGoesFirst(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		ids := []string{d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b"), d.enqueue("1", "7", "c"), d.enqueue("1", "7", "d")}
		d.settleAs(d.takeJob(ids[0]).ID, d.routeOf("1", "7"), Settlement{Retry: time.Hour})
		assert.Empty(t, d.next(), "the others step aside")
		got, err := d.producer.Cancel(context.Background(), ids[0])
		require.NoError(t, err)
		require.Equal(t, producer.CancelDone, got)
		for _, id := range ids[1:] {
			d.takeJob(id)
			d.done(id, d.routeOf("1", "7"))
		}
	})
}

func TestAMissingTokenMakesNoPauseShorter(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		without := newDesk(t, addr, Config{}, fast, nil)
		with := newDesk(t, addr, Config{HasToken: func(string) bool { return true }}, fast, nil)
		left := func() time.Duration { return with.rdb.PTTL(ctx, with.keys.Pause("1")).Val() }
		pause := func() {
			_, err := with.Pause(ctx, "1", time.Hour, Reason{Text: "limit"})
			require.NoError(t, err)
		}
		hold := func() { require.NoError(t, without.HoldForToken(ctx, "1", Reason{Text: "no token"})) }
		for name, steps := range map[string][]func(){"pause first": {pause, hold}, "hold first": {hold, pause}} {
			with.rdb.Del(ctx, with.keys.Pause("1"))
			for _, step := range steps {
				step()
			}
			require.NoError(t, with.sweep(ctx))
			assert.Greater(t, left(), 59*time.Minute, name)
		}
		with.rdb.Del(ctx, with.keys.Pause("1"), with.keys.Adapt("1"))
		hold()
		require.NoError(t, with.sweep(ctx))
		assert.Zero(t, with.rdb.Exists(ctx, with.keys.Adapt("1")).Val(), "a missing token says nothing of the platform")
	})
}

func TestAJobThatAnOlderVersionParkedKeepsItsPlace(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		route := d.routeOf("1", "7")
		jobs := []string{d.enqueue("1", "7", "x"), d.enqueue("1", "7", "x"), d.enqueue("1", "7", "x")}
		d.takeJob(jobs[0])
		at := 1e10 + float64(time.Now().Unix())
		for _, key := range []string{d.keys.Line("1:bulk"), d.keys.Parked("1", route.Recipient)} {
			d.rdb.ZAdd(ctx, key, redis.Z{Member: jobs[1], Score: at})
		}
		assert.Empty(t, d.next(), "the third one steps aside too")
		d.done(jobs[0], route)
		d.takeJob(jobs[1])
		d.done(jobs[1], route)
		d.takeJob(jobs[2])
	})
}
