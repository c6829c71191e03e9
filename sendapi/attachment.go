package sendapi

import (
	"encoding/json"
	"reflect"
	"slices"
)

// AttachmentType is what an attachment is.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type AttachmentType string

// The kinds of attachments.
const (
	// Image is a picture; by URL at most 8 MB.
	Image AttachmentType = "image"
	// Audio is a sound of at most 25 MB. It counts against the media limit, see Request.Media.
	Audio AttachmentType = "audio"
	// Video is a film of at most 25 MB. It counts against the media limit, see Request.Media.
	Video AttachmentType = "video"
	// File is any other file of at most 25 MB.
	File AttachmentType = "file"
	// Template is a structured message.
	Template AttachmentType = "template"
)

var attachmentTypes = []AttachmentType{Image, Audio, Video, File, Template}

// Attachment is media or a template.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type Attachment struct {
	// Type is required and must fit Payload: Template for the templates, the others for *Media.
	Type AttachmentType
	// Payload is *Media, one of the templates, such as *GenericTemplate, or RawPayload for all that has no type here.
	// Required.
	Payload Payload

	leftover
}

// Payload is the content of an attachment: *Media, a pointer to one of the templates, or RawPayload.
type Payload interface {
	coded
	checked
	// template is the template_type, "" for media. RawPayload, which may be any, says "unknown".
	template() string
}

// Media is a media file: by URL, one that was uploaded before, or one that travels in the same call.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
type Media struct {
	// URL is where the platform fetches the file during the call: at most 25 MB, and 8 MB for an image. Exactly one
	// of URL and AttachmentID is required; both stay empty when the file is sent along (Client.SendFile), which Check
	// learns by WithFile.
	URL string
	// AttachmentID names an uploaded file of the same Page. It expires 90 days after the upload.
	AttachmentID string
	// Reusable asks for an attachment id in the response, to send the file again. The default is false.
	Reusable bool

	leftover
}

// RawPayload is the JSON of a template that has no type in this version. It is sent as it is.
type RawPayload json.RawMessage

func (a *Attachment) code(c *coder) {
	eitherCase(c, "type", &a.Type, attachmentTypes)
	if c.decoding {
		a.readPayload(c)
	} else if present(a.Payload) {
		c.key("payload")
		if raw, ok := a.Payload.(RawPayload); ok {
			raw.code(c)
		} else {
			c.object(nil, a.Payload)
		}
	}
}

func (a *Attachment) readPayload(c *coder) {
	value, ok := c.take("payload")
	if !ok {
		return
	}
	a.Payload = newPayload(a.Type, value)
	if a.Payload == nil {
		a.Payload = RawPayload(slices.Clone(value))
		return
	}
	c.enter(step{key: "payload"})
	c.object(value, a.Payload)
	c.leave()
}

// newPayload returns an empty payload of the Go type that fits, or nil when there is none.
func newPayload(t AttachmentType, value json.RawMessage) Payload {
	switch t {
	case Image, Audio, Video, File:
		return new(Media)
	case Template:
		members, _, _ := split(value)
		for _, m := range members {
			if m.key == "template_type" && m.value[0] == '"' {
				return newTemplate(unquote(m.value))
			}
		}
	}
	return nil
}

// present is false for a nil pointer in the interface as well, which is easily made by mistake.
func present(p Payload) bool {
	if p == nil {
		return false
	}
	v := reflect.ValueOf(p) // a pointer or RawPayload, a slice
	return !v.IsNil()
}

func (m *Media) code(c *coder) {
	text(c, "url", &m.URL)
	looseText(c, "attachment_id", &m.AttachmentID)
	flag(c, "is_reusable", &m.Reusable)
}

func (*Media) template() string { return "" }

func (p RawPayload) code(c *coder)  { c.buf = append(c.buf, p...) }
func (RawPayload) kept() *[]member  { return nil }
func (RawPayload) template() string { return "unknown" }

func (a *Attachment) check(c *checker) {
	if !known(c, "type", a.Type, attachmentTypes) {
		return
	}
	if !present(a.Payload) {
		c.fail("payload", "required")
		return
	}
	if (a.Payload.template() != "") != (a.Type == Template) {
		c.fail("type", "does not fit the payload")
		return
	}
	c.part("payload", a.Payload)
}

func (m *Media) check(c *checker) {
	byID := m.AttachmentID != "" || m.given("attachment_id")
	switch {
	case c.withFile:
		if m.URL != "" || byID {
			c.fail("", "neither url nor attachment_id is allowed beside a file in the same call")
		}
	case m.URL == "" && !byID:
		c.fail("", "needs url or attachment_id")
	case m.URL != "" && byID:
		c.fail("", "url and attachment_id: only one is allowed")
	}
	c.url("url", m.URL)
}

func (p RawPayload) check(c *checker) {
	if wrong := wellFormed(p); wrong != "" {
		c.fail("", wrong)
	} else if members, _, ok := split(p); !ok {
		c.fail("", "must be an object, not "+kindOf(p))
	} else if !given(members, "template_type") {
		c.fail("template_type", "required")
	}
}
