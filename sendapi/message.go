package sendapi

import (
	"encoding/json"
	"slices"
)

// Message is the content of a send: exactly one of text, attachment, template and sticker.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type Message struct {
	// Text is at most 2,000 characters. The platform does not say what it counts; Check counts UTF-16
	// code units, so that an emoji is two. The reference of 2018 allows 2,000, the current one asks for less than that:
	// exactly 2,000 is a warning. A URL in it gets no preview.
	Text string
	// Attachment is media or a template.
	Attachment *Attachment
	// QuickReplies are up to 13 buttons under the message, which vanish with the next one.
	QuickReplies []QuickReply
	// Metadata is returned in the echo webhook only; at most 1,000 characters, where exactly 1,000 is a warning as with
	// Text.
	Metadata string
	// Template is an approved template of a utility message; it goes with TypeUtility.
	Template *UtilityTemplate
	// StickerID is one of the platform's free stickers, such as ThumbsUp; within the 24 hours only. Since Jun 1 2026.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/sticker-api
	StickerID int64
	// DynamicText was for broadcasts and sponsored messages, where it may accompany a template. The Graph reference
	// still lists it.
	// https://developers.facebook.com/docs/graph-api/reference/page/messages
	DynamicText *DynamicText

	leftover
}

// ThumbsUp is the sticker of a thumb that points up.
const ThumbsUp int64 = 369239263222822

// DynamicText is a text with the person's name in it.
type DynamicText struct {
	// Text has {first_name} and the like where the person's name goes.
	Text string
	// FallbackText is for where the name is not known.
	FallbackText string

	leftover
}

const (
	maxText         = 2000
	maxMetadata     = 1000
	maxQuickReplies = 13
	maxPayload      = 1000
)

func (m *Message) code(c *coder) {
	text(c, "text", &m.Text)
	optional(c, "attachment", &m.Attachment)
	list(c, "quick_replies", &m.QuickReplies)
	text(c, "metadata", &m.Metadata)
	optional(c, "template", &m.Template)
	integer(c, "sticker_id", &m.StickerID)
	optional(c, "dynamic_text", &m.DynamicText)
}

func (d *DynamicText) code(c *coder) {
	text(c, "text", &d.Text)
	text(c, "fallback_text", &d.FallbackText)
}

func (m *Message) check(c *checker) {
	m.checkContent(c)
	c.below("text", m.Text, maxText)
	if m.Attachment != nil {
		c.part("attachment", m.Attachment)
	}
	each(c, "quick_replies", m.QuickReplies, 0, maxQuickReplies)
	c.below("metadata", m.Metadata, maxMetadata)
	if m.Template != nil {
		c.part("template", m.Template)
	}
	if m.DynamicText != nil {
		c.old("dynamic_text", "dynamic_text")
	}
}

// checkContent finds out whether there is exactly one content. It gives the benefit of the doubt to what this version
// has no field for.
func (m *Message) checkContent(c *checker) {
	first := ""
	for _, content := range [...]struct {
		key   string
		given bool
	}{
		{"text", m.Text != ""},
		{"attachment", m.Attachment != nil},
		{"template", m.Template != nil},
		{"sticker_id", m.sticker()},
	} {
		switch {
		case !content.given:
		case first == "":
			first = content.key
		default:
			c.fail(content.key, "not allowed together with "+first)
		}
	}
	if first == "" && m.DynamicText == nil && !m.unknownContent() {
		c.fail("", "needs text, an attachment, a template or a sticker_id")
	}
}

// sticker counts an id in the form of a string as well; a zero, which is kept, is none.
func (m *Message) sticker() bool {
	return m.StickerID != 0 || slices.ContainsFunc(m.extra, func(e member) bool {
		return e.key == "sticker_id" && kindOf(e.value) == "a string" && string(e.value) != `""`
	})
}

func (m *Message) unknownContent() bool {
	for _, e := range m.extra {
		switch e.key {
		case "text", "attachment", "quick_replies", "metadata", "template", "sticker_id", "dynamic_text":
		default:
			return true
		}
	}
	return false
}

// WithMetadata is the body of a request with metadata in its message, which comes back in the echo webhook; all else stays byte for
// byte. A message that has metadata stays as it is, and so does a body without a message, and what is no request.
// https://developers.facebook.com/docs/messenger-platform/reference/webhook-events/message-echoes
func WithMetadata(body json.RawMessage, metadata string) json.RawMessage {
	if !json.Valid(body) {
		return body
	}
	request, _, _ := split(body)
	at := slices.IndexFunc(request, func(m member) bool { return m.key == "message" })
	if at < 0 {
		return body
	}
	message := request[at].value
	parts, _, ok := split(message)
	if !ok || has(parts, "metadata") {
		return body
	}
	inside := cap(body) - cap(message) + 1 // message is a part of body
	with := make(json.RawMessage, 0, len(body)+len(metadata)+len(`"metadata":"",`))
	with = append(append(with, body[:inside]...), `"metadata":`...)
	with = appendString(with, metadata)
	if len(parts) > 0 {
		with = append(with, ',')
	}
	return append(with, body[inside:]...)
}
