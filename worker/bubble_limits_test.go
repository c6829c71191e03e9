package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// tick is how exact a worker's clock is in virtual time, in ns: it goes by Redis's, which counts microseconds.
const tick = float64(time.Microsecond)

// bubble is a queue in virtual time, with a recorder in place of the platform.
type bubble struct {
	t        *testing.T
	rdb      redis.UniversalClient
	producer *producer.Producer
	sent     *recorder
}

// inBubble runs test with everything in virtual time.
func inBubble(t *testing.T, test func(b *bubble)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := miniredis.NewMiniRedis()
		m.ClockTTL(true)
		b := &bubble{t: t, sent: newRecorder(), rdb: redis.NewUniversalClient(&redis.UniversalOptions{
			Addrs:  []string{"127.0.0.1:6379"},
			Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() },
			// Nobody waits for a connection: the timers of those who do are shared, and one of another bubble ends the test.
			PoolSize: 2000,
		})}
		var err error
		b.producer, err = producer.New(b.rdb, producer.Config{})
		require.NoError(t, err)
		test(b)
		require.NoError(t, b.rdb.Close())
		m.Close()
		synctest.Wait()
	})
}

// work runs a worker for a time. It asks Redis seldom while nothing is due: each question costs real time.
func (b *bubble) work(d time.Duration, cfg worker.Config) {
	b.t.Helper()
	b.send(d, cfg, b.sent)
}

func (b *bubble) send(d time.Duration, cfg worker.Config, sender worker.Sender) {
	b.t.Helper()
	cfg.Pages = map[string]sendapi.Page{"1001": {ID: "1001", Token: "t"}}
	if cfg.Poll == 0 {
		cfg.Poll = 10 * time.Second
	}
	w, err := worker.New(b.rdb, sender, cfg)
	require.NoError(b.t, err)
	ctx, stop := context.WithTimeout(b.t.Context(), d)
	defer stop()
	require.NoError(b.t, w.Run(ctx))
}

func (b *bubble) enqueue(n, recipients int) {
	b.t.Helper()
	for i := range n {
		b.store(job("1001", fmt.Sprint(i%recipients), fmt.Sprint(i)))
	}
}

func (b *bubble) store(j producer.Job) {
	b.t.Helper()
	_, err := b.producer.Enqueue(b.t.Context(), j)
	require.NoError(b.t, err)
}

// gaps are those between the sends whose body contains part.
func (b *bubble) gaps(part string) (gaps []time.Duration) {
	var last time.Time
	for _, c := range b.sent.all() {
		if strings.Contains(c.body, part) {
			if !last.IsZero() {
				gaps = append(gaps, c.at.Sub(last))
			}
			last = c.at
		}
	}
	return gaps
}

func TestAnHourOfPacing(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.enqueue(400, 400)
		b.work(time.Hour+time.Second, config(0.1))
		require.Len(t, b.sent.all(), 359, "an hour at 0.1/s, half a percent less")
		for i, gap := range b.gaps("") {
			require.InDelta(t, 10*time.Second*1000/995, gap, float64(20*time.Microsecond), "gap %d", i)
		}
	})
}

func TestAPauseItsProbeAndTheClimb(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.enqueue(200, 200)
		var refused time.Time
		b.sent.took = 3 * time.Second
		b.sent.answer = func(n int, _ string) error {
			if n != 10 {
				return nil
			}
			refused = time.Now()
			return &sendapi.Error{Kind: sendapi.KindRateLimit, Scope: sendapi.ScopePage, Code: 80006, RetryAfter: 5 * time.Minute}
		}
		b.work(8*time.Minute, worker.Config{Rates: rate(1), Poll: 100 * time.Millisecond})
		var after []time.Duration
		for _, c := range b.sent.all() {
			if c.at.After(refused) {
				after = append(after, c.at.Sub(refused))
			}
		}
		require.Greater(t, len(after), 100)
		assert.InDelta(t, 5*time.Minute, after[0], float64(time.Second), "nothing in the pause, then the probe")
		assert.InDelta(t, 3*time.Second, after[1]-after[0], float64(1100*time.Millisecond), "its answer is waited for")
		for i := 2; i+1 < len(after); i++ {
			assert.LessOrEqual(t, after[i+1]-after[i], after[i]-after[i-1]+time.Millisecond, "send %d: it climbs", i)
		}
		assert.InDelta(t, time.Second, after[len(after)-1]-after[len(after)-2], tick)
	})
}

