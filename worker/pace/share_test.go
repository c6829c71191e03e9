package pace

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// testShare stores n jobs of a broadcast at page 1 that is being tested, of which the first are its test share.
func (d *desk) testShare(broadcast string, share, n, limit int) (tests []string) {
	d.t.Helper()
	for i := range n {
		id := d.enqueueIn(broadcast, strconv.Itoa(i))
		if i < share {
			d.rdb.ZAdd(context.Background(), d.keys.Line("1:bulk:@"+broadcast), redis.Z{Score: 1, Member: id})
			tests = append(tests, id)
		}
	}
	d.setUp(broadcast, "page", "1", "state", "testing", "test", share, "test_limit", limit, "rows", n)
	return tests
}

// broadcast reads fields of a broadcast.
func (d *desk) broadcast(name string, fields ...string) (values []string) {
	d.t.Helper()
	for _, value := range d.rdb.HMGet(context.Background(), d.keys.Broadcast(name), fields...).Val() {
		text, _ := value.(string)
		values = append(values, text)
	}
	return values
}

func TestATestShareGoesFirst(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name                       string
		failed, unknown, cancelled int
		limit                      int
		state, why                 string
	}{
		{"all are sent", 0, 0, 0, 0, "running", ""},
		{"as many fail as may", 1, 1, 0, 20, "running", ""},
		{"one more fails", 1, 2, 0, 20, "paused",
			"3 of the first 10 jobs, its test share, failed or have no known answer; the limit is 20 %"},
		{"cancelled ones are no errors", 0, 0, 10, 0, "running", ""},
		{"none may fail", 1, 0, 0, 0, "paused", "1 of the first 10 jobs, its test share, failed or have no known answer; the limit is 0 %"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, addr string) {
				d := newDesk(t, addr, Config{}, fast, nil)
				tests := d.testShare("sale", 10, 12, row.limit)
				for _, id := range tests {
					d.takeJob(id)
				}
				require.Empty(t, d.next(), "the others wait")
				for i, id := range tests {
					assert.Equal(t, []string{"testing", ""}, d.broadcast("sale", "state", "why"), "%d have ended", i)
					kind := producer.Sent
					switch {
					case i < row.failed:
						kind = producer.Failed
					case i < row.failed+row.unknown:
						kind = producer.Unknown
					case i < row.failed+row.unknown+row.cancelled:
						kind = producer.Cancelled
					}
					s := endAs(kind)
					s.Outcome.Broadcast = "sale"
					d.settleAs(id, d.routeIn("sale", strconv.Itoa(i)), s)
				}
				assert.Equal(t, []string{row.state, row.why}, d.broadcast("sale", "state", "why"))
				assert.Equal(t, row.state == "running", d.next() != "", "the others follow at once, or not at all")
			})
		})
	}
}

func TestOnlyTheTestShareGoes(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 1000, Bulk: 1000, Media: 1000, Thread: time.Second})
	tests := d.testShare("sale", 2, 4, 0)
	other := d.enqueueIn("other", "0")
	require.Equal(t, []string{other, tests[1]}, ids(d.drain()), "the first one steps aside for another to its recipient")
	d.putBack(tests[1], d.routeIn("sale", "1"), Head)
	d.after(time.Minute)
	require.Equal(t, []string{tests[1]}, ids(d.drain()), "it came back")
	d.done(other, d.routeIn("other", "0"))
	d.after(time.Minute)
	assert.Equal(t, []string{tests[0]}, ids(d.drain()))
	d.after(time.Hour)
	assert.Empty(t, d.drain())
}

func TestTheEndOfABroadcastIsNoted(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		d.setUp("sale", "page", "1", "rows", 4, "bucket", 3600)
		end := func(psid string, s Settlement) {
			id := d.enqueueIn("sale", psid)
			d.takeJob(id)
			s.Outcome.Broadcast = "sale"
			d.settleAs(id, d.routeIn("sale", psid), s)
		}
		long := strings.Repeat("ü", 200)
		before := time.Now().Unix() / 3600
		end("1", sent("m"))
		refused := endAs(producer.Failed)
		refused.Outcome.Code, refused.Outcome.Subcode, refused.Outcome.Reason = 551, 1545041, long
		end("2", refused)
		refused.Outcome.Reason = "another text"
		end("3", refused)
		assert.Equal(t, []string{""}, d.broadcast("sale", "ended"), "one is left")
		assert.EqualValues(t, -1, d.rdb.TTL(ctx, d.keys.Broadcast("sale")).Val())
		end("4", endAs(producer.Failed))

		at := d.broadcast("sale", "at:"+strconv.FormatInt(before, 10), "at:"+strconv.FormatInt(before+1, 10))
		assert.Contains(t, [][]string{{"1", ""}, {"", "1"}}, at)
		assert.Equal(t, []string{"2", long[:300], "1", "because"},
			d.broadcast("sale", "reason:551/1545041", "text:551/1545041", "reason:0/0", "text:0/0"))
		ended, err := strconv.ParseInt(d.broadcast("sale", "ended")[0], 10, 64)
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), time.UnixMicro(ended), time.Minute)
		assert.InDelta(t, 90*24, d.rdb.TTL(ctx, d.keys.Broadcast("sale")).Val().Hours(), 1)

		id := d.enqueueIn("plain", "5")
		d.takeJob(id)
		s := endAs(producer.Failed)
		s.Outcome.Broadcast, s.Outcome.Reason = "plain", ""
		d.settleAs(id, d.routeIn("plain", "5"), s)
		assert.Equal(t, map[string]string{"accepted": "1", "failed": "1"}, d.rdb.HGetAll(ctx, d.keys.Broadcast("plain")).Val())
		assert.InDelta(t, 90*24, d.rdb.TTL(ctx, d.keys.Broadcast("plain")).Val().Hours(), 1)
	})
}

func TestPagesWithoutBroadcastsPayNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t, redistest.Server(t), Config{}, fast, nil)
	d.done(d.takeJob(d.enqueue("1", "0", "x")).ID, d.routeOf("1", "0"))
	require.NoError(t, d.rdb.ConfigResetStat(ctx).Err())
	const n = 20
	for i := range n {
		psid := strconv.Itoa(i)
		h := d.takeJob(d.enqueue("1", psid, "x"))
		require.Equal(t, Go, d.permitFor(h, Ask{Route: d.routeOf("1", psid)}).Verdict)
		d.done(h.ID, d.routeOf("1", psid))
	}
	stats := d.rdb.Info(ctx, "commandstats").Val()
	assert.Contains(t, stats, "cmdstat_hmget:calls=40,", "the job is read by its permit and its end; nothing reads a broadcast")
	assert.Contains(t, stats, "cmdstat_set:calls=40,", "the slots are written, and when it looked; nobody notes what is shared")
	assert.NotContains(t, stats, "cmdstat_zmscore:")
	assert.NotContains(t, stats, "cmdstat_get:")
	assert.Zero(t, d.rdb.Exists(ctx, d.keys.Shares("1")).Val())
}

func TestStatusAndAuditKnowTheLineOfABroadcast(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, Rates{Page: 5, Bulk: 2, Media: 1}, nil)
		require.NoError(t, d.Beat(ctx))
		id := d.enqueueIn("sale", "1")
		d.enqueueIn("sale", "2")
		s, err := ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		require.Len(t, s.Lines, 1)
		assert.WithinDuration(t, s.At, s.Lines[0].Next, time.Second)
		assert.Less(t, s.Lines[0].Oldest, time.Minute)
		s.Lines[0].Next, s.Lines[0].Oldest = time.Time{}, 0
		assert.Equal(t, []LineStatus{{
			Name: "1:bulk:@sale", PageID: "1", Lane: producer.LaneBulk, Broadcast: "sale", Waiting: 2, Rate: 2, Limit: "bulk", ETA: time.Second,
		}}, s.Lines)
		line := func(fields ...any) LineStatus {
			require.NoError(t, d.rdb.HSet(ctx, d.keys.Broadcast("sale"), fields...).Err())
			s, err := ReadStatus(ctx, d.rdb, "")
			require.NoError(t, err)
			return s.Lines[0]
		}
		later := line("start", s.At.Add(time.Hour).UnixMicro())
		assert.Equal(t, "broadcast", later.Limit)
		assert.InDelta(t, time.Hour+time.Second, later.ETA, float64(time.Minute), "from its start on")
		paused := line("state", "paused")
		assert.Equal(t, []any{"broadcast", time.Duration(-1)}, []any{paused.Limit, paused.ETA}, "nobody knows when a person resumes it")
		d.rdb.HDel(ctx, d.keys.Broadcast("sale"), "state", "start")
		r, err := Audit(ctx, d.rdb, AuditQuery{Deep: true})
		require.NoError(t, err)
		assert.True(t, r.Fits(), "%+v", r)
		assert.Equal(t, []PageAudit{{ID: "1", Accepted: 2, Waiting: 2}}, r.Pages)

		d.rdb.ZAdd(ctx, d.keys.Line("1:bulk"), redis.Z{Score: 5, Member: id})
		d.rdb.SAdd(ctx, d.keys.Groups(), "1:bulk")
		d.rdb.HSet(ctx, d.keys.Task(id), "group", "1:bulk")
		r, err = Audit(ctx, d.rdb, AuditQuery{Deep: true})
		require.NoError(t, err)
		require.Len(t, r.Misplaced, 1)
		assert.Equal(t, Doubled, r.Misplaced[0].What)
		assert.ElementsMatch(t, []string{d.keys.Line("1:bulk"), d.keys.Line("1:bulk:@sale")}, strings.Fields(r.Misplaced[0].Where))
	})
}
