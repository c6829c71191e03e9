package sendapi

import "strings"

// GenericTemplate is a horizontal row of cards.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/generic
type GenericTemplate struct {
	// Elements are 1 to 10 cards.
	Elements []Element
	// Sharable lets people share the message. The default is false.
	Sharable bool
	// ImageAspectRatio is horizontal (the default) or square. Libraries of 2018 have it, the current
	// reference does not.
	ImageAspectRatio string

	extra []member
}

// Element is a card of a GenericTemplate: a title and at least one of the other fields.
type Element struct {
	// Title is required; beyond 80 characters it is cut off.
	Title string
	// Subtitle is cut off beyond 80 characters.
	Subtitle string
	// ImageURL is a picture, ideally of ratio 1.91:1.
	ImageURL string
	// DefaultAction opens a URL when the card is tapped: a ButtonURL without a title.
	DefaultAction *Button
	// Buttons are at most 3.
	Buttons []Button

	extra []member
}

// ButtonTemplate is a text with buttons below it.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/button
type ButtonTemplate struct {
	// Text is required; at most 640 characters.
	Text string
	// Buttons are 1 to 3.
	Buttons []Button
	// Sharable lets people share the message. The default is false.
	Sharable bool

	extra []member
}

// ButtonType is what a button does.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/buttons
type ButtonType string

// The kinds of buttons.
const (
	// ButtonURL opens a page.
	ButtonURL ButtonType = "web_url"
	// ButtonPostback hands its payload to the webhook.
	ButtonPostback ButtonType = "postback"
	// ButtonCall dials a number.
	ButtonCall ButtonType = "phone_number"
	// ButtonLogIn starts account linking.
	ButtonLogIn ButtonType = "account_link"
	// ButtonLogOut ends account linking.
	ButtonLogOut ButtonType = "account_unlink"
	// ButtonGame starts an Instant Game.
	ButtonGame ButtonType = "game_play"
	// ButtonShare shared the message. A part of the surface of 2018 that was removed since.
	ButtonShare ButtonType = "element_share"
	// ButtonBuy was a beta in the USA in 2018. Removed since.
	ButtonBuy ButtonType = "payment"
)

var buttonTypes = []ButtonType{
	ButtonURL, ButtonPostback, ButtonCall, ButtonLogIn, ButtonLogOut, ButtonGame, ButtonShare, ButtonBuy,
}

// Button is a button of a template. Which fields it has depends on its type.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/buttons
type Button struct {
	// Type is required.
	Type ButtonType
	// Title is what the button says; beyond 20 characters it is cut off. Required, but for the account
	// and share buttons and for a default action.
	Title string
	// URL is required with ButtonURL and ButtonLogIn; https with MessengerExtensions.
	URL string
	// Payload is what ButtonPostback hands to the webhook, at most 1,000 characters, or the number that
	// ButtonCall dials, with plus and country code. Required with both.
	Payload string
	// WebviewHeightRatio is compact, tall or full (the default); ButtonURL only.
	WebviewHeightRatio string
	// MessengerExtensions gives the page access to the Messenger Extensions SDK; ButtonURL only.
	MessengerExtensions bool
	// FallbackURL is for clients without Messenger Extensions, and goes with them only.
	FallbackURL string
	// WebviewShareButton set to hide takes the share button away; ButtonURL only.
	WebviewShareButton string

	extra []member
}

const (
	maxElements   = 10
	maxButtons    = 3
	maxButtonText = 640
)

func (*GenericTemplate) template() bool { return true }
func (*ButtonTemplate) template() bool  { return true }

func (t *GenericTemplate) code(c *coder) {
	constant(c, "template_type", "generic")
	list(c, "elements", &t.Elements)
	flag(c, "sharable", &t.Sharable)
	text(c, "image_aspect_ratio", &t.ImageAspectRatio)
	c.rest(&t.extra)
}

func (e *Element) code(c *coder) {
	text(c, "title", &e.Title)
	text(c, "subtitle", &e.Subtitle)
	text(c, "image_url", &e.ImageURL)
	optional(c, "default_action", &e.DefaultAction)
	list(c, "buttons", &e.Buttons)
	c.rest(&e.extra)
}

