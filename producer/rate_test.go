package producer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
)

// setRates sets the rates as a worker does: page 1 sends 20 a second, of those 2 in bulk, 1 of media and 0.1 replies. Page 2
// has the rates of others, and page 3 sends next to nothing.
func setRates(t *testing.T, rdb redis.UniversalClient) *pace.Pacer {
	t.Helper()
	p, err := pace.New(rdb, pace.Config{})
	require.NoError(t, err)
	require.NoError(t, p.SetRates(bg, pace.Limits{
		Pages: map[string]pace.Rates{
			"1": {Page: 20, Bulk: 2, Media: 1, Replies: 0.1}, "3": {Page: 1e-12, Bulk: 1e-12, Media: 1e-12},
		},
		Others: pace.Rates{Page: 4, Bulk: 8, Media: 8},
	}))
	return p
}

// fill puts n jobs that are none into a line.
func fill(rdb redis.UniversalClient, line string, n int) {
	for i := range n {
		rdb.ZAdd(bg, keys.Line(line), redis.Z{Score: 5, Member: fmt.Sprint(i)})
	}
}

func TestALineIsFullByTheTimeThatItTakes(t *testing.T) {
	rows := []struct {
		name          string
		page, lane    string
		lines         map[string]int // what waits already
		waiting       int
		drain         time.Duration // refused for it; 0: accepted
		withoutLimits bool
	}{
		{"an empty line of a page that sends next to nothing", "3", "bulk", nil, 0, 0, false},
		{"ten jobs before it there", "3", "bulk", map[string]int{"3:bulk": 10}, 10, 9e18, false},
		{"bulk below", "1", "bulk", map[string]int{"1:bulk": 19}, 0, 0, false},
		{"bulk at the limit", "1", "bulk", map[string]int{"1:bulk": 20}, 20, 10 * time.Second, false},
		{"realtime has the rate of the page", "1", "realtime", map[string]int{"1:realtime": 199}, 0, 0, false},
		{"the other lane does not count", "1", "realtime", map[string]int{"1:bulk": 300}, 0, 0, false},
		{"realtime at the limit", "1", "realtime", map[string]int{"1:realtime": 200}, 200, 10 * time.Second, false},
		{"a side line counts", "1", "bulk", map[string]int{"1:bulk": 15, "1:bulk:later": 5}, 20, 10 * time.Second, false},
		{"media at its own rate", "1", "realtime", map[string]int{"1:realtime:media": 10}, 10, 10 * time.Second, false},
		{"replies at theirs", "1", "realtime", map[string]int{"1:realtime": 5, "1:realtime:reply": 2}, 7, 20 * time.Second, false},
		{"replies without a rate", "2", "realtime", map[string]int{"2:realtime:reply": 39}, 0, 0, false},
		{"the rate of the page is below that of bulk", "2", "bulk", map[string]int{"2:bulk": 40}, 40, 10 * time.Second, false},
		{"no worker has set rates", "1", "bulk", map[string]int{"1:bulk": 300}, 0, 0, true},
	}
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		for _, row := range rows {
			rdb.FlushAll(bg)
			if !row.withoutLimits {
				setRates(t, rdb)
			}
			for line, n := range row.lines {
				fill(rdb, line, n)
			}
			before := rdb.Keys(bg, "*{messenger}*").Val()
			p, err := producer.New(rdb, producer.Config{MaxDrain: 10 * time.Second})
			require.NoError(t, err)
			_, err = p.Enqueue(bg, text(row.page, "2", "x"), producer.InLane(producer.Lane(row.lane)), producer.Key("k"))
			if row.drain == 0 {
				assert.NoError(t, err, row.name)
				continue
			}
			var full *producer.LineFullError
			require.ErrorAs(t, err, &full, row.name)
			assert.ErrorContains(t, err, fmt.Sprintf("is full: %d jobs wait, which take ", row.waiting), row.name)
			assert.InEpsilon(t, row.drain, full.Drain, 0.006, row.name) // workers run 0.5 % below the rates
			full.Drain = 0
			assert.Equal(t, producer.LineFullError{
				Line:    producer.Line{PageID: row.page, Lane: producer.Lane(row.lane)},
				Waiting: row.waiting, DrainLimit: 10 * time.Second,
			}, *full, row.name)
			assert.ElementsMatch(t, before, rdb.Keys(bg, "*{messenger}*").Val(), "%s: something was written for a refused job", row.name)
		}
	})
}

