package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// decide goes through the checks in the platform's order, as far as it is known: who calls, whether it may
// call now, what it wants.
func (s *Server) decide(op *operation) reply {
	if r := s.authorize(op); r.refuses() {
		return s.refuse(r.codes, r.why)
	}
	act := edges[op.method+" "+op.call.Edge](s, op)
	op.call.Recipient = act.recipient
	g := s.gate(op, act)
	var answer reply
	switch {
	case g.fault.Drop == DropBefore:
		return reply{drop: true, delay: g.fault.Delay}
	case g.fault.refuses():
		answer = s.fail(g.fault)
	case g.refused.refuses():
		answer = s.refuse(g.refused.codes, g.refused.why)
	default:
		answer = act.run()
	}
	g.usage.addTo(&answer, op.call.PageID)
	answer.drop = g.fault.Drop == DropAfter
	answer.delay = g.fault.Delay
	return answer
}

// gate is what stands in the way of a call, and what the headers of its answer say.
type gate struct {
	fault   Fault
	refused refusal
	usage   usage
}

// gate finds out what stands in the way of a call now, and counts it. A script comes first, then the limits, then what
// the call says, and at last the person whom it goes to.
func (s *Server) gate(op *operation, act action) gate {
	at := op.call.At
	to := contact{op.call.PageID, act.recipient}
	s.mu.Lock()
	defer s.mu.Unlock()
	page := s.pages[to.page]
	if refused, ok := accessRefusals[page.Access]; ok {
		return gate{refused: refused}
	}
	t := s.trafficOf(to.page)
	g := gate{
		fault:   s.faults.next(target{to.page, to.address, act.fetches}, at, s.random),
		refused: s.limit(t, act, at),
	}
	limited := g.refused.refuses()
	if !limited && !g.fault.refuses() && g.fault.Drop != DropBefore {
		if g.refused = act.refused; !g.refused.refuses() && act.request != nil {
			g.refused = s.deliver(to, act, page, at)
		}
		if !g.refused.refuses() && act.request != nil && act.request.Message != nil {
			t.volume.take(at)
		}
	}
	g.usage = s.usageOf(t, page, at)
	if g.fault.refuses() {
		g.usage.exhaust(codes{g.fault.Code, g.fault.Subcode}, g.fault.RetryAfter)
	} else if limited {
		g.usage.exhaust(g.refused.codes, 0)
	}
	return g
}

// deliver refuses what the person, or the conversation with them, does not allow. What it does not refuse counts as
// delivered.
func (s *Server) deliver(to contact, act action, page Page, at time.Time) refusal {
	person := s.people[to]
	if r, ok := reachRefusals[person.Reach]; ok {
		return r
	}
	if r, ok := threadRefusals[person.Thread]; ok {
		return r
	}
	if r := s.usable(to.page, act.request, at); r.refuses() {
		return r
	}
	if r := s.thread(to, act.request, at); r.refuses() {
		return r
	}
	if r := s.inWindow(act.request, person, page, at); r.refuses() {
		return r
	}
	return s.spend(to, act.request.Recipient, person.WroteAt, at)
}

func (s *Server) authorize(op *operation) refusal {
	if r := s.credentials.check(op.call.PageID, op.token); r.refuses() {
		return r
	}
	if s.cfg.AppSecret != "" && !s.proven(op) {
		return refusal{codes: codes{100, 0}, why: "Invalid appsecret_proof provided in the API argument"}
	}
	return refusal{}
}

func (s *Server) proven(op *operation) bool {
	mac := hmac.New(sha256.New, []byte(s.cfg.AppSecret))
	mac.Write([]byte(op.token))
	want := hex.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(op.proof))
}
