package pace

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
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

func onBackends(t *testing.T, test func(t *testing.T, addr string)) {
	t.Helper()
	for _, b := range redistest.Backends {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			test(t, b.Start(t))
		})
	}
}

// enqueue stores a job and returns its id.
func (d *desk) enqueue(page, psid, text string, opts ...producer.Option) string {
	d.t.Helper()
	r, err := d.producer.Enqueue(context.Background(), producer.Job{PageID: page, Request: json.RawMessage(
		fmt.Sprintf(`{"recipient":{"id":%q},"messaging_type":"UPDATE","message":{"text":%q}}`, psid, text))}, opts...)
	require.NoError(d.t, err)
	return r.ID
}

// ask makes one take call, as asynq's dequeue would.
func (d *desk) ask() reply {
	d.t.Helper()
	d.lastLook, d.lineNext = time.Time{}, false
	keys := []string{d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease()}
	got, err := d.take(context.Background(), keys, []any{time.Now().Add(30 * time.Second).Unix()})
	require.NoError(d.t, err)
	if got.verb == "job" || got.verb == "task" {
		d.note(got)
	}
	return got
}

// note opens the hand of a job that was handed out.
func (d *desk) note(got reply) {
	d.t.Helper()
	h, err := d.newHand(got)
	require.NoError(d.t, err)
	d.open(h)
	d.taken[h.ID] = d.Begin(h.ID)
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

func TestLinesAreFirstInFirstOut(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		var want, got []string
		for i := range 20 {
			want = append(want, d.enqueue("1", strconv.Itoa(i), "x"))
		}
		for range want {
			got = append(got, d.next())
		}
		assert.Equal(t, want, got)
		assert.Empty(t, d.next())
	})
}

func TestSlotsAreAnIntervalApart(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{Lead: time.Second, Margin: 0.005}, fast, map[string]Rates{
			"1": {Page: 50, Bulk: 20, Media: 5},
		})
		for i := range 30 {
			d.enqueue("1", strconv.Itoa(i), "x")
		}
		var slots []int64
		got := d.ask()
		for ; got.verb == "job"; got = d.ask() {
			slot, err := got.us(3)
			require.NoError(t, err)
			slots = append(slots, slot)
		}
		assert.Equal(t, "lookout", got.verb)
		// 20/s less the margin: 50,252 us (rounded up); a lead of one second holds 20 of them.
		require.GreaterOrEqual(t, len(slots), 20)
		for i := range slots[1:] {
			assert.GreaterOrEqual(t, slots[i+1]-slots[i], int64(50252))
		}
	})
}

func TestWhatWasNotUsedIsNotCaughtUpWith(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{Lead: time.Millisecond}, fast, map[string]Rates{"1": {Page: 20, Bulk: 20, Media: 1}})
		d.enqueue("1", "1", "x")
		first, err := d.ask().us(3)
		require.NoError(t, err)
		d.enqueue("1", "2", "x")
		d.enqueue("1", "3", "x")
		var slots []int64
		require.Eventually(t, func() bool {
			if got := d.ask(); got.verb == "job" {
				slot, err := got.us(3)
				require.NoError(t, err)
				slots = append(slots, slot)
			}
			return len(slots) == 2
		}, 5*time.Second, 60*time.Millisecond)
		assert.GreaterOrEqual(t, slots[0]-first, int64(50000))
		assert.GreaterOrEqual(t, slots[1]-slots[0], int64(50000))
	})
}

func TestRealtimeGoesBeforeBulk(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{Lead: 10 * time.Second}, Rates{Page: 10, Bulk: 10, Media: 10}, nil)
		d.enqueue("1", "1", "bulk")
		require.NotEmpty(t, d.next())
		bulk := d.enqueue("1", "2", "bulk")
		realtime := []string{
			d.enqueue("1", "3", "x", producer.InLane(producer.LaneRealtime)),
			d.enqueue("1", "4", "x", producer.InLane(producer.LaneRealtime)),
		}
		assert.Equal(t, append(realtime, bulk), []string{d.next(), d.next(), d.next()})
	})
}

