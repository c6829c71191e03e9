package bench

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// usage is what a fleet has used so far.
type usage struct {
	at       time.Time
	calls    int64
	commands int64   // of Redis, those inside scripts counted
	workers  float64 // CPU seconds of the processes that run now
	redis    float64 // CPU seconds
}

// cost is what one job took, and how many a second there were.
type cost struct {
	perSecond float64
	commands  float64
	workers   float64 // CPU seconds per 1,000 jobs
	redis     float64 // CPU seconds per 1,000 jobs
}

func (f *fleet) usage() usage {
	f.t.Helper()
	u := usage{at: time.Now(), calls: f.answered.Load()}
	for _, p := range f.running {
		t, err := p.stat.Times()
		require.NoError(f.t, err)
		u.workers += t.User + t.System
	}
	info := f.info("cpu", "commandstats")
	u.redis = number64(info["used_cpu_user"]) + number64(info["used_cpu_sys"])
	for name, text := range info {
		if strings.HasPrefix(name, "cmdstat_") {
			calls, _, _ := strings.Cut(strings.TrimPrefix(text, "calls="), ",")
			u.commands += int64(number64(calls))
		}
	}
	return u
}

func (u usage) since(before usage) cost {
	jobs := float64(max(1, u.calls-before.calls))
	return cost{
		perSecond: jobs / u.at.Sub(before.at).Seconds(),
		commands:  float64(u.commands-before.commands) / jobs,
		workers:   1000 * (u.workers - before.workers) / jobs,
		redis:     1000 * (u.redis - before.redis) / jobs,
	}
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

// resident is the memory of all running processes, in MB. Each counts the part of the program that they share.
func (f *fleet) resident() (mb float64) {
	f.t.Helper()
	for _, p := range f.running {
		m, err := p.stat.MemoryInfo()
		require.NoError(f.t, err)
		mb += float64(m.RSS) / 1e6
	}
	return mb
}
