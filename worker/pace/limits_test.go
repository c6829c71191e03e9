package pace

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
)

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
func comment(id string) string  { return fmt.Sprintf(`{"comment_id":%q}`, id) }
func words(text string) string  { return fmt.Sprintf(`{"text":%q}`, text) }

func ids(jobs []handed) (list []string) {
	for _, h := range jobs {
		list = append(list, h.id)
	}
	return list
}

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

// climber is a desk with one page of one send a second, after a pause.
func climber(t *testing.T) *clockedDesk {
	t.Helper()
	d := newClockedDesk(t, Config{Lead: 100 * time.Millisecond}, Rates{Page: 1, Bulk: 1, Media: 1})
	for i := range 300 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	_, err := d.Pause(context.Background(), "1", time.Minute, Reason{Text: "613"})
	require.NoError(t, err)
	assert.Empty(t, d.drain())
	assert.Equal(t, "pause", d.status().Lines[0].Limit)
	d.after(time.Minute + 10*time.Millisecond)
	return d
}

// gaps are those between the slots of one minute, each job accepted at once.
func (d *clockedDesk) gaps(length time.Duration) (gaps []time.Duration) {
	last := time.Duration(-1)
	for at := time.Duration(0); at < length; at += 100 * time.Millisecond {
		for _, h := range d.drain() {
			d.settle(h.id, "x", Report{Accepted: true})
			if last >= 0 {
				gaps = append(gaps, at+h.slot-last)
			}
			last = at + h.slot
		}
		d.after(100 * time.Millisecond)
	}
	return gaps
}

func TestAfterAPauseOneProbeGoesFirstAndThePaceClimbs(t *testing.T) {
	t.Parallel()
	d := climber(t)
	jobs := d.drain()
	require.Len(t, jobs, 1)
	d.after(30 * time.Second)
	assert.Empty(t, d.drain(), "its answer is waited for")
	s := d.status()
	assert.Equal(t, []string{"probe", "probe"}, []string{s.Lines[0].Limit, s.Pages[0].Stage})
	d.settle(jobs[0].id, "0", Report{Accepted: true})
	assert.Equal(t, 25, d.status().Pages[0].Percent)
	gaps := d.gaps(90 * time.Second)
	require.Greater(t, len(gaps), 40)
	for i := range gaps[1:] {
		assert.LessOrEqual(t, gaps[i+1], gaps[i]+time.Millisecond, "gap %d", i+1)
	}
	assert.Greater(t, gaps[0], 2*time.Second)
	assert.Equal(t, time.Second, gaps[len(gaps)-1])
	// 60 s at 25 % rising to 100 % are 37.5 s at the rate.
	assert.InDelta(t, 37.5+30, len(gaps), 4)
	s = d.status()
	assert.Equal(t, []any{"steady", 100}, []any{s.Pages[0].Stage, s.Pages[0].Percent})
	assert.Zero(t, d.rdb.Exists(context.Background(), d.keys.Adapt("1")).Val())
}

func TestAClimbThatIsRefusedStartsLower(t *testing.T) {
	t.Parallel()
	d := climber(t)
	for _, want := range []int{25, 12, 6, 5, 5} {
		jobs := d.drain()
		require.Len(t, jobs, 1)
		d.settle(jobs[0].id, "0", Report{Accepted: true})
		assert.Equal(t, want, d.status().Pages[0].Percent)
		d.after(time.Second)
		for range 3 { // three calls that were in flight together
			_, err := d.Pause(context.Background(), "1", time.Minute, Reason{})
			require.NoError(t, err)
		}
		d.after(time.Minute + 10*time.Millisecond)
	}
}

func TestAProbeThatComesBackUnsentOrNeverLetsAnotherGo(t *testing.T) {
	t.Parallel()
	d := climber(t)
	first := d.drain()
	require.Len(t, first, 1)
	d.putBack(first[0].id, d.routeOf("1", "0"), "head")
	assert.Empty(t, d.drain(), "its slot is taken")
	d.after(time.Second)
	second := d.drain()
	require.Equal(t, ids(first), ids(second))
	d.after(119 * time.Second)
	assert.Empty(t, d.drain())
	d.after(time.Second)
	assert.Len(t, d.drain(), 1, "its worker may be dead")
}

func TestAPauseOfTheAppIsProbedByOnePage(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Second}, Rates{Page: 10, Bulk: 10, Media: 10})
	for i := range 20 {
		d.enqueue(strconv.Itoa(1+i%2), strconv.Itoa(i), "x")
	}
	_, err := d.Pause(context.Background(), App, time.Minute, Reason{Text: "code 4"})
	require.NoError(t, err)
	assert.Empty(t, d.drain())
	d.after(time.Minute + 10*time.Millisecond)
	jobs := d.drain()
	require.Len(t, jobs, 1)
	d.settle(jobs[0].id, "0", Report{Accepted: true})
	// At 25 % a page has a slot every 400 ms: those at 0, 400 and 800 ms less the probe's, and the other page's.
	assert.Len(t, d.drain(), 5)
	assert.Equal(t, []int{25, 25}, []int{d.status().Pages[0].Percent, d.status().Pages[1].Percent})
}