func TestOneRecipientKeepsItsOrder(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		r := d.routeOf("1", "7")
		a, b, c := d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b"), d.enqueue("1", "7", "c")
		other := d.enqueue("1", "8", "x")
		assert.Equal(t, a, d.next())
		assert.Equal(t, other, d.next(), "others go ahead")
		assert.Empty(t, d.next(), "b and c wait for a")
		d.putBack(a, r, "head")
		assert.Equal(t, a, d.next(), "what came back goes first")
		assert.Empty(t, d.next())
		d.done(a, r)
		assert.Equal(t, b, d.next())
		assert.Empty(t, d.next())
		late := d.enqueue("1", "7", "d")
		d.done(b, r)
		assert.Equal(t, c, d.next())
		d.done(c, r)
		assert.Equal(t, late, d.next())
	})
}

func TestSweepFreesTheClaimOfAJobThatWasDeleted(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		a, b := d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b")
		require.Equal(t, a, d.next())
		require.Empty(t, d.next())
		ctx := context.Background()
		d.rdb.LRem(ctx, d.keys.Active(), 0, a)
		d.rdb.Del(ctx, d.keys.Task(a))
		require.NoError(t, d.sweep(ctx))
		assert.Equal(t, b, d.next())
	})
}

func TestPausesAndHolds(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{FirstPause: time.Second, LongestPause: 4 * time.Second}, fast, nil)
		one, two := d.enqueue("1", "7", "a"), d.enqueue("2", "7", "b")
		left, err := d.Pause(ctx, "1", time.Minute, Reason{Text: "slow down", Code: 613})
		require.NoError(t, err)
		assert.Equal(t, time.Minute, left)
		left, err = d.Pause(ctx, "1", time.Second, Reason{})
		require.NoError(t, err)
		assert.Greater(t, left, 50*time.Second, "a pause is not made shorter")
		assert.Equal(t, two, d.next())
		assert.Empty(t, d.next())
		s, err := ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, 613, s.Pages[0].Pause.Code)
		found, err := d.Release(ctx, "1")
		require.NoError(t, err)
		assert.True(t, found)
		assert.Equal(t, one, d.next())

		for i, want := range []time.Duration{1, 2, 4, 4} {
			left, err = d.Pause(ctx, "3", 0, Reason{})
			require.NoError(t, err)
			assert.Equal(t, want*time.Second, left, "strike %d", i+1)
			again, err := d.Pause(ctx, "3", 0, Reason{})
			require.NoError(t, err)
			assert.LessOrEqual(t, again, left, "the same strike")
			d.rdb.Del(ctx, d.keys.Pause("3"))
		}
		require.NoError(t, d.Hold(ctx, App, Reason{Text: "token"}))
		d.enqueue("4", "1", "x")
		assert.Empty(t, d.next())
		left, err = d.Pause(ctx, App, time.Second, Reason{})
		require.NoError(t, err)
		assert.Negative(t, left, "a hold stays")
		_, err = d.Release(ctx, App)
		require.NoError(t, err)
		assert.NotEmpty(t, d.next())
	})
}

func TestOneLooksOutAndTheOthersStandBy(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		a := newDesk(t, addr, Config{Places: 1, Poll: time.Minute}, fast, nil)
		b := newDesk(t, addr, Config{Places: 5, Poll: time.Minute}, fast, nil)
		assert.Equal(t, "lookout", a.ask().verb)
		assert.Equal(t, "standby", b.ask().verb)
		a.enqueue("1", "1", "x")
		require.NotEmpty(t, a.next(), "a's last place: it hands the lookout on")
		assert.Equal(t, "lookout", b.ask().verb)
	})
}

