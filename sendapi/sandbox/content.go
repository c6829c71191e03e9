package sandbox

import (
	"encoding/json"
	"errors"

	"github.com/sendpace/sendpace/sendapi"
)

// content refuses a request that the platform would refuse whoever it is for, with the codes of the platform.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
func (s *Server) content(op *operation, req *sendapi.Request) refusal {
	if c, why := s.attach(op, req); why != "" {
		return refusal{c, why}
	}
	if err := req.Validate(); err != nil {
		var problems sendapi.Problems
		errors.As(err, &problems)
		return refusal{codes: contentCodes(op, req, problems), why: err.Error()}
	}
	if !s.cfg.AllowRemoved && req.Tag.Removed() {
		return refusal{codes: codes{100, 0}, why: "tag: " + string(req.Tag) + " was removed"}
	}
	template := templateOf(req)
	switch {
	case req.Tag == sendapi.TagCustomerFeedback && template != "customer_feedback":
		return refusal{codes: codes{100, 0}, why: "tag: CUSTOMER_FEEDBACK goes with the customer_feedback template only"}
	case template == "product" && s.served(op.version).before(productTemplates):
		return refusal{codes: codes{100, 2018328}, why: "the product template needs " + productTemplates.String()}
	}
	return refusal{}
}

// contentCodes gives the number of its own that a refusal has, if any.
func contentCodes(op *operation, req *sendapi.Request, problems sendapi.Problems) codes {
	switch {
	case req.Message != nil && req.SenderAction != "":
		return codes{100, 2018014}
	case req.Message != nil && req.Message.Text == "" && req.Message.Attachment == nil && emptyText(op.call.Body):
		return codes{100, 2018032}
	case req.Message != nil && req.Message.Text == "" && req.Message.Attachment == nil:
		return codes{100, 2018034}
	}
	return codes{100, 0}
}

// emptyText tells a text that is empty from none at all.
func emptyText(body []byte) bool {
	var given struct {
		Message struct {
			Text *string `json:"text"`
		} `json:"message"`
	}
	return json.Unmarshal(body, &given) == nil && given.Message.Text != nil
}

// templateOf returns the template_type of a message, empty when it has none.
func templateOf(req *sendapi.Request) string {
	if req.Message == nil || req.Message.Attachment == nil || req.Message.Attachment.Type != sendapi.Template {
		return ""
	}
	raw, ok := req.Message.Attachment.Payload.(sendapi.RawPayload)
	if !ok {
		return ""
	}
	var payload struct {
		Type string `json:"template_type"`
	}
	_ = json.Unmarshal(raw, &payload) // what it cannot read has no type
	return payload.Type
}