func TestUsageSlowsThePace(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		page, app float64
		percent   int
	}{{79, 80, 100}, {90, 0, 55}, {0, 90, 55}, {81, 99, 14}, {100, 0, 10}, {250, 3, 10}, {0, 0, 100}} {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			t.Parallel()
			d := newClockedDesk(t, Config{}, fast)
			d.enqueue("1", "1", "x")
			d.settle(d.next(), "1", Report{Accepted: true, PageUsage: row.page, AppUsage: row.app})
			d.enqueue("1", "2", "x")
			require.Equal(t, row.percent, d.status().Pages[0].Percent)
			d.after(5*time.Minute - time.Second)
			assert.Equal(t, row.percent, d.status().Pages[0].Percent)
			d.after(2 * time.Second)
			assert.Equal(t, 100, d.status().Pages[0].Percent, "old news")
		})
	}
}

func TestUsageOfARefusalEndsWithItsPause(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: 100 * time.Millisecond}, Rates{Page: 10, Bulk: 10, Media: 10})
	for i := range 20 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	d.settle(d.next(), "0", Report{PageUsage: 100, AppUsage: 100})
	assert.Equal(t, 100, d.status().Pages[0].Percent, "a refusal alone")
	d.settle(d.next(), "1", Report{Accepted: true, PageUsage: 100})
	assert.Equal(t, 10, d.status().Pages[0].Percent)
	_, err := d.Pause(context.Background(), "1", time.Minute, Reason{})
	require.NoError(t, err)
	d.after(time.Minute + 10*time.Millisecond)
	jobs := d.drain()
	require.Len(t, jobs, 1)
	d.settle(jobs[0].id, "2", Report{Accepted: true})
	assert.Equal(t, 25, d.status().Pages[0].Percent, "a probe that names no usage begins an ordinary climb")
}

func TestASteadyPacerAdaptsToNothing(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Second, Steady: true}, Rates{Page: 10, Bulk: 10, Media: 10})
	for i := range 20 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	_, err := d.Pause(context.Background(), "1", time.Minute, Reason{})
	require.NoError(t, err)
	d.after(time.Minute + 10*time.Millisecond)
	jobs := d.drain()
	assert.Len(t, jobs, 11, "all slots of the lead")
	d.settle(jobs[0].id, "0", Report{Accepted: true, PageUsage: 100})
	assert.Equal(t, 100, d.status().Pages[0].Percent)
}

func TestANewRateTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
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
	onBackends(t, func(t *testing.T, addr string) {
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
	onBackends(t, func(t *testing.T, addr string) {
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
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{Places: 10, Lead: time.Millisecond}, Rates{Page: 10, Bulk: 10, Media: 10}, nil)
		other := newDesk(t, addr, Config{Places: 10, Lead: time.Millisecond}, Rates{Page: 10, Bulk: 10, Media: 10}, nil)
		d.enqueue("1", "1", "x")
		d.enqueue("2", "1", "x")
		d.enqueue("1", "2", "x")
		got := d.ask()
		require.Equal(t, []string{"job", "again"}, []string{got.verb, got.args[4]}, "page 2 is due")
		got = other.ask()
		require.Equal(t, []string{"job", "lookout"}, []string{got.verb, got.args[4]})
		wait, err := got.us(5)
		require.NoError(t, err)
		assert.InDelta(t, 99_000, wait, 50_000)
		assert.Equal(t, "standby", d.ask().verb, "the other one looks out")
	})
}

func TestASlotIsReportedAndMovedWithItsThread(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Places: 10}, Rates{Page: 1e3, Bulk: 1e3, Media: 1e3, Thread: time.Second}, nil)
		id := d.enqueue("1", "7", "x")
		h := d.takeJob(id)
		require.NoError(t, d.Left(ctx, h, d.clock.at(h.slot+60_000)))
		at := d.rdb.ZScore(ctx, d.keys.Threads(), "1:"+producer.RecipientHash("1", "id:7")).Val()
		assert.InDelta(t, h.slot+1_060_000, at, 2)
	})
}

func TestStatusShowsTheLimitsAsConfigured(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		rates := Rates{Page: 5, Bulk: 0.9, Media: 10, Replies: 0.2, Thread: time.Second, Budget: 7}
		d := newDesk(t, addr, Config{Margin: 0.005}, rates, nil)
		d.enqueue("1", "1", "x")
		s, err := ReadStatus(context.Background(), d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, rates, s.Pages[0].Configured)
		assert.Equal(t, LineStatus{
			Name: "1:bulk", PageID: "1", Lane: producer.LaneBulk, Waiting: 1, Rate: 0.9, Limit: "bulk", ETA: s.Lines[0].ETA,
		}, s.Lines[0])
	})
}