func TestUsageNearItsLimitSlowsThePage(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.enqueue(600, 600)
		usage := 90.0
		b.sent.usage = func() sendapi.Usage { return sendapi.Usage{Page: sendapi.Load{Known: usage > 0, Calls: usage}} }
		b.work(time.Minute, worker.Config{Rates: rate(2)})
		slow := len(b.sent.all())
		assert.InDelta(t, 60*2*0.55, slow, 2, "90 percent: 55 of 100 messages")
		usage = 0
		b.work(4*time.Minute, worker.Config{Rates: rate(2)})
		assert.InDelta(t, 5*60*2*0.55, len(b.sent.all()), 5, "no news: for five minutes as it was")
		before := len(b.sent.all())
		b.work(2*time.Minute, worker.Config{Rates: rate(2)})
		assert.InDelta(t, 60*2*0.55+60*2, len(b.sent.all())-before, 8, "then as configured")
		gaps := b.gaps("")
		assert.InDelta(t, 500*time.Millisecond, gaps[len(gaps)-1], tick)
	})
}

func TestADaysBudgetIsUsedUpAndComesBack(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.enqueue(50, 50)
		cfg := worker.Config{Rates: rate(1)}
		cfg.Rates.Budget = 20
		begin := time.Now()
		b.work(2*time.Minute, cfg)
		require.Len(t, b.sent.all(), 20)
		time.Sleep(time.Until(begin.Add(24*time.Hour - time.Minute))) // no worker runs, so that it takes no real time
		b.work(time.Minute, cfg)
		require.Len(t, b.sent.all(), 20, "the day is not over; workers started anew do not change that")
		time.Sleep(10 * time.Minute)
		b.work(10*time.Minute, cfg)
		assert.Len(t, b.sent.all(), 40)
	})
}

func TestConversationsAndPrivateRepliesAreSpaced(t *testing.T) {
	inBubble(t, func(b *bubble) {
		for i := range 5 {
			b.store(job("1001", "7", "to one person"))
			b.store(producer.Job{PageID: "1001", Lane: producer.LaneBulk, Request: json.RawMessage(
				fmt.Sprintf(`{"recipient":{"comment_id":"c%d"},"message":{"text":"reply"}}`, i))})
		}
		b.enqueue(100, 100)
		b.work(30*time.Second, worker.Config{Rates: rate(10), Poll: 100 * time.Millisecond})
		require.Len(t, b.sent.all(), 110)
		for _, gap := range b.gaps("to one person") {
			assert.GreaterOrEqual(t, float64(gap), float64(250*time.Millisecond)-tick)
			assert.Less(t, gap, 600*time.Millisecond)
		}
		for _, gap := range b.gaps("reply") {
			assert.InDelta(t, 4800*time.Millisecond, gap, tick, "750 an hour")
		}
		assert.InDelta(t, 100*time.Millisecond, b.gaps("")[50], tick, "the others wait for neither")
	})
}

func TestARaisedRateIsNotOverslept(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.enqueue(50, 50)
		p, err := pace.New(b.rdb, pace.Config{})
		require.NoError(t, err)
		var raised time.Time
		done := make(chan error)
		go func() {
			time.Sleep(150 * time.Second)
			raised = time.Now()
			done <- p.SetRates(context.Background(), pace.Limits{Others: rate(5)})
		}()
		b.work(160*time.Second, worker.Config{Rates: rate(0.01), Poll: 500 * time.Millisecond})
		require.NoError(t, <-done)
		calls := b.sent.all()
		require.Greater(t, len(calls), 40)
		assert.InDelta(t, 100*time.Second, calls[1].at.Sub(calls[0].at), tick)
		assert.Less(t, calls[2].at.Sub(raised), time.Second)
		assert.InDelta(t, 200*time.Millisecond, calls[4].at.Sub(calls[3].at), tick)
	})
}
