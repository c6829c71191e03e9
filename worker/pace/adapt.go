package pace

import "math"

// Report is what the platform's answer to a job says about the pace. It travels with what ends the job's hand.
type Report struct {
	// Accepted is true if the platform answered the call with anything but a rate limit, a hold or an error of its own: it
	// takes calls. A job that was not sent has not been accepted. The zero value says so.
	Accepted bool
	// PageUsage and AppUsage are how much of the allowance of the page and of the app is used, in percent. Zero means that
	// the answer did not say.
	PageUsage, AppUsage float64
}

// Report notes what the answer to a job said. Without one a job counts as not sent.
func (p *Pacer) Report(id string, r Report) {
	if p.cfg.Steady {
		r.PageUsage, r.AppUsage = 0, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports[id] = r
}

// takeReport returns what was reported of a job as the scripts read it: ok, and the usage of page and app, -1 for none.
func (p *Pacer) takeReport(id string) []any {
	p.mu.Lock()
	r := p.reports[id]
	delete(p.reports, id)
	p.mu.Unlock()
	ok := 0
	if r.Accepted {
		ok = 1
	}
	return []any{ok, percent(r.PageUsage), percent(r.AppUsage)}
}

func percent(usage float64) int {
	if !(usage > 0) {
		return -1
	}
	return int(math.Ceil(min(usage, 999)))
}
