package pace

import (
	"strings"
	"time"
)

// rest waits for as long as the last answer said, and as the lookout has said since. It returns false if there will be no next
// question in this call, which ends at end.
func (p *Pacer) rest(end time.Time) bool {
	for {
		select {
		case <-p.draining:
			return false
		default:
		}
		left, rest := p.untilAsk(), time.Until(end)
		if rest <= 0 {
			return false
		}
		if left <= 0 {
			select {
			case <-p.woken: // the question is asked anyway
			default:
			}
			return true
		}
		pause := time.NewTimer(min(left, rest))
		select {
		case <-pause.C:
		case <-p.woken:
			pause.Stop()
			return true
		case <-p.draining:
			pause.Stop()
			return false
		}
	}
}

// untilAsk is how long the next question can wait. A worker that stands by asks when the lookout has said nothing for so long that
// Redis has forgotten it.
func (p *Pacer) untilAsk() time.Duration {
	left := time.Until(p.askAt)
	if p.standsBy.Load() {
		left = max(left, time.Duration(p.heard.Load())+p.lookoutLife()-time.Since(p.clock.base))
	}
	return left
}

// lookoutLife is for how long a worker is the lookout.
func (p *Pacer) lookoutLife() time.Duration { return p.cfg.Poll + lookoutTTL }

// waitOf is how long to wait before the next question. An answer with jobs tells as well, so that a worker need not ask only to
// hear that nothing else is due.
func (p *Pacer) waitOf(t taken) time.Duration {
	switch {
	case t.verb == "standby":
		return t.wait
	case t.verb != "lookout", p.more: // on with the tasks outside of the lines
		return 0
	case t.wait < 0:
		return p.cfg.Poll
	}
	return min(p.cfg.Poll, t.wait)
}

// free says how many more jobs this worker takes, and whether it has no place beyond those. It also lists the pages whose lines it
// passes: those that have more than half of its places, because one whose answers are slow is to leave room for the others, and
// those that it held for want of a token a short while ago.
func (p *Pacer) free() (passed string, most int, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list strings.Builder
	share, greatest := p.cfg.Places/2+1, len(p.hands)
	if greatest >= share {
		greatest = 0
		for page, n := range p.inHandByPage() {
			if n >= share {
				list.WriteString(" " + page)
			} else {
				greatest = max(greatest, n)
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
	places := max(1, p.cfg.Places-len(p.hands))
	most = max(0, min(places, share-greatest, takeMost-p.late(time.Now())))
	return list.String(), most, most == places
}

// late counts the jobs in hand whose time has come and that were not sent yet. What a far Redis takes to answer, first with the jobs
// and then to the question whether they may be sent, does not make them late.
func (p *Pacer) late(now time.Time) (n int) {
	due := now.Sub(p.clock.at(0)) - min(4*p.clock.doubt(), p.cfg.Lead/2)
	for _, h := range p.hands {
		if h.dueAt != 0 && h.dueAt <= due.Microseconds() {
			n++
		}
	}
	return n
}

// inHandByPage counts the open hands of jobs that were taken from lines.
func (p *Pacer) inHandByPage() map[string]int {
	n := map[string]int{}
	for _, h := range p.hands {
		if h.page != "" {
			n[h.page]++
		}
	}
	return n
}
