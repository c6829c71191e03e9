package sandbox

import (
	"context"
	"net/http"
	"time"
)

// reply is the answer to a call.
type reply struct {
	status, code, subcode int
	body                  []byte
	header                http.Header
	message               string // its id, if one was accepted
	accepted              bool
	drop                  bool
	delay                 time.Duration
	calls                 []uint64 // their numbers in the record
}

func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request, at time.Time) {
	op, ok := s.route(r)
	if !ok {
		s.refuse(codes{100, 33}, "unsupported request: the sandbox knows "+knownEdges).write(w)
		return
	}
	w.Header().Set("Facebook-Api-Version", s.served(op.version).String())
	op.call.At = at
	unreadable := op.read(w, r)
	s.resolve(op)
	var answer reply
	if op.call.Edge == batchEdge {
		answer = s.batch(op, unreadable)
	} else {
		answer = s.perform(op, unreadable)
	}
	s.wait(r.Context(), s.cfg.Latency+answer.delay)
	for _, seq := range answer.calls {
		s.log.done(seq, time.Now())
	}
	if answer.drop {
		// The documented way to close a connection without an answer; net/http logs nothing.
		panic(http.ErrAbortHandler)
	}
	answer.write(w)
}

// perform decides one operation and records it. unreadable says what is wrong with its parameters, if anything.
func (s *Server) perform(op *operation, unreadable string) reply {
	var answer reply
	if unreadable != "" {
		answer = s.refuse(codes{100, 0}, unreadable)
	} else {
		answer = s.decide(op)
	}
	call := &op.call
	call.Accepted, call.MessageID = answer.accepted, answer.message
	call.Code, call.Subcode = answer.code, answer.subcode
	if !answer.drop {
		call.Status = answer.status
	}
	answer.calls = []uint64{s.log.add(*call)}
	return answer
}

// wait holds an answer back; when the caller is gone or the sandbox closes there is no point in it.
func (s *Server) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.closed:
	}
}
