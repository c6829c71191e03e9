package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"

	"github.com/sendpace/sendpace/sendapi"
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

// decide goes through the checks in the platform's order, as far as it is known: who calls, whether it may
// call now, what it wants.
func (s *Server) decide(op *operation) reply {
	if code, why := s.authorize(op); code != (codes{}) {
		return s.refuse(code, why)
	}
	act := edges[op.method+" "+op.call.Edge](s, op)
	op.call.Recipient = act.recipient
	fault, limited := s.gate(&op.call, act.media)
	var answer reply
	switch {
	case fault.Drop == DropBefore:
		return reply{drop: true, delay: fault.Delay}
	case fault.refuses():
		answer = s.fail(op.call.PageID, fault)
	case limited:
		answer = s.overLimit(op.call.PageID)
	default:
		answer = act.run()
	}
	answer.drop = fault.Drop == DropAfter
	answer.delay = fault.Delay
	return answer
}

// gate finds out what stands in the way of a call now, and counts it.
func (s *Server) gate(call *Call, media bool) (fault Fault, limited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.limits[call.PageID]
	if !ok {
		l = newLimits(s.cfg)
		if s.limits[call.PageID] = l; len(s.limits) > maxPages {
			clear(s.limits) // only invented page ids get here; the pages start a new second
		}
	}
	return s.faults.next(call.PageID, call.At), !l.take(call.At, media)
}

func (s *Server) authorize(op *operation) (codes, string) {
	page := op.call.PageID
	want, known := s.cfg.Tokens[page]
	switch {
	case op.token == "":
		return codes{190, 0}, "an access token is required"
	case s.cfg.Tokens != nil && page == "me":
		return codes{190, 0}, "the access token is invalid"
	case s.cfg.Tokens != nil && !known:
		return codes{100, 33}, "there is no such page"
	case s.cfg.Tokens != nil && op.token != want:
		return codes{190, 0}, "the access token is invalid"
	case s.cfg.AppSecret != "" && !s.proven(op):
		return codes{100, 0}, "Invalid appsecret_proof provided in the API argument"
	}
	return codes{}, ""
}

func (s *Server) proven(op *operation) bool {
	mac := hmac.New(sha256.New, []byte(s.cfg.AppSecret))
	mac.Write([]byte(op.token))
	want := hex.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(op.proof))
}

// messages is the edge that sends.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (s *Server) messages(op *operation) action {
	req, err := sendapi.ParseRequest(op.call.Body)
	if err != nil {
		return action{run: func() reply { return s.refuse(codes{100, 0}, err.Error()) }}
	}
	return action{
		recipient: req.Recipient.Address(), media: req.Media(),
		run: func() reply {
			if c, why := s.attach(op, req.Message); why != "" {
				return s.refuse(c, why)
			}
			return s.accept(op, req)
		},
	}
}

// accept validates a request and makes up the answer that fits its recipient.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (s *Server) accept(op *operation, req *sendapi.Request) reply {
	if err := req.Validate(); err != nil {
		return s.refuse(subcodeFor(req), err.Error())
	}
	if req.Tag.Removed() {
		return s.refuse(codes{100, 0}, "tag: "+string(req.Tag)+" was removed")
	}
	success := struct {
		RecipientID  string `json:"recipient_id,omitempty"`
		MessageID    string `json:"message_id,omitempty"`
		AttachmentID string `json:"attachment_id,omitempty"`
	}{RecipientID: personOf(req.Recipient)}
	if req.Message != nil {
		success.MessageID = "m_" + s.started + "-" + strconv.FormatUint(s.ids.Add(1), 36)
		success.AttachmentID = s.reusable(op, req.Message)
	}
	answer := accepted(success)
	answer.message = success.MessageID
	return answer
}

// subcodeFor gives the refusals that have a number of their own.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
func subcodeFor(req *sendapi.Request) codes {
	switch {
	case req.Message != nil && req.SenderAction != "":
		return codes{100, 2018014}
	case req.Message != nil && req.Message.Text == "" && req.Message.Attachment == nil:
		return codes{100, 2018034}
	}
	return codes{100, 0}
}

// personOf is the page-scoped id in an answer: none for user_ref and phone_number, made up from the address
// for the others that do not name it.
func personOf(to sendapi.Recipient) string {
	switch {
	case to.ID != "":
		return to.ID
	case to.UserRef != "" || to.PhoneNumber != "":
		return ""
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(to.Address())) // never fails
	return strconv.FormatUint(9e15+uint64(h.Sum32()), 10)
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
