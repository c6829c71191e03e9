package sandbox

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sendpace/sendpace/sendapi"
)

// content refuses a request that the platform would refuse whoever it is for, with the codes of the platform.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
func (s *Server) content(op *operation, req *sendapi.Request) refusal {
	if c, why := op.unfit(req.Message); why != "" {
		return refusal{c, why}
	}
	checks := s.checks
	if op.file != nil {
		checks = append(slices.Clip(checks), sendapi.WithFile())
	}
	if refusals := req.Check(checks...).Refusals(); len(refusals) > 0 {
		return refusal{contentCodes(op, req, refusals), refusals.Error()}
	}
	if _, ok := payloadOf(req).(*sendapi.ProductTemplate); ok && s.served(op.version).before(productTemplates) {
		return refusal{codes{100, 2018328}, "the product template needs " + productTemplates.String()}
	}
	return refusal{}
}

// contentCodes gives the number of its own that one of the refusals has, if any.
func contentCodes(op *operation, req *sendapi.Request, refusals sendapi.Problems) codes {
	if req.Message != nil && req.SenderAction != "" {
		return codes{100, 2018014}
	}
	for _, p := range refusals {
		switch {
		case p.Path == "message" && emptyText(op.call.Body):
			return codes{100, 2018032}
		case p.Path == "message":
			return codes{100, 2018034}
		}
		if inside, ok := strings.CutPrefix(p.Path, "message.attachment.payload."); ok {
			if c := templateCodes(payloadOf(req), inside); c != (codes{}) {
				return c
			}
		}
	}
	return codes{100, 0}
}

// templateCodes are those of a template's own fields.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/media
func templateCodes(payload sendapi.Payload, path string) codes {
	switch payload.(type) {
	case *sendapi.MediaTemplate:
		switch path {
		case "elements[0]":
			return codes{100, 2018187}
		case "elements[0].media_type":
			return codes{100, 2018182}
		case "elements[0].url":
			return codes{100, 2018185}
		}
	case *sendapi.ProductTemplate:
		if strings.HasSuffix(path, "].id") {
			return codes{100, 2018320}
		}
	case *sendapi.InstantFormTemplate:
		if path == "form_id" {
			return codes{1, 2018382}
		}
	}
	return codes{}
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

// payloadOf returns the payload of a message's attachment, nil when there is none.
func payloadOf(req *sendapi.Request) sendapi.Payload {
	if req.Message == nil || req.Message.Attachment == nil {
		return nil
	}
	return req.Message.Attachment.Payload
}
