package pace

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/redistest"
)

// hourly sends one bulk job an hour.
var hourly = Rates{Page: 100, Bulk: 1.0 / 3600, Media: 100}

// waitingDesk has n bulk jobs to as many people, and has handed out what was due at once.
func waitingDesk(t *testing.T, rates Rates, n int) *clockedDesk {
	t.Helper()
	d := newClockedDesk(t, Config{Lead: 50 * time.Millisecond}, rates)
	for i := range n {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	require.Len(t, d.drain(), 1)
	return d
}

// handedIn counts what is handed out in a time, while nobody else takes anything.
func (d *clockedDesk) handedIn(length time.Duration) (n int) {
	for step := min(50*time.Millisecond, length); length > 0; length -= step {
		d.after(step)
		n += len(d.drain())
	}
	return n
}

func (d *clockedDesk) hurry(r Temporary, span time.Duration) {
	d.t.Helper()
	until, err := d.SetTemporary(context.Background(), "1", r, span)
	require.NoError(d.t, err)
	assert.WithinDuration(d.t, d.now.Add(span), until, time.Millisecond)
}

func TestATemporaryRateHoldsAtOnceThroughStartsOfWorkersAndGoesBack(t *testing.T) {
	t.Parallel()
	d := waitingDesk(t, hourly, 300)
	assert.Zero(t, d.handedIn(5*time.Second))
	d.hurry(Temporary{Bulk: 10}, 10*time.Second)
	assert.InDelta(t, 10, d.handedIn(time.Second), 1, "upwards within a second, though the next slot was an hour away")
	require.NoError(t, d.SetRates(context.Background(), Limits{Others: hourly}), "a worker starts")
	assert.InDelta(t, 90, d.handedIn(9*time.Second), 2)
	assert.Zero(t, d.handedIn(3*time.Minute), "it is over")
	require.NoError(t, d.SetRates(context.Background(), Limits{Others: hourly}), "every line is looked at again")
	assert.Zero(t, d.handedIn(time.Second), "what was sent at the temporary rate counts")
	d.after(56*time.Minute - time.Second)
	assert.Empty(t, d.drain())
	d.after(time.Minute + time.Second)
	assert.Len(t, d.drain(), 1, "an hour after the last one")
}

func TestATemporaryRateThatIsSlowerIsNotOverslept(t *testing.T) {
	t.Parallel()
	d := waitingDesk(t, Rates{Page: 100, Bulk: 10, Media: 100}, 300)
	d.hurry(Temporary{Bulk: 1.0 / 3600}, 30*time.Second)
	assert.Zero(t, d.handedIn(29*time.Second+900*time.Millisecond))
	assert.InDelta(t, 10, d.handedIn(1100*time.Millisecond), 1)
}

func TestATemporaryMediaRate(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: 50 * time.Millisecond}, Rates{Page: 100, Bulk: 100, Media: 100})
	d.hurry(Temporary{Media: 1.0 / 3600}, time.Minute)
	for i := range 20 {
		d.store("1", person(strconv.Itoa(i)), video)
	}
	require.Len(t, d.drain(), 1)
	assert.Zero(t, d.handedIn(59*time.Second), "they stand in their side line")
	assert.Equal(t, 19, d.handedIn(2*time.Second))
}

func TestATemporaryRateIsEndedAndReplaced(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := waitingDesk(t, hourly, 300)
	d.hurry(Temporary{Bulk: 1}, time.Hour)
	d.hurry(Temporary{Bulk: 10}, time.Minute)
	assert.InDelta(t, 10, d.handedIn(time.Second), 1)
	for _, want := range []bool{true, false} {
		found, err := d.EndTemporary(ctx, "1")
		require.NoError(t, err)
		assert.Equal(t, want, found)
	}
	assert.Zero(t, d.handedIn(time.Second))
}

func TestStatusTellsTemporaryRates(t *testing.T) {
	t.Parallel()
	d := waitingDesk(t, hourly, 101)
	require.NoError(t, d.Beat(context.Background()))
	assert.Nil(t, d.status().Pages[0].Temporary)
	d.hurry(Temporary{Bulk: 10, Page: 50}, 5*time.Second)
	s := d.status()
	require.NotNil(t, s.Pages[0].Temporary)
	assert.Equal(t, Temporary{Page: 50, Bulk: 10, Until: s.At.Add(5 * time.Second).UTC()}, *s.Pages[0].Temporary)
	assert.InDelta(t, hourly.Bulk, s.Pages[0].Configured.Bulk, hourly.Bulk/100)
	assert.InDelta(t, 10, s.Lines[0].Rate, 0.1)
	assert.InDelta(t, 50*time.Hour, s.Lines[0].ETA, float64(time.Hour), "50 in 5 seconds, and 50 at one an hour")
	d.after(6 * time.Second)
	assert.Nil(t, d.status().Pages[0].Temporary)
}

func TestATemporaryRateNeedsThoseOfAWorker(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		p, err := New(redistest.Client(t, addr), Config{})
		require.NoError(t, err)
		_, err = p.SetTemporary(ctx, "1", Temporary{Bulk: 1}, time.Hour)
		require.ErrorIs(t, err, ErrNoRates)
		d := newDesk(t, addr, Config{Margin: 0.5}, fast, nil)
		_, err = p.SetTemporary(ctx, "1", Temporary{Bulk: 1}, time.Microsecond)
		require.ErrorContains(t, err, "too short")
		_, err = p.SetTemporary(ctx, "1", Temporary{Bulk: 20}, time.Hour)
		require.NoError(t, err)
		assert.Contains(t, d.rdb.Get(ctx, d.keys.Temporary("1")).Val(), " 0 100000 0", "with the margin of the workers")
		assert.Greater(t, d.rdb.PTTL(ctx, d.keys.Temporary("1")).Val(), 59*time.Minute)
	})
}
