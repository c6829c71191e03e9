package pace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func (d *desk) audit(q AuditQuery) *AuditReport {
	d.t.Helper()
	r, err := Audit(context.Background(), d.rdb, q)
	require.NoError(d.t, err)
	return r
}

func TestAuditAccountsForEachPlaceAndEnd(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		assert.True(t, d.audit(AuditQuery{}).Fits(), "of nothing")
		ids := map[string]string{}
		for i, end := range []string{"sent", "failed", "expired", "unknown", "retry", "in hand"} {
			ids[end] = d.enqueue("1", strconv.Itoa(i), "x", producer.InBroadcast("b"))
			h := d.takeJob(ids[end])
			r := d.routeOf("1", strconv.Itoa(i))
			switch end {
			case "in hand":
			case "retry":
				d.settleAs(h.ID, r, Settlement{Retry: time.Hour})
			default:
				s := endAs(producer.OutcomeKind(end))
				s.Outcome.Broadcast = "b"
				d.settleAs(h.ID, r, s)
			}
		}
		cancelled := d.enqueue("1", "8", "x", producer.InBroadcast("b"))
		_, err := d.producer.Cancel(ctx, cancelled)
		require.NoError(t, err)
		d.enqueue("1", "9", "x", producer.At(time.Now().Add(time.Hour)))
		d.enqueue("1", "9", "x")
		d.enqueue("2", "9", "x")

		want := PageAudit{
			ID: "1", Accepted: 9, Waiting: 3, InHand: 1, Ends: Ends{Sent: 1, Failed: 1, Expired: 1, Cancelled: 1, Unknown: 1},
		}
		r := d.audit(AuditQuery{})
		assert.Equal(t, []PageAudit{want, {ID: "2", Accepted: 1, Waiting: 1}}, r.Pages)
		assert.Equal(t, []BroadcastAudit{{ID: "b", Accepted: 7, Ends: want.Ends, Open: 2}}, r.Broadcasts)
		assert.Equal(t, []any{true, true, false}, []any{r.Fits(), r.Exact, r.Deep})

		r = d.audit(AuditQuery{Page: "1", Broadcast: "b"})
		assert.Equal(t, []PageAudit{want}, r.Pages)
		two := int64(2)
		assert.Equal(t, []BroadcastAudit{{ID: "b", Accepted: 7, Ends: want.Ends, Open: 2, Found: &two}}, r.Broadcasts)
		assert.Equal(t, []any{true, true}, []any{r.Fits(), r.Deep})
	})
}

func TestAuditOfWhatOthersDoToTheQueue(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		client := asynq.NewClientFromRedisClient(d.rdb)
		inspector := asynq.NewInspectorFromRedisClient(d.rdb)
		payload := []byte(`{"page_id":"1","lane":"bulk","request":{"recipient":{"id":"2"},"messaging_type":"UPDATE","message":{"text":"x"}}}`)
		for i, opt := range []asynq.Option{asynq.Group("1:bulk"), asynq.ProcessIn(time.Hour), asynq.Queue("messenger")} {
			_, err := client.Enqueue(asynq.NewTask(producer.TaskType, payload), opt, asynq.Queue("messenger"), asynq.TaskID(strconv.Itoa(i)))
			require.NoError(t, err)
		}
		assert.Equal(t, []PageAudit{{ID: "1", Uncounted: 3}}, d.audit(AuditQuery{Deep: true}).Pages)

		byHand := d.enqueue("1", "9", "x")
		require.NoError(t, inspector.ArchiveTask("messenger", byHand))
		r := d.audit(AuditQuery{Deep: true})
		assert.Equal(t, []PageAudit{{ID: "1", Accepted: 1, Archived: 1, Uncounted: 3}}, r.Pages)
		assert.True(t, r.Fits(), r)

		deleted := d.enqueue("1", "9", "x")
		require.NoError(t, inspector.DeleteTask("messenger", deleted))
		r = d.audit(AuditQuery{})
		assert.Equal(t, []PageAudit{{ID: "1", Accepted: 2, Archived: 1, Uncounted: 3, Missing: 1}}, r.Pages)
		assert.Equal(t, []any{false, true, 0}, []any{r.Fits(), r.Deep, len(r.Misplaced)}, "there is nothing left to name")
	})
}

