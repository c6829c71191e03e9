package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// Config is what a [Worker] needs to know.
type Config struct {
	// Queue is the asynq queue. Default: [producer.DefaultQueue].
	Queue string
	// Pages are the ids that a page label may have.
	Pages []string
	// PerPage tells pages apart. Without it every page label is "all": each page is some 40 series.
	PerPage bool
	// Version is that of the program.
	Version string
}

// Worker exports what a worker does. It is the [worker.Observer] of one worker, and safe for concurrent use.
type Worker struct {
	*Process
	cfg   Config
	pages atomic.Pointer[[]string] // sorted

	jobs      *prometheus.CounterVec
	failed    *prometheus.CounterVec
	calls     *prometheus.HistogramVec
	apiErrors *prometheus.CounterVec
	waits     *prometheus.HistogramVec
	stops     *prometheus.CounterVec
	usage     *usage
	fleet     *fleet
}

// New makes the metrics of a worker. rdb is asked for the figures of the queue when there is a scrape; it stays the caller's.
func New(rdb redis.UniversalClient, cfg Config) *Worker {
	w := &Worker{
		Process: newProcess(cfg.Version), cfg: cfg,
		jobs: counter("sendpace_jobs_total", "Jobs that this worker ended, by outcome.", "page", "lane", "outcome"),
		failed: counter("sendpace_jobs_failed_total",
			"Jobs that this worker ended as failed, by the platform's code; none where it was not the platform.", "code"),
		calls: histogram("sendpace_api_call_duration_seconds",
			"How long calls of the Send API took, by result: ok, or the kind of error.", callSeconds, "result"),
		apiErrors: counter("sendpace_api_errors_total", "Calls of the Send API that failed, by the platform's code.", "code"),
		waits: histogram("sendpace_permit_wait_seconds", "How long jobs in hand waited for their slot and permit.",
			[]float64{.005, .01, .02, .03, .05, .075, .1, .25, 1, 5}, "lane"),
		stops: counter("sendpace_stops_total",
			"Pauses and holds that this worker asked for after an error, of one page or of the app.", "scope", "kind"),
	}
	w.usage, w.fleet = newUsage(w), newFleet(rdb, w)
	w.start()
	w.SetPages(cfg.Pages)
	w.registry.MustRegister(w.jobs, w.failed, w.calls, w.apiErrors, w.waits, w.stops, w.usage, w.fleet)
	return w
}

const (
	other    = "other"
	all      = "all"
	noCode   = "none"
	resultOK = "ok"
)

var (
	lanes = []producer.Lane{producer.LaneRealtime, producer.LaneBulk}
	kinds = []producer.OutcomeKind{producer.Sent, producer.Failed, producer.Expired, producer.Cancelled, producer.Unknown}
	codes = sendapi.Codes()
)

// start makes every value of the labels that do not depend on pages.
func (w *Worker) start() {
	for _, code := range codes {
		w.failed.WithLabelValues(codeLabel(code))
		w.apiErrors.WithLabelValues(codeLabel(code))
	}
	for _, code := range []string{noCode, other} {
		w.failed.WithLabelValues(code)
		w.apiErrors.WithLabelValues(code)
	}
	for _, result := range append([]string{resultOK, other}, kindLabels()...) {
		w.calls.WithLabelValues(result)
	}
	for _, lane := range lanes {
		w.waits.WithLabelValues(string(lane))
	}
	for _, scope := range []string{"page", pace.App} {
		w.stops.WithLabelValues(scope, "pause")
		w.stops.WithLabelValues(scope, "hold")
	}
}

func kindLabels() []string {
	var list []string
	for _, kind := range sendapi.Kinds() {
		list = append(list, string(kind))
	}
	return list
}

// SetPages replaces the pages that a page label may have. Series of pages that are gone stay as they are.
func (w *Worker) SetPages(ids []string) {
	ids = slices.Sorted(slices.Values(ids))
	w.pages.Store(&ids)
	for _, page := range w.labels() {
		for _, lane := range lanes {
			for _, kind := range kinds {
				w.jobs.WithLabelValues(page, string(lane), string(kind))
			}
		}
	}
}

// Close lets another worker export the figures of the queue at once. It is for the end of the process.
func (w *Worker) Close(ctx context.Context) { w.fleet.resign(ctx) }

// labels are all values of a page label.
func (w *Worker) labels() []string {
	if !w.cfg.PerPage {
		return []string{all}
	}
	return append(slices.Clone(*w.pages.Load()), other)
}

func (w *Worker) page(id string) string {
	if !w.cfg.PerPage {
		return all
	}
	if _, known := slices.BinarySearch(*w.pages.Load(), id); known {
		return id
	}
	return other
}

// codeLabel is a code of the platform as a label.
func codeLabel(code int) string {
	if code == 0 {
		return noCode
	}
	if _, known := slices.BinarySearch(codes, code); known {
		return strconv.Itoa(code)
	}
	return other
}

// Ended counts a job that ended.
func (w *Worker) Ended(o producer.Outcome) {
	lane := o.Lane
	if lane != producer.LaneRealtime {
		lane = producer.LaneBulk // also a job that could not be read
	}
	w.jobs.WithLabelValues(w.page(o.PageID), string(lane), string(o.Kind)).Inc()
	if o.Kind == producer.Failed {
		w.failed.WithLabelValues(codeLabel(o.Code)).Inc()
	}
}

// Waited counts the wait for a permit.
func (w *Worker) Waited(lane producer.Lane, d time.Duration) {
	w.waits.WithLabelValues(string(lane)).Observe(d.Seconds())
}

// Stopped counts a pause or a hold.
func (w *Worker) Stopped(scope string, hold bool) {
	kind := "pause"
	if hold {
		kind = "hold"
	}
	if scope != pace.App {
		scope = "page"
	}
	w.stops.WithLabelValues(scope, kind).Inc()
}

// Sender is next, with its sends counted: those of a batch one by one. It is a [worker.BatchSender] if next is.
func (w *Worker) Sender(next worker.Sender) worker.Sender {
	if b, ok := next.(worker.BatchSender); ok {
		return batchSender{sender{next, w}, b}
	}
	return sender{next, w}
}

type sender struct {
	worker.Sender
	w *Worker
}

// SendRaw counts a call.
func (s sender) SendRaw(ctx context.Context, page sendapi.Page, body json.RawMessage) (*sendapi.Response, error) {
	began := time.Now()
	resp, err := s.Sender.SendRaw(ctx, page, body)
	s.w.called(page.ID, time.Since(began), resp, err)
	return resp, err
}

type batchSender struct {
	sender
	next worker.BatchSender
}

// Batch counts the sends of a call.
func (s batchSender) Batch(ctx context.Context, page sendapi.Page, sends []sendapi.BatchSend) ([]sendapi.BatchResult, error) {
	began := time.Now()
	results, err := s.next.Batch(ctx, page, sends)
	for _, r := range results {
		s.w.called(page.ID, time.Since(began), r.Response, r.Err)
	}
	return results, err
}

func (w *Worker) called(page string, took time.Duration, resp *sendapi.Response, err error) {
	result := resultOK
	var e *sendapi.Error
	switch {
	case errors.As(err, &e):
		result = string(e.Kind)
		w.apiErrors.WithLabelValues(codeLabel(e.Code)).Inc()
		w.usage.note(page, e.Usage)
	case err != nil:
		result = other
		w.apiErrors.WithLabelValues(noCode).Inc()
	case resp != nil:
		w.usage.note(page, resp.Usage)
	}
	w.calls.WithLabelValues(result).Observe(took.Seconds())
}
