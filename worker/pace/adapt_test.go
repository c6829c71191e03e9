package pace

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// climber is a desk with one page of one send a second, after a pause.
func climber(t *testing.T) *clockedDesk {
	t.Helper()
	d := newClockedDesk(t, Config{Lead: 100 * time.Millisecond}, Rates{Page: 1, Bulk: 1, Media: 1})
	for i := range 300 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	_, err := d.Pause(context.Background(), "1", time.Minute, Reason{Text: "613"})
	require.NoError(t, err)
	assert.Empty(t, d.drain())
	assert.Equal(t, "pause", d.status().Lines[0].Limit)
	d.after(time.Minute + 10*time.Millisecond)
	return d
}

// gaps are those between the slots of one minute, each job accepted at once.
func (d *clockedDesk) gaps(length time.Duration) (gaps []time.Duration) {
	last := time.Duration(-1)
	for at := time.Duration(0); at < length; at += 100 * time.Millisecond {
		for _, h := range d.drain() {
			d.settle(h.id, "x", Report{Accepted: true})
			if last >= 0 {
				gaps = append(gaps, at+h.slot-last)
			}
			last = at + h.slot
		}
		d.after(100 * time.Millisecond)
	}
	return gaps
}

func TestAfterAPauseOneProbeGoesFirstAndThePaceClimbs(t *testing.T) {
	t.Parallel()
	d := climber(t)
	jobs := d.drain()
	require.Len(t, jobs, 1)
	d.after(30 * time.Second)
	assert.Empty(t, d.drain(), "its answer is waited for")
	s := d.status()
	assert.Equal(t, []string{"probe", "probe"}, []string{s.Lines[0].Limit, s.Pages[0].Stage})
	d.settle(jobs[0].id, "0", Report{Accepted: true})
	assert.Equal(t, 25, d.status().Pages[0].Percent)
	assert.Regexp(t, `^climb \d+ 25 \d+ \d+$`, d.rdb.Get(context.Background(), d.keys.Adapt("1")).Val(), "older workers climb too")
	gaps := d.gaps(90 * time.Second)
	require.Greater(t, len(gaps), 40)
	for i := range gaps[1:] {
		assert.LessOrEqual(t, gaps[i+1], gaps[i]+time.Millisecond, "gap %d", i+1)
	}
	assert.Greater(t, gaps[0], 2*time.Second)
	assert.Equal(t, time.Second, gaps[len(gaps)-1])
	// 60 s at 25 % rising to 100 % are 37.5 s at the rate.
	assert.InDelta(t, 37.5+30, len(gaps), 4)
	s = d.status()
	assert.Equal(t, []any{"steady", 100}, []any{s.Pages[0].Stage, s.Pages[0].Percent})
	assert.Zero(t, d.rdb.Exists(context.Background(), d.keys.Adapt("1")).Val())
}

func TestAClimbThatIsRefusedStartsLower(t *testing.T) {
	t.Parallel()
	d := climber(t)
	for _, want := range []int{25, 12, 6, 5, 5} {
		jobs := d.drain()
		require.Len(t, jobs, 1)
		d.settle(jobs[0].id, "0", Report{Accepted: true})
		assert.Equal(t, want, d.status().Pages[0].Percent)
		d.after(time.Second)
		for range 3 { // three calls that were in flight together
			_, err := d.Pause(context.Background(), "1", time.Minute, Reason{})
			require.NoError(t, err)
		}
		d.after(time.Minute + 10*time.Millisecond)
	}
}

func TestAProbeThatComesBackUnsentOrNeverLetsAnotherGo(t *testing.T) {
	t.Parallel()
	d := climber(t)
	first := d.drain()
	require.Len(t, first, 1)
	d.putBack(first[0].id, d.routeOf("1", "0"), "head")
	assert.Empty(t, d.drain(), "its slot is taken")
	d.after(time.Second)
	second := d.drain()
	require.Equal(t, ids(first), ids(second))
	d.after(119 * time.Second)
	assert.Empty(t, d.drain())
	d.after(time.Second)
	assert.Len(t, d.drain(), 1, "its worker may be dead")
}

func TestAPauseOfTheAppIsProbedByOnePage(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Second}, Rates{Page: 10, Bulk: 10, Media: 10})
	for i := range 20 {
		d.enqueue(strconv.Itoa(1+i%2), strconv.Itoa(i), "x")
	}
	_, err := d.Pause(context.Background(), App, time.Minute, Reason{Text: "code 4"})
	require.NoError(t, err)
	assert.Empty(t, d.drain())
	d.after(time.Minute + 10*time.Millisecond)
	jobs := d.drain()
	require.Len(t, jobs, 1)
	d.settle(jobs[0].id, "0", Report{Accepted: true})
	// At 25 % a page has a slot every 400 ms: those at 0, 400 and 800 ms less the probe's, and the other page's.
	assert.Len(t, d.drain(), 5)
	assert.Equal(t, []int{25, 25}, []int{d.status().Pages[0].Percent, d.status().Pages[1].Percent})
}

