package sandbox

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestRecentIsBounded(t *testing.T) {
	t.Parallel()
	r := newRecent[int, int](10)
	for i := range 1000 {
		r.put(i, i)
		r.put(0, -1)
		assert.LessOrEqual(t, len(r.young)+len(r.old), 10)
		got, ok := r.get(0)
		assert.True(t, ok, "what is used stays")
		assert.Equal(t, -1, got)
	}
	got, ok := r.get(999)
	assert.True(t, ok)
	assert.Equal(t, 999, got)
	_, ok = r.get(500)
	assert.False(t, ok, "forgotten")
	r.remove(999)
	_, ok = r.get(999)
	assert.False(t, ok)
}

// The share in use is that of the calls in the last second, whatever came before.
func TestWindowPercent(t *testing.T) {
	t.Parallel()
	for range 50 {
		size := 1 + rand.IntN(20)
		w := newWindow(float64(size))
		var times []time.Time
		at := noon
		for range 100 {
			at = at.Add(time.Duration(rand.IntN(400)) * time.Millisecond)
			times = append(times, at)
			w.take(at)
			inside := 0
			for _, before := range times {
				if at.Sub(before) < time.Second {
					inside++
				}
			}
			want := 100 * float64(min(inside, size)) / float64(size)
			assert.InDelta(t, want, w.percent(at), 1e-9, "size %d, %d calls", size, inside)
		}
	}
}

// A budget may keep a call for one slot longer than it lives, and never less.
func TestBudgetAgainstCounting(t *testing.T) {
	t.Parallel()
	const slot = 24 * time.Hour / budgetSlots
	for range 5 {
		b := newBudget(50, 24*time.Hour)
		var times []time.Time
		at := noon
		for range 300 {
			at = at.Add(time.Duration(rand.Int64N(int64(time.Hour))))
			times = append(times, at)
			surely, perhaps := 0, 0
			for _, before := range times {
				if at.Sub(before) < 24*time.Hour-slot {
					surely++
				}
				if at.Sub(before) < 24*time.Hour+slot {
					perhaps++
				}
			}
			ok := b.take(at)
			assert.GreaterOrEqual(t, b.percent(at), 2*float64(surely))
			assert.LessOrEqual(t, b.percent(at), 2*float64(perhaps))
			assert.Equal(t, b.total <= 50, ok)
		}
	}
}

func TestBudgetWait(t *testing.T) {
	t.Parallel()
	b := newBudget(2, 24*time.Hour)
	assert.True(t, b.take(noon))
	assert.Zero(t, b.wait(noon), "there is room")
	assert.True(t, b.take(noon.Add(time.Hour)))
	assert.False(t, b.take(noon.Add(2*time.Hour)), "and counts")
	later := noon.Add(3 * time.Hour)
	wait := b.wait(later)
	assert.InDelta(t, 22, wait.Hours(), 0.1, "until the second one is gone")
	assert.False(t, b.take(later.Add(wait-10*time.Minute)))
	assert.Equal(t, 24*time.Hour, newWaitingBudget().wait(noon))
	assert.Zero(t, newBudgetOff().wait(noon))
}

func newWaitingBudget() *budget {
	b := newBudget(1, 24*time.Hour)
	b.take(noon)
	return &b
}

func newBudgetOff() *budget {
	b := newBudget(0, 24*time.Hour)
	b.take(noon)
	return &b
}

// The wait that a budget announces is long enough, and not longer than it must be.
func TestBudgetWaitIsRight(t *testing.T) {
	t.Parallel()
	for range 100 {
		size := 1 + rand.IntN(10)
		b := newBudget(size, time.Hour)
		at := noon
		for range size + rand.IntN(5) {
			at = at.Add(time.Duration(rand.IntN(300)) * time.Second)
			b.take(at)
		}
		wait := b.wait(at)
		early := b
		early.slots = append([]int(nil), b.slots...)
		assert.Equal(t, wait == 0, early.take(at.Add(wait/2)), "size %d, wait %v", size, wait)
		assert.True(t, b.take(at.Add(wait)), "size %d, wait %v", size, wait)
	}
}

func TestVolume(t *testing.T) {
	t.Parallel()
	v := volume{sent: newWindow(40)}
	for i := range 40 {
		v.take(noon.Add(time.Duration(i) * time.Millisecond))
	}
	assert.False(t, v.on(noon, false), "40 a second is not above 40")
	last := noon.Add(41 * time.Millisecond)
	v.take(last)
	assert.True(t, v.on(last, false))
	assert.True(t, v.on(last.Add(time.Minute-1), false))
	assert.False(t, v.on(last.Add(time.Minute), false), "a minute of less ends it")
	assert.True(t, v.on(last.Add(1000*time.Hour), true), "but not where it stays")
}

func TestStateIsBounded(t *testing.T) {
	t.Parallel()
	srv, err := New(Config{})
	require.NoError(t, err)
	defer srv.Close()
	for i := range maxPeople {
		srv.people[contact{"1001", "id:" + strconv.Itoa(i)}] = Person{}
	}
	for i := range maxPages {
		srv.pages[strconv.Itoa(i)] = Page{}
	}
	assert.ErrorContains(t, srv.SetPerson("1002", "1", Person{}), "person: there are too many people")
	assert.NoError(t, srv.SetPerson("1001", "1", Person{Reach: ReachGone}), "one that is known may change")
	assert.ErrorContains(t, srv.SetPage("10000", Page{}), "page: there are too many pages")
	assert.NoError(t, srv.SetPage("1", Page{Usage: 1}))
}
