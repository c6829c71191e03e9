package sendapi

import "strings"

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
	// ButtonShare shared the message.
	//
	// Deprecated: the platform's parts for sharing ended in 2019 and 2020. Sharable of a template replaces it.
	ButtonShare ButtonType = "element_share"
	// ButtonBuy took a payment.
	//
	// Deprecated: it was a beta of 2018 in the USA. ButtonURL with a page for payment replaces it.
	ButtonBuy ButtonType = "payment"
)

// buttonTypes is those of today, removedButtons the others.
var (
	buttonTypes    = []ButtonType{ButtonURL, ButtonPostback, ButtonCall, ButtonLogIn, ButtonLogOut, ButtonGame}
	removedButtons = map[ButtonType]removal{ButtonShare: removedShare, ButtonBuy: removedPayment}
)

// Button is a button of a template. Which fields it has depends on its type.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/buttons
type Button struct {
	// Type is required.
	Type ButtonType
	// Title is what the button says; beyond 20 characters it is cut off. Required with ButtonURL, ButtonPostback,
	// ButtonCall and ButtonGame, and not allowed in a default action.
	Title string
	// URL is required with ButtonURL and ButtonLogIn; https with MessengerExtensions.
	URL string
	// Payload is what ButtonPostback hands to the webhook, at most 1,000 characters, or the number that ButtonCall
	// dials, with plus and country code (another form is a warning). Required with both; ButtonGame may have one.
	Payload string
	// WebviewHeightRatio is compact, tall or full (the default); ButtonURL only.
	WebviewHeightRatio string
	// MessengerExtensions gives the page access to the Messenger Extensions SDK; ButtonURL only.
	MessengerExtensions bool
	// FallbackURL is for clients without Messenger Extensions, and goes with them only.
	FallbackURL string
	// WebviewShareButton set to hide takes the share button away; ButtonURL only.
	WebviewShareButton string
	// GameMetadata says in which company the game starts; ButtonGame only. Its fields are from sources of 2018.
	GameMetadata *GameMetadata
	// ShareContents is what is shared instead of the message; ButtonShare only.
	ShareContents *ShareContents

	leftover
}

// GameMetadata is who plays a game: at most one of its fields. Both are a warning, as no current source has them.
type GameMetadata struct {
	// PlayerID is the person to play against.
	PlayerID string
	// ContextID is the context to play in.
	ContextID string

	leftover
}

// ShareContents is a message that ButtonShare shared instead of the one it was on.
type ShareContents struct {
	// Attachment is a generic template. Required.
	Attachment *Attachment

	leftover
}

const maxButtons = 3

func (b *Button) code(c *coder) {
	text(c, "type", &b.Type)
	text(c, "title", &b.Title)
	text(c, "url", &b.URL)
	looseText(c, "payload", &b.Payload)
	text(c, "webview_height_ratio", &b.WebviewHeightRatio)
	flag(c, "messenger_extensions", &b.MessengerExtensions)
	text(c, "fallback_url", &b.FallbackURL)
	text(c, "webview_share_button", &b.WebviewShareButton)
	optional(c, "game_metadata", &b.GameMetadata)
	b.codeShare(c)
}

// codeShare leaves a share inside a share as it was written: a request from outside is not walked without bottom.
func (b *Button) codeShare(c *coder) {
	if c.decoding && c.sharing {
		return
	}
	outer := c.sharing
	c.sharing = true
	optional(c, "share_contents", &b.ShareContents)
	c.sharing = outer
}

func (g *GameMetadata) code(c *coder) {
	looseText(c, "player_id", &g.PlayerID)
	looseText(c, "context_id", &g.ContextID)
}

func (s *ShareContents) code(c *coder) { optional(c, "attachment", &s.Attachment) }

// checkDefault checks the button as a default action.
func (b *Button) checkDefault(c *checker) {
	if b.Type != ButtonURL {
		c.fail("type", "must be web_url")
	}
	if b.Title != "" {
		c.fail("title", "not allowed in a default action")
	}
	c.required("url", b.URL)
	b.checkWebview(c)
}

func (b *Button) check(c *checker) {
	if gone, ok := removedButtons[b.Type]; ok {
		c.removed("type", string(b.Type), gone)
	} else if !known(c, "type", b.Type, buttonTypes) {
		return
	}
	b.checkRequired(c)
	c.cutOff("title", b.Title, maxButtonTitle)
	b.checkPayload(c)
	b.checkWebview(c)
	b.checkOwners(c)
	if b.GameMetadata != nil {
		c.part("game_metadata", b.GameMetadata)
	}
	if b.ShareContents != nil {
		c.part("share_contents", b.ShareContents)
	}
}

func (b *Button) checkRequired(c *checker) {
	switch b.Type {
	case ButtonURL:
		c.required("title", b.Title)
		c.required("url", b.URL)
	case ButtonPostback, ButtonCall:
		c.required("title", b.Title)
		if !b.given("payload") {
			c.required("payload", b.Payload)
		}
	case ButtonGame:
		c.required("title", b.Title)
	case ButtonLogIn:
		c.required("url", b.URL)
	case ButtonLogOut, ButtonShare, ButtonBuy:
	}
}

func (b *Button) checkPayload(c *checker) {
	c.limit("payload", b.Payload, maxPayload)
	if b.Type == ButtonCall && b.Payload != "" && (b.Payload[0] != '+' || !phoneNumber(b.Payload)) {
		c.warn("payload", "does not look like a phone number with plus and country code")
	}
}

func (b *Button) checkWebview(c *checker) {
	c.url("url", b.URL)
	c.url("fallback_url", b.FallbackURL)
	if b.MessengerExtensions && strings.HasPrefix(strings.ToLower(b.URL), "http:") {
		c.fail("url", "must be https with messenger_extensions")
	}
	if b.FallbackURL != "" && !b.MessengerExtensions {
		c.fail("fallback_url", "allowed with messenger_extensions only")
	}
	optionalOf(c, "webview_height_ratio", b.WebviewHeightRatio, "compact", "tall", "full")
	optionalOf(c, "webview_share_button", b.WebviewShareButton, "hide")
}

// checkOwners warns of fields that are documented for other types of buttons; nothing says that they are refused.
func (b *Button) checkOwners(c *checker) {
	link := b.Type == ButtonURL
	for _, f := range [...]struct {
		key         string
		given, owns bool
	}{
		{"url", b.URL != "", link || b.Type == ButtonLogIn},
		{"payload", b.Payload != "", b.Type == ButtonPostback || b.Type == ButtonCall || b.Type == ButtonGame},
		{"webview_height_ratio", b.WebviewHeightRatio != "", link},
		{"messenger_extensions", b.MessengerExtensions, link},
		{"webview_share_button", b.WebviewShareButton != "", link},
		{"game_metadata", b.GameMetadata != nil, b.Type == ButtonGame},
		{"share_contents", b.ShareContents != nil, b.Type == ButtonShare},
	} {
		if f.given && !f.owns {
			c.warn(f.key, "not a field of buttons of type "+string(b.Type))
		}
	}
}

func (g *GameMetadata) check(c *checker) {
	if g.PlayerID != "" && g.ContextID != "" {
		c.warn("", "player_id and context_id: the samples of 2018 have one of them")
	}
}

func (s *ShareContents) check(c *checker) {
	if s.Attachment == nil {
		c.fail("attachment", "required")
		return
	}
	c.part("attachment", s.Attachment)
}
