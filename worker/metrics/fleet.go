package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/worker/pace"
)

const (
	// exporterFor is how long a worker stays the exporter after a scrape: longer than the time between two scrapes of one worker,
	// or each scrape would find another exporter.
	exporterFor = 90 * time.Second
	// readTimeout is below the time that Prometheus gives a scrape by default, 10 s.
	readTimeout = 5 * time.Second
	// freshFor lets several Prometheus servers share one look at Redis.
	freshFor = 2 * time.Second
)

// fleet exports the figures of the whole queue, if this process is the exporter.
type fleet struct {
	w    *Worker
	rdb  redis.UniversalClient
	keys rediskeys.Keys
	id   string

	mu    sync.Mutex
	last  *pace.Figures // nil if another process is the exporter, or Redis did not answer
	until time.Time     // when last is old
}

func newFleet(rdb redis.UniversalClient, w *Worker) *fleet {
	queue := w.cfg.Queue
	if queue == "" {
		queue = producer.DefaultQueue
	}
	return &fleet{w: w, rdb: rdb, keys: rediskeys.Keys{Queue: queue}, id: uuid.NewString()}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sendpace_"+name, help, labels, nil)
}

var (
	exporterDesc = desc("exporter", "1 in the worker that exports the figures of the whole queue at this scrape.")
	workersDesc  = desc("workers", "Workers that gave a sign of life within the last 10 seconds.")
	queueDesc    = desc("queue_jobs", "Jobs outside of the lines: pending, active, retry, scheduled, archived.", "state")
	waitingDesc  = desc("waiting_jobs", "Jobs that wait in the lines of a page and lane.", "page", "lane")
	oldestDesc   = desc("oldest_waiting_seconds",
		"How long the first job of a page and lane has been waiting; the longest of the pages under one label.", "page", "lane")
	rateDesc       = desc("page_rate", "Messages a second of the last 10 to 20 seconds.", "page")
	configuredDesc = desc("page_rate_limit", "Messages a second that are allowed: of the page, of its bulk lane, of media.", "page", "limit")
	pausedDesc     = desc("page_paused", "Pages that are paused after a rate limit: 0 or 1 for a label of one page.", "page")
	heldDesc       = desc("page_held", "Pages that are on hold until a person acts: 0 or 1 for a label of one page.", "page")
	appPausedDesc  = desc("app_paused", "1 while all pages are paused.")
	appHeldDesc    = desc("app_held", "1 while all pages are on hold.")
)

// Describe is for the registry.
func (f *fleet) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		exporterDesc, workersDesc, queueDesc, waitingDesc, oldestDesc, rateDesc, configuredDesc, pausedDesc, heldDesc, appPausedDesc,
		appHeldDesc,
	} {
		ch <- d
	}
}

// Collect is for the registry.
func (f *fleet) Collect(ch chan<- prometheus.Metric) {
	figures := f.figures()
	if figures == nil {
		ch <- gauge(exporterDesc, 0)
		return
	}
	ch <- gauge(exporterDesc, 1)
	ch <- gauge(workersDesc, float64(figures.Workers))
	for state, n := range map[string]int64{
		"pending": figures.Pending, "active": figures.Active, "retry": figures.Retrying,
		"scheduled": figures.Scheduled, "archived": figures.Archived,
	} {
		ch <- gauge(queueDesc, float64(n), state)
	}
	paused, held := stopped(figures.App)
	ch <- gauge(appPausedDesc, paused)
	ch <- gauge(appHeldDesc, held)
	for label, sum := range f.sums(figures) {
		sum.collect(ch, label)
	}
}

// figures returns what there is to export, nil if that is another one's task.
func (f *fleet) figures() *pace.Figures {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().Before(f.until) {
		return f.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	f.last = nil
	if exporter, err := f.exporter(ctx); err == nil && exporter {
		f.last, _ = pace.ReadFigures(ctx, f.rdb, f.keys.Queue) // of its errors the Redis hook tells
	}
	f.until = time.Now().Add(freshFor)
	return f.last
}

// exporter tells whether this process is the exporter, and makes it the one if there is none. Should two take themselves for it
// for a moment, both export the same.
func (f *fleet) exporter(ctx context.Context) (bool, error) {
	key := f.keys.Exporter()
	if free, err := f.rdb.SetNX(ctx, key, f.id, exporterFor).Result(); free || err != nil {
		return free, err
	}
	holder, err := f.rdb.Get(ctx, key).Result()
	if err != nil || holder != f.id {
		return false, err
	}
	return true, f.rdb.PExpire(ctx, key, exporterFor).Err()
}

// resign lets another process be the exporter at once. Where that fails, it can be one a while later.
func (f *fleet) resign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if holder, err := f.rdb.Get(ctx, f.keys.Exporter()).Result(); err == nil && holder == f.id {
		_ = f.rdb.Del(ctx, f.keys.Exporter()).Err()
	}
}

// pageSum is what the pages under one label add up to.
type pageSum struct {
	waiting, oldest map[producer.Lane]float64
	rate            float64
	limits          pace.Rates
	paused, held    float64
}

// sums has every page label, whether there is anything of it in Redis or not.
func (f *fleet) sums(figures *pace.Figures) map[string]*pageSum {
	sums := map[string]*pageSum{}
	for _, label := range f.w.labels() {
		sums[label] = &pageSum{waiting: map[producer.Lane]float64{}, oldest: map[producer.Lane]float64{}}
	}
	for _, p := range figures.Pages {
		if s := sums[f.w.page(p.ID)]; s != nil { // else the pages have just been replaced
			s.add(p)
		}
	}
	return sums
}

func (s *pageSum) add(p pace.PageFigures) {
	for lane, of := range p.Lanes {
		s.waiting[lane] += float64(of.Waiting)
		s.oldest[lane] = max(s.oldest[lane], of.Oldest.Seconds())
	}
	s.rate += p.Rate
	s.limits.Page += p.Allowed.Page
	s.limits.Bulk += p.Allowed.Bulk
	s.limits.Media += p.Allowed.Media
	paused, held := stopped(p.Pause)
	s.paused += paused
	s.held += held
}

func stopped(p *pace.PauseStatus) (paused, held float64) {
	switch {
	case p == nil:
	case p.Hold:
		held = 1
	default:
		paused = 1
	}
	return paused, held
}

func (s *pageSum) collect(ch chan<- prometheus.Metric, label string) {
	for _, lane := range lanes {
		ch <- gauge(waitingDesc, s.waiting[lane], label, string(lane))
		ch <- gauge(oldestDesc, s.oldest[lane], label, string(lane))
	}
	ch <- gauge(rateDesc, s.rate, label)
	for limit, rate := range map[string]float64{"page": s.limits.Page, "bulk": s.limits.Bulk, "media": s.limits.Media} {
		ch <- gauge(configuredDesc, rate, label, limit)
	}
	ch <- gauge(pausedDesc, s.paused, label)
	ch <- gauge(heldDesc, s.held, label)
}
