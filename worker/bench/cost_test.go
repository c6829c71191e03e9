package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// usage is what a fleet has used so far.
type usage struct {
	at       time.Time
	calls    int64
	commands map[string]command // of Redis, by name, those inside scripts counted
	workers  float64            // CPU seconds of the processes that run now
	redis    float64            // CPU seconds
}

// command is how often Redis ran one, and how long that took. The time of a script has that of its commands in it.
type command struct{ calls, us float64 }

// cost is what one job took, and how many a second there were.
type cost struct {
	perSecond float64
	commands  float64
	workers   float64 // CPU seconds per 1,000 jobs
	redis     float64 // CPU seconds per 1,000 jobs
}

func (f *fleet) usage() usage {
	f.t.Helper()
	u := usage{at: time.Now(), calls: f.answered.Load(), commands: map[string]command{}}
	for _, p := range f.running {
		t, err := p.stat.Times()
		require.NoError(f.t, err)
		u.workers += t.User + t.System
	}
	info := f.info("cpu", "commandstats")
	u.redis = number64(info["used_cpu_user"]) + number64(info["used_cpu_sys"])
	for name, text := range info {
		if name, ok := strings.CutPrefix(name, "cmdstat_"); ok {
			var c command
			_, err := fmt.Sscanf(text, "calls=%f,usec=%f,", &c.calls, &c.us)
			require.NoError(f.t, err, "commandstats %q", text)
			u.commands[name] = c
		}
	}
	return u
}

// since is what a job has cost since then. With -v it prints the Redis commands by name.
func (u usage) since(before usage) cost {
	jobs := float64(max(1, u.calls-before.calls))
	c := cost{
		perSecond: jobs / u.at.Sub(before.at).Seconds(),
		workers:   1000 * (u.workers - before.workers) / jobs,
		redis:     1000 * (u.redis - before.redis) / jobs,
	}
	for _, name := range slices.Sorted(maps.Keys(u.commands)) {
		calls, us := u.commands[name].calls-before.commands[name].calls, u.commands[name].us-before.commands[name].us
		c.commands += calls / jobs
		if testing.Verbose() && calls >= jobs/100 {
			fmt.Printf("%24s %6.2f a job, %6.1f us each\n", name, calls/jobs, us/calls)
		}
	}
	return c
}

var costColumns = []any{"Redis commands a job", "workers' CPU s per 1,000 jobs", "Redis CPU s per 1,000 jobs"}

func (c cost) cells() []any {
	return []any{english.Sprintf("%.1f", c.commands), english.Sprintf("%.2f", c.workers), english.Sprintf("%.2f", c.redis)}
}

// info asks Redis about itself.
func (f *fleet) info(sections ...string) map[string]string {
	f.t.Helper()
	all := map[string]string{}
	for _, s := range sections {
		text, err := f.rdb.Info(context.Background(), s).Result()
		require.NoError(f.t, err)
		maps.Copy(all, fieldsOf(text))
	}
	return all
}

func fieldsOf(info string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// number64 is the number that a text of Redis holds; 0 if it holds none.
func number64(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// memory is what Redis uses for its data, in bytes.
func (f *fleet) memory() float64 {
	f.t.Helper()
	return number64(f.info("memory")["used_memory"])
}

// resident is the memory of all running processes, in MB: rss counts what they share, such as the program, for each of them, pss
// once.
func (f *fleet) resident() (rss, pss float64) {
	f.t.Helper()
	for _, p := range f.running {
		maps, err := p.stat.MemoryMaps(true)
		require.NoError(f.t, err)
		for _, m := range *maps {
			rss, pss = rss+float64(m.Rss)/1e3, pss+float64(m.Pss)/1e3
		}
	}
	return rss, pss
}
