package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/metrics"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{}) // it prints each failed dial
	goleak.VerifyTestMain(m)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// samples is what a scrape answers: the value of each series.
type samples map[string]float64

func scrape(t testing.TB, handler http.Handler) samples {
	t.Helper()
	res := httptest.NewRecorder()
	handler.ServeHTTP(res, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	require.Equal(t, 200, res.Code, res.Body)
	got := samples{}
	for line := range strings.Lines(res.Body.String()) {
		at := strings.LastIndexByte(line, ' ')
		if line[0] == '#' || at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		require.NoError(t, err, line)
		got[line[:at]] = value
	}
	return got
}

// of returns the samples of ours whose series matches.
func (s samples) of(t testing.TB, pattern string) samples {
	t.Helper()
	found := samples{}
	for series, value := range s {
		if regexp.MustCompile("^(?:" + pattern + ")$").MatchString(series) {
			found[series] = value
		}
	}
	return found
}

func newWorker(t testing.TB, cfg metrics.Config) (*metrics.Worker, redis.UniversalClient) {
	t.Helper()
	rdb := redistest.Client(t, redistest.Mini(t))
	return metrics.New(rdb, cfg), rdb
}

func TestEveryLabelValueIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	w, _ := newWorker(t, metrics.Config{Pages: []string{"1002", "1001"}, PerPage: true})
	got := scrape(t, w.Handler())
	for pattern, want := range map[string]int{
		`sendpace_jobs_total\{.*\}`:                       3 * 2 * 5, // pages, lanes, outcomes
		`sendpace_jobs_failed_total\{.*\}`:                len(sendapi.Codes()) + 2,
		`sendpace_api_errors_total\{.*\}`:                 len(sendapi.Codes()) + 2,
		`sendpace_api_call_duration_seconds_count\{.*\}`:  len(sendapi.Kinds()) + 2,
		`sendpace_permit_wait_seconds_count\{.*\}`:        2,
		`sendpace_stops_total\{.*\}`:                      4,
		`sendpace_redis_errors_total\{.*\}`:               3,
		`sendpace_api_page_usage_percent\{.*\}`:           3,
		`sendpace_(waiting_jobs|oldest_.*)\{.*\}`:         3 * 2 * 2,
		`sendpace_page_(rate|paused|held)\{.*\}`:          3 * 3,
		`sendpace_page_rate_limit\{.*\}`:                  3 * 3,
		`sendpace_queue_jobs\{.*\}`:                       5,
		`sendpace_(app_paused|app_held|workers|exporter)`: 4,
	} {
		found := got.of(t, pattern)
		assert.Len(t, found, want, pattern)
		for series, value := range found {
			if series != "sendpace_exporter" {
				assert.Zero(t, value, series)
			}
		}
	}
	g := metrics.NewGateway("v1", gateway.Routes())
	found := scrape(t, g.Handler()).of(t, `sendpace_gateway_call_duration_seconds_count\{.*\}`)
	assert.Len(t, found, 3*len(gateway.Routes()), "2xx, 4xx and 5xx of each route")
}

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	for perPage, want := range map[bool][]string{true: {"1001", "other"}, false: {"all"}} {
		w, _ := newWorker(t, metrics.Config{Pages: []string{"1001"}, PerPage: perPage})
		before := len(scrape(t, w.Handler()))
		for i, page := range []string{"1001", "1002", "", "a line's name", "999"} {
			for code := range 300 {
				w.Ended(producer.Outcome{PageID: page, Lane: producer.Lane(fmt.Sprint("lane", i)), Kind: producer.Failed, Code: code * 7919})
			}
			w.Stopped(page, true)
			send(t, w, page, nil, &sendapi.Error{Kind: sendapi.KindRateLimit, Code: 99_999, Usage: used(page, 50)})
			send(t, w, page, nil, errors.New("any"))
		}
		got := scrape(t, w.Handler())
		assert.Len(t, got, before, "no new series")
		total := 0.0
		for _, page := range want {
			n := got[`sendpace_jobs_total{lane="bulk",outcome="failed",page="`+page+`"}`]
			assert.Positive(t, n, page)
			total += n
		}
		assert.InDelta(t, 5*300, total, 0)
		assert.InDelta(t, 5, got[`sendpace_api_errors_total{code="other"}`], 0)
		assert.InDelta(t, 5, got[`sendpace_stops_total{kind="hold",scope="page"}`], 0)
	}
}

// answered is a Sender that answers always the same.
type answered struct {
	resp *sendapi.Response
	err  error
}

func (a answered) SendRaw(context.Context, sendapi.Page, json.RawMessage) (*sendapi.Response, error) {
	return a.resp, a.err
}

// Batch answers so to each send.
func (a answered) Batch(_ context.Context, _ sendapi.Page, sends []sendapi.BatchSend) ([]sendapi.BatchResult, error) {
	results := make([]sendapi.BatchResult, len(sends))
	for i := range results {
		results[i] = sendapi.BatchResult{Response: a.resp, Err: a.err}
	}
	return results, nil
}

func TestTheSendsOfABatchAreCountedOneByOne(t *testing.T) {
	t.Parallel()
	w, _ := newWorker(t, metrics.Config{Pages: []string{"1001"}, PerPage: true})
	batch, ok := w.Sender(answered{err: &sendapi.Error{Kind: sendapi.KindRateLimit, Code: 613}}).(worker.BatchSender)
	require.True(t, ok)
	results, err := batch.Batch(t.Context(), sendapi.Page{ID: "1001"}, make([]sendapi.BatchSend, 3))
	require.NoError(t, err)
	assert.Len(t, results, 3)
	got := scrape(t, w.Handler())
	assert.InDelta(t, 3, got[`sendpace_api_errors_total{code="613"}`], 0)
	assert.InDelta(t, 3, got[`sendpace_api_call_duration_seconds_count{result="rate_limit"}`], 0)
}

