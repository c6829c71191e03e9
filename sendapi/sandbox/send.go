package sandbox

import (
	"hash/fnv"
	"strconv"

	"github.com/sendpace/sendpace/sendapi"
)

// messages is the edge that sends.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (s *Server) messages(op *operation) action {
	req, err := sendapi.ParseRequest(op.call.Body)
	if err != nil {
		return action{refused: refusal{codes: codes{100, 0}, why: err.Error()}}
	}
	if req.Message != nil {
		op.call.Metadata = req.Message.Metadata
	}
	fetches := ""
	if media := mediaOf(req.Message); media != nil {
		fetches = media.URL
	}
	return action{
		recipient: req.Recipient.Address(), media: req.Media(), fetches: fetches,
		request: req, refused: s.content(op, req),
		run: func() reply { return s.accept(op, req) },
	}
}

// accept makes up the answer that fits the recipient of a request.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (s *Server) accept(op *operation, req *sendapi.Request) reply {
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
