package bench

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// BenchmarkIdle: what a fleet that waits for work costs Redis, and what it costs the fleet that only one of its workers looks for it.
func BenchmarkIdle(b *testing.B) {
	const workers = 50
	s := newSection(b, "An idle fleet", english.Sprintf("%d workers that have nothing to do, and then one page at 50/s with four workers, 50 ms to each "+
		"answer. Commands inside scripts are\ncounted, as Redis does in total_commands_processed.", workers), "what", "takes")
	s.row([]any{english.Sprintf("%d idle workers", workers), english.Sprintf("%.0f Redis commands a second", idleCost(b, workers))})
	s.row([]any{"the worker that looks out is killed with -9, five times",
		english.Sprintf("at most %.2f s without a send", longestGap(b).Seconds())})
}

// idleCost is how many commands a second n workers take that have nothing to do. With -v it prints them by name.
func idleCost(t testing.TB, n int) float64 {
	cfg := one(sendpace, 50)
	cfg.Workers = n / 5
	f := newFleet(t, cfg, 0)
	f.start(5)
	pass(15 * time.Second) // they have settled: the first beats are over
	span := time.Duration(scaled(60)) * time.Second
	before, named := number64(f.info("stats")["total_commands_processed"]), f.usage()
	pass(span)
	after := number64(f.info("stats")["total_commands_processed"])
	if testing.Verbose() {
		now := f.usage()
		for _, name := range slices.Sorted(maps.Keys(now.commands)) {
			if calls := now.commands[name].calls - named.commands[name].calls; calls > 0 {
				fmt.Printf("%24s %7.1f a second\n", name, calls/span.Seconds())
			}
		}
	}
	f.stop()
	return (after - before) / span.Seconds()
}