func TestUsageSlowsThePace(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		page, app float64
		percent   int
	}{{79, 80, 100}, {90, 0, 55}, {0, 90, 55}, {81, 99, 14}, {100, 0, 10}, {250, 3, 10}, {0, 0, 100}} {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			t.Parallel()
			d := newClockedDesk(t, Config{}, fast)
			d.enqueue("1", "1", "x")
			d.settle(d.next(), "1", Report{Accepted: true, PageUsage: row.page, AppUsage: row.app})
			d.enqueue("1", "2", "x")
			require.Equal(t, row.percent, d.status().Pages[0].Percent)
			d.after(5*time.Minute - time.Second)
			assert.Equal(t, row.percent, d.status().Pages[0].Percent)
			d.after(2 * time.Second)
			assert.Equal(t, 100, d.status().Pages[0].Percent, "old news")
		})
	}
}

func TestAPaceThatDoesNotAdaptHearsOfHighUsageAlone(t *testing.T) {
	t.Parallel()
	require.Contains(t, limitsLua, fmt.Sprintf("local SLOW_FROM = %d\n", slowFrom))
	d := newClockedDesk(t, Config{}, fast)
	for _, row := range []struct {
		report   Report
		constant bool
		want     []int
	}{
		{Report{Accepted: true, PageUsage: slowFrom, AppUsage: slowFrom}, true, nil},
		{Report{Accepted: true, PageUsage: slowFrom + 1}, true, []int{1, slowFrom + 1, -1}},
		{Report{Accepted: true, AppUsage: slowFrom + 1}, true, []int{1, -1, slowFrom + 1}},
		{Report{Accepted: true}, false, []int{1, -1, -1}},
	} {
		assert.Equal(t, row.want, d.decide(&Hand{constant: row.constant}, Settlement{Report: row.report}, time.Now()).Report, "%+v", row)
	}
}

func TestUsageOfARefusalEndsWithItsPause(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: 100 * time.Millisecond}, Rates{Page: 10, Bulk: 10, Media: 10})
	for i := range 20 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	d.settle(d.next(), "0", Report{PageUsage: 100, AppUsage: 100})
	assert.Equal(t, 100, d.status().Pages[0].Percent, "a refusal alone")
	d.settle(d.next(), "1", Report{Accepted: true, PageUsage: 100})
	assert.Equal(t, 10, d.status().Pages[0].Percent)
	_, err := d.Pause(context.Background(), "1", time.Minute, Reason{})
	require.NoError(t, err)
	d.after(time.Minute + 10*time.Millisecond)
	jobs := d.drain()
	require.Len(t, jobs, 1)
	d.settle(jobs[0].id, "2", Report{Accepted: true})
	assert.Equal(t, 25, d.status().Pages[0].Percent, "a probe that names no usage begins an ordinary climb")
}

func TestASteadyPacerAdaptsToNothing(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: time.Second, Steady: true}, Rates{Page: 10, Bulk: 10, Media: 10})
	for i := range 20 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	_, err := d.Pause(context.Background(), "1", time.Minute, Reason{})
	require.NoError(t, err)
	d.after(time.Minute + 10*time.Millisecond)
	jobs := d.drain()
	assert.Len(t, jobs, 11, "all slots of the lead")
	d.settle(jobs[0].id, "0", Report{Accepted: true, PageUsage: 100})
	assert.Equal(t, 100, d.status().Pages[0].Percent)
}

func TestOnlyTheProbesOwnAnswerCounts(t *testing.T) {
	t.Parallel()
	d := newClockedDesk(t, Config{Lead: 100 * time.Millisecond}, Rates{Page: 1, Bulk: 1, Media: 1})
	for i := range 10 {
		d.enqueue("1", strconv.Itoa(i), "x")
	}
	before := d.drain()
	require.Len(t, before, 1, "a call that is under way while another one's refusal stops the page")
	_, err := d.Pause(context.Background(), "1", time.Second, Reason{Text: "613"})
	require.NoError(t, err)
	d.after(time.Second + 10*time.Millisecond)
	probe := d.drain()
	require.Len(t, probe, 1)
	d.settle(before[0].id, "0", Report{Accepted: true})
	d.after(10 * time.Second)
	assert.Equal(t, "probe", d.status().Pages[0].Stage)
	assert.Empty(t, d.drain(), "the probe is out")
	d.settle(probe[0].id, "1", Report{Accepted: true})
	assert.Equal(t, "climb", d.status().Pages[0].Stage)
	assert.Len(t, d.drain(), 1)
}

func TestAProbeOfADeadWorkerIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"1", App} {
		d := newClockedDesk(t, Config{Lead: 100 * time.Millisecond}, Rates{Page: 10, Bulk: 10, Media: 10})
		for i := range 10 {
			d.enqueue("1", strconv.Itoa(i), "x")
		}
		_, err := d.Pause(context.Background(), scope, time.Second, Reason{Text: "613"})
		require.NoError(t, err)
		d.after(time.Second + 10*time.Millisecond)
		probe := d.drain()
		require.Len(t, probe, 1)
		d.after(12 * time.Second)
		require.Empty(t, d.drain())
		d.lose(probe[0].id)
		assert.Equal(t, ids(probe), ids(d.drain()), "its job goes first again, and is the probe")
	}
}
