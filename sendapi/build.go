package sendapi

// Text returns a text message of TypeUpdate; AsResponse makes it an answer.
func Text(to Recipient, text string) *Request {
	return &Request{Recipient: to, MessagingType: TypeUpdate, Message: &Message{Text: text}}
}

// MediaURL returns a message with a file that the platform fetches during the call.
func MediaURL(to Recipient, t AttachmentType, url string) *Request {
	return attach(to, t, &Media{URL: url})
}

// MediaID returns a message with a file that was uploaded before.
func MediaID(to Recipient, t AttachmentType, attachmentID string) *Request {
	return attach(to, t, &Media{AttachmentID: attachmentID})
}

// Cards returns a message with 1 to 10 cards, the generic template.
func Cards(to Recipient, elements ...Element) *Request {
	return attach(to, Template, &GenericTemplate{Elements: elements})
}

// Buttons returns a message with a text and 1 to 3 buttons, the button template.
func Buttons(to Recipient, text string, buttons ...Button) *Request {
	return attach(to, Template, &ButtonTemplate{Text: text, Buttons: buttons})
}

// Action returns a sender action without a payload: TypingOn, TypingOff or MarkSeen.
func Action(to Recipient, action SenderAction) *Request {
	return &Request{Recipient: to, SenderAction: action}
}

// React returns a reaction with an emoji to a message.
func React(to Recipient, messageID, emoji string) *Request {
	return &Request{
		Recipient: to, SenderAction: AddReaction,
		Payload: &Reaction{MessageID: messageID, Reaction: emoji},
	}
}

// Unreact returns the withdrawal of a reaction to a message.
func Unreact(to Recipient, messageID string) *Request {
	return &Request{Recipient: to, SenderAction: RemoveReaction, Payload: &Reaction{MessageID: messageID}}
}

func attach(to Recipient, t AttachmentType, p Payload) *Request {
	message := &Message{Attachment: &Attachment{Type: t, Payload: p}}
	return &Request{Recipient: to, MessagingType: TypeUpdate, Message: message}
}

// AsResponse makes r an answer to what the person did, and returns it.
func (r *Request) AsResponse() *Request {
	r.MessagingType, r.Tag = TypeResponse, ""
	return r
}

// Tagged makes r a message outside the 24 hours, for the reason that tag names, and returns it.
func (r *Request) Tagged(tag Tag) *Request {
	r.MessagingType, r.Tag = TypeMessageTag, tag
	return r
}

// Offering adds quick replies to the message, and returns r. A sender action has none: it is left as it is.
func (r *Request) Offering(replies ...QuickReply) *Request {
	if r.Message != nil {
		r.Message.QuickReplies = append(r.Message.QuickReplies, replies...)
	}
	return r
}

// Choice returns a quick reply with a title, and a payload for the webhook.
func Choice(title, payload string) QuickReply {
	return QuickReply{ContentType: ReplyText, Title: title, Payload: payload}
}

// Link returns a button that opens a page.
func Link(title, url string) Button { return Button{Type: ButtonURL, Title: title, URL: url} }

// Postback returns a button that hands its payload to the webhook.
func Postback(title, payload string) Button {
	return Button{Type: ButtonPostback, Title: title, Payload: payload}
}

// Call returns a button that dials a number, given with plus and country code.
func Call(title, number string) Button {
	return Button{Type: ButtonCall, Title: title, Payload: number}
}
