package sendapi

import "strings"

// Request is the body of one call to the Send API: a message, or a sender action, to one recipient.
//
// It reads and writes the platform's JSON without loss: members that this version does not know are kept
// at every level and written back. Empty fields are left out.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type Request struct {
	// Recipient is who gets it. Required.
	Recipient Recipient
	// MessagingType says why the message is sent.
	MessagingType MessagingType
	// Message is the content. Exactly one of Message and SenderAction is required.
	Message *Message
	// SenderAction is what the person sees the Page do instead of a message.
	SenderAction SenderAction
	// NotificationType is how the device announces the message; empty means NotifyRegular.
	NotificationType NotificationType
	// Tag goes with TypeMessageTag, and only with it.
	Tag Tag
	// PersonaID makes the message come from a persona of the Page, decimal digits.
	PersonaID string
	// ReplyTo quotes an earlier message.
	ReplyTo *ReplyTo
	// Payload goes with AddReaction and RemoveReaction, and only with them.
	Payload *Reaction

	extra []member
}

// ReplyTo names the message that a message quotes.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type ReplyTo struct {
	// MID is the id of the quoted message, of either side. Required.
	MID string

	extra []member
}

// Reaction says what AddReaction and RemoveReaction are about.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/sender-actions
type Reaction struct {
	// MessageID is the id of the message. Required.
	MessageID string
	// Reaction is an emoji. Required with AddReaction.
	Reaction string

	extra []member
}

// ParseRequest reads a request from JSON: exactly one object in UTF-8, no member twice, each known member of
// its documented type. An error is of type Problems and says where. Whether the platform would accept
// the request is up to Validate.
func ParseRequest(data []byte) (*Request, error) {
	r := new(Request)
	if err := decode(data, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Validate reports everything that the platform is known to refuse, as Problems with the JSON path of each, or nil.
// What the platform merely cuts off, such as a long title, passes; so do unknown members and unknown
// template types.
func (r *Request) Validate() error {
	var c checker
	c.enter(step{key: "recipient"})
	r.Recipient.check(&c)
	c.leave()
	r.checkContent(&c)
	r.checkOptions(&c)
	return c.problems.err()
}

// Media reports whether the message carries audio or video, which the platform limits to a lower rate than
// the rest.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting
func (r *Request) Media() bool {
	if r.Message == nil || r.Message.Attachment == nil {
		return false
	}
	t := r.Message.Attachment.Type
	return t == Audio || t == Video
}

// FetchesMedia reports whether the platform will fetch an attachment from a URL while the call waits, which takes
// it up to 75 seconds for a video and 10 for the rest.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
func (r *Request) FetchesMedia() bool {
	if r.Message == nil || r.Message.Attachment == nil {
		return false
	}
	media, ok := r.Message.Attachment.Payload.(*Media)
	return ok && media != nil && media.URL != ""
}

// Answer reports whether someone waits for this: it is an answer to what the person did, or a sender action.
func (r *Request) Answer() bool {
	return r.MessagingType == TypeResponse || r.SenderAction != ""
}

func (r *Request) code(c *coder) {
	nested(c, "recipient", &r.Recipient)
	text(c, "messaging_type", &r.MessagingType)
	optional(c, "message", &r.Message)
	text(c, "sender_action", &r.SenderAction)
	text(c, "notification_type", &r.NotificationType)
	text(c, "tag", &r.Tag)
	looseText(c, "persona_id", &r.PersonaID)
	r.codeReplyTo(c)
	optional(c, "payload", &r.Payload)
	c.rest(&r.extra)
}

// codeReplyTo lets a string pass as well: one version of the Graph reference shows reply_to as a string, the
// Send API reference as an object.
// https://developers.facebook.com/docs/graph-api/reference/page/messages
func (r *Request) codeReplyTo(c *coder) {
	if c.decoding {
		if value, ok := c.take("reply_to"); ok {
			c.keep("reply_to", value)
			if value[0] == '"' {
				return
			}
		}
	}
	optional(c, "reply_to", &r.ReplyTo)
}

func (t *ReplyTo) code(c *coder) {
	text(c, "mid", &t.MID)
	c.rest(&t.extra)
}

func (re *Reaction) code(c *coder) {
	text(c, "message_id", &re.MessageID)
	text(c, "reaction", &re.Reaction)
	c.rest(&re.extra)
}

func (r *Request) checkContent(c *checker) {
	switch {
	case r.Message == nil && r.SenderAction == "":
		c.fail("message", "required, or a sender_action")
	case r.Message != nil && r.SenderAction != "":
		c.fail("sender_action", "not allowed together with message")
	}
	if r.Message != nil {
		c.enter(step{key: "message"})
		r.Message.check(c)
		c.leave()
	}
	if r.SenderAction != "" {
		known(c, "sender_action", SenderAction(strings.ToLower(string(r.SenderAction))), senderActions)
	}
	r.checkReaction(c)
}

func (r *Request) checkReaction(c *checker) {
	action := SenderAction(strings.ToLower(string(r.SenderAction)))
	reacts := action == AddReaction || action == RemoveReaction
	switch {
	case r.Payload == nil && reacts:
		c.fail("payload", "required with "+string(action))
	case r.Payload != nil && !reacts:
		c.fail("payload", "allowed with the sender actions react and unreact only")
	case r.Payload == nil:
	default:
		c.enter(step{key: "payload"})
		c.required("message_id", r.Payload.MessageID)
		if action == AddReaction {
			c.required("reaction", r.Payload.Reaction)
		}
		c.leave()
	}
}

func (r *Request) checkOptions(c *checker) {
	if r.MessagingType != "" {
		known(c, "messaging_type", r.MessagingType, messagingTypes)
	}
	if r.NotificationType != "" {
		known(c, "notification_type", r.NotificationType, notificationTypes)
	}
	if r.Tag != "" && !r.Tag.Removed() {
		known(c, "tag", r.Tag, currentTags)
	}
	switch {
	case r.Tag == "" && r.MessagingType == TypeMessageTag:
		c.fail("tag", "required with messaging_type MESSAGE_TAG")
	case r.Tag != "" && r.MessagingType != TypeMessageTag:
		c.fail("tag", "allowed with messaging_type MESSAGE_TAG only")
	}
	if r.PersonaID != "" && !digits(r.PersonaID) {
		c.fail("persona_id", "must be decimal digits")
	}
	if r.ReplyTo != nil && r.ReplyTo.MID == "" {
		c.fail("reply_to.mid", "required")
	}
}