func TestBothBoundsOfALine(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		setRates(t, rdb)
		p, err := producer.New(rdb, producer.Config{MaxDrain: 10 * time.Second, MaxWaiting: 5})
		require.NoError(t, err)
		fill(rdb, "1:bulk", 5)
		_, err = p.Enqueue(bg, text("1", "2", "x"))
		assert.ErrorContains(t, err, "5 jobs wait and the limit is 5")
		fill(rdb, "1:bulk", 20)
		_, err = p.Enqueue(bg, text("1", "2", "x"), producer.At(time.Now().Add(time.Hour)))
		assert.NoError(t, err, "a scheduled job does not wait in the line")
	})
}

func TestGetForecastsFromThePace(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		get := func(page string, ahead int, line string) producer.JobInfo {
			rdb.Del(bg, keys.Line(line))
			receipt, err := p.Enqueue(bg, text(page, "2", "x"))
			require.NoError(t, err)
			rdb.HSet(bg, keys.Task(receipt.ID), "group", line) // as the pacer moves one aside
			fill(rdb, line, ahead)
			rdb.ZAdd(bg, keys.Line(line), redis.Z{Score: 6, Member: receipt.ID})
			info, err := p.Get(bg, receipt.ID)
			require.NoError(t, err)
			require.EqualValues(t, ahead+1, info.Place)
			return info
		}
		assert.Zero(t, get("1", 3, "1:bulk").ETA, "no worker has set the pace")
		pacer := setRates(t, rdb)
		rows := []struct {
			page  string
			ahead int
			line  string
			want  time.Duration
		}{
			{"1", 1199, "1:bulk", 10 * time.Minute},
			{"1", 1199, "1:realtime", time.Minute},
			{"1", 599, "1:realtime:media", 10 * time.Minute},
			{"1", 59, "1:bulk:reply", 10 * time.Minute},
			{"1", 1199, "1:bulk:later", 10 * time.Minute},
			{"2", 239, "2:bulk", time.Minute},
		}
		for _, row := range rows {
			info := get(row.page, row.ahead, row.line)
			assert.WithinDuration(t, time.Now().Add(row.want), info.ETA, 15*time.Second, row.line)
			assert.Empty(t, info.Stopped, row.line)
		}
		assert.Zero(t, get("3", 1000, "3:bulk").ETA, "more than a century")

		_, err := pacer.Pause(bg, pace.App, time.Hour, pace.Reason{})
		require.NoError(t, err)
		paused := get("1", 1199, "1:bulk")
		assert.Equal(t, producer.StopPause, paused.Stopped)
		assert.WithinDuration(t, time.Now().Add(70*time.Minute), paused.ETA, 15*time.Second)
		require.NoError(t, pacer.Hold(bg, "1", pace.Reason{}))
		held := get("1", 3, "1:bulk")
		assert.Equal(t, producer.StopHold, held.Stopped)
		assert.Zero(t, held.ETA)
	})
}

func TestETAReckonsWithATemporaryRate(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		pacer := setRates(t, rdb)
		p := newProducer(t, rdb)
		var last string
		for i := range 40 {
			r, err := p.Enqueue(bg, text("1", fmt.Sprint(i), "x"))
			require.NoError(t, err)
			last = r.ID
		}
		in := func() time.Duration {
			info, err := p.Get(bg, last)
			require.NoError(t, err)
			return time.Until(info.ETA)
		}
		assert.InDelta(t, 20*time.Second, in(), float64(time.Second), "40 at 2 a second")
		_, err := pacer.SetTemporary(bg, "1", pace.Temporary{Bulk: 20}, time.Hour)
		require.NoError(t, err)
		assert.InDelta(t, 2*time.Second, in(), float64(time.Second), "40 at 20 a second")
		_, err = pacer.SetTemporary(bg, "1", pace.Temporary{Bulk: 0.2}, 20*time.Second)
		require.NoError(t, err)
		assert.InDelta(t, 38*time.Second, in(), float64(1200*time.Millisecond), "4 within 20 seconds, then 36 at 2 a second")
	})
}
