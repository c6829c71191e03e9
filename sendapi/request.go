package sendapi

import (
	"slices"
	"strings"
)

// Request is the body of one call to the Send API: a message, or a sender action, to one recipient.
//
// It reads and writes the platform's JSON without loss: members that this version does not know are kept
// at every level and written back. Empty fields are left out.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type Request struct {
	// Recipient is who gets it. Required.
	Recipient Recipient
	// MessagingType says why the message is sent. Leave it out with a sender action: the platform's pages have none there, but as
	// public clients such as botly 1.6 and @warriorteam/messenger-sdk 1.5 send one along, Check only warns.
	MessagingType MessagingType
	// Message is the content. Exactly one of Message and SenderAction is required.
	Message *Message
	// SenderAction is what the person sees the Page do instead of a message.
	SenderAction SenderAction
	// NotificationType is how the device announces the message; empty means NotifyRegular. Leave it out with a sender action: Check
	// warns of it there, as public clients such as pymessenger send it along.
	NotificationType NotificationType
	// Tag goes with TypeMessageTag, and only with it. It is a warning with a sender action, and where MessagingType is missing.
	Tag Tag
	// PersonaID makes the message come from a persona of the Page, decimal digits. Of the sender actions only TypingOn
	// and TypingOff take it.
	PersonaID string
	// ReplyTo quotes an earlier message of either side. Not with a sender action. One snapshot of the Graph reference
	// shows a string here; such a one is kept when a request is read, but does not show in the field.
	ReplyTo *ReplyTo
	// Payload goes with AddReaction and RemoveReaction, and only with them.
	Payload *Reaction

	leftover
}

// ReplyTo names the message that a message quotes.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type ReplyTo struct {
	// MID is the id of the quoted message, of either side. Required.
	MID string

	leftover
}

// Reaction says what AddReaction and RemoveReaction are about.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/sender-actions
type Reaction struct {
	// MessageID is the id of the message. Required.
	MessageID string
	// Reaction is an emoji. Required with AddReaction.
	Reaction string

	leftover
}