func send(t testing.TB, w *metrics.Worker, page string, resp *sendapi.Response, err error) {
	t.Helper()
	got, gotErr := w.Sender(answered{resp, err}).SendRaw(t.Context(), sendapi.Page{ID: page}, nil)
	assert.Equal(t, []any{resp, err}, []any{got, gotErr}, "it only looks")
}

func used(page string, percent float64) sendapi.Usage {
	return sendapi.Usage{
		App:      sendapi.Load{Known: true, Calls: percent / 2},
		Business: []sendapi.BusinessUsage{{ObjectID: page, Type: "messenger", Load: sendapi.Load{Known: true, Calls: percent}}},
	}
}

func TestWhatIsCounted(t *testing.T) {
	t.Parallel()
	w, _ := newWorker(t, metrics.Config{Pages: []string{"1001"}, PerPage: true})
	w.Ended(producer.Outcome{PageID: "1001", Lane: producer.LaneRealtime, Kind: producer.Sent})
	w.Ended(producer.Outcome{PageID: "1001", Lane: producer.LaneBulk, Kind: producer.Failed, Code: 551})
	w.Ended(producer.Outcome{PageID: "1001", Lane: producer.LaneBulk, Kind: producer.Failed})
	w.Ended(producer.Outcome{PageID: "1001", Lane: producer.LaneBulk, Kind: producer.Expired, Code: 551})
	w.Waited(producer.LaneBulk, 40*time.Millisecond)
	w.Stopped(pace.App, false)
	send(t, w, "1001", &sendapi.Response{Usage: used("1001", 80)}, nil)
	send(t, w, "1001", nil, &sendapi.Error{Kind: sendapi.KindUnknownOutcome})
	w.SetPages([]string{"1001", "1003"})
	got := scrape(t, w.Handler())
	for series, want := range map[string]float64{
		`sendpace_jobs_total{lane="realtime",outcome="sent",page="1001"}`:    1,
		`sendpace_jobs_total{lane="bulk",outcome="failed",page="1001"}`:      2,
		`sendpace_jobs_total{lane="bulk",outcome="sent",page="1003"}`:        0,
		`sendpace_jobs_failed_total{code="551"}`:                             1,
		`sendpace_jobs_failed_total{code="none"}`:                            1,
		`sendpace_permit_wait_seconds_sum{lane="bulk"}`:                      0.04,
		`sendpace_stops_total{kind="pause",scope="app"}`:                     1,
		`sendpace_api_call_duration_seconds_count{result="ok"}`:              1,
		`sendpace_api_call_duration_seconds_count{result="unknown_outcome"}`: 1,
		`sendpace_api_errors_total{code="none"}`:                             1,
		`sendpace_api_page_usage_percent{page="1001"}`:                       80,
		`sendpace_api_app_usage_percent`:                                     40,
	} {
		value, there := got[series]
		assert.True(t, there, series)
		assert.InDelta(t, want, value, 1e-9, series)
	}
}

// TestFilesNameWhatIsExported holds the dashboard and the rules against what is exported: each metric that they name, and each
// value of a label; and each metric of ours is on the dashboard.
func TestFilesNameWhatIsExported(t *testing.T) {
	t.Parallel()
	w, _ := newWorker(t, metrics.Config{Pages: []string{"1001"}, PerPage: true, Version: "v1"})
	exported := scrape(t, w.Handler())
	for series, value := range scrape(t, metrics.NewGateway("v1", gateway.Routes()).Handler()) {
		exported[series] = value
	}
	names, labels := map[string]bool{}, map[string]bool{}
	for series := range exported {
		name, rest, _ := strings.Cut(series, "{")
		names[name] = true
		for _, m := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(rest, -1) {
			labels[m[1]+"="+m[2]] = true
		}
	}
	shown := map[string]bool{}
	for _, file := range []string{"dashboard.json", "rules.yml"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		used := regexp.MustCompile(`sendpace_\w+`).FindAllString(string(text), -1)
		require.NotEmpty(t, used, file)
		for _, name := range used {
			assert.True(t, names[name], "%s: %s is not exported", file, name)
			shown[regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")] = true
		}
		for _, m := range regexp.MustCompile(`(lane|outcome|result|status|limit|kind|state|code)(=~?)\\?"([^"\\]*)\\?"`).
			FindAllStringSubmatch(string(text), -1) {
			for value := range strings.SplitSeq(m[3], "|") {
				assert.True(t, labels[m[1]+"="+value], "%s: no series has %s=%q", file, m[1], value)
			}
		}
	}
	for name := range names {
		base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
		assert.True(t, shown[base] || !strings.HasPrefix(name, "sendpace_"), "%s is exported, and nobody looks at it", name)
	}
}

func TestTheDashboardIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var d struct {
		Panels []struct {
			ID          int
			Title, Type string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr, RefID string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &d))
	require.NotEmpty(t, d.Panels)
	seen, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		assert.False(t, seen[p.ID], "two panels with id %d", p.ID)
		seen[p.ID] = true
		assert.NotEmpty(t, p.Title)
		assert.Equal(t, p.Type == "row", len(p.Targets) == 0, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				assert.Empty(t, taken[at], "%s lies over another panel", p.Title)
				taken[at] = p.Title
			}
		}
	}
}
