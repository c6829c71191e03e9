package sendapi

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
	// ReplyLocation asked for the place of the person. It was withdrawn in 2019, as far as libraries of that time show;
	// Check warns of it.
	ReplyLocation QuickReplyType = "location"
)

// quickReplyTypes is those of today, anyQuickReply all.
var (
	quickReplyTypes = []QuickReplyType{ReplyText, ReplyPhone, ReplyEmail}
	anyQuickReply   = []QuickReplyType{ReplyText, ReplyPhone, ReplyEmail, ReplyLocation}
)

// QuickReply is a button under a message that answers it.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/quick-replies
type QuickReply struct {
	// ContentType is required. The fields below go with ReplyText only; with another type each is a warning, as public clients
	// send them along.
	ContentType QuickReplyType
	// Title is what the button says; beyond 20 characters it is cut off. The platform's page requires it in one
	// place and lets an image stand for it in another; send it. Check warns when there is an image only.
	Title string
	// Payload is handed to the webhook; at most 1,000 characters. It may be empty with an image only. A number,
	// which the platform takes as well, is kept when a request is read, but does not show here.
	Payload string
	// ImageURL is an icon of at least 24 x 24 pixels, required without a Title.
	ImageURL string

	leftover
}

const maxButtonTitle = 20

func (q *QuickReply) code(c *coder) {
	eitherCase(c, "content_type", &q.ContentType, anyQuickReply)
	text(c, "title", &q.Title)
	looseText(c, "payload", &q.Payload)
	text(c, "image_url", &q.ImageURL)
}

func (q *QuickReply) check(c *checker) {
	if q.ContentType == ReplyLocation {
		c.old("content_type", "location, withdrawn in 2019,")
	} else if !known(c, "content_type", q.ContentType, quickReplyTypes) {
		return
	}
	if q.ContentType == ReplyText {
		q.checkText(c)
	} else {
		for _, f := range [...]address{{"title", q.Title}, {"payload", q.Payload}, {"image_url", q.ImageURL}} {
			if f.value != "" {
				c.warn(f.key, "has a meaning with content_type text only")
			}
		}
	}
}

func (q *QuickReply) checkText(c *checker) {
	switch {
	case q.Title != "":
		c.cutOff("title", q.Title, maxButtonTitle)
	case q.ImageURL == "":
		c.fail("title", "required, unless there is an image_url")
	default:
		c.warn("title", "missing; the platform's page requires it in one place, and not beside an image_url in another")
	}
	if q.Payload == "" && q.ImageURL == "" && !q.given("payload") {
		c.fail("payload", "required, unless there is an image_url")
	}
	c.limit("payload", q.Payload, maxPayload)
	c.url("image_url", q.ImageURL)
}
