package pace

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a pacer with direct access to what it does.
type desk struct {
	*Pacer
	t        testing.TB
	producer *producer.Producer
	taken    map[string]*Hand // the last hand of each job
}

func newDesk(t testing.TB, addr string, cfg Config, rates Rates, pages map[string]Rates) *desk {
	t.Helper()
	rdb := redistest.Client(t, addr)
	if cfg.Places == 0 {
		cfg.Places = 1000 // a page has half of them at most
	}
	p, err := New(rdb, cfg)
	require.NoError(t, err)
	require.NoError(t, p.SetRates(context.Background(), Limits{Others: rates, Pages: pages}))
	prod, err := producer.New(rdb, producer.Config{})
	require.NoError(t, err)
	return &desk{Pacer: p, t: t, producer: prod, taken: map[string]*Hand{}}
}

// enqueue stores a job and returns its id.
func (d *desk) enqueue(page, psid, text string, opts ...producer.Option) string {
	d.t.Helper()
	r, err := d.producer.Enqueue(context.Background(), producer.Job{PageID: page, Request: json.RawMessage(
		fmt.Sprintf(`{"recipient":{"id":%q},"messaging_type":"UPDATE","message":{"text":%q}}`, psid, text))}, opts...)
	require.NoError(d.t, err)
	return r.ID
}

// ask takes one job, as asynq's dequeue would, also if its slot is a lead ahead. Without one the verb is that of the answer.
func (d *desk) ask() reply {
	d.t.Helper()
	q := d.question()
	q.look, q.last, q.most, q.ready = 0, d.inHand()+1 >= d.cfg.Places, 1, d.cfg.Lead
	got := d.askFor(q)
	r := reply{now: got.now, verb: got.verb, args: []string{strconv.FormatInt(got.wait.Microseconds(), 10)}}
	if len(got.jobs) == 1 {
		j := got.jobs[0]
		if r.args = []string{j.id, j.msg, j.line, strconv.FormatInt(j.slot, 10), got.verb, r.args[0]}; j.line != "" {
			r.verb = "job"
		}
	}
	return r
}

// askFor makes one take call, and opens the hands of what it answers.
func (d *desk) askFor(q question) taken {
	d.t.Helper()
	keys := []string{d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease()}
	got, err := d.take(context.Background(), q, keys, []any{time.Now().Add(30 * time.Second).Unix()})
	require.NoError(d.t, err)
	d.begin(got)
	return got
}

// begin opens the hands of jobs that were handed out.
func (d *desk) begin(got taken) {
	d.t.Helper()
	_, err := d.openAll(got)
	require.NoError(d.t, err)
	for _, h := range d.Unbegun() {
		h.inside = false // a desk takes up no room
		d.taken[h.ID] = h
	}
}

// next returns the job that is handed out, or "" if none is due.
func (d *desk) next() string {
	d.t.Helper()
	if got := d.ask(); got.verb == "job" {
		return got.args[0]
	}
	return ""
}

func (d *desk) routeOf(page, psid string) producer.Route {
	return producer.Route{
		Line:      producer.Line{PageID: page, Lane: producer.LaneBulk},
		Recipient: producer.RecipientHash(page, "id:"+psid),
	}
}

// done ends a job as sent.
func (d *desk) done(id string, r producer.Route) {
	d.t.Helper()
	d.settleAs(id, r, Settlement{Outcome: producer.Outcome{Kind: producer.Sent, MessageIDs: []string{"m"}}})
}

// putBack gives a job back to its line.
func (d *desk) putBack(id string, r producer.Route, where Where) {
	d.t.Helper()
	d.settleAs(id, r, Settlement{Where: where})
}

// settleAs settles the last hand of a job, and returns the outcome that it ended with.
func (d *desk) settleAs(id string, r producer.Route, s Settlement) producer.Outcome {
	d.t.Helper()
	s.Outcome.JobID, s.Outcome.PageID, s.Outcome.Lane = id, r.Line.PageID, r.Line.Lane
	s.Recipient = r.Recipient
	o, err := d.Settle(context.Background(), d.taken[id], s)
	require.NoError(d.t, err)
	d.End(d.taken[id])
	return o
}

var fast = Rates{Page: 1e5, Bulk: 1e5, Media: 1e5}

// takeJob takes the job that must be next, and returns its hand.
func (d *desk) takeJob(id string) *Hand {
	d.t.Helper()
	require.Equal(d.t, id, d.next())
	return d.taken[id]
}

// permitFor asks for a permit, as the handler would. The slot has come.
func (d *desk) permitFor(h *Hand, a Ask) Permit {
	d.t.Helper()
	if a.Route.Recipient == "" {
		a.Route = d.routeOf("1", "7")
	}
	p, err := d.permit(context.Background(), h, a)
	require.NoError(d.t, err)
	return p
}

