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

// slowFrom is the percent of usage from which on the pace falls, as SLOW_FROM in limits.lua.
const slowFrom = 80

// encode is the report as settle.lua reads it: 1 if it was accepted, and the usage of page and app, -1 for none.
func (r Report) encode(steady bool) []int {
	if steady {
		r.PageUsage, r.AppUsage = 0, 0
	}
	ok := 0
	if r.Accepted {
		ok = 1
	}
	return []int{ok, percent(r.PageUsage), percent(r.AppUsage)}
}

func percent(usage float64) int {
	if !(usage > 0) {
		return -1
	}
	return int(math.Ceil(min(usage, 999)))
}