// TestRandomOrders holds the scripts against what must be true of any sequence of operations.
func TestRandomOrders(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 1))
		d := newDesk(t, addr, Config{}, fast, nil)
		want, inHand := map[string][]string{}, map[string]producer.Route{}
		hand := func() {
			for got := d.ask(); got.verb == "job" || got.verb == "again"; got = d.ask() {
				if got.verb == "job" {
					psid := recipientIn(t, got.args[1])
					require.Equal(t, want[psid][0], got.args[0], "seed %d: recipient %s overtaken", seed, psid)
					inHand[got.args[0]] = d.routeOf("1", psid)
				}
			}
		}
		end := func(id string, psid string) {
			d.done(id, inHand[id])
			delete(inHand, id)
			want[psid] = want[psid][1:]
		}
		for range 300 {
			switch rnd.IntN(4) {
			case 0, 1:
				psid := strconv.Itoa(rnd.IntN(6))
				want[psid] = append(want[psid], d.enqueue("1", psid, psid))
			case 2:
				hand()
			case 3:
				for psid, ids := range want {
					if len(ids) > 0 && inHand[ids[0]].Recipient != "" {
						if rnd.IntN(3) == 0 {
							d.putBack(ids[0], inHand[ids[0]], "head")
							delete(inHand, ids[0])
						} else {
							end(ids[0], psid)
						}
						break
					}
				}
			}
		}
		for range 1000 {
			hand()
			for psid, ids := range want {
				if len(ids) > 0 && inHand[ids[0]].Recipient != "" {
					end(ids[0], psid)
				}
			}
		}
		for psid, ids := range want {
			assert.Empty(t, ids, "seed %d: recipient %s is stuck", seed, psid)
		}
		ctx := context.Background()
		assert.Zero(t, d.rdb.HLen(ctx, d.keys.Busy()).Val(), "no claim is left")
		left, err := d.rdb.Keys(ctx, d.keys.Own("parked:*")).Result()
		require.NoError(t, err)
		assert.Empty(t, left)
	})
}

// recipientIn finds the recipient in asynq's encoded message, which holds the payload as it is.
func recipientIn(t *testing.T, msg string) string {
	t.Helper()
	_, rest, ok := strings.Cut(msg, `"recipient":{"id":"`)
	require.True(t, ok)
	psid, _, _ := strings.Cut(rest, `"`)
	return psid
}

// TestContractWithAsynq fails if asynq changes a key or a script that this package relies on.
func TestContractWithAsynq(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Places: 1}, fast, nil)
		id := d.enqueue("1", "7", "a")
		assert.Equal(t, []string{"1:bulk"}, d.rdb.SMembers(ctx, d.keys.Groups()).Val())
		assert.Equal(t, "aggregating", d.rdb.HGet(ctx, d.keys.Task(id), "state").Val())

		states := make(chan string, 10)
		back := true
		handler := asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			got, _ := asynq.GetTaskID(ctx)
			states <- d.rdb.HGet(ctx, d.keys.Task(got), "state").Val()
			d.taken[got] = d.Begin(got)
			if back {
				back = false
				d.putBack(got, d.routeOf("1", "7"), Head)
				return fmt.Errorf("later: %w", asynq.SkipRetry)
			}
			d.done(got, d.routeOf("1", "7"))
			return nil
		})
		server := asynq.NewServerFromRedisClient(d.Client(), asynq.Config{
			Concurrency: 1, Queues: map[string]int{producer.DefaultQueue: 1},
			TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
		})
		require.NoError(t, server.Start(handler))
		require.Equal(t, "active", <-states)
		require.Equal(t, "active", <-states, "what was given back comes again, although asynq would have archived it")
		require.Eventually(t, func() bool { return d.rdb.Exists(ctx, d.keys.Task(id)).Val() == 0 }, 5*time.Second, time.Millisecond)
		d.Drain()
		server.Shutdown()
		for _, name := range []string{"active", "lease", "pending", "retry", "archived", "g:1:bulk"} {
			assert.Zero(t, d.rdb.Exists(ctx, d.keys.Asynq(name)).Val(), name)
		}
		keys, err := d.rdb.Keys(ctx, "asynq:{messenger}*").Result()
		require.NoError(t, err)
		slices.Sort(keys)
		assert.NotContains(t, keys, d.keys.Task(id))
	})
}

