package bench

import (
	"math"
	"testing"
)

// What the paper asks about.
const (
	paperPages     = 1_000_000
	paperPerPage   = 100     // jobs that wait
	paperPerSecond = 100_000 // messages
	paperAnswer    = 0.2     // seconds that the platform takes for one
	paperPlaces    = 250     // worker.Config.Concurrency
	// paperBusy is how much of its core a Redis master may use: it runs scripts on one, and answers late when that is full.
	paperBusy = 0.7
)

// paper reckons a fleet far larger than this machine from the cost of a job at 10,000 pages. It may add up: a page belongs to one shard,
// shards share nothing, and BenchmarkScale shows that a job costs about the same however many pages a shard has.
func paper(t testing.TB, c cost, bytes float64) {
	t.Helper()
	s := newSection(t, "On paper", english.Sprintf("What %d pages with %d waiting jobs each and %d messages a second would take, at the cost of a job in "+
		"the larger fleet of\n\"Pages and backlog\". Left out: TLS, what a network adds to a call of Redis, and replicas.",
		paperPages, paperPerPage, paperPerSecond), "", "reckoning", "")
	redisCores := paperPerSecond * c.redis / 1000
	shards := math.Ceil(redisCores / paperBusy)
	memory := paperPages * paperPerPage * bytes / 1e9
	s.row([]any{"workers' CPU", english.Sprintf("%d/s x %.2f ms", paperPerSecond, c.workers), english.Sprintf("%.0f cores", paperPerSecond*c.workers/1000)})
	s.row([]any{"worker processes, at least", english.Sprintf("%d/s x %g s to an answer / %d places", paperPerSecond, paperAnswer, paperPlaces),
		math.Ceil(paperPerSecond * paperAnswer / paperPlaces)})
	s.row([]any{"Redis CPU", english.Sprintf("%d/s x %.2f ms", paperPerSecond, c.redis), english.Sprintf("%.0f cores", redisCores)})
	s.row([]any{"shards, each a Redis master", english.Sprintf("%.0f cores / %g", redisCores, paperBusy), shards})
	s.row([]any{"Redis memory", english.Sprintf("%d jobs x %.0f bytes", paperPages*paperPerPage, bytes),
		english.Sprintf("%.0f GB, %.1f GB a shard", memory, memory/shards)})
	s.row([]any{"Redis commands a shard", english.Sprintf("%d/s x %.1f / %.0f", paperPerSecond, c.commands, shards),
		english.Sprintf("%.0f/s", paperPerSecond*c.commands/shards)})
}
