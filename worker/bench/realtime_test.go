package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

// usual are a page's limits by default, but for the interval of a conversation: bulk is slow, answers are not.
var usual = pace.Rates{Page: 300, Bulk: 0.9, Media: 10}

// BenchmarkRealtime: how long an answer is on its way, from Enqueue to the receiver.
func BenchmarkRealtime(b *testing.B) {
	const pages = 1000
	waiting, answers := scaled(1_000_000), scaled(300)
	s := newSection(b, "Answers (the realtime lane)", english.Sprintf("Four workers, %d answers of ten pages, one each 50 to 150 ms, from before Enqueue to "+
		"their arrival at the receiver. Bulk runs\nat the default of 0.9/s a page.", answers), "", "p50 ms", "p99 ms", "longest ms", "bulk jobs/s meanwhile")
	f := newFleet(b, workerConfig{System: sendpace, Pages: pages, Rates: usual}, 0)
	f.start(4)
	measure := func(name string) {
		before := f.usage()
		took := f.answer(answers)
		bulk := f.usage().since(before).perSecond - 10
		ms := func(share float64) string {
			return english.Sprintf("%.1f", 1000*took[int(share*float64(len(took)-1))].Seconds())
		}
		s.row([]any{name, ms(0.5), ms(0.99), ms(1), english.Sprintf("%.0f", max(0, bulk))})
	}
	measure("idle fleet")
	// Page after page, while the workers run: the pages are out of step with each other, as they are in life.
	f.enqueue(jobs(waiting, waiting, func(i int) int { return i * pages / waiting }))
	pass(3 * time.Second) // while all was stored, the workers fell behind
	measure(english.Sprintf("%d bulk jobs wait over %d pages", waiting, pages))
}

// answer enqueues n answers, one at a time, and returns how long each took to arrive, the shortest first. It does not wait for one
// before it enqueues the next.
func (f *fleet) answer(n int) (took []time.Duration) {
	f.t.Helper()
	begun := make(map[string]time.Time, n)
	for i := range n {
		// Persons of their own, by the time: no other message is on its way to one.
		j := job(pageID(i%10), i, int(time.Now().UnixMilli()))
		j.Lane = producer.LaneRealtime
		req, err := sendapi.ParseRequest(j.Request)
		require.NoError(f.t, err)
		begun[req.Recipient.Address()] = time.Now()
		_, err = f.producer.Enqueue(context.Background(), j)
		require.NoError(f.t, err)
		pass(50*time.Millisecond + rand.N(100*time.Millisecond))
	}
	pass(time.Second)
	for _, c := range f.sandbox.Accepted() {
		if at, ok := begun[c.Recipient]; ok {
			took = append(took, c.At.Sub(at))
		}
	}
	require.Len(f.t, took, n, "an answer takes more than a second")
	slices.Sort(took)
	return took
}
