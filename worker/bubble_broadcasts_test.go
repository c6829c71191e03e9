package worker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
)

var queueKeys = rediskeys.Keys{Queue: producer.DefaultQueue}

// broadcast stores n jobs of a broadcast, whose texts begin with its name, and sets how it is sent. The first share of them have the
// score of a test share.
func (b *bubble) broadcast(name string, n, share int, fields ...any) {
	b.t.Helper()
	ctx := b.t.Context()
	require.NoError(b.t, b.rdb.HSet(ctx, queueKeys.Broadcast(name), append(fields, "page", "1001", "rows", n)...).Err())
	for i := range n {
		j := job("1001", fmt.Sprintf("%d%03d", name[0], i), name+" "+fmt.Sprint(i))
		r, err := b.producer.Enqueue(ctx, j, producer.InBroadcast(name))
		require.NoError(b.t, err)
		if i < share {
			b.rdb.ZAdd(ctx, queueKeys.Line(r.Line.String()), redis.Z{Score: 1, Member: r.ID})
		}
	}
}

// set changes a broadcast and makes its line due, as those do who change one.
func (b *bubble) set(name string, fields ...any) {
	ctx := b.t.Context()
	_, err := b.rdb.HSet(ctx, queueKeys.Broadcast(name), fields...).Result()
	assert.NoError(b.t, err)
	b.rdb.ZAddXX(ctx, queueKeys.Due(), redis.Z{Score: float64(time.Now().UnixMicro()), Member: "1001:bulk:@" + name})
}

func (b *bubble) field(name, field string) string {
	return b.rdb.HGet(b.t.Context(), queueKeys.Broadcast(name), field).Val()
}

// sentOf are the times at which messages of a broadcast were sent.
func (b *bubble) sentOf(name string) (times []time.Time) {
	for _, c := range b.sent.all() {
		if strings.Contains(c.body, `"text":"`+name+" ") {
			times = append(times, c.at)
		}
	}
	return times
}

func TestTwoBroadcastsShareThreeToOne(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.broadcast("heavy", 800, 0, "weight", 3)
		b.broadcast("light", 800, 0)
		begin := time.Now()
		b.work(200*time.Second, config(4))
		heavy, light := len(b.sentOf("heavy")), len(b.sentOf("light"))
		assert.InDelta(t, 3*light, heavy, 3, "%d and %d", heavy, light)
		assert.GreaterOrEqual(t, float64(heavy+light), 0.99*4*200, "%d and %d", heavy, light)
		for i, gap := range b.gaps("") {
			require.InDelta(t, 250*time.Millisecond*1000/995, gap, float64(20*time.Microsecond), "gap %d", i)
		}
		b.work(250*time.Second, config(4))
		require.Len(t, b.sent.all(), 1600, "when one has ended the other one has it all")
		assert.InDelta(t, 1600/3.98, b.sent.all()[1599].at.Sub(begin).Seconds(), 2)
		for _, name := range []string{"heavy", "light"} {
			assert.NotEmpty(t, b.field(name, "ended"), name)
			assert.Equal(t, "800", b.field(name, "sent"), name)
		}
	})
}

func TestAPausedBroadcastSendsNothingMore(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.broadcast("sale", 400, 0)
		b.broadcast("news", 400, 0)
		var paused, resumed time.Time
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(30*time.Second + 123*time.Millisecond)
			b.set("sale", "state", "paused")
			paused = time.Now()
			time.Sleep(45 * time.Second)
			resumed = time.Now()
			b.set("sale", "state", "running")
		}()
		cfg := config(4)
		cfg.Poll = 500 * time.Millisecond
		b.work(2*time.Minute, cfg)
		<-done
		for _, at := range b.sentOf("sale") {
			assert.False(t, at.After(paused) && at.Before(resumed), "sent %v after the pause", at.Sub(paused))
		}
		require.Len(t, b.gaps(""), len(b.sent.all())-1)
		for i, gap := range b.gaps("") {
			assert.Less(t, gap, 510*time.Millisecond, "gap %d: others lose one slot at most, that of a job in hand", i)
		}
		assert.GreaterOrEqual(t, float64(len(b.sent.all())), 0.99*4*120)
		assert.InDelta(t, 4*(30+45.0)/2, len(b.sentOf("sale")), 3, "half of the time that it was not paused")
	})
}

func TestABroadcastKeepsToItsStartAndWindow(t *testing.T) {
	inBubble(t, func(b *bubble) {
		midnight := time.Now().Truncate(24 * time.Hour)
		// From five past one to ten past one, an hour east of UTC.
		b.broadcast("sale", 400, 0, "start", midnight.Add(8*time.Minute).UnixMicro(), "window", "3900 4200 3600")
		for day := range 2 {
			time.Sleep(time.Until(midnight.Add(time.Duration(day) * 24 * time.Hour))) // no worker runs: that takes no real time
			b.work(15*time.Minute, config(0.5))
		}
		sent := b.sentOf("sale")
		require.Len(t, sent, 60+150, "two minutes and five, at a message in two seconds")
		assert.Equal(t, midnight.Add(8*time.Minute), sent[0])
		assert.Less(t, sent[59].Sub(midnight), 10*time.Minute)
		assert.Equal(t, midnight.Add(24*time.Hour+5*time.Minute), sent[60])
		assert.Less(t, sent[209].Sub(midnight), 24*time.Hour+10*time.Minute)
	})
}

func TestATestShareStopsABroadcastOrLetsItGo(t *testing.T) {
	for _, row := range []struct {
		name   string
		failed int
		limit  int
		sent   int
		state  string
	}{
		{"too many errors", 3, 20, 10, "paused"},
		{"few errors", 2, 20, 60, "running"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(b *bubble) {
				b.sent.took = 3 * time.Second
				b.sent.answer = func(n int, _ string) error {
					if n <= row.failed {
						return &sendapi.Error{Kind: sendapi.KindRecipient, Code: 551, Message: "not available"}
					}
					return nil
				}
				b.broadcast("sale", 60, 10, "state", "testing", "test", 10, "test_limit", row.limit)
				b.work(time.Minute, worker.Config{Rates: rate(2), Poll: time.Second})
				assert.Len(t, b.sent.all(), row.sent)
				assert.Equal(t, row.state, b.field("sale", "state"))
				assert.Equal(t, fmt.Sprint(row.failed), b.field("sale", "reason:551/0"))
				assert.Contains(t, b.field("sale", "text:551/0"), "not available")
				assert.Equal(t, row.state == "running", b.field("sale", "ended") != "")
				assert.Equal(t, row.state == "paused", b.field("sale", "why") != "")
			})
		})
	}
}
