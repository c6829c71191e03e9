package pace

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestLinesAreFirstInFirstOut(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
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
	redistest.Each(t, func(t *testing.T, addr string) {
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
	redistest.Each(t, func(t *testing.T, addr string) {
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
	redistest.Each(t, func(t *testing.T, addr string) {
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
	redistest.Each(t, func(t *testing.T, addr string) {
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
	redistest.Each(t, func(t *testing.T, addr string) {
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

func TestOneLooksOutAndTheOthersStandBy(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		a := newDesk(t, addr, Config{Places: 1, Poll: time.Minute}, fast, nil)
		b := newDesk(t, addr, Config{Places: 5, Poll: time.Minute}, fast, nil)
		assert.Equal(t, "lookout", a.ask().verb)
		assert.Equal(t, "standby", b.ask().verb)
		a.enqueue("1", "1", "x")
		require.NotEmpty(t, a.next(), "a's last place: it hands the lookout on")
		assert.Equal(t, "lookout", b.ask().verb)
	})
}

func TestAWorkerStandsByForAsLongAsTheLookoutGoesOn(t *testing.T) {
	t.Parallel()
	a := newClockedDesk(t, Config{}, fast)
	b := newDesk(t, a.mini.Addr(), Config{}, fast, nil)
	wait := func(got reply) time.Duration {
		us, err := got.us(0)
		require.NoError(t, err)
		return time.Duration(us) * time.Microsecond
	}
	life := a.lookoutLife()
	assert.LessOrEqual(t, life, time.Second, "it is what losing the lookout costs")
	ctx := context.Background()
	words := b.rdb.Subscribe(ctx, a.keys.Lookout())
	defer words.Close()
	_, err := words.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "lookout", a.ask().verb)
	a.after(life / 4)
	require.Equal(t, "lookout", a.ask().verb)
	got := b.ask()
	require.Equal(t, "standby", got.verb)
	assert.Equal(t, life-life/4+2*time.Millisecond, wait(got), "until the lookout's time is over")
	a.after(life / 2)
	require.Equal(t, "lookout", a.ask().verb)
	got = b.ask()
	require.Equal(t, "standby", got.verb, "the lookout went on")
	assert.Equal(t, life+2*time.Millisecond, wait(got))
	b.rdb.Publish(ctx, a.keys.Lookout(), "no more")
	for _, want := range []string{a.id, a.id, "no more"} { // when it began, and when half of its time was over
		m, err := words.ReceiveMessage(ctx)
		require.NoError(t, err)
		assert.Equal(t, want, m.Payload)
	}
	a.after(wait(got))
	assert.Equal(t, "lookout", b.ask().verb, "the other one is lost")
	assert.Equal(t, "standby", a.ask().verb)
	a.setBack(900 * time.Millisecond)
	assert.Equal(t, life+2*time.Millisecond, wait(a.ask()), "the clock went back a little")
}

func TestALookoutThatDrainsHandsOn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		a := newDesk(t, addr, Config{Poll: time.Minute}, fast, nil)
		b := newDesk(t, addr, Config{Poll: time.Minute}, fast, nil)
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		require.NoError(t, a.handOn(ctx), "there is no lookout yet")
		require.Equal(t, "lookout", a.ask().verb)
		require.NoError(t, b.handOn(ctx))
		require.Equal(t, "standby", b.ask().verb, "b was not it")
		for _, d := range []*desk{a, b} {
			running.Go(func() { d.Run(ctx) })
		}
		require.Eventually(t, func() bool {
			return a.rdb.PubSubNumSub(ctx, a.keys.Wake()).Val()[a.keys.Wake()] == 2
		}, 5*time.Second, time.Millisecond)
		a.Drain()
		<-b.woken
		assert.Equal(t, "lookout", b.ask().verb)
	})
}

func TestTheWordsOfTheFleet(t *testing.T) {
	t.Parallel()
	d := newDesk(t, redistest.Mini(t), Config{Poll: time.Minute}, fast, nil)
	woken := func(channel, word string) bool {
		d.hear(&redis.Message{Channel: channel, Payload: word})
		select {
		case <-d.woken:
			return true
		default:
			return false
		}
	}
	assert.True(t, woken(d.keys.Wake(), wakeLookout))
	d.standsBy.Store(true)
	d.askAt = time.Now()
	assert.False(t, woken(d.keys.Wake(), wakeLookout), "it is for the lookout")
	assert.True(t, woken(d.keys.Wake(), ""), "it is for all")
	assert.False(t, woken(d.keys.Lookout(), "another's id"))
	assert.Greater(t, d.untilAsk(), 50*time.Second, "the lookout goes on")
	d.standsBy.Store(false)
	assert.LessOrEqual(t, d.untilAsk(), time.Duration(0), "it looks out itself")
}

// TestRandomOrders holds the scripts against what must be true of any sequence of operations.
func TestRandomOrders(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
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
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Lead: 10 * time.Second, Places: 100}, Rates{Page: 1, Bulk: 1, Media: 1}, nil)
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
		require.Equal(t, slotA+2_000_000, slotC)
		// One stall: a leaves 600 ms late, b 300 ms. Three slots are taken, the fourth keeps its distance to a.
		require.NoError(t, d.Left(ctx, a, d.clock.at(slotA+600_000)))
		require.NoError(t, d.Left(ctx, b, d.clock.at(slotB+300_000)))
		_, slotD := take()
		assert.InDelta(t, slotA+3_000_000+600_000, slotD, 2)
		e, slotE := take()
		assert.InDelta(t, slotD+1_000_000, slotE, 2)
		require.NoError(t, d.Left(ctx, e, d.clock.at(slotE)))
		_, slotF := take()
		assert.InDelta(t, slotE+1_000_000, slotF, 2, "in time: nothing moves")
	})
}

func TestGroupsThatAreNoLinesDoNoHarm(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
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
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		require.NoError(t, d.rdb.FlushAll(ctx).Err())
		id := d.enqueue("1", "7", "a")
		keys := []string{d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease()}
		require.Error(t, d.dequeue(keys, []any{1}).Err())
		assert.Equal(t, id, d.next())
	})
}