func TestAuditNamesWhatIsNotWhereItShouldBe(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		for _, row := range []struct {
			name string
			harm func(d *desk, id string)
			want Misplaced
			fits bool // the sums alone
		}{
			{"out of its line", func(d *desk, id string) { d.rdb.ZRem(ctx, d.keys.Line("1:bulk"), id) },
				Misplaced{PageID: "1", What: Lost}, false},
			{"out of the active list", func(d *desk, id string) { d.takeJob(id); d.rdb.LRem(ctx, d.keys.Active(), 0, id) },
				Misplaced{PageID: "1", What: Lost}, false},
			{"no task, in a line", func(d *desk, id string) { d.rdb.Del(ctx, d.keys.Task(id)) },
				Misplaced{PageID: "1", What: Ghost, Where: "asynq:{messenger}:g:1:bulk"}, false},
			{"no task, in hand", func(d *desk, id string) { d.takeJob(id); d.rdb.Del(ctx, d.keys.Task(id)) },
				Misplaced{What: Ghost, Where: "asynq:{messenger}:active"}, false},
			{"no task, completed", func(d *desk, id string) { d.rdb.ZAdd(ctx, d.keys.Completed(), redis.Z{Score: 9e9, Member: "gone"}) },
				Misplaced{JobID: "gone", What: Ghost, Where: "asynq:{messenger}:completed"}, true},
			{"in hand and in its line", func(d *desk, id string) { d.rdb.LPush(ctx, d.keys.Active(), id) },
				Misplaced{PageID: "1", What: Doubled, Where: "asynq:{messenger}:active asynq:{messenger}:g:1:bulk"}, false},
			{"twice in hand", func(d *desk, id string) { d.takeJob(id); d.rdb.LPush(ctx, d.keys.Active(), id) },
				Misplaced{PageID: "1", What: Doubled, Where: "asynq:{messenger}:active asynq:{messenger}:active"}, false},
			{"to be retried and in its line", func(d *desk, id string) { d.rdb.ZAdd(ctx, d.keys.Retry(), redis.Z{Score: 9e9, Member: id}) },
				Misplaced{PageID: "1", What: Doubled, Where: "asynq:{messenger}:retry asynq:{messenger}:g:1:bulk"}, false},
		} {
			t.Run(row.name, func(t *testing.T) {
				d := newDesk(t, addr, Config{}, fast, nil)
				require.NoError(t, d.rdb.FlushAll(ctx).Err())
				require.NoError(t, d.restoreRates(ctx))
				id := d.enqueue("1", "7", "x")
				d.enqueue("2", "7", "x")
				row.harm(d, id)
				if row.want.JobID == "" {
					row.want.JobID = id
				}
				r := d.audit(AuditQuery{})
				assert.Equal(t, row.fits, r.Fits(), "%+v", r)
				r = d.audit(AuditQuery{Deep: true})
				assert.Equal(t, []Misplaced{row.want}, r.Misplaced)
				assert.False(t, r.Fits())
				other := d.audit(AuditQuery{Page: "2", Deep: true})
				assert.Equal(t, row.want.PageID == "1", other.Fits(), "%+v", other)
			})
		}
	})
}

func TestAuditOfOneInALineThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "x")
		d.rdb.ZAdd(ctx, d.keys.Line("9:bulk"), redis.Z{Score: 1, Member: id})
		d.rdb.SAdd(ctx, d.keys.Groups(), "9:bulk")
		r := d.audit(AuditQuery{})
		require.Len(t, r.Misplaced, 1, "%+v", r)
		assert.Equal(t, []string{id, Doubled}, []string{r.Misplaced[0].JobID, r.Misplaced[0].What})
	})
}

