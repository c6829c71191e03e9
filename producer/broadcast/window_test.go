package broadcast

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return moment
}

func windowOf(t *testing.T, clock, zone string) Window {
	t.Helper()
	w, err := ParseWindow(clock, zone)
	require.NoError(t, err)
	return w
}

func TestParseWindow(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "09:00-20:30 Europe/Berlin", windowOf(t, "9:00-20:30", "Europe/Berlin").String())
	assert.Equal(t, "22:00-06:00 UTC", windowOf(t, "22:00-06:00", "").String())
	assert.Equal(t, "00:00-24:00 UTC", windowOf(t, "0:00-24:00", "UTC").String())
	assert.Empty(t, Window{}.String())
	for clock, want := range map[string]string{
		"9-20":        "write it as 09:00-20:30",
		"09:00-25:00": "write it as 09:00-20:30",
		"09:60-20:00": "write it as 09:00-20:30",
		"09:00-24:30": "is no time of the day",
		"09:00-09:00": "it never opens",
		"00:00-00:00": "it never opens; for the whole day leave it out",
		"24:00-09:00": "it never opens",
	} {
		_, err := ParseWindow(clock, "UTC")
		assert.ErrorContains(t, err, want, clock)
	}
	for _, zone := range []string{"Mars/Olympus", "local", "Local", "../etc"} {
		_, err := ParseWindow("09:00-20:00", zone)
		assert.ErrorContains(t, err, "Europe/Berlin", zone)
	}
}

func TestWindowsFollowTheClocks(t *testing.T) {
	t.Parallel()
	// Berlin: +01:00, from 2027-03-28T01:00Z to 2027-10-31T01:00Z +02:00.
	now := at(t, "2026-11-24T12:00:00Z")
	for _, tt := range []struct{ window, zone, at, open, until string }{
		{"09:00-20:00", "Europe/Berlin", "2026-11-24T12:00:00Z", "open", "2026-11-24T19:00:00Z"},
		{"09:00-20:00", "Europe/Berlin", "2026-11-24T19:00:00Z", "shut", "2026-11-25T08:00:00Z"},
		{"09:00-20:00", "Europe/Berlin", "2026-11-25T07:59:59Z", "shut", "2026-11-25T08:00:00Z"},
		{"09:00-20:00", "Europe/Berlin", "2026-11-25T08:00:00Z", "open", "2026-11-25T19:00:00Z"},
		{"09:00-20:00", "Europe/Berlin", "2027-03-27T20:00:00Z", "shut", "2027-03-28T01:00:00Z"}, // not longer than that offset
		{"09:00-20:00", "Europe/Berlin", "2027-03-28T01:00:00Z", "shut", "2027-03-28T07:00:00Z"},
		{"09:00-20:00", "Europe/Berlin", "2027-07-01T07:00:00Z", "open", "2027-07-01T18:00:00Z"},
		{"09:00-20:00", "Europe/Berlin", "2027-10-31T07:30:00Z", "shut", "2027-10-31T08:00:00Z"},
		{"22:00-06:00", "America/New_York", "2026-11-25T03:00:00Z", "open", "2026-11-25T11:00:00Z"},
		{"22:00-06:00", "America/New_York", "2026-11-25T02:59:00Z", "shut", "2026-11-25T03:00:00Z"},
		{"00:00-24:00", "UTC", "2026-11-25T00:00:00Z", "open", "2026-11-26T00:00:00Z"},
		{"22:00-24:00", "UTC", "2026-11-25T00:00:00Z", "shut", "2026-11-25T22:00:00Z"},
		{"10:00-11:00", "Asia/Kathmandu", "2026-11-25T04:15:00Z", "open", "2026-11-25T05:15:00Z"},
	} {
		written := windowOf(t, tt.window, tt.zone).schedule(now).String()
		s, err := parseSchedule(written)
		require.NoError(t, err, written)
		open, until := s.look(at(t, tt.at).Unix())
		assert.Equal(t, tt.open == "open", open, "%v", tt)
		assert.Equal(t, tt.until, time.Unix(until, 0).UTC().Format(time.RFC3339), "%v", tt)
	}
}

func TestScheduleAsItIsWritten(t *testing.T) {
	t.Parallel()
	s := windowOf(t, "09:00-20:00", "Europe/Berlin").schedule(at(t, "2026-11-24T12:00:00Z"))
	assert.Regexp(t, `^32400 72000 3600 1806195600 7200 1824944400 3600 `, s.String())
	assert.Len(t, s.offsets, 11, "now, and two changes in each of five years")
	assert.Equal(t, "32400 72000 0", windowOf(t, "09:00-20:00", "UTC").schedule(time.Now()).String())
	assert.Nil(t, Window{}.schedule(time.Now()))
	assert.Empty(t, (*schedule)(nil).String())
	for _, text := range []string{"1", "1 2", "1 2 3 4", "1 2 x"} {
		_, err := parseSchedule(text)
		assert.Error(t, err, text)
	}
	none, err := parseSchedule("")
	assert.NoError(t, err)
	assert.Nil(t, none)
}