func TestALineWithOnlyParkedJobsTakesNewOnes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
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
	redistest.Each(t, func(t *testing.T, addr string) {
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

func TestWhatOneStallMadeLateIsNotAddedUp(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Lead: 10 * time.Second, Places: 100}, Rates{Page: 1000, Bulk: 1000, Media: 1000}, nil)
		for i := range 8 {
			d.enqueue("1", strconv.Itoa(i), "x")
		}
		var hands []*Hand
		for _, job := range d.askFor(question{most: 5, ready: time.Second}).jobs {
			hands = append(hands, d.taken[job.id])
		}
		require.Len(t, hands, 5)
		for _, h := range hands { // one millisecond apart, each 60 late
			require.NoError(t, d.Left(ctx, h, d.clock.at(h.slot+60_000)))
		}
		next := d.askFor(question{most: 1, ready: time.Second}).jobs
		require.Len(t, next, 1)
		assert.InDelta(t, hands[4].slot+60_000+1000, next[0].slot, 2)
	})
}

func TestASweepForgetsNoSpacingThatALateMessageBegins(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newClockedDesk(t, Config{Lead: 10 * time.Millisecond}, Rates{Page: 1000, Bulk: 1000, Media: 1000, Thread: 100 * time.Millisecond})
	first, second := d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b")
	h := d.takeJob(first)
	d.knowsTheTime(h.slot, 0)
	d.after(150 * time.Millisecond)
	require.NoError(t, d.sweep(ctx))
	require.NoError(t, d.Left(ctx, h, d.clock.at(h.slot+150_000)))
	d.done(first, d.routeOf("1", "7"))
	assert.Empty(t, d.next(), "a hundred milliseconds from when the first one left")
	d.after(100 * time.Millisecond)
	assert.Equal(t, second, d.next())
}
