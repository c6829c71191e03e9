package pace

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// TestStatusLosesNoJobOnItsWay moves one job between its line and a worker as fast as it can, and looks all the while.
func TestStatusLosesNoJobOnItsWay(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
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

func TestStatusShowsTheLimitsAsConfigured(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		rates := Rates{Page: 5, Bulk: 0.9, Media: 10, Replies: 0.2, Thread: time.Second, Budget: 7}
		d := newDesk(t, addr, Config{Margin: 0.005}, rates, nil)
		d.enqueue("1", "1", "x")
		s, err := ReadStatus(context.Background(), d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, rates, s.Pages[0].Configured)
		assert.Equal(t, LineStatus{
			Name: "1:bulk", PageID: "1", Lane: producer.LaneBulk, Waiting: 1, Rate: 0.9, Limit: "bulk", ETA: s.Lines[0].ETA,
			Oldest: s.Lines[0].Oldest, Next: s.Lines[0].Next,
		}, s.Lines[0])
		assert.WithinDuration(t, s.At, s.Lines[0].Next, 10*time.Second)
	})
}

func TestARateIsReadBackAsPreciseAsItsInterval(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{300, 50, 29.9, 0.9, 750.0 / 3600, 1.0 / 86400} {
		assert.InEpsilon(t, rate, rateOf(interval(rate, 0.005), 0.005), 5e-4)
	}
	assert.InDelta(t, 750, 3600*rateOf(interval(750.0/3600, 0.005), 0.005), 0.1, "an hour")
	assert.Equal(t, 0.9, rateOf(interval(0.9, 0.005), 0.005))
	assert.Equal(t, 300.0, rateOf(interval(300, 0.005), 0.005))
}

func TestStatusOfTheFleet(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Version: "v1.2.3"}, fast, nil)
		s, err := ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Empty(t, s.Workers)
		assert.Zero(t, s.Halted)
		require.NoError(t, d.Beat(ctx))
		d.ask() // makes it the lookout
		require.NoError(t, asynq.NewInspectorFromRedisClient(d.rdb).PauseQueue("messenger"))
		s, err = ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		require.Len(t, s.Workers, 1)
		assert.Equal(t, []any{d.id, "v1.2.3", true}, []any{s.Workers[0].ID, s.Workers[0].Version, s.Workers[0].Leads})
		assert.WithinDuration(t, time.Now(), s.Halted, time.Minute)
	})
}

func TestNothingIsExpectedOfAFleetWithoutWorkers(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		s, err := ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, []any{[]LineStatus{}, []PageStatus{}}, []any{s.Lines, s.Pages}, "not nil, which is no list in JSON")
		d.enqueue("1", "7", "x")
		d.enqueue("1", "8", "y")
		require.Eventually(t, func() bool { return d.next() != "" }, 5*time.Second, time.Millisecond)
		s, err = ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, []any{time.Duration(-1), 0.0}, []any{s.Lines[0].ETA, s.Pages[0].Rate})
		require.NoError(t, d.Beat(ctx))
		s, err = ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Positive(t, s.Lines[0].ETA)
		assert.Positive(t, s.Pages[0].Rate)
		_, err = d.Pause(ctx, "1", time.Minute, Reason{Text: "slow down"})
		require.NoError(t, err)
		s, err = ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Zero(t, s.Pages[0].Rate, "what was sent before is not now")
	})
}

func TestETAReckonsWithABudgetThatIsUsedUp(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		rates := fast
		rates.Budget = 1
		d := newDesk(t, addr, Config{}, rates, nil)
		require.NoError(t, d.Beat(context.Background()))
		d.enqueue("1", "7", "x")
		d.enqueue("1", "8", "y")
		require.Eventually(t, func() bool { return d.next() != "" }, 5*time.Second, time.Millisecond)
		s, err := ReadStatus(context.Background(), d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, "budget", s.Lines[0].Limit)
		assert.InDelta(t, s.Lines[0].Next.Sub(s.At).Hours(), s.Lines[0].ETA.Hours(), 0.01)
		assert.Greater(t, s.Lines[0].ETA, 23*time.Hour)
	})
}

func TestETAReckonsWithTheStageAndUsage(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	for name, tt := range map[string]struct {
		page PageStatus
		at   time.Duration // at the rates
		want time.Duration
	}{
		"steady":               {PageStatus{Stage: "steady", Percent: 100}, time.Minute, time.Minute},
		"usage":                {PageStatus{Stage: "steady", Percent: 25}, time.Minute, 4 * time.Minute},
		"climb, to its end":    {PageStatus{Stage: "climb", Percent: 50, StageEnd: now.Add(40 * time.Second)}, 30 * time.Second, 40 * time.Second},
		"climb, and more":      {PageStatus{Stage: "climb", Percent: 50, StageEnd: now.Add(40 * time.Second)}, 90 * time.Second, 100 * time.Second},
		"climb, part of it":    {PageStatus{Stage: "climb", Percent: 50, StageEnd: now.Add(40 * time.Second)}, 12500 * time.Millisecond, 20 * time.Second},
		"probe":                {PageStatus{Stage: "probe", Percent: 100}, time.Minute, 82500 * time.Millisecond},
		"a climb that is over": {PageStatus{Stage: "climb", Percent: 100, StageEnd: now.Add(-time.Second)}, time.Minute, time.Minute},
	} {
		assert.InDelta(t, tt.want.Seconds(), tt.page.Slowed(tt.at, now).Seconds(), 0.01, name)
	}
}

func TestStatusSaysWhenAStageEnds(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		d.enqueue("1", "7", "x")
		d.enqueue("1", "8", "y")
		_, err := d.Pause(context.Background(), "1", time.Minute, Reason{Text: "slow down"})
		require.NoError(t, err)
		_, err = d.Release(context.Background(), "1")
		require.NoError(t, err)
		look := func() *Status {
			s, err := ReadStatus(context.Background(), d.rdb, "")
			require.NoError(t, err)
			return s
		}
		p := look().Pages[0]
		assert.Equal(t, []any{"probe", "page", time.Time{}}, []any{p.Stage, p.StageScope, p.StageEnd}, "none is out yet")
		var probe string
		require.Eventually(t, func() bool { probe = d.next(); return probe != "" }, 5*time.Second, time.Millisecond)
		s := look()
		assert.WithinDuration(t, s.At.Add(2*time.Minute), s.Pages[0].StageEnd, 30*time.Second)
		assert.Equal(t, s.Pages[0].StageEnd, s.Lines[0].Next)
		d.settleAs(probe, d.routeOf("1", "7"), Settlement{
			Outcome: producer.Outcome{Kind: producer.Sent}, Report: Report{Accepted: true},
		})
		p = look().Pages[0]
		assert.Equal(t, "climb", p.Stage)
		assert.WithinDuration(t, s.At.Add(time.Minute), p.StageEnd, 30*time.Second)
	})
}
