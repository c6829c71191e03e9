package pace

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestAVideoBlocksNoTextAndKeepsItsPlace(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: 500 * time.Millisecond}, Rates{Page: 10, Bulk: 10, Media: 1})
	first := d.store("1", person("1"), video)
	second := d.store("1", person("2"), video)
	later := d.store("1", person("2"), words("behind the video"))
	text := d.store("1", person("3"), words("of another person"))
	assert.Equal(t, []string{first, text}, ids(d.drain()), "the second video waits, and what is behind it at its recipient")
	s := d.status()
	require.Len(t, s.Lines, 2)
	assert.Equal(t, []string{"1:bulk", "1:bulk:media"}, []string{s.Lines[0].Name, s.Lines[1].Name})
	assert.Equal(t, []string{"order", "media"}, []string{s.Lines[0].Limit, s.Lines[1].Limit})
	d.after(600 * time.Millisecond)
	assert.Equal(t, []handed{{second, 400 * time.Millisecond}}, d.drain(), "a second after the first")
	d.done(second, d.routeOf("1", "2"))
	assert.Equal(t, []string{later}, ids(d.drain()))
}

func TestSideLinesGoBeforeTheirLane(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Millisecond}, Rates{Page: 10, Bulk: 10, Media: 5})
	first, second := d.store("1", person("1"), video), d.store("1", person("2"), video)
	var texts []string
	for i := range 20 {
		texts = append(texts, d.store("1", person(strconv.Itoa(10+i)), words("x")))
	}
	var got []string
	for range 6 {
		got = append(got, ids(d.drain())...)
		d.after(100 * time.Millisecond)
	}
	assert.Equal(t, []string{first, texts[0], second, texts[1], texts[2], texts[3]}, got, "no text makes the video wait longer than its rate does")
}

func TestPrivateRepliesHaveARateOfTheirOwn(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Second}, Rates{Page: 10, Bulk: 10, Media: 1, Replies: 0.25})
	a, b := d.store("1", comment("c1"), words("hi")), d.store("1", comment("c2"), video)
	text := d.store("1", person("3"), words("x"))
	assert.Equal(t, []string{a, text}, ids(d.drain()))
	assert.Equal(t, "replies", d.status().Lines[0].Limit)
	d.after(3500 * time.Millisecond)
	assert.Equal(t, []handed{{b, 500 * time.Millisecond}}, d.drain())
}

func TestAConversationIsSpaced(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: 50 * time.Millisecond}, Rates{Page: 1000, Bulk: 1000, Media: 1000, Thread: 250 * time.Millisecond})
	a, b, c := d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b"), d.enqueue("1", "7", "c")
	other := d.enqueue("1", "8", "x")
	assert.Equal(t, []string{a, other}, ids(d.drain()))
	d.done(a, d.routeOf("1", "7"))
	assert.Empty(t, d.drain())
	s := d.status()
	require.Len(t, s.Lines, 2)
	assert.Equal(t, "thread", s.Lines[1].Limit)
	d.after(210 * time.Millisecond)
	assert.Equal(t, []handed{{b, 40 * time.Millisecond}}, d.drain())
	d.putBack(b, d.routeOf("1", "7"), "head")
	assert.Empty(t, d.drain(), "a second try is a message too")
	d.after(290 * time.Millisecond)
	assert.Equal(t, []handed{{b, 0}}, d.drain())
	d.done(b, d.routeOf("1", "7"))
	d.after(time.Second)
	assert.Equal(t, []string{c}, ids(d.drain()))
	d.done(c, d.routeOf("1", "7"))
	d.done(other, d.routeOf("1", "8"))
	d.after(time.Second)
	require.NoError(t, d.sweep(context.Background()))
	assert.Zero(t, d.rdb.Exists(context.Background(), d.keys.Threads(), d.keys.Busy()).Val(), "nothing is left of it")
}

func TestABudgetHoldsInEveryDay(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Millisecond}, Rates{Page: 100, Bulk: 100, Media: 100, Budget: 30})
	var sent []time.Time
	for i := range 100 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	for range 3 * 24 * 12 { // three days, by five minutes
		for _, h := range d.drain() {
			sent = append(sent, d.now.Add(h.slot))
			d.done(h.id, d.routeOf("1", "0"))
		}
		d.after(5 * time.Minute)
	}
	require.GreaterOrEqual(t, len(sent), 90)
	for i := 30; i < len(sent); i++ {
		gap := sent[i].Sub(sent[i-30])
		assert.Greater(t, gap, 24*time.Hour, "send %d", i)
		assert.LessOrEqual(t, gap, 24*time.Hour+25*time.Minute, "send %d: as soon as it may", i)
	}
	s := d.status()
	assert.Equal(t, "budget", s.Lines[0].Limit)
	assert.EqualValues(t, 30, s.Pages[0].Spent)
	assert.LessOrEqual(t, d.rdb.HLen(context.Background(), d.keys.Budget("1")).Val(), int64(98), "what is over is forgotten")
}

func TestTheAppsBudgetIsThatOfAllPages(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, fast)
	require.NoError(t, d.SetRates(context.Background(), Limits{Others: fast, AppBudget: 3}))
	for i := range 4 {
		d.enqueue(strconv.Itoa(1+i%2), strconv.Itoa(i), "x")
	}
	jobs := d.drain()
	require.Len(t, jobs, 3)
	s := d.status()
	assert.Equal(t, "app budget", s.Lines[0].Limit)
	assert.Equal(t, []int64{3, 3}, []int64{s.AppBudget, s.AppSpent})
	// A job that was not sent gives its share back.
	require.NoError(t, d.Unused(context.Background(), d.taken[jobs[2].id]))
	require.NoError(t, d.SetRates(context.Background(), Limits{Others: fast, AppBudget: 3}))
	assert.Len(t, d.drain(), 1)
}

func TestANewRateTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Lead: time.Millisecond}, Rates{Page: 0.01, Bulk: 0.01, Media: 0.01}, map[string]Rates{"1": {Page: 0.01, Bulk: 0.01, Media: 0.01}})
		for i := range 20 {
			d.enqueue("1", strconv.Itoa(i), "x")
		}
		require.NotEmpty(t, d.next())
		require.Empty(t, d.next(), "the next one is due in 100 s")
		require.NoError(t, d.SetRates(ctx, Limits{Others: Rates{Page: 50, Bulk: 50, Media: 50}}))
		require.Eventually(t, func() bool { return d.next() != "" }, time.Second, time.Millisecond)
		require.NoError(t, d.SetRates(ctx, Limits{Others: Rates{Page: 0.01, Bulk: 0.01, Media: 0.01}}))
		assert.Empty(t, d.next(), "and downwards")
		assert.Equal(t, Rates{Page: 0.01, Bulk: 0.01, Media: 0.01}, func() Rates {
			s, err := ReadStatus(ctx, d.rdb, "")
			require.NoError(t, err)
			return s.Pages[0].Configured
		}(), "page 1 has the rates of others now")
	})
}

func TestPendingTasksOfOurOwnGoToTheirLines(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, Rates{Page: 1e4, Bulk: 1e4, Media: 1e4}, nil)
		first, second := d.enqueue("1", "1", "x"), d.enqueue("1", "2", "x")
		r, err := d.producer.Enqueue(ctx, producer.Job{PageID: "1", Request: json.RawMessage(
			`{"recipient":{"id":"3"},"messaging_type":"UPDATE","message":{"text":"due"}}`)},
			producer.At(time.Now().Add(time.Hour)))
		require.NoError(t, err)
		// As asynq's forwarder does with a scheduled task that has come due, and with one that is to be retried.
		d.rdb.ZRem(ctx, d.keys.Scheduled(), r.ID)
		d.rdb.LPush(ctx, d.keys.Pending(), r.ID)
		require.Equal(t, first, d.next())
		d.rdb.LRem(ctx, d.keys.Active(), 0, first)
		d.rdb.LPush(ctx, d.keys.Pending(), first)
		assert.Equal(t, []string{first, second, r.ID}, []string{d.next(), d.next(), d.next()},
			"what was handed out before goes first, what was scheduled last")
		assert.Zero(t, d.rdb.LLen(ctx, d.keys.Pending()).Val())
	})
}

func TestAPageThatIsSlowLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{Places: 4}, fast, nil)
		other := newDesk(t, addr, Config{Places: 4}, fast, nil)
		var hands [3]*Hand
		for i := range 3 {
			hands[i] = &Hand{ID: strconv.Itoa(i), token: strconv.Itoa(i), page: "1"}
			d.open(hands[i])
		}
		one := d.enqueue("1", "1", "x")
		require.Equal(t, "lookout", d.ask().verb, "page 1 has three of four places")
		two := d.enqueue("2", "1", "x")
		assert.Equal(t, two, d.next())
		assert.Equal(t, one, other.next(), "another worker has places for it")
		d.End(hands[0])
		d.End(d.taken[two])
		three := d.enqueue("1", "2", "x")
		assert.Equal(t, three, d.next(), "half of the places are not too many")
	})
}

func TestTheAnswerToAJobSaysWhenToAskAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{Places: 10, Lead: time.Millisecond}, Rates{Page: 1, Bulk: 1, Media: 1}, nil)
		other := newDesk(t, addr, Config{Places: 10, Lead: time.Millisecond}, Rates{Page: 1, Bulk: 1, Media: 1}, nil)
		d.enqueue("1", "1", "x")
		d.enqueue("2", "1", "x")
		d.enqueue("1", "2", "x")
		got := d.ask()
		require.Equal(t, []string{"job", "again"}, []string{got.verb, got.args[4]}, "page 2 is due")
		first := got.now
		got = other.ask()
		require.Equal(t, []string{"job", "lookout"}, []string{got.verb, got.args[4]})
		wait, err := got.us(5)
		require.NoError(t, err)
		assert.InDelta(t, 999_000, wait+got.now-first, 2)
		assert.Equal(t, "standby", d.ask().verb, "the other one looks out")
	})
}

func TestASlotIsReportedAndMovedWithItsThread(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Places: 10}, Rates{Page: 1e3, Bulk: 1e3, Media: 1e3, Thread: time.Second}, nil)
		id := d.enqueue("1", "7", "x")
		h := d.takeJob(id)
		d.knowsTheTime(h.slot, 0)
		require.NoError(t, d.Left(ctx, h, d.clock.at(h.slot+60_000)))
		at := d.rdb.ZScore(ctx, d.keys.Threads(), "1:"+producer.RecipientHash("1", "id:7")).Val()
		assert.InDelta(t, h.slot+1_060_000, at, 2)
	})
}

func TestAThreadKeepsItsDistanceToWhatMayHaveLeftLate(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Places: 10}, Rates{Page: 1e3, Bulk: 1e3, Media: 1e3, Thread: time.Second}, nil)
		h := d.takeJob(d.enqueue("1", "7", "x"))
		d.knowsTheTime(h.slot, 85*time.Millisecond)
		require.NoError(t, d.Left(ctx, h, d.clock.at(h.slot)))
		at := d.rdb.ZScore(ctx, d.keys.Threads(), "1:"+producer.RecipientHash("1", "id:7")).Val()
		assert.InDelta(t, h.slot+1_060_000, at, 2, "85 ms of doubt, less half the lead")
	})
}
