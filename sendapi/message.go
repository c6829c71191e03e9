package sendapi

// Message is the content of a send: a text, or an attachment.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type Message struct {
	// Text is at most 2,000 characters. The platform does not say what it counts; Validate counts UTF-16
	// code units, so that an emoji is two. A URL in it gets no preview.
	Text string
	// Attachment is media or a template.
	Attachment *Attachment
	// QuickReplies are up to 13 buttons under the message, which vanish with the next one.
	QuickReplies []QuickReply
	// Metadata is returned in the echo webhook only; at most 1,000 characters.
	Metadata string

	extra []member
}

// QuickReplyType is what a quick reply offers.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/quick-replies
type QuickReplyType string

// The kinds of quick replies.
const (
	// ReplyText sends its title, and hands the payload to the webhook.
	ReplyText QuickReplyType = "text"
	// ReplyPhone offers the person's phone number; not shown to people without one.
	ReplyPhone QuickReplyType = "user_phone_number"
	// ReplyEmail offers the person's email address; not shown to people without one.
	ReplyEmail QuickReplyType = "user_email"
	// ReplyLocation asked for the place of the person. Withdrawn in 2019.
	ReplyLocation QuickReplyType = "location"
)

var quickReplyTypes = []QuickReplyType{ReplyText, ReplyPhone, ReplyEmail, ReplyLocation}

// QuickReply is a button under a message that answers it.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/quick-replies
type QuickReply struct {
	// ContentType is required. The fields below go with ReplyText only.
	ContentType QuickReplyType
	// Title is what the button says; beyond 20 characters it is cut off. The platform's page requires it in one
	// place and lets an image stand for it in another; send it.
	Title string
	// Payload is handed to the webhook; at most 1,000 characters. It may be empty with an image only. A number,
	// which the platform takes as well, is kept when a request is read, but does not show here.
	Payload string
	// ImageURL is an icon of at least 24 x 24 pixels, required without a Title.
	ImageURL string

	extra []member
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
	c.rest(&m.extra)
}

func (q *QuickReply) code(c *coder) {
	text(c, "content_type", &q.ContentType)
	text(c, "title", &q.Title)
	looseText(c, "payload", &q.Payload)
	text(c, "image_url", &q.ImageURL)
	c.rest(&q.extra)
}

func (m *Message) check(c *checker) {
	if m.empty() {
		c.fail("", "needs text or an attachment")
	}
	c.limit("text", m.Text, maxText)
	c.limit("metadata", m.Metadata, maxMetadata)
	c.count("quick_replies", len(m.QuickReplies), 0, maxQuickReplies)
	c.enter(step{key: "quick_replies"})
	for i := range m.QuickReplies {
		c.enter(step{index: i})
		m.QuickReplies[i].check(c)
		c.leave()
	}
	c.leave()
	if m.Attachment != nil {
		c.enter(step{key: "attachment"})
		m.Attachment.check(c)
		c.leave()
	}
}

// empty gives the benefit of the doubt to content that this version has no field for, such as sticker_id,
// template (utility messages) and dynamic_text.
func (m *Message) empty() bool {
	if m.Text != "" || m.Attachment != nil {
		return false
	}
	for _, e := range m.extra {
		switch e.key {
		case "text", "attachment", "quick_replies", "metadata":
		default:
			return false
		}
	}
	return true
}

func (q *QuickReply) check(c *checker) {
	if !known(c, "content_type", q.ContentType, quickReplyTypes) {
		return
	}
	if q.ContentType != ReplyText {
		for _, f := range [...]address{{"title", q.Title}, {"payload", q.Payload}, {"image_url", q.ImageURL}} {
			if f.value != "" {
				c.fail(f.key, "allowed with content_type text only")
			}
		}
		return
	}
	if q.Title == "" && q.ImageURL == "" {
		c.fail("title", "required, unless there is an image_url")
	}
	if q.Payload == "" && q.ImageURL == "" && !given(q.extra, "payload") {
		c.fail("payload", "required, unless there is an image_url")
	}
	c.limit("payload", q.Payload, maxPayload)
	c.url("image_url", q.ImageURL)
}
