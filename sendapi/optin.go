package sendapi

// OneTimeNotifTemplate asks whether the page may send one message later; the answer brings a token for
// Recipient.OneTimeNotifToken. The page needs a permission for it. The platform's overview of 2026 still names one-time
// notifications, third parties call them gone: Check warns of it.
// https://developers.facebook.com/docs/messenger-platform/send-messages/one-time-notification/
type OneTimeNotifTemplate struct {
	// Title is what the person is asked; cut off beyond 65 characters. Check warns when it is missing.
	Title string
	// Payload is handed to the webhook with the token. Check warns when it is missing.
	Payload string

	leftover
}

// NotificationMessagesTemplate asked for permission to send recurring notifications.
// https://developers.facebook.com/docs/messenger-platform/marketing-messages
//
// Deprecated: closed to new pages on Sep 1 2025 and removed on Feb 10 2026; the Marketing Messages API replaces it.
type NotificationMessagesTemplate struct {
	// Title is what the person is asked.
	Title string
	// ImageURL is a picture.
	ImageURL string
	// Payload is handed to the webhook with the token.
	Payload string
	// Timezone of the notifications, such as Europe/Berlin.
	Timezone string
	// Frequency is DAILY, WEEKLY or MONTHLY; until v16 of the Graph API only.
	Frequency string
	// CTAText is what the button says; its name is not confirmed.
	CTAText string

	leftover
}

func (*OneTimeNotifTemplate) template() string         { return "one_time_notif_req" }
func (*NotificationMessagesTemplate) template() string { return "notification_messages" }

func (t *OneTimeNotifTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "title", &t.Title)
	text(c, "payload", &t.Payload)
}

func (t *NotificationMessagesTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "title", &t.Title)
	text(c, "image_url", &t.ImageURL)
	text(c, "payload", &t.Payload)
	text(c, "notification_messages_timezone", &t.Timezone)
	text(c, "notification_messages_frequency", &t.Frequency)
	text(c, "notification_messages_cta_text", &t.CTAText)
}

func (t *OneTimeNotifTemplate) check(c *checker) {
	c.warn("template_type", oneTimeDoubt)
	c.expected("title", t.Title != "")
	c.cutOff("title", t.Title, maxFormTitle)
	c.expected("payload", t.Payload != "")
}

func (t *NotificationMessagesTemplate) check(c *checker) {
	c.removed("template_type", "the template of recurring notifications", removedRecurring)
	c.url("image_url", t.ImageURL)
	optionalOf(c, "notification_messages_frequency", t.Frequency, "DAILY", "WEEKLY", "MONTHLY")
}
