package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// english writes numbers as 1,000,000.
var english = message.NewPrinter(language.English)

// results are the sections of this run.
var results report

type report []*section

// section is what one scenario measured.
type section struct {
	title, note string
	began       string
	table.Writer
}

// newSection begins a section. note says what is measured.
func newSection(t testing.TB, title, note string, columns ...any) *section {
	t.Helper()
	before, err := load.Avg()
	require.NoError(t, err)
	s := &section{title: title, note: note, Writer: table.NewWriter(), began: fmt.Sprintf(
		"Measured on %s; load average of the minute before: %.2f.", time.Now().Format("2006-01-02 15:04"), before.Load1)}
	s.AppendHeader(columns)
	results = append(results, s)
	return s
}

// row adds a row that is made of parts.
func (s *section) row(parts ...[]any) { s.AppendRow(slices.Concat(parts...)) }

func (s *section) text() string {
	return fmt.Sprintf("## %s\n\n%s\n%s\n\n%s\n", s.title, s.note, s.began, s.RenderMarkdown())
}

// write prints the report, and puts its sections in place of those with the same titles in the file.
func (r report) write(file string) error {
	if len(r) == 0 {
		return nil // a list of benchmarks, or none that fits the pattern
	}
	for _, s := range r {
		fmt.Println("\n" + s.text())
	}
	if file == "" || *small {
		return nil
	}
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, kept, _ := strings.Cut(string(old), "\n## ")
	var texts []string
	if kept != "" {
		for text := range strings.SplitSeq(kept, "\n## ") {
			texts = append(texts, "## "+strings.TrimSpace(text)+"\n")
		}
	}
	for _, s := range r {
		at := slices.IndexFunc(texts, func(t string) bool { return strings.HasPrefix(t, "## "+s.title+"\n") })
		if at < 0 {
			texts = append(texts, s.text())
		} else {
			texts[at] = s.text()
		}
	}
	return os.WriteFile(file, []byte(head()+strings.Join(texts, "\n")), 0o644)
}

// head says on what all of it was measured.
func head() string {
	return fmt.Sprintf("# Measurements\n\n`make bench` writes this file; package bench says how it measures.\n\n%s. \nRedis, the workers and the "+
		"receiver share the machine, without TLS: the ratios within a section are the thing to trust.\n\n", machine())
}

func machine() string {
	model := "unknown CPU"
	if cpus, err := cpu.Info(); err == nil && len(cpus) > 0 {
		model = cpus[0].ModelName
	}
	var gb uint64
	if m, err := mem.VirtualMemory(); err == nil {
		gb = m.Total >> 30
	}
	return fmt.Sprintf("%s, %d cores, %d GB, %s/%s; %s, Redis %s, asynq %s, redis_rate %s", model, runtime.NumCPU(), gb, runtime.GOOS,
		runtime.GOARCH, runtime.Version(), redisVersion(), moduleVersion("github.com/hibiken/asynq"),
		moduleVersion("github.com/go-redis/redis_rate/v10"))
}

// redisVersion reads "Redis server v=7.0.15 sha=...".
func redisVersion() string {
	out, err := exec.Command("redis-server", "--version").Output()
	_, version, ok := strings.Cut(string(out), "v=")
	if err != nil || !ok {
		return "unknown"
	}
	return strings.Fields(version)[0]
}

// moduleVersion asks the go command, which runs this: a test binary does not know the versions of what it is made of.
func moduleVersion(path string) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", path).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
