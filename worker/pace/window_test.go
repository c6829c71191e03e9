package pace

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // some machines that test it have no time zones

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/redistest"
)

// window writes a daily window as a broadcast has it: with the offset from UTC at a time, and its changes in the two years after.
func window(from, to time.Duration, zone *time.Location, at time.Time) string {
	_, offset := at.In(zone).Zone()
	var b strings.Builder
	fmt.Fprintf(&b, "%.0f %.0f %d", from.Seconds(), to.Seconds(), offset)
	for t := at.Truncate(time.Hour / 2); t.Before(at.AddDate(2, 0, 0)); t = t.Add(time.Hour / 2) {
		if _, now := t.In(zone).Zone(); now != offset && t.After(at) {
			offset = now
			fmt.Fprintf(&b, " %d %d", t.Unix(), offset)
		}
	}
	return b.String()
}

// inside is the model: whether the clock on the wall there is inside of the window.
func inside(from, to time.Duration, local time.Time) bool {
	s := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
	if from < to {
		return from <= s && s < to
	}
	return s >= from || s < to
}

// TestWindowsFollowTheClocksOfTheirZone holds in_window against Go's clocks, also where those are put forward or back.
func TestWindowsFollowTheClocksOfTheirZone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		rdb := redistest.Client(t, addr)
		script := redis.NewScript(withParts("return string.format('%.0f', in_window(ARGV[1], tonumber(ARGV[2])) or -1)"))
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 1))
		zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"}
		for range 60 {
			zone, err := time.LoadLocation(zones[rnd.IntN(len(zones))])
			require.NoError(t, err)
			made := time.Date(2026, 1+time.Month(rnd.IntN(12)), 1+rnd.IntN(28), rnd.IntN(24), 0, 0, 0, time.UTC)
			from, to := time.Duration(rnd.IntN(48))*time.Hour/2, time.Duration(rnd.IntN(48))*time.Hour/2
			text := window(from, to, zone, made)
			for _, at := range someTimes(rnd, text, made) {
				want := at
				for step := time.Minute; !inside(from, to, want.In(zone)); {
					want = want.Truncate(step).Add(step)
				}
				got, err := script.Run(ctx, rdb, nil, text, at.UnixMicro()).Int64()
				require.NoError(t, err)
				assert.Equal(t, want.UnixMicro(), got, "seed %d: window %q of %s at %s", seed, text, zone, at)
			}
		}
		for _, none := range []string{"", "nine to five", "0 86400", "90000 90010 0"} {
			got, err := script.Run(ctx, rdb, nil, none, time.Now().UnixMicro()).Int64()
			require.NoError(t, err)
			assert.EqualValues(t, -1, got, none)
		}
	})
}

// someTimes are times after a broadcast was made: any, and around the first change of the clocks.
func someTimes(rnd *rand.Rand, window string, made time.Time) []time.Time {
	var from, to, offset, change int64
	_, _ = fmt.Sscan(window, &from, &to, &offset, &change) // a zone may have no changes
	times := []time.Time{made, made.Add(time.Duration(rnd.Int64N(int64(20 * 30 * 24 * time.Hour))))}
	if change > 0 {
		for _, seconds := range []int64{-86400, -7200, -1, 0, 1, 7200, 86400} {
			times = append(times, time.Unix(change+seconds, 500_000_000))
		}
	}
	return times
}
