package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sendpace/sendpace/sendapi"
)

// usage keeps what the platform said last of its limits.
type usage struct {
	w         *Worker
	page, app *prometheus.Desc

	mu     sync.Mutex
	levels map[string]level // by page label
	whole  level            // the app's
}

// level is a use in percent, and until when it counts.
type level struct {
	percent float64
	until   time.Time
}

func newUsage(w *Worker) *usage {
	return &usage{
		w: w, levels: map[string]level{},
		page: prometheus.NewDesc("sendpace_api_page_usage_percent",
			"The use of a page's allowance that the platform told this worker last, in percent; 0 if it told none for 5 minutes.",
			[]string{"page"}, nil),
		app: prometheus.NewDesc("sendpace_api_app_usage_percent",
			"The use of the app's allowance that the platform told this worker last, in percent; 0 if it told none for 5 minutes.",
			nil, nil),
	}
}

// note takes what an answer said. Of pages that share a label the highest counts.
func (u *usage) note(page string, said sendapi.Usage) {
	now, label := time.Now(), u.w.page(page)
	u.mu.Lock()
	defer u.mu.Unlock()
	if load := said.Messaging(page); load.Known {
		percent := load.Max()
		if before := u.levels[label]; label != page && now.Before(before.until) {
			percent = max(percent, before.percent)
		}
		u.levels[label] = level{percent, now.Add(usageFor)}
	}
	if said.App.Known {
		u.whole = level{said.App.Max(), now.Add(usageFor)}
	}
}

// Describe is for the registry.
func (u *usage) Describe(ch chan<- *prometheus.Desc) {
	ch <- u.page
	ch <- u.app
}

// Collect is for the registry.
func (u *usage) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, label := range u.w.labels() {
		ch <- gauge(u.page, u.levels[label].at(now), label)
	}
	ch <- gauge(u.app, u.whole.at(now))
}

func (l level) at(now time.Time) float64 {
	if now.After(l.until) {
		return 0
	}
	return l.percent
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