// outcomes are the records in the stream.
func (d *desk) outcomes() []producer.Outcome {
	d.t.Helper()
	entries, err := d.rdb.XRange(context.Background(), d.keys.Stream(), "-", "+").Result()
	require.NoError(d.t, err)
	all := make([]producer.Outcome, len(entries))
	for i, e := range entries {
		require.NoError(d.t, json.Unmarshal([]byte(e.Values["o"].(string)), &all[i]))
	}
	return all
}

// knowsTheTime makes the desk know Redis's clock from one reply alone, which took so long.
func (d *desk) knowsTheTime(server int64, took time.Duration) {
	now := time.Now()
	d.clock = newClock(now)
	d.clock.observe(server, now, now.Add(took))
}

// lose puts a job back as reap does with one of a dead worker.
func (d *desk) lose(id string) {
	d.t.Helper()
	ctx := context.Background()
	d.rdb.ZAdd(ctx, d.keys.Workers(), redis.Z{Score: 1, Member: d.id})
	seen := &watcher{}
	other, err := New(d.rdb, Config{Observer: seen})
	require.NoError(d.t, err)
	require.NoError(d.t, other.reap(ctx, true, lostAfter))
	require.Contains(d.t, seen.back, id)
}

// watcher is an Observer.
type watcher struct{ back, lost []string }

func (w *watcher) Error(error) {}

func (w *watcher) TakenOver(id, _ string, lost bool) {
	if lost {
		w.lost = append(w.lost, id)
		return
	}
	w.back = append(w.back, id)
}

func sent(ids ...string) Settlement {
	return Settlement{Outcome: producer.Outcome{Kind: producer.Sent, MessageIDs: ids}}
}

func endAs(kind producer.OutcomeKind) Settlement {
	return Settlement{Outcome: producer.Outcome{Kind: kind, Reason: "because"}}
}

// clockedDesk is a desk on a miniredis whose clock the test sets.
type clockedDesk struct {
	*desk
	mini *miniredis.Miniredis
	now  time.Time
}

func newClockedDesk(t *testing.T, cfg Config, rates Rates) *clockedDesk {
	t.Helper()
	d := &clockedDesk{mini: miniredis.NewMiniRedis(), now: time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)}
	require.NoError(t, d.mini.Start())
	t.Cleanup(d.mini.Close)
	d.mini.SetTime(d.now)
	d.desk = newDesk(t, d.mini.Addr(), cfg, rates, nil)
	return d
}

// after moves the clock on; keys expire with it.
func (d *clockedDesk) after(pass time.Duration) {
	d.now = d.now.Add(pass)
	d.mini.SetTime(d.now)
	d.mini.FastForward(pass)
}

// setBack turns the clock back, and leaves all keys as they are.
func (d *clockedDesk) setBack(by time.Duration) {
	d.now = d.now.Add(-by)
	d.mini.SetTime(d.now)
}

// handed is a job that was handed out, and its slot, as time since the desk's clock.
type handed struct {
	id   string
	slot time.Duration
}

// drain takes all that is due.
func (d *clockedDesk) drain() (jobs []handed) {
	d.t.Helper()
	for {
		switch got := d.ask(); got.verb {
		case "job":
			slot, err := got.us(3)
			require.NoError(d.t, err)
			jobs = append(jobs, handed{got.args[0], time.UnixMicro(slot).Sub(d.now)})
		case "again":
		default:
			return jobs
		}
	}
}

// settle ends a job as sent, with what its answer said.
func (d *clockedDesk) settle(id, psid string, r Report) {
	d.t.Helper()
	d.settleAs(id, d.routeOf("1", psid), Settlement{Outcome: producer.Outcome{Kind: producer.Sent}, Report: r})
}

func (d *clockedDesk) status() *Status {
	d.t.Helper()
	s, err := ReadStatus(context.Background(), d.rdb, "")
	require.NoError(d.t, err)
	return s
}

// store enqueues a request with a recipient and a message of any kind.
func (d *desk) store(page, recipient, message string) string {
	d.t.Helper()
	r, err := d.producer.Enqueue(context.Background(), producer.Job{PageID: page, Lane: producer.LaneBulk, Request: json.RawMessage(
		fmt.Sprintf(`{"recipient":%s,"messaging_type":"UPDATE","message":%s}`, recipient, message))})
	require.NoError(d.t, err)
	return r.ID
}

const video = `{"attachment":{"type":"video","payload":{"url":"https://example.com/v.mp4"}}}`

func person(psid string) string { return fmt.Sprintf(`{"id":%q}`, psid) }

func comment(id string) string { return fmt.Sprintf(`{"comment_id":%q}`, id) }

func words(text string) string { return fmt.Sprintf(`{"text":%q}`, text) }

func ids(jobs []handed) (list []string) {
	for _, h := range jobs {
		list = append(list, h.id)
	}
	return list
}