func TestTimeOfOpenWindows(t *testing.T) {
	t.Parallel()
	start := at(t, "2027-03-27T18:00:00Z") // 19:00 in Berlin, on the day before the clocks go forward
	s := windowOf(t, "09:00-20:00", "Europe/Berlin").schedule(start)
	for need, want := range map[time.Duration]string{
		time.Hour:                 "2027-03-27T19:00:00Z",
		time.Hour + time.Second:   "2027-03-28T07:00:01Z",
		12 * time.Hour:            "2027-03-28T18:00:00Z",
		(1 + 11 + 11) * time.Hour: "2027-03-29T18:00:00Z",
		(1 + 110) * time.Hour:     "2027-04-06T18:00:00Z",
	} {
		end, ok := s.after(start, need)
		assert.True(t, ok)
		assert.Equal(t, want, end.UTC().Format(time.RFC3339), need)
		assert.Equal(t, need, s.openTime(start, end), need)
	}
	_, ok := s.after(start, (5*365+2)*11*time.Hour)
	assert.False(t, ok, "beyond five years")
	end, ok := (*schedule)(nil).after(start, 48*time.Hour)
	assert.True(t, ok)
	assert.Equal(t, start.Add(48*time.Hour), end.UTC())
	assert.Equal(t, 48*time.Hour, (*schedule)(nil).openTime(start, start.Add(48*time.Hour)))
	assert.Zero(t, s.openTime(start, start.Add(-time.Hour)))
	assert.Equal(t, "2027-03-28T07:00:00Z", s.opening(start.Add(time.Hour)).UTC().Format(time.RFC3339))
}

func TestForecast(t *testing.T) {
	t.Parallel()
	noon := at(t, "2026-11-24T12:00:00Z")
	hours := func(h float64) time.Time { return noon.Add(time.Duration(h * float64(time.Hour))) }
	window := windowOf(t, "09:00-13:00", "UTC").schedule(noon)
	for name, tt := range map[string]struct {
		interval time.Duration
		b        pacing
		slots    float64
		want     Forecast
	}{
		"the page's pace":       {time.Second, pacing{people: 3600}, 3600, Forecast{Start: noon, End: hours(1)}},
		"two calls each":        {time.Second, pacing{people: 3600}, 7200, Forecast{Start: noon, End: hours(2)}},
		"a window":              {time.Second, pacing{people: 7200, schedule: window}, 7200, Forecast{Start: noon, End: hours(22)}},
		"no pace is known":      {0, pacing{people: 3600}, 3600, Forecast{Start: noon}},
		"time to spare":         {time.Second, pacing{people: 3600, finishBy: hours(10), until: hours(10)}, 3600, Forecast{Start: noon, End: hours(9).Add(42 * time.Minute), Every: 9700 * time.Millisecond}},
		"just in time":          {time.Second, pacing{people: 36000, finishBy: hours(10.1), until: hours(10.1)}, 36000, Forecast{Start: noon, End: hours(10)}},
		"too late":              {time.Second, pacing{people: 36000, finishBy: hours(4), until: hours(4)}, 36000, Forecast{Start: noon, End: hours(4), Late: 36000 - 4*3600}},
		"it expires":            {time.Second, pacing{people: 7200, until: hours(1)}, 7200, Forecast{Start: noon, End: hours(1), Late: 3600}},
		"half of the pace":      {time.Second, pacing{people: 3600, until: hours(1)}, 7200, Forecast{Start: noon, End: hours(1), Late: 1800}},
		"not within five years": {time.Hour, pacing{people: 100_000}, 100_000, Forecast{Start: noon}},
		"a pace from before":    {time.Second, pacing{people: 3600, every: 2 * time.Second}, 3600, Forecast{Start: noon, End: hours(2), Every: 2 * time.Second}},
	} {
		f := Forecast{Interval: tt.interval, Start: noon}
		f.choose(tt.b, tt.slots)
		tt.want.Interval = tt.interval
		assert.Equal(t, tt.want, f, name)
	}
}

func TestParseRates(t *testing.T) {
	t.Parallel()
	r, err := parseRates("33501 1116694 100503 4824121 250000 0 0 0.005")
	require.NoError(t, err)
	assert.Equal(t, 1116694*time.Microsecond, r.interval(false))
	r, err = parseRates("33501 10 100503 0 0 0 0 0")
	require.NoError(t, err)
	assert.Equal(t, 33501*time.Microsecond, r.interval(false))
	assert.Equal(t, 100503*time.Microsecond, r.interval(true))
	r, err = parseRates("33501 10 100503 0 0 86400 43200 0")
	require.NoError(t, err)
	assert.Equal(t, 2*time.Second, r.interval(false), "no more than the day's budget")
	_, err = parseRates("fast")
	assert.Error(t, err)
	assert.Zero(t, rates{}.interval(true))
}

func TestPickerPicksSoManyAndAlwaysTheSame(t *testing.T) {
	t.Parallel()
	pick := func(seed uint64, want, people int) (chosen []int) {
		k := newPicker(seed, want, people)
		for i := range people {
			if k.next() {
				chosen = append(chosen, i)
			}
		}
		assert.False(t, k.next(), "nobody is left")
		return chosen
	}
	assert.Len(t, pick(1, 50, 1000), 50)
	assert.Equal(t, pick(1, 50, 1000), pick(1, 50, 1000))
	assert.NotEqual(t, pick(1, 50, 1000), pick(2, 50, 1000))
	assert.Empty(t, pick(1, 0, 1000))
	assert.Len(t, pick(1, 1, 1), 1)
	times := make([]int, 10)
	for seed := range uint64(10_000) {
		for _, i := range pick(seed, 3, 10) {
			times[i]++
		}
	}
	for i, n := range times {
		assert.InDelta(t, 3000, n, 300, "person %d", i)
	}
}

func TestWindowsGoOverTheEndOfALeapYear(t *testing.T) {
	t.Parallel()
	w := windowOf(t, "09:00-20:00", "Europe/Berlin")
	for _, now := range []string{"2028-12-31T12:00:00Z", "2025-06-01T12:00:00Z", "2028-02-29T12:00:00Z"} {
		s := w.schedule(at(t, now))
		require.Len(t, s.offsets, 11, "now and ten changes in five years from %s", now)
		for i, o := range s.offsets[1:] {
			assert.Greater(t, o.at, s.offsets[i].at)
			assert.NotEqual(t, o.seconds, s.offsets[i].seconds)
		}
	}
}
