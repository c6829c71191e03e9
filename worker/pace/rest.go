package pace

import (
	"strings"
	"time"
)

// rest waits for as long as the last answer said. It returns false if there will be no next question in this call.
func (p *Pacer) rest(end <-chan time.Time) bool {
	pause := time.NewTimer(time.Until(p.askAt))
	defer pause.Stop()
	select {
	case <-p.draining:
		return false
	default:
	}
	select {
	case <-pause.C:
	case <-p.woken:
	case <-p.draining:
		return false
	case <-end:
		return false
	}
	return true
}

// waitOf is how long to wait before the next question. The answer to a job tells as well, so that a worker need not ask only
// to hear that nothing else is due.
func (p *Pacer) waitOf(r reply) time.Duration {
	verb, wait := r.verb, 0
	if verb == "job" {
		verb, wait = r.args[4], 5
	}
	switch {
	case verb == "standby":
		return standbyEvery
	case verb != "lookout", p.more: // on with the tasks outside of the lines
		return 0
	}
	us, err := r.us(wait)
	if err != nil || us < 0 {
		return p.cfg.Poll
	}
	return min(p.cfg.Poll, time.Duration(us)*time.Microsecond)
}

// leftToOthers lists the pages whose lines this worker passes: those that have more than half of its places, because one whose
// answers are slow is to leave room for the others, and those that it held for want of a token a short while ago.
func (p *Pacer) leftToOthers() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list strings.Builder
	if 2*len(p.hands) > p.cfg.Places {
		inHand := map[string]int{}
		for _, h := range p.hands {
			inHand[h.page]++
		}
		for page, n := range inHand {
			if page != "" && 2*n > p.cfg.Places {
				list.WriteString(" " + page)
			}
		}
	}
	for page, at := range p.tokenless {
		if time.Since(at) >= tokenlessFor {
			delete(p.tokenless, page)
			continue
		}
		list.WriteString(" " + page)
	}
	return list.String()
}