func TestScriptsDeclareASingleSlot(t *testing.T) {
	t.Parallel()
	// With a shebang Redis refuses keys of other slots than the declared ones in cluster mode, and undeclared writes by
	// read-only scripts; one node that has all slots is enough to show it.
	addr := redistest.ServerAt(t, redistest.FreeAddr(t), "--save", "", "--cluster-enabled", "yes")
	rdb := redistest.Client(t, addr)
	ctx := context.Background()
	slots := []any{"CLUSTER", "ADDSLOTSRANGE", 0, 16383}
	require.NoError(t, rdb.Do(ctx, slots...).Err())
	require.Eventually(t, func() bool {
		return strings.Contains(rdb.ClusterInfo(ctx).Val(), "cluster_state:ok")
	}, 10*time.Second, 20*time.Millisecond)
	d := newDesk(t, addr, Config{}, fast, nil)
	for name, src := range map[string]string{
		"take": libLua + takeLua, "admit": libLua + admitLua, "late": libLua + lateLua, "unused": libLua + unusedLua,
		"permit": libLua + permitLua, "settle": libLua + settleLua, "beat": beatLua, "reap": reapLua,
		"pause": libLua + pauseLua, "release": libLua + releaseLua, "sweep": libLua + sweepLua,
		"rates": ratesLua, "explain": libLua + explainLua, "audit": libLua + auditLua, "places": libLua + placesLua,
	} {
		require.NoError(t, rdb.ScriptLoad(ctx, "#!lua\n"+src).Err(), name)
	}
	a, b := d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b")
	r := d.routeOf("1", "7")
	take := redis.NewScript("#!lua\n" + libLua + takeLua)
	keys := []string{
		d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease(),
		d.keys.Groups(), d.keys.Due(), d.keys.Busy(), d.keys.Pause(App), d.keys.Lookout(),
	}
	got, err := readReply(take.Run(ctx, rdb, keys, time.Now().Unix(), d.keys.Task(""), d.keys.Line(""), d.keys.Own(""),
		1000, d.id, 1, 0, 500, ""))
	require.NoError(t, err)
	assert.Equal(t, a, got.args[0])
	d.note(got)
	d.next()
	d.done(a, r)
	assert.Equal(t, b, d.next())
}

func TestClockFollowsTheFastestReply(t *testing.T) {
	t.Parallel()
	base := time.Unix(1000, 0)
	c := newClock(base)
	c.observe(5_000_000, base.Add(3*time.Millisecond)) // 3 ms on the way
	c.observe(5_010_000, base.Add(10*time.Millisecond+200*time.Microsecond))
	c.observe(5_020_000, base.Add(29*time.Millisecond)) // 9 ms on the way
	assert.Equal(t, base.Add(100*time.Millisecond+200*time.Microsecond), c.at(5_100_000))
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := New(redistest.Client(t, "127.0.0.1:1"), Config{Margin: 1, Lead: time.Minute, Places: -1, Poll: time.Hour})
	require.Error(t, err)
	for _, field := range []string{"Margin", "Lead", "Places", "Poll"} {
		assert.ErrorContains(t, err, field)
	}
}

func TestWhatLeftLateMovesTheNextSlots(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Lead: 10 * time.Second, Places: 100}, Rates{Page: 10, Bulk: 10, Media: 10}, nil)
		for i := range 6 {
			d.enqueue("1", strconv.Itoa(i), "x")
		}
		take := func() (*Hand, int64) {
			got := d.ask()
			require.Equal(t, "job", got.verb)
			h := d.taken[got.args[0]]
			return h, h.slot
		}
		a, slotA := take()
		b, slotB := take()
		_, slotC := take()
		require.Equal(t, slotA+200_000, slotC)
		// One stall: a leaves 60 ms late, b 30 ms. Three slots are taken, the fourth keeps its distance to a.
		require.NoError(t, d.Left(ctx, a, d.clock.at(slotA+60_000)))
		require.NoError(t, d.Left(ctx, b, d.clock.at(slotB+30_000)))
		_, slotD := take()
		assert.InDelta(t, slotA+300_000+60_000, slotD, 2)
		e, slotE := take()
		assert.InDelta(t, slotD+100_000, slotE, 2)
		require.NoError(t, d.Left(ctx, e, d.clock.at(slotE)))
		_, slotF := take()
		assert.InDelta(t, slotE+100_000, slotF, 2, "in time: nothing moves")
	})
}

