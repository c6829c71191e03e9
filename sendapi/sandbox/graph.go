package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// maxBody is far above any request that passes validation.
const maxBody = 1 << 20

// reply is the answer to a call.
type reply struct {
	status, code, subcode int
	body                  []byte
	header                http.Header
	message               string // its id, if one was accepted
	accepted              bool
	drop                  bool
	delay                 time.Duration
}

func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request, at time.Time) {
	page, ok := s.route(r)
	if !ok {
		s.refuse(codes{100, 33}, "unsupported request: the sandbox knows POST /{version}/{page-id}/messages").write(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	call := Call{At: at, PageID: page, Body: body}
	var answer reply
	if err != nil {
		answer = s.refuse(codes{100, 0}, "the request could not be read, or is too large")
	} else {
		answer = s.decide(&call, r)
	}
	call.Accepted, call.MessageID = answer.accepted, answer.message
	call.Code, call.Subcode = answer.code, answer.subcode
	if !answer.drop {
		call.Status = answer.status
	}
	seq := s.log.add(call)
	s.wait(r.Context(), s.cfg.Latency+answer.delay)
	s.log.done(seq, time.Now())
	if answer.drop {
		// The documented way to close a connection without an answer; net/http logs nothing.
		panic(http.ErrAbortHandler)
	}
	answer.write(w)
}

// route returns the page that a call is for; /me/ is the page of the token.
func (s *Server) route(r *http.Request) (page string, ok bool) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) == 3 && strings.HasPrefix(parts[0], "v") {
		parts = parts[1:]
	}
	if r.Method != http.MethodPost || len(parts) != 2 || parts[1] != "messages" {
		return "", false
	}
	if page = parts[0]; page == "me" {
		if known, ok := s.pages[token(r)]; ok {
			return known, true
		}
		return page, true
	}
	return page, numeric(page) && len(page) <= 32
}

// decide goes through the checks in the platform's order, as far as it is known: who calls, whether it may
// call now, what it wants.
func (s *Server) decide(call *Call, r *http.Request) reply {
	if code, why := s.authorize(call.PageID, r); code != (codes{}) {
		return s.refuse(code, why)
	}
	req, parseErr := sendapi.ParseRequest(call.Body)
	if parseErr == nil {
		call.Recipient = req.Recipient.Address()
	}
	fault, limited := s.gate(call, parseErr == nil && req.Media())
	var answer reply
	switch {
	case fault.Drop == DropBefore:
		return reply{drop: true, delay: fault.Delay}
	case fault.refuses():
		answer = s.fail(call.PageID, fault)
	case limited:
		answer = s.overLimit(call.PageID)
	case parseErr != nil:
		answer = s.refuse(codes{100, 0}, parseErr.Error())
	default:
		answer = s.accept(req)
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

func (s *Server) authorize(page string, r *http.Request) (codes, string) {
	given := token(r)
	want, known := s.cfg.Tokens[page]
	switch {
	case given == "":
		return codes{190, 0}, "an access token is required"
	case s.cfg.Tokens != nil && page == "me":
		return codes{190, 0}, "the access token is invalid"
	case s.cfg.Tokens != nil && !known:
		return codes{100, 33}, "there is no such page"
	case s.cfg.Tokens != nil && given != want:
		return codes{190, 0}, "the access token is invalid"
	case s.cfg.AppSecret != "" && !s.proven(given, r):
		return codes{100, 0}, "the appsecret_proof is missing or wrong"
	case !strings.Contains(r.Header.Get("Content-Type"), "json"):
		return codes{100, 0}, "the sandbox takes a body of Content-Type application/json only"
	}
	return codes{}, ""
}

func (s *Server) proven(token string, r *http.Request) bool {
	mac := hmac.New(sha256.New, []byte(s.cfg.AppSecret))
	mac.Write([]byte(token))
	want := hex.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(r.URL.Query().Get("appsecret_proof")))
}

// token finds the access token in the header or, as in the platform's samples, in the query.
func token(r *http.Request) string {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return bearer
	}
	if r.URL.RawQuery == "" {
		return ""
	}
	return r.URL.Query().Get("access_token")
}

// accept validates a request and makes up the answer that fits its recipient.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (s *Server) accept(req *sendapi.Request) reply {
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
		if keepsMedia(req.Message) {
			success.AttachmentID = strconv.FormatUint(1e15+s.ids.Add(1), 10)
		}
	}
	body, _ := json.Marshal(success) // three strings
	return reply{status: http.StatusOK, body: body, message: success.MessageID, accepted: true}
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

func keepsMedia(m *sendapi.Message) bool {
	if m.Attachment == nil {
		return false
	}
	media, ok := m.Attachment.Payload.(*sendapi.Media)
	return ok && media.Reusable && media.URL != ""
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
