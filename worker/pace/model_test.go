package pace

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// TestModel runs random operations on the scripts and on a plain model of them side by side. A failure names the seed and the
// shortest run that shows it.
func TestModel(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprintf("miniredis %d", i), func(t *testing.T) {
			t.Parallel()
			checkModel(t, 400, func(t *testing.T, seed uint64) *world {
				mini := miniredis.NewMiniRedis()
				require.NoError(t, mini.Start())
				t.Cleanup(mini.Close)
				w := newWorld(t, mini.Addr(), seed, 1)
				w.mini, w.now = mini, time.Now()
				w.jump(0)
				return w
			})
		})
	}
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		addr := redistest.Server(t)
		// Its clock cannot be set: everything is faster instead.
		checkModel(t, 200, func(t *testing.T, seed uint64) *world { return newWorld(t, addr, seed, 20) })
	})
}

func checkModel(t *testing.T, steps int, begin func(*testing.T, uint64) *world) {
	t.Helper()
	seed := rand.Uint64()
	run := func(n int) string { return begin(t, seed).run(n) }
	broken := run(steps)
	if broken == "" {
		return
	}
	if begin(t, seed).mini == nil { // its runs depend on the clock
		t.Fatalf("seed %d: %s", seed, broken)
	}
	// A run of n steps begins as a longer one does.
	shortest := sort.Search(steps, func(n int) bool { return run(n) != "" })
	t.Fatalf("seed %d: %s\nshortest run, %d steps: %s", seed, broken, shortest, run(shortest))
}

// modelJob is all that the model knows of a job.
type modelJob struct {
	id, page, psid string
	lane           producer.Lane
	broadcast      string
	media, reply   bool
	hand, ended    bool
	slot           int64
	since          int64 // when it was enqueued
}

// person is whom it is for. A private reply is addressed by the comment.
func (j *modelJob) person() string { return fmt.Sprint(j.page, j.psid, j.reply) }

// modelScope is a page or the app.
type modelScope struct {
	pausedUntil int64  // us
	probe       bool   // the next thing to be sent is a probe
	probeUntil  int64  // one is out until then
	out         string // the job that it is
	calmSince   int64  // nothing adapts since then
}

// world is the scripts and the model of them.
type world struct {
	t       *testing.T
	rnd     *rand.Rand
	mini    *miniredis.Miniredis // nil: a real server
	now     time.Time
	faster  float64
	desks   []*desk
	rates   Rates
	jobs    []*modelJob // in the order of enqueueing
	slots   map[string][]int64
	spaced  map[string]int64 // when the next message may go to a recipient
	counted int64            // the budget counts from then on
	scopes  map[string]*modelScope
	stopped map[string]bool // broadcasts that are paused
	broken  string
}

func newWorld(t *testing.T, addr string, seed uint64, faster float64) *world {
	t.Helper()
	w := &world{
		t: t, rnd: rand.New(rand.NewPCG(seed, 2)), faster: faster, slots: map[string][]int64{}, spaced: map[string]int64{},
		scopes: map[string]*modelScope{"1": {}, "2": {}, App: {}}, stopped: map[string]bool{},
	}
	require.NoError(t, redistest.Client(t, addr).FlushAll(context.Background()).Err())
	w.rates = w.someRates()
	for range 3 {
		w.desks = append(w.desks, newDesk(t, addr, Config{Places: 1000, Lead: 300 * time.Millisecond}, w.rates, nil))
	}
	return w
}

func (w *world) someRates() Rates {
	f := w.faster
	return Rates{
		Page: f * (3 + float64(w.rnd.IntN(60))), Bulk: f * (1 + float64(w.rnd.IntN(40))), Media: f * (0.5 + w.rnd.Float64()),
		Replies: f * (0.2 + w.rnd.Float64()), Thread: time.Duration(float64(w.rnd.IntN(400)) / f * float64(time.Millisecond)),
		Budget: int64(w.rnd.IntN(2) * 25),
	}
}