func TestGroupsThatAreNoLinesDoNoHarm(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		client := asynq.NewClientFromRedisClient(d.rdb)
		var want []string
		for _, group := range []string{"margin", "default", "x:y:z", ":", "1:bulk:media:more"} {
			info, err := client.Enqueue(asynq.NewTask(producer.TaskType, nil), asynq.Queue(producer.DefaultQueue), asynq.Group(group))
			require.NoError(t, err)
			want = append(want, info.ID)
		}
		want = append(want, d.enqueue("1", "7", "a"))
		var got []string
		for range want {
			got = append(got, d.next())
		}
		assert.ElementsMatch(t, want, got)
	})
}

func TestRatesComeBackAfterRedisLostThem(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		require.NoError(t, d.rdb.FlushAll(ctx).Err())
		id := d.enqueue("1", "7", "a")
		keys := []string{d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease()}
		d.lastLook = time.Time{}
		require.Error(t, d.dequeue(keys, []any{1}).Err())
		assert.Equal(t, id, d.next())
	})
}

func TestALineWithOnlyParkedJobsTakesNewOnes(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		a := d.enqueue("1", "7", "a")
		d.enqueue("1", "7", "b")
		require.Equal(t, a, d.next())
		require.Empty(t, d.next(), "b steps aside, and the line has nothing else")
		other := d.enqueue("1", "8", "x")
		require.Eventually(t, func() bool { return d.next() == other }, time.Second, 10*time.Millisecond)
	})
}

func TestParkedJobsComeBeforeLaterOnesWhenTheirHolderEndedUnseen(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		a, b := d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b")
		require.Equal(t, a, d.next())
		require.Empty(t, d.next())
		d.rdb.LRem(ctx, d.keys.Active(), 0, a)
		d.rdb.HSet(ctx, d.keys.Task(a), "state", "archived")
		c := d.enqueue("1", "7", "c")
		d.rdb.ZAdd(ctx, d.keys.Due(), redis.Z{Score: 0, Member: "1:bulk"})
		assert.Equal(t, b, d.next())
		assert.Empty(t, d.next())
		d.done(b, d.routeOf("1", "7"))
		assert.Equal(t, c, d.next())
	})
}

func TestAPausedQueueHandsOutNothing(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "a")
		inspector := asynq.NewInspectorFromRedisClient(d.rdb)
		require.NoError(t, inspector.PauseQueue(producer.DefaultQueue))
		require.Empty(t, d.next())
		got, err := d.take(context.Background(),
			[]string{d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease()}, []any{1})
		require.NoError(t, err)
		assert.Equal(t, "lookout", got.verb, "also when it does not look for new lines")
		require.NoError(t, inspector.UnpauseQueue(producer.DefaultQueue))
		assert.Equal(t, id, d.next())
	})
}

// TestStatusLosesNoJobOnItsWay moves one job between its line and a worker as fast as it can, and looks all the while.
func TestStatusLosesNoJobOnItsWay(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "a")
		looked := make(chan int)
		stop := make(chan struct{})
		go func() {
			n, rdb := 0, redistest.Client(t, addr)
			for {
				select {
				case <-stop:
					looked <- n
					return
				default:
				}
				s, err := ReadStatus(context.Background(), rdb, "")
				if assert.NoError(t, err) {
					assert.False(t, s.Done(), "the job was nowhere: %+v", s)
				}
				n++
			}
		}()
		for range 300 {
			require.Eventually(t, func() bool { return d.next() == id }, 5*time.Second, time.Millisecond)
			d.putBack(id, d.routeOf("1", "7"), "head")
		}
		close(stop)
		assert.Positive(t, <-looked)
	})
}
