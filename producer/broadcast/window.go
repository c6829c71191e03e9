package broadcast

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	day = 24 * 60 * 60
	// horizon is how far ahead changes of the UTC offset are written down. Behind it the last offset goes on.
	horizon = 5 * 365 * day * time.Second
)

// Window is the part of each day in which a broadcast is sent: by the clocks of one time zone, daylight saving time included. The
// zero value is the whole day.
type Window struct {
	// From and To are times of the day, from 0 to 24 hours, in whole seconds: From is the first moment, To the first that is not in
	// it. A window with From after To goes over midnight.
	From, To time.Duration
	// Zone is the time zone of the audience; nil means UTC.
	Zone *time.Location
}

var clockTimes = regexp.MustCompile(`^([01]?\d|2[0-4]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)$`)

// ParseWindow reads "09:00-20:30", in a time zone of the IANA database such as Europe/Berlin. An empty zone means UTC.
func ParseWindow(clock, zone string) (Window, error) {
	m := clockTimes.FindStringSubmatch(clock)
	if m == nil {
		return Window{}, fmt.Errorf("window %q: write it as 09:00-20:30", clock)
	}
	at := func(h, m string) time.Duration {
		hours, _ := strconv.Atoi(h) // digits
		minutes, _ := strconv.Atoi(m)
		return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	}
	w := Window{From: at(m[1], m[2]), To: at(m[3], m[4])}
	if strings.EqualFold(zone, "local") {
		return Window{}, fmt.Errorf("time zone %q: name the audience's, such as Europe/Berlin", zone)
	}
	var err error
	if w.Zone, err = time.LoadLocation(zone); err != nil {
		return Window{}, fmt.Errorf("time zone %q: there is none of that name; they look like Europe/Berlin", zone)
	}
	if w.isZero() {
		return Window{}, fmt.Errorf("window %q: it never opens; for the whole day leave it out", clock)
	}
	return w, w.validate()
}

func (w Window) isZero() bool { return w.From == 0 && w.To == 0 }

// String is the window as [ParseWindow] takes it, with the zone behind it; empty for the zero value.
func (w Window) String() string {
	if w.isZero() {
		return ""
	}
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	return clock(w.From) + "-" + clock(w.To) + " " + w.zone().String()
}

func (w Window) zone() *time.Location {
	if w.Zone == nil {
		return time.UTC
	}
	return w.Zone
}

func (w Window) validate() error {
	for _, d := range []time.Duration{w.From, w.To} {
		if d < 0 || d > day*time.Second || d%time.Second != 0 {
			return fmt.Errorf("window: %v is no time of the day in whole seconds", d)
		}
	}
	if w.From == w.To && !w.isZero() || w.From == day*time.Second {
		return fmt.Errorf("window %s: it never opens", w)
	}
	return nil
}

// schedule is a window as the pacer reads it: seconds of the local day, and the UTC offsets with the times that they begin.
type schedule struct {
	from, to int64
	offsets  []offset
}

// offset is a UTC offset, in seconds, from a time, in unix seconds, on.
type offset struct{ at, seconds int64 }

// schedule works the window out from now on. It is nil for the whole day.
func (w Window) schedule(now time.Time) *schedule {
	if w.isZero() {
		return nil
	}
	s := &schedule{from: int64(w.From / time.Second), to: int64(w.To / time.Second)}
	for t := now.In(w.zone()); t.Sub(now) <= horizon; {
		_, seconds := t.Zone()
		if n := len(s.offsets); n == 0 || s.offsets[n-1].seconds != int64(seconds) {
			s.offsets = append(s.offsets, offset{at: t.Unix(), seconds: int64(seconds)})
		}
		_, end := t.ZoneBounds()
		if end.IsZero() {
			break
		}
		// Of a zone that is given by a rule, Go ends each year after 365 days: on the last day of a leap year it is over already.
		if !end.After(t) {
			end = t.AddDate(0, 0, 1)
		}
		t = end
	}
	return s
}

// String is the field window of a broadcast: "<from> <to> <offset> [<at> <offset>]...".
func (s *schedule) String() string {
	if s == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %d", s.from, s.to, s.offsets[0].seconds)
	for _, o := range s.offsets[1:] {
		fmt.Fprintf(&b, " %d %d", o.at, o.seconds)
	}
	return b.String()
}

// parseSchedule reads what String has written.
func parseSchedule(text string) (*schedule, error) {
	if text == "" {
		return nil, nil
	}
	var numbers []int64
	for _, word := range strings.Fields(text) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("window: %w", err)
		}
		numbers = append(numbers, n)
	}
	if len(numbers) < 3 || len(numbers)%2 == 0 {
		return nil, fmt.Errorf("window: %d numbers", len(numbers))
	}
	s := &schedule{from: numbers[0], to: numbers[1], offsets: []offset{{seconds: numbers[2]}}}
	for i := 3; i < len(numbers); i += 2 {
		s.offsets = append(s.offsets, offset{at: numbers[i], seconds: numbers[i+1]})
	}
	return s, nil
}

// look tells whether the window is open at a time, in unix seconds, and until when that stays so, at least.
func (s *schedule) look(at int64) (open bool, until int64) {
	if s == nil {
		return true, at + int64(horizon/time.Second)
	}
	shift, change := s.offsets[0].seconds, at+day
	for _, o := range s.offsets[1:] {
		if o.at > at {
			change = min(change, o.at)
			break
		}
		shift = o.seconds
	}
	local := (at + shift) % day
	if s.from < s.to {
		open = local >= s.from && local < s.to
	} else {
		open = local >= s.from || local < s.to
	}
	edge := s.from
	if open {
		edge = s.to
	}
	wait := (edge - local + day) % day
	if wait == 0 { // a window to 24:00, at midnight: never open here; from 0:00 to 24:00 it never closes
		wait = day
	}
	return open, min(at+wait, change)
}

// opening is the first moment from t on at which a window is open.
func (s *schedule) opening(t time.Time) time.Time {
	for {
		open, until := s.look(t.Unix())
		if open {
			return t
		}
		t = time.Unix(until, 0).UTC()
	}
}

// after is the time at which so much time of open windows has passed since start. ok is false beyond five years.
func (s *schedule) after(start time.Time, need time.Duration) (end time.Time, ok bool) {
	limit := start.Add(horizon)
	for t := start; need < horizon && t.Before(limit); {
		open, until := s.look(t.Unix())
		next := time.Unix(until, 0).UTC()
		if open {
			if room := next.Sub(t); need <= room {
				return t.Add(need), true
			}
			need -= next.Sub(t)
		}
		t = next
	}
	return time.Time{}, false
}

// openTime is how much time of open windows there is from start to end, which is at most five years ahead.
func (s *schedule) openTime(start, end time.Time) (sum time.Duration) {
	if limit := start.Add(horizon); end.After(limit) {
		end = limit
	}
	for t := start; t.Before(end); {
		open, until := s.look(t.Unix())
		next := time.Unix(until, 0).UTC()
		if next.After(end) {
			next = end
		}
		if open {
			sum += next.Sub(t)
		}
		t = next
	}
	return sum
}