func TestAuditOfMoreJobsThanItLooksAt(t *testing.T) {
	t.Parallel()
	counts := map[string]int64{"accepted": 100, "waiting": 60, "in_hand": 5, "sent": 30, "uncounted": 1}
	assert.Equal(t, PageAudit{ID: "1", Accepted: 100, Waiting: 60, InHand: 5, Ends: Ends{Sent: 30}, Uncounted: 1, Missing: 5},
		pageAudit("1", counts, false))
	counts["waiting"] = 70
	assert.Equal(t, PageAudit{ID: "1", Accepted: 100, Waiting: 65, InHand: 5, Ends: Ends{Sent: 30}, Uncounted: 6},
		pageAudit("1", counts, false))
	assert.Equal(t, int64(-5), pageAudit("1", counts, true).Missing)

	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		var byHand string
		for i := range 3 {
			byHand = d.enqueue(strconv.Itoa(i), "7", "x")
			d.enqueue(strconv.Itoa(i), "7", "x", producer.At(time.Now().Add(time.Hour)))
		}
		lines := d.auditOf(AuditQuery{}, 5)
		assert.False(t, lines.Exact)
		assert.Equal(t, PageAudit{ID: "1", Accepted: 2, Waiting: 2}, lines.Pages[1])
		sums := d.auditOf(AuditQuery{}, 2)
		assert.Equal(t, []PageAudit{{ID: AllPages, Accepted: 6, Waiting: 6}}, sums.Pages)
		require.NoError(t, asynq.NewInspectorFromRedisClient(d.rdb).ArchiveTask("messenger", byHand))
		sums = d.auditOf(AuditQuery{}, 2)
		assert.Equal(t, []PageAudit{{ID: AllPages, Accepted: 6, Waiting: 5, Archived: 1}}, sums.Pages)
		assert.True(t, sums.Fits())
		_, err := audit(context.Background(), d.rdb, AuditQuery{Page: "1"}, 2)
		assert.ErrorContains(t, err, "ask about all pages")
	})
}

// auditOf is audit with another number of jobs that may be looked at.
func (d *desk) auditOf(q AuditQuery, look int) *AuditReport {
	d.t.Helper()
	r, err := audit(context.Background(), d.rdb, q, look)
	require.NoError(d.t, err)
	return r
}

// While jobs are enqueued, handed out, settled in all ways and cancelled, the account fits at every moment.
func TestAuditOfAFleetAtWork(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		auditor := newDesk(t, addr, Config{}, fast, nil)
		var reports []*AuditReport
		var failed error
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := range 50 {
				q := AuditQuery{Deep: n%3 == 1}
				if n%3 == 2 {
					q.Broadcast = "b"
				}
				var r *AuditReport
				if r, failed = Audit(context.Background(), auditor.rdb, q); failed != nil {
					return
				}
				reports = append(reports, r)
			}
		}()
		var waiting []string
		for n := 0; ; n++ {
			select {
			case <-done:
				require.NoError(t, failed)
				require.Len(t, reports, 50)
				for i, r := range reports {
					require.True(t, r.Fits(), "audit %d: %+v", i, r)
				}
				last := reports[49]
				require.NotEmpty(t, last.Pages)
				assert.Positive(t, last.Pages[0].Sent, "%+v", last)
				return
			default:
				waiting = d.stir(n, waiting)
			}
		}
	})
}

// stir does one of the things that happen in a fleet.
func (d *desk) stir(n int, waiting []string) []string {
	d.t.Helper()
	page, psid := strconv.Itoa(1+n%3), strconv.Itoa(rand.IntN(20))
	switch {
	case n%4 == 0 || len(waiting) < 50:
		opts := []producer.Option{producer.InBroadcast("b")}
		if n%5 == 0 {
			opts = append(opts, producer.At(time.Now().Add(time.Hour)))
		}
		return append(waiting, d.enqueue(page, psid, fmt.Sprint(n), opts...))
	case n%7 == 0:
		_, err := d.producer.Cancel(context.Background(), waiting[0])
		require.NoError(d.t, err)
		return waiting[1:]
	}
	id := d.next()
	if id == "" {
		return waiting
	}
	h := d.taken[id]
	p, err := d.permit(context.Background(), h, Ask{Route: producer.Route{Line: producer.Line{PageID: h.PageID()}}})
	require.NoError(d.t, err)
	s := []Settlement{sent("m"), sent("m"), endAs(producer.Failed), endAs(producer.Unknown), {Retry: time.Hour}, {Where: Head}}[rand.IntN(6)]
	if p.Verdict != Go {
		s = endAs(producer.Cancelled)
	}
	s.Outcome.Broadcast, s.Outcome.JobID, s.Outcome.PageID, s.Recipient = "b", id, h.PageID(), id[27:]
	_, err = d.Settle(context.Background(), h, s)
	require.NoError(d.t, err)
	d.End(h)
	return waiting
}