func (t *ButtonTemplate) code(c *coder) {
	constant(c, "template_type", "button")
	text(c, "text", &t.Text)
	list(c, "buttons", &t.Buttons)
	flag(c, "sharable", &t.Sharable)
	c.rest(&t.extra)
}

func (b *Button) code(c *coder) {
	text(c, "type", &b.Type)
	text(c, "title", &b.Title)
	text(c, "url", &b.URL)
	looseText(c, "payload", &b.Payload)
	text(c, "webview_height_ratio", &b.WebviewHeightRatio)
	flag(c, "messenger_extensions", &b.MessengerExtensions)
	text(c, "fallback_url", &b.FallbackURL)
	text(c, "webview_share_button", &b.WebviewShareButton)
	c.rest(&b.extra)
}

func (t *GenericTemplate) check(c *checker) {
	c.count("elements", len(t.Elements), 1, maxElements)
	if t.ImageAspectRatio != "" {
		known(c, "image_aspect_ratio", t.ImageAspectRatio, []string{"horizontal", "square"})
	}
	c.enter(step{key: "elements"})
	for i := range t.Elements {
		c.enter(step{index: i})
		t.Elements[i].check(c)
		c.leave()
	}
	c.leave()
}

func (e *Element) check(c *checker) {
	c.required("title", e.Title)
	if e.Subtitle == "" && e.ImageURL == "" && e.DefaultAction == nil && len(e.Buttons) == 0 {
		c.fail("", "needs one more of subtitle, image_url, default_action and buttons")
	}
	c.url("image_url", e.ImageURL)
	if e.DefaultAction != nil {
		c.enter(step{key: "default_action"})
		e.DefaultAction.checkDefault(c)
		c.leave()
	}
	checkButtons(c, e.Buttons, 0)
}

func (t *ButtonTemplate) check(c *checker) {
	c.required("text", t.Text)
	c.limit("text", t.Text, maxButtonText)
	checkButtons(c, t.Buttons, 1)
}

func checkButtons(c *checker, buttons []Button, least int) {
	c.count("buttons", len(buttons), least, maxButtons)
	c.enter(step{key: "buttons"})
	for i := range buttons {
		c.enter(step{index: i})
		buttons[i].check(c)
		c.leave()
	}
	c.leave()
}

func (b *Button) checkDefault(c *checker) {
	if b.Type != ButtonURL {
		c.fail("type", "must be web_url")
	}
	if b.Title != "" {
		c.fail("title", "not allowed in a default action")
	}
	c.required("url", b.URL)
	b.checkURL(c)
}

func (b *Button) check(c *checker) {
	if !known(c, "type", b.Type, buttonTypes) {
		return
	}
	switch b.Type {
	case ButtonURL:
		c.required("title", b.Title)
		c.required("url", b.URL)
	case ButtonPostback, ButtonCall:
		c.required("title", b.Title)
		if !given(b.extra, "payload") {
			c.required("payload", b.Payload)
		}
	case ButtonGame:
		c.required("title", b.Title)
	case ButtonLogIn:
		c.required("url", b.URL)
	case ButtonLogOut, ButtonShare, ButtonBuy:
	}
	c.limit("payload", b.Payload, maxPayload)
	b.checkURL(c)
}

func (b *Button) checkURL(c *checker) {
	c.url("url", b.URL)
	c.url("fallback_url", b.FallbackURL)
	if b.MessengerExtensions && strings.HasPrefix(strings.ToLower(b.URL), "http:") {
		c.fail("url", "must be https with messenger_extensions")
	}
	if b.FallbackURL != "" && !b.MessengerExtensions {
		c.fail("fallback_url", "allowed with messenger_extensions only")
	}
	if b.WebviewHeightRatio != "" {
		known(c, "webview_height_ratio", b.WebviewHeightRatio, []string{"compact", "tall", "full"})
	}
	if b.WebviewShareButton != "" {
		known(c, "webview_share_button", b.WebviewShareButton, []string{"hide"})
	}
}
