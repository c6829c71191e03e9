package broadcast

import (
	_ "embed"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strconv"
	"time"
)

var (
	//go:embed report.html
	reportHTML     string
	reportTemplate = htmltemplate.Must(htmltemplate.New("report").Funcs(htmltemplate.FuncMap{"time": stamp}).Parse(reportHTML))
)

// The plot's measures, which the page stretches to its width, and how many bars it has at most.
const (
	plotWidth, plotHeight         = 960, 220
	maxBars                       = 400
	reportTime                    = "2006-01-02 15:04:05 UTC"
	barGap                        = 0.15 // of a bar's width
	percent               float64 = 100
)

// htmlReport is a report as the page shows it.
type htmlReport struct {
	*Report
	Counts []htmlCount
	Facts  []htmlFact
	Bars   []htmlBar
	// Step is that of the bars.
	Step        time.Duration
	Most        int
	Fastest     float64 // a second
	First, Last time.Time

	Width, Height int
}

type htmlCount struct {
	Name  string
	N     int
	Share string
}

type htmlFact struct{ Name, Value string }

type htmlBar struct {
	Point
	X, Y, W, H float64
}

// WriteHTML writes the report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere.
func (r *Report) WriteHTML(w io.Writer) error {
	page := htmlReport{Report: r, Counts: r.counts(), Facts: r.facts(), Width: plotWidth, Height: plotHeight}
	page.plot()
	if err := reportTemplate.Execute(w, page); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (r *Report) counts() []htmlCount {
	var list []htmlCount
	for _, c := range []htmlCount{
		{Name: "sent", N: r.Sent}, {Name: "failed", N: r.Failed}, {Name: "unknown", N: r.Unknown}, {Name: "expired", N: r.Expired},
		{Name: "cancelled", N: r.Cancelled}, {Name: "not yet", N: r.Left()},
	} {
		c.Share = "-"
		if all := r.Left() + r.dealtWith(); all > 0 {
			c.Share = strconv.FormatFloat(percent*float64(c.N)/float64(all), 'f', 1, 64) + " %"
		}
		list = append(list, c)
	}
	return list
}

func (r *Report) facts() []htmlFact {
	facts := []htmlFact{
		{"people in the audience", strconv.Itoa(r.People)},
		{"rows that were passed over", fmt.Sprintf("%d duplicates, %d with problems", r.Duplicates, r.Bad)},
		{"test share", fmt.Sprintf("%d people", r.Test)},
		{"weight", strconv.Itoa(r.Weight)},
		{"window", orDash(r.Window)},
	}
	for _, t := range []struct {
		name string
		at   time.Time
	}{
		{"created", r.Created}, {"not before", r.Start}, {"finish by", r.FinishBy}, {"not after", r.ExpiresAt}, {"ended", r.Ended},
		{"expected end", r.ETA},
	} {
		if !t.at.IsZero() {
			facts = append(facts, htmlFact{t.name, stamp(t.at)})
		}
	}
	return facts
}

// plot lays out the bars.
func (h *htmlReport) plot() {
	course := h.Course
	h.Step = h.Report.Step
	for len(course) > maxBars {
		h.Step *= 2
		course, h.Step = fill(course, h.Step)
	}
	if len(course) == 0 {
		return
	}
	for _, p := range course {
		h.Most = max(h.Most, p.Sent)
	}
	h.First, h.Last = course[0].At, course[len(course)-1].At.Add(h.Step)
	h.Fastest = float64(h.Most) / h.Step.Seconds()
	width := float64(plotWidth) / float64(len(course))
	for i, p := range course {
		height := float64(plotHeight) * float64(p.Sent) / float64(max(1, h.Most))
		h.Bars = append(h.Bars, htmlBar{
			Point: p, X: width * float64(i), W: width * (1 - barGap), Y: plotHeight - height, H: height,
		})
	}
}

func stamp(t time.Time) string { return t.UTC().Format(reportTime) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