// ParseRequest reads a request from JSON: exactly one object in UTF-8, no member twice, each known member of
// its documented type. An error is of type Problems and says where. Whether the platform would accept
// the request is up to Check.
func ParseRequest(data []byte) (*Request, error) {
	r := new(Request)
	if err := decode(data, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Media reports whether the message carries audio or video, which the platform limits to a lower rate than
// the rest. A media template with a video counts as well: nothing says so, but the lower rate is the safe one.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting
func (r *Request) Media() bool {
	if r.Message == nil || r.Message.Attachment == nil {
		return false
	}
	if t, ok := r.Message.Attachment.Payload.(*MediaTemplate); ok && t != nil {
		return slices.ContainsFunc(t.Elements, func(e MediaElement) bool { return e.MediaType == Video })
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
}

func (re *Reaction) code(c *coder) {
	text(c, "message_id", &re.MessageID)
	text(c, "reaction", &re.Reaction)
}

func (r *Request) check(c *checker) {
	c.part("recipient", &r.Recipient)
	r.checkType(c)
	r.checkContent(c)
	r.checkTag(c)
	r.checkOptions(c)
	r.checkReaction(c)
}

func (r *Request) checkType(c *checker) {
	utility := r.Message != nil && r.Message.Template != nil
	switch {
	case r.MessagingType == "" && r.Message != nil:
		c.warn("messaging_type", "missing; the reference calls it required since May 7 2018")
	case r.MessagingType == "":
	case r.MessagingType == TypeSubscription:
		c.removed("messaging_type", string(TypeSubscription), removedIn2020)
	case !known(c, "messaging_type", r.MessagingType, messagingTypes):
	case r.MessagingType == TypeUtility && r.Message != nil && !utility:
		c.warn("messaging_type", "UTILITY is for messages with a template")
	case r.MessagingType != TypeUtility && utility:
		c.warn("messaging_type", "a message with a template is sent as UTILITY")
	}
	r.undocumented(c, "messaging_type", r.MessagingType != "")
}

// undocumented warns of what the platform's pages do not have with a sender action, while public clients send it along.
func (r *Request) undocumented(c *checker, key string, given bool) {
	if given && r.SenderAction != "" && r.Message == nil {
		c.warn(key, "not documented with a sender_action")
	}
}

// messageOnly refuses what does not go with a sender action.
func (r *Request) messageOnly(c *checker, key string, given bool) {
	if given && r.SenderAction != "" && r.Message == nil {
		c.fail(key, "not allowed with a sender_action")
	}
}

func (r *Request) checkContent(c *checker) {
	if r.Message != nil {
		c.part("message", r.Message)
	}
	switch {
	case r.Message == nil && r.SenderAction == "":
		c.fail("message", "required, or a sender_action")
	case r.Message != nil && r.SenderAction != "":
		c.fail("sender_action", "not allowed together with message")
	}
	if c.withFile && !r.carriesMedia() {
		c.fail("message.attachment", "must be an image, audio, video or file, as a file goes with the call")
	}
	if r.SenderAction != "" {
		known(c, "sender_action", r.action(), senderActions)
	}
	optionalOf(c, "notification_type", r.NotificationType, notificationTypes...)
	r.undocumented(c, "notification_type", r.NotificationType != "")
}

func (r *Request) carriesMedia() bool {
	if r.Message == nil || r.Message.Attachment == nil {
		return false
	}
	_, ok := r.Message.Attachment.Payload.(*Media)
	return ok
}

// action is the sender action in lower case, as the guide has it.
func (r *Request) action() SenderAction { return SenderAction(strings.ToLower(string(r.SenderAction))) }

func (r *Request) checkTag(c *checker) {
	if r.Tag == "" {
		if r.MessagingType == TypeMessageTag {
			c.fail("tag", "required with messaging_type MESSAGE_TAG")
		}
		return
	}
	c.part("tag", r.Tag)
	switch r.MessagingType {
	case TypeMessageTag:
	case "":
		c.warn("tag", "without a messaging_type; it goes with MESSAGE_TAG")
	default:
		c.fail("tag", "allowed with messaging_type MESSAGE_TAG only")
	}
	r.undocumented(c, "tag", true)
	if r.Tag == TagCustomerFeedback && r.Message != nil && !r.Message.asksForFeedback() {
		c.fail("tag", "CUSTOMER_FEEDBACK is for the customer_feedback template only")
	}
}

func (m *Message) asksForFeedback() bool {
	if m.Attachment == nil {
		return false
	}
	_, ok := m.Attachment.Payload.(*CustomerFeedbackTemplate)
	return ok
}

func (r *Request) checkOptions(c *checker) {
	if r.PersonaID != "" {
		if !digits(r.PersonaID) {
			c.fail("persona_id", "must be decimal digits")
		}
		typing := r.action() == TypingOn || r.action() == TypingOff
		r.messageOnly(c, "persona_id", !typing)
	}
	if r.ReplyTo != nil {
		c.part("reply_to", r.ReplyTo)
		r.messageOnly(c, "reply_to", true)
	}
}

func (t *ReplyTo) check(c *checker) { c.required("mid", t.MID) }

func (r *Request) checkReaction(c *checker) {
	action := r.action()
	reacts := action == AddReaction || action == RemoveReaction
	switch {
	case r.Payload == nil && reacts:
		c.fail("payload", "required with "+string(action))
	case r.Payload == nil:
	case !reacts:
		c.fail("payload", "allowed with the sender actions react and unreact only")
	default:
		c.enter(step{key: "payload"})
		c.required("message_id", r.Payload.MessageID)
		if action == AddReaction {
			c.required("reaction", r.Payload.Reaction)
		}
		c.leave()
	}
}
