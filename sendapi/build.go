package sendapi

// Text returns a text message of TypeUpdate; AsResponse makes it an answer.
func Text(to Recipient, text string) *Request {
	return update(to, Message{Text: text})
}

// MediaURL returns a message with a file that the platform fetches during the call.
func MediaURL(to Recipient, t AttachmentType, url string) *Request {
	return attach(to, t, &Media{URL: url})
}

// MediaID returns a message with a file that was uploaded before.
func MediaID(to Recipient, t AttachmentType, attachmentID string) *Request {
	return attach(to, t, &Media{AttachmentID: attachmentID})
}

// Sticker returns a message with one of the platform's free stickers, such as ThumbsUp.
func Sticker(to Recipient, id int64) *Request { return update(to, Message{StickerID: id}) }

// Cards returns a message with 1 to 10 cards, the generic template.
func Cards(to Recipient, elements ...Element) *Request {
	return Structured(to, &GenericTemplate{Elements: elements})
}

// Buttons returns a message with a text and 1 to 3 buttons, the button template.
func Buttons(to Recipient, text string, buttons ...Button) *Request {
	return Structured(to, &ButtonTemplate{Text: text, Buttons: buttons})
}

// Structured returns a message with any other template, such as *ReceiptTemplate.
func Structured(to Recipient, template Payload) *Request { return attach(to, Template, template) }

// Utility returns a message of an approved utility template, in a language such as en_US. It may go outside the 24
// hours, and needs no tag for that.
func Utility(to Recipient, name, language string, components ...UtilityComponent) *Request {
	r := update(to, Message{Template: &UtilityTemplate{
		Name: name, Language: UtilityLanguage{Code: language}, Components: components,
	}})
	r.MessagingType = TypeUtility
	return r
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
	return update(to, Message{Attachment: &Attachment{Type: t, Payload: p}})
}

func update(to Recipient, m Message) *Request {
	return &Request{Recipient: to, MessagingType: TypeUpdate, Message: &m}
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

// Quoting makes r an answer below the message of that id, and returns it.
func (r *Request) Quoting(messageID string) *Request {
	r.ReplyTo = &ReplyTo{MID: messageID}
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

// AskPhone returns a quick reply that gives the person's phone number; not shown to people without one.
func AskPhone() QuickReply { return QuickReply{ContentType: ReplyPhone} }

// AskEmail returns a quick reply that gives the person's email address; not shown to people without one.
func AskEmail() QuickReply { return QuickReply{ContentType: ReplyEmail} }

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

// LogIn returns a button that starts account linking at a page of the business.
func LogIn(url string) Button { return Button{Type: ButtonLogIn, URL: url} }

// LogOut returns a button that ends account linking.
func LogOut() Button { return Button{Type: ButtonLogOut} }
