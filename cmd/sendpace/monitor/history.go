package monitor

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/sendpace/sendpace/worker/pace"
)

const (
	spanCount = int(pace.HistoryLength / pace.HistoryStep)
	// sparkSpans of the history make one point of the small plot of a page.
	sparkSpans = 6
)

// history is the last hour.
type history struct {
	spans []pace.Span
	end   time.Time // of the plot
}

// after is the history at a later time: of what was known the last hour, and what came since.
func (h *history) after(
	ctx context.Context, read func(context.Context, time.Time) ([]pace.Span, error), now time.Time,
) (*history, error) {
	var since time.Time
	if n := len(h.spans); n > 0 {
		since = h.spans[n-1].At.Add(pace.HistoryStep)
	}
	fresh, err := read(ctx, since)
	if err != nil {
		return h, err
	}
	next := &history{end: now.Truncate(pace.HistoryStep)}
	if n := len(fresh); n > 0 && fresh[n-1].At.Add(pace.HistoryStep).After(next.end) { // Redis's clock is ahead of ours
		next.end = fresh[n-1].At.Add(pace.HistoryStep)
	}
	for _, spans := range [][]pace.Span{h.spans, fresh} {
		for _, s := range spans {
			if !s.At.Before(next.end.Add(-pace.HistoryLength)) {
				next.spans = append(next.spans, s)
			}
		}
	}
	return next, nil
}

// plot is an hour of rates: of all pages or of one, and in small of each. A point of which nothing is known is null.
type plot struct {
	// From is when the first point begins, Step how many seconds each is long.
	From time.Time `json:"from"`
	Step int       `json:"step"`
	// Rates has one for each step.
	Rates []*float64 `json:"rates"`
	// Pages has 60 rates of each page that sent any, one a minute.
	Pages map[string][]*float64 `json:"pages,omitempty"`
}

// plot lays out the rates of one page, or of all if page is empty.
func (h *history) plot(page string) plot {
	p := plot{
		From: h.end.Add(-pace.HistoryLength), Step: int(pace.HistoryStep / time.Second), Rates: make([]*float64, spanCount),
	}
	for i, s := range h.placed() {
		rate := s.Rate
		if page != "" {
			rate = s.Pages[page]
		}
		p.Rates[i] = &rate
	}
	return p
}

// placed are the spans by their place in the plot.
func (h *history) placed() map[int]pace.Span {
	places := make(map[int]pace.Span, len(h.spans))
	from := h.end.Add(-pace.HistoryLength)
	for _, s := range h.spans {
		if i := int(s.At.Sub(from) / pace.HistoryStep); i >= 0 && i < spanCount {
			places[i] = s
		}
	}
	return places
}

// sparks are the rates of each page, a minute each.
func (h *history) sparks() map[string][]*float64 {
	const points = spanCount / sparkSpans
	var known [points]float64 // how many spans of a point there are
	sums := map[string]*[points]float64{}
	for i, s := range h.placed() {
		known[i/sparkSpans]++
		for page, rate := range s.Pages {
			if sums[page] == nil {
				sums[page] = new([points]float64)
			}
			sums[page][i/sparkSpans] += rate
		}
	}
	sparks := make(map[string][]*float64, len(sums))
	for page, sum := range sums {
		line := make([]*float64, points)
		for i, n := range known {
			if n > 0 {
				const hundredths = 100
				rate := math.Round(hundredths*sum[i]/n) / hundredths
				line[i] = &rate
			}
		}
		sparks[page] = line
	}
	return sparks
}

func (h *Handler) showHistory(w http.ResponseWriter, r *http.Request) {
	past, err := h.history.get(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	page := r.URL.Query().Get("page")
	p := past.plot(page)
	if page == "" {
		p.Pages = past.sparks()
	}
	answer(w, http.StatusOK, p)
}
