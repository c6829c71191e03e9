package pace

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestFigures(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Margin: 0.005}, fast, map[string]Rates{"2": {Page: 5, Bulk: 0.9, Media: 1}})
		for i := range 3 {
			d.enqueue("1", strconv.Itoa(i), "x")
		}
		d.enqueue("1", "7", "x", producer.InLane(producer.LaneRealtime))
		d.enqueue("3", "1", "x", producer.At(time.Now().Add(time.Hour)))
		require.NoError(t, d.Hold(ctx, "2", Reason{Text: "expired"}))
		_, err := d.Pause(ctx, App, time.Minute, Reason{Text: "slow down"})
		require.NoError(t, err)
		require.NoError(t, d.Beat(ctx))

		f, err := ReadFigures(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, []int64{1, 0, 1}, []int64{int64(f.Workers), f.Active, f.Scheduled})
		assert.InDelta(t, time.Minute, f.App.Left, float64(10*time.Second))
		require.Len(t, f.Pages, 3)
		assert.Empty(t, f.Pages[2].Lanes, "the only job of page 3 is not waiting in a line")
		assert.EqualValues(t, 3, f.Pages[0].Lanes[producer.LaneBulk].Waiting)
		assert.EqualValues(t, 1, f.Pages[0].Lanes[producer.LaneRealtime].Waiting)
		assert.Nil(t, f.Pages[0].Pause)
		assert.Equal(t, Rates{Page: 5, Bulk: 0.9, Media: 1}, f.Pages[1].Allowed)
		assert.True(t, f.Pages[1].Pause.Hold)
		_, err = d.SetTemporary(ctx, "2", Temporary{Bulk: 0.5}, time.Hour)
		require.NoError(t, err)
		f, err = ReadFigures(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, Rates{Page: 5, Bulk: 0.5, Media: 1}, f.Pages[1].Allowed, "for an hour")
		s, err := ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Len(t, s.Pages, len(f.Pages), "figures and status are of the same pages")
	})
}

// TestOldest has a line whose first job came back: it counts from when it was made.
func TestOldest(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "x")
		require.Eventually(t, func() bool { return d.next() == id }, 5*time.Second, time.Millisecond)
		d.putBack(id, d.routeOf("1", "7"), Head)
		f, err := ReadFigures(context.Background(), d.rdb, "")
		require.NoError(t, err)
		made, ok := producer.IDTime(id)
		require.True(t, ok, id)
		assert.InDelta(t, f.At.Sub(made), f.Pages[0].Lanes[producer.LaneBulk].Oldest, float64(time.Millisecond))
	})
}
