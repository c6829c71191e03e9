package producertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/producertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

func message(page, psid string) producer.Job {
	return producer.Job{PageID: page, Request: json.RawMessage(
		fmt.Sprintf(`{"recipient":{"id":%q},"messaging_type":"UPDATE","message":{"text":"Hello"}}`, psid))}
}

func enqueue(t *testing.T, q *producertest.Queue, job producer.Job, opts ...producer.Option) string {
	t.Helper()
	receipt, err := q.Enqueue(bg, job, opts...)
	require.NoError(t, err)
	return receipt.ID
}

func ids(jobs []producer.JobInfo) []string {
	var found []string
	for _, j := range jobs {
		found = append(found, j.ID)
	}
	return found
}

func TestJobsComeInTheirOrder(t *testing.T) {
	t.Parallel()
	q := producertest.New(t, producer.Config{Queue: "q"})
	assert.Empty(t, q.Jobs())
	a := enqueue(t, q, message("1", "2"))
	b := enqueue(t, q, message("4", "2"), producer.At(time.Now().Add(time.Hour)))
	c := enqueue(t, q, message("4", "3"), producer.InLane(producer.LaneRealtime))
	d := enqueue(t, q, message("1", "5"), producer.Meta(map[string]any{"order": "17"}))
	assert.Equal(t, []string{a, b, c, d}, ids(q.Jobs()))
	assert.Equal(t, []string{a, d}, ids(q.Line("1", producer.LaneBulk)))
	assert.Equal(t, []string{c}, ids(q.Line("4", producer.LaneRealtime)))
	assert.Empty(t, q.Line("4", producer.LaneBulk), "it waits for its time")
	last := q.Jobs()[3]
	e := enqueue(t, q, message("1", "6"), producer.InBroadcast("sale"))
	assert.Equal(t, []string{a, d}, ids(q.Line("1", producer.LaneBulk)))
	assert.Equal(t, []string{e}, ids(q.Broadcast("1", "sale")))
	assert.Equal(t, producer.StateWaiting, last.State)
	assert.EqualValues(t, 2, last.Place)
	assert.Equal(t, map[string]any{"order": "17"}, last.Job.Meta)
	assert.JSONEq(t, string(message("1", "5").Request), string(last.Job.Request))
}

func TestEndedJobsAreSeenByFollowers(t *testing.T) {
	t.Parallel()
	q := producertest.New(t, producer.Config{})
	sent := enqueue(t, q, message("1", "2"), producer.Key("order-17"))
	failed := enqueue(t, q, message("1", "3"), producer.At(time.Now().Add(time.Hour)))
	expired := enqueue(t, q, message("1", "4"))
	steps := message("1", "5")
	steps.Requests = []json.RawMessage{[]byte(`{"recipient":{"id":"5"},"sender_action":"typing_on"}`), steps.Request}
	steps.Request = nil
	sequence := enqueue(t, q, steps)
	want := []producer.Outcome{
		q.End(sent, producer.Sent),
		q.End(failed, producer.Failed, func(o *producer.Outcome) { o.Code, o.Reason = 551, "not available" }),
		q.End(expired, producer.Expired),
		q.End(sequence, producer.Sent),
	}
	assert.Empty(t, q.Jobs())

	records, err := q.ReadOutcomes(bg, "", 10, 0)
	require.NoError(t, err)
	require.Len(t, records, len(want))
	for i, r := range records {
		assert.Equal(t, want[i], r.Outcome, i)
	}
	assert.Equal(t, "order-17", want[0].Key)
	assert.Equal(t, []string{"m_" + sent + "_1"}, want[0].MessageIDs)
	assert.Equal(t, want[0].EndedAt, want[0].SentAt)
	assert.Equal(t, 551, want[1].Code)
	assert.Equal(t, 0, want[2].Attempts)
	assert.Equal(t, []string{"m_" + sequence + "_2"}, want[3].MessageIDs, "typing has no id")
	assert.Equal(t, 2, want[3].StepsDone)

	for i, id := range []string{sent, failed, expired} {
		info, err := q.Get(bg, id)
		require.NoError(t, err, "kept: it has a key, or was not sent")
		assert.Equal(t, producer.StateEnded, info.State)
		assert.Equal(t, want[i], *info.Outcome)
	}
	_, err = q.Get(bg, sequence)
	assert.ErrorIs(t, err, producer.ErrNotFound)
	again, err := q.Enqueue(bg, message("1", "2"), producer.Key("order-17"))
	require.NoError(t, err)
	assert.True(t, again.Repeat)
	_, err = q.Resend(bg, want[1])
	require.NoError(t, err)
}

// What End leaves is what the producer leaves itself, where it ends a job.
func TestEndLeavesWhatCancelLeaves(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]producer.Option{
		{producer.InBroadcast("b")}, {producer.Key("k")}, {producer.At(time.Now().Add(time.Hour))},
	} {
		var left [2]map[string]string
		for i := range left {
			q := producertest.New(t, producer.Config{})
			enqueue(t, q, message("9", "2"))
			id := enqueue(t, q, message("1", "2"), opts...)
			if i == 0 {
				_, err := q.Cancel(bg, id)
				require.NoError(t, err)
			} else {
				q.End(id, producer.Cancelled, func(o *producer.Outcome) { o.Reason = "cancelled" })
			}
			left[i] = dump(t, q, id)
		}
		assert.Equal(t, left[0], left[1])
	}
}

// dump describes all keys, but for what is different in each run.
func dump(t *testing.T, q *producertest.Queue, id string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range q.Redis.Keys(bg, "*").Val() {
		switch kind := q.Redis.Type(bg, key).Val(); kind {
		case "zset":
			all[key] = fmt.Sprint(q.Redis.ZCard(bg, key).Val())
		case "set":
			all[key] = fmt.Sprint(q.Redis.SMembers(bg, key).Val())
		case "hash":
			fields := q.Redis.HGetAll(bg, key).Val()
			if _, ok := fields["msg"]; ok {
				all["task "+fields["state"]] = fmt.Sprint(len(fields), key == "asynq:{messenger}:t:"+id)
			} else {
				all[key] = fmt.Sprint(fields)
			}
		default:
			all[key] = kind
		}
	}
	return all
}

func TestMisuseFailsTheTest(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, says string
		do         func(t testing.TB)
	}{
		{"bad configuration", "MaxWaiting", func(t testing.TB) { producertest.New(t, producer.Config{MaxWaiting: -1}) }},
		{"no such job", "end job nobody", func(t testing.TB) { producertest.New(t, producer.Config{}).End("nobody", producer.Sent) }},
		{"a job that has ended", "it does not wait, it is completed", func(t testing.TB) {
			q := producertest.New(t, producer.Config{})
			r, _ := q.Enqueue(bg, message("1", "2"), producer.Retention(time.Hour))
			q.End(r.ID, producer.Sent)
			q.End(r.ID, producer.Sent)
		}},
	}
	for _, row := range rows {
		f := &failing{TB: t}
		func() {
			defer func() { _ = recover() }()
			row.do(f)
		}()
		assert.Contains(t, f.said, row.says, row.name)
	}
}

// failing notes how a test fails.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Fatal(args ...any) {
	f.said = fmt.Sprint(args...)
	panic(f.said)
}

func (f *failing) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }

func TestWorksInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := producertest.New(t, producer.Config{})
		enqueue(t, q, message("1", "2"), producer.Key("order-17"))
		time.Sleep(25 * time.Hour)
		again, err := q.Enqueue(bg, message("1", "2"), producer.Key("order-17"))
		require.NoError(t, err)
		assert.False(t, again.Repeat, "the key's window has passed")
	})
}