func (w *world) fail(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

func (w *world) desk() *desk { return w.desks[w.rnd.IntN(len(w.desks))] }

func (w *world) clock() int64 { return w.desks[0].rdb.Time(context.Background()).Val().UnixMicro() }

// run makes n steps, and then lets all end.
func (w *world) run(n int) string {
	for range n {
		w.step()
		if w.places(); w.broken != "" {
			return w.broken
		}
	}
	w.finish()
	return w.broken
}

func (w *world) step() {
	switch w.rnd.IntN(30) {
	case 0, 1, 2, 3, 4, 5:
		w.enqueue()
	case 6, 7, 8, 9:
		w.drain()
	case 10, 11, 12:
		w.settleOne()
	case 13:
		if w.drain(); w.mini != nil { // a probe that leaves its hand in this way is waited for, which a real clock makes long
			w.due()
		}
	case 26:
		w.lose()
	case 27, 28, 29:
		w.settleSome()
	case 14:
		w.pause()
	case 15:
		w.release()
	case 16:
		w.setRates()
	case 17:
		require.NoError(w.t, w.desk().sweep(context.Background()))
	case 18:
		w.setBroadcast(w.someBroadcast(), w.rnd.IntN(2) == 0)
	case 19:
		w.jump(time.Duration(w.rnd.IntN(40)) * time.Minute)
	default:
		w.jump(time.Duration(w.rnd.IntN(300)) * time.Millisecond)
	}
}

func (w *world) job(id string) *modelJob {
	i := slices.IndexFunc(w.jobs, func(j *modelJob) bool { return j.id == id })
	if i < 0 {
		return nil
	}
	return w.jobs[i]
}

// limits of a job: name of what is limited, and the least distance of two slots of it.
func (w *world) limits(j *modelJob) map[string]int64 {
	us := func(rate float64) int64 { return int64(math.Ceil(1e6 / rate)) }
	l := map[string]int64{j.page: us(w.rates.Page)}
	if j.lane == producer.LaneBulk {
		l[j.page+" bulk"] = us(w.rates.Bulk)
	}
	if j.media {
		l[j.page+" media"] = us(w.rates.Media)
	}
	if j.reply {
		l[j.page+" replies"] = us(w.rates.Replies)
	}
	return l
}

func (w *world) last(name string) int64 {
	if s := w.slots[name]; len(s) > 0 {
		return s[len(s)-1]
	}
	return math.MinInt64 / 2
}

// first is true if no job to the same recipient was enqueued earlier in the same line and has not ended, and none is in hand.
func (w *world) first(j *modelJob) bool {
	for _, other := range w.jobs {
		if other == j {
			return true
		}
		if !other.ended && other.person() == j.person() && (other.lane == j.lane && other.broadcast == j.broadcast || other.hand) {
			return false
		}
	}
	return true
}

func (w *world) spent(page string, at int64) (n int64) {
	for _, slot := range w.slots[page] {
		if slot > max(w.counted, at-(24*time.Hour).Microseconds()) {
			n++
		}
	}
	return n
}

// handed checks a job that was handed out against the model.
func (w *world) handed(now int64, got takenJob) {
	slot, j := got.slot, w.job(got.id)
	switch {
	case j == nil || j.hand || j.ended:
		w.fail("handed out, but it is %+v", j)
		return
	case slot < now || slot > now+w.desks[0].cfg.Lead.Microseconds():
		w.fail("slot %d at %d", slot, now)
	case w.stopped[j.broadcast]:
		w.fail("%s is of a broadcast that is paused", j.id)
	case !w.first(j):
		w.fail("%s overtakes an earlier one to its recipient", j.id)
	}
	for _, name := range []string{App, j.page} {
		s := w.scopes[name]
		if s.pausedUntil-1000 > now || s.probe && s.probeUntil > now {
			w.fail("sent while %s stands still: %+v at %d", name, *s, now)
		}
		if s.probe {
			s.probeUntil, s.out = now+(2*time.Minute).Microseconds(), j.id
		}
	}
	for name, every := range w.limits(j) {
		if gap := slot - w.last(name); gap < every {
			w.fail("%s: %d us after the one before, %d is the least", name, gap, every)
		}
		w.slots[name] = append(w.slots[name], slot)
	}
	if w.rates.Thread > 0 && slot < w.spaced[j.person()] {
		w.fail("%s: %d us too early after the one before", j.person(), w.spaced[j.person()]-slot)
	}
	w.spaced[j.person()] = slot + w.rates.Thread.Microseconds()
	if n := w.spent(j.page, slot); w.rates.Budget > 0 && n > w.rates.Budget {
		w.fail("%d sends in a day, the budget is %d", n, w.rates.Budget)
	}
	j.hand, j.slot = true, slot
}

// nothingLeft checks that no job waits that nothing has held up for a while.
func (w *world) nothingLeft(now int64) {
	const grace = 300_000
	for _, j := range w.jobs {
		// A budget comes back by quarters of an hour; when is the business of a test of its own.
		free := !j.hand && !j.ended && w.first(j) && j.since < now-grace && w.rates.Budget == 0
		for _, name := range []string{App, j.page} {
			s := w.scopes[name]
			free = free && s.pausedUntil < now-grace && !s.probe && s.calmSince < now-grace
		}
		free = free && w.spaced[j.person()] < now-grace && !w.stopped[j.broadcast]
		for name, every := range w.limits(j) {
			free = free && w.last(name)+every < now-grace
		}
		if free && w.mini != nil && !w.waitsForOther(j) && !w.behindBoth(j) {
			w.fail("%s (%+v) was not handed out although nothing held it up", j.id, *j)
		}
	}
}

// waitsForOther is true if another job to the recipient is in hand, or claimed it in another line. One of a broadcast that is
// paused keeps nobody waiting, once it is in its own line.
func (w *world) waitsForOther(j *modelJob) bool {
	d := w.desks[0]
	holder := d.rdb.HGet(context.Background(), d.keys.Busy(), j.page+":"+recipientOf(j.id)).Val()
	if holder == "" || holder == j.id {
		return false
	}
	other := w.job(holder)
	return other != nil && (other.hand || !w.stopped[other.broadcast] || d.lineOf(holder) != other.page+":bulk:@"+other.broadcast)
}

// behindBoth is true for a private reply while one with media waits in its lane: it may stand behind that one's turn as media.
func (w *world) behindBoth(j *modelJob) bool {
	return j.reply && slices.ContainsFunc(w.jobs, func(b *modelJob) bool {
		return b.reply && b.media && b.page == j.page && b.lane == j.lane && !b.hand && !b.ended
	})
}

func recipientOf(id string) string { return id[27:] }

// places checks that each job is in exactly one place, that one in hand has its recipient's claim, for its end frees that without asking,
// and that each claim is that of a job that has not ended.
func (w *world) places() {
	ctx, d := context.Background(), w.desks[0]
	at := map[string][]string{}
	note := func(place string, ids []string) {
		for _, id := range ids {
			at[id] = append(at[id], place)
		}
	}
	for _, line := range d.rdb.SMembers(ctx, d.keys.Groups()).Val() {
		note(line, d.rdb.ZRange(ctx, d.keys.Line(line), 0, -1).Val())
	}
	note("hand", d.rdb.LRange(ctx, d.keys.Active(), 0, -1).Val())
	note("pending", d.rdb.LRange(ctx, d.keys.Pending(), 0, -1).Val())
	for _, j := range w.jobs {
		want := 1
		if j.ended {
			want = 0
		}
		if got := at[j.id]; len(got) != want || j.hand != slices.Contains(got, "hand") {
			w.fail("%s (%+v) is in %v", j.id, *j, got)
		}
	}
	claims := d.rdb.HGetAll(ctx, d.keys.Busy()).Val()
	for _, j := range w.jobs {
		if j.hand && claims[j.page+":"+recipientOf(j.id)] != j.id {
			w.fail("%s (%+v) is in hand without the claim of its recipient", j.id, *j)
		}
	}
	for field, id := range claims {
		if j := w.job(id); j == nil || j.ended {
			w.fail("%s is claimed by %s, which has ended", field, id)
		}
	}
}

// finish lets time pass and all jobs end, and checks that nothing of them is left.
func (w *world) finish() {
	ctx, d := context.Background(), w.desks[0]
	for name := range w.scopes {
		_, err := d.Release(ctx, name)
		require.NoError(w.t, err)
		w.scopes[name].pausedUntil = 0
	}
	for broadcast := range w.stopped {
		w.setBroadcast(broadcast, false)
	}
	w.rates.Budget = 0
	require.NoError(w.t, d.SetRates(ctx, Limits{Others: w.rates}))
	left := func() int {
		return len(slices.DeleteFunc(slices.Clone(w.jobs), func(j *modelJob) bool { return j.ended }))
	}
	limit := time.Now().Add(time.Minute)
	for rounds := 0; left() > 0 && w.broken == ""; rounds++ {
		if w.mini != nil && rounds > 2000 || time.Now().After(limit) {
			w.fail("%d jobs never end", left())
		}
		w.drain()
		for _, j := range w.jobs {
			if j.hand {
				w.settle(j, 2)
			}
		}
		w.jump(200 * time.Millisecond)
	}
	if w.places(); w.broken != "" {
		return
	}
	if busy := d.rdb.HGetAll(ctx, d.keys.Busy()).Val(); len(busy) > 0 {
		w.fail("claims are left: %v", busy)
	}
	if parked := d.rdb.Keys(ctx, d.keys.Parked("*", "*")).Val(); len(parked) > 0 {
		w.fail("parked jobs are left: %v", parked)
	}
	if w.mini != nil {
		w.jump(time.Hour)
		w.drain()
		if lines := d.rdb.ZRange(ctx, d.keys.Due(), 0, -1).Val(); len(lines) > 0 {
			w.fail("lines without jobs are looked at: %v", lines)
		}
	}
}