func TestAClassThatNoIDTellsIsHeldToItsLimit(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, Rates{Page: 1e4, Bulk: 1e4, Media: 0.01}, nil)
		client := asynq.NewClientFromRedisClient(d.rdb)
		var hands []*Hand
		for i := range 2 {
			body := fmt.Sprintf(`{"page_id":"1","request":{"recipient":%s,"messaging_type":"UPDATE","message":%s}}`,
				person(strconv.Itoa(i)), video)
			_, err := client.Enqueue(asynq.NewTask(producer.TaskType, []byte(body)),
				asynq.Queue(producer.DefaultQueue), asynq.Group("1:bulk"))
			require.NoError(t, err)
			id := d.next()
			require.NotEmpty(t, id)
			hands = append(hands, d.taken[id])
		}
		routes := []producer.Route{d.routeOf("1", "0"), d.routeOf("1", "1")}
		for i := range routes {
			routes[i].Class = producer.ClassMedia
			hands[i].Place(routes[i])
		}
		got, err := d.Await(ctx, hands[0], Ask{Route: routes[0]})
		require.NoError(t, err)
		assert.Equal(t, Go, got.Verdict)
		got, err = d.Await(ctx, hands[1], Ask{Route: routes[1]})
		require.NoError(t, err)
		require.Equal(t, Back, got.Verdict, "a hundred seconds later")
		d.settleAs(hands[1].ID, routes[1], Settlement{Where: got.Where})
		assert.Equal(t, "1:bulk:media", d.rdb.HGet(ctx, d.keys.Task(hands[1].ID), "group").Val())
		assert.Empty(t, d.next())
	})
}

func TestAJobOfAnotherClientComesBackToItsSideLine(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		for _, id := range []string{"another-client", strings.Repeat("0", 26) + "-" + producer.RecipientHash("1", "id:1")} {
			_, err := asynq.NewClientFromRedisClient(d.rdb).Enqueue(asynq.NewTask(producer.TaskType, []byte("{}")),
				asynq.Queue(producer.DefaultQueue), asynq.Group("1:bulk:media"), asynq.TaskID(id))
			require.NoError(t, err)
			d.takeJob(id)
			assert.Equal(t, "1:bulk:media", d.rdb.HGet(ctx, d.keys.Task(id), "line").Val(), id)
		}
	})
}

func TestAProbeThatIsRefusedLetsNoLineOversleep(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, fast)
	pause := func(length time.Duration) {
		_, err := d.Pause(context.Background(), "1", length, Reason{})
		require.NoError(t, err)
	}
	probe := d.enqueue("1", "1", "x")
	pause(time.Second)
	d.after(2 * time.Second)
	require.Equal(t, []string{probe}, ids(d.drain()))
	answer := d.enqueue("1", "2", "x", producer.InLane(producer.LaneRealtime))
	require.Empty(t, d.drain(), "the probe is out")
	pause(5 * time.Second)
	d.settleAs(probe, d.routeOf("1", "1"), Settlement{})
	d.after(6 * time.Second)
	assert.Equal(t, []string{answer}, ids(d.drain()))
}

func TestAnAnswerDoesNotWaitBehindAVideoThatNobodyHasTaken(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{}, Rates{Page: 1000, Bulk: 1000, Media: 0.001})
	first, second := d.store("1", person("1"), video), d.store("1", person("2"), video)
	last := d.store("1", person("2"), words("behind the second"))
	require.Equal(t, []string{first}, ids(d.drain()))
	answer := d.enqueue("1", "2", "x", producer.InLane(producer.LaneRealtime))
	d.after(time.Second)
	require.Equal(t, []string{answer}, ids(d.drain()))
	d.done(answer, d.routeOf("1", "2"))
	d.after(time.Second)
	assert.Empty(t, ids(d.drain()), "the second video has its turn before what is behind it")
	d.after(1000 * time.Second)
	assert.Equal(t, []string{second}, ids(d.drain()))
	d.done(second, d.routeOf("1", "2"))
	d.after(time.Second)
	assert.Equal(t, []string{last}, ids(d.drain()))
}

func TestAReplyWithAVideoDoesNotWaitForAllOtherVideos(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Millisecond}, Rates{Page: 1000, Bulk: 1000, Media: 1, Replies: 1})
	for i := range 10 {
		d.store("1", person(strconv.Itoa(i)), video)
	}
	both, reply := d.store("1", comment("1"), video), d.store("1", comment("2"), words("x"))
	var got []string
	for range 4 {
		got = append(got, ids(d.drain())...)
		d.after(time.Second)
	}
	assert.Contains(t, got, both)
	assert.Contains(t, got, reply)
}
