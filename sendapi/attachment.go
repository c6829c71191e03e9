package sendapi

import (
	"encoding/json"
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
	// Payload is *Media, *GenericTemplate, *ButtonTemplate, or RawPayload for all that has no type here.
	// Required.
	Payload Payload

	extra []member
}

// Payload is the content of an attachment: *Media, *GenericTemplate, *ButtonTemplate or RawPayload.
type Payload interface {
	coded
	check(c *checker)
	template() bool
}

// Media is a media file: by URL, or one that was uploaded before.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
type Media struct {
	// URL is where the platform fetches the file during the call. Exactly one of URL and AttachmentID is
	// required.
	URL string
	// AttachmentID names an uploaded file of the same Page. It expires 90 days after the upload.
	AttachmentID string
	// Reusable asks for an attachment id in the response, to send the file again. The default is false.
	Reusable bool

	extra []member
}

// RawPayload is the JSON of a payload that has no type in this version. It is sent as it is.
type RawPayload json.RawMessage

func (a *Attachment) code(c *coder) {
	text(c, "type", &a.Type)
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
	c.rest(&a.extra)
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
			switch m.key + ":" + string(m.value) {
			case `template_type:"generic"`:
				return new(GenericTemplate)
			case `template_type:"button"`:
				return new(ButtonTemplate)
			}
		}
	}
	return nil
}

// present is false for a nil pointer in the interface as well, which is easily made by mistake.
func present(p Payload) bool {
	switch p := p.(type) {
	case nil:
		return false
	case *Media:
		return p != nil
	case *GenericTemplate:
		return p != nil
	case *ButtonTemplate:
		return p != nil
	}
	return true
}

func (m *Media) code(c *coder) {
	text(c, "url", &m.URL)
	looseText(c, "attachment_id", &m.AttachmentID)
	flag(c, "is_reusable", &m.Reusable)
	c.rest(&m.extra)
}

func (p RawPayload) code(c *coder) { c.buf = append(c.buf, p...) }

func (*Media) template() bool     { return false }
func (RawPayload) template() bool { return true }

func (a *Attachment) check(c *checker) {
	if !known(c, "type", a.Type, attachmentTypes) {
		return
	}
	if !present(a.Payload) {
		c.fail("payload", "required")
		return
	}
	if a.Payload.template() != (a.Type == Template) {
		c.fail("type", "does not fit the payload")
		return
	}
	c.enter(step{key: "payload"})
	a.Payload.check(c)
	c.leave()
}

func (m *Media) check(c *checker) {
	byID := m.AttachmentID != "" || given(m.extra, "attachment_id")
	switch {
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
