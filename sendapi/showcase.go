package sendapi

import (
	"slices"
	"strings"
)

// MediaTemplate is a picture or video of Facebook with buttons below it.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/media
type MediaTemplate struct {
	// Elements is exactly 1.
	Elements []MediaElement
	// Sharable lets people share the message. The default is false.
	Sharable bool

	leftover
}

// MediaElement is the picture or video of a MediaTemplate.
type MediaElement struct {
	// MediaType is Image or Video. Required.
	MediaType AttachmentType
	// AttachmentID names an uploaded file of the same page. Exactly one of AttachmentID and URL is required.
	AttachmentID string
	// URL is the page of a picture or video on facebook.com.
	URL string
	// Buttons are at most 3. In 2018 it was 1.
	Buttons []Button

	leftover
}

// ProductTemplate is one or more products of the page's catalogue. Since v8.0, of Aug 4 2020.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/product
type ProductTemplate struct {
	// Elements are 1 to 10 products.
	Elements []Product

	leftover
}

// Product is a product of a ProductTemplate.
type Product struct {
	// ID is the product's in a catalogue of the same page. Required.
	ID string

	leftover
}

// CouponTemplate is a coupon with a code or a link.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/coupon
type CouponTemplate struct {
	// Title is required; beyond 80 characters it is cut off.
	Title string
	// Subtitle is cut off beyond 80 characters; the default is a text about terms.
	Subtitle string
	// CouponCode is a code without blanks. CouponCode, CouponURL or both are required.
	CouponCode string
	// CouponURL is where the coupon is used.
	CouponURL string
	// CouponURLButtonTitle is what the button of CouponURL says; the default is "Shop now".
	CouponURLButtonTitle string
	// CouponPreMessage is a text before the coupon.
	CouponPreMessage string
	// ImageURL is a picture.
	ImageURL string
	// Payload is handed to the webhook.
	Payload string

	leftover
}

// ImageGridTemplate is a grid of pictures. Since Jun 30 2026.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/image-grid
type ImageGridTemplate struct {
	// Elements is exactly 1 grid.
	Elements []ImageGrid

	leftover
}

// ImageGrid is the grid of an ImageGridTemplate.
type ImageGrid struct {
	// Images are 2 to 6.
	Images []GridImage
	// Title is cut off beyond 45 characters.
	Title string
	// Subtitle is cut off beyond 80 characters.
	Subtitle string
	// Buttons are at most 3, of ButtonURL and ButtonPostback.
	Buttons []Button

	leftover
}

// GridImage is a picture of an ImageGrid.
type GridImage struct {
	// URL of the picture. Required.
	URL string
	// IsHeroImage makes it the large one; at most one of a grid.
	IsHeroImage bool
	// Action is what a tap does.
	Action *GridAction

	leftover
}

// GridAction is what a tap on a GridImage does.
type GridAction struct {
	// Type is ButtonURL or ButtonPostback. Required.
	Type ButtonType
	// URL to open. Required with ButtonURL, and only with it.
	URL string
	// Payload is handed to the webhook. Required with ButtonPostback, and only with it.
	Payload string
	// Text is what the person says by the tap. Required with ButtonPostback, and only with it.
	Text string

	leftover
}

const (
	minImages    = 2
	maxImages    = 6
	maxGridTitle = 45
)

func (*MediaTemplate) template() string     { return "media" }
func (*ProductTemplate) template() string   { return "product" }
func (*CouponTemplate) template() string    { return "coupon" }
func (*ImageGridTemplate) template() string { return "image_grid" }

func (t *MediaTemplate) code(c *coder) {
	templateType(c, t)
	list(c, "elements", &t.Elements)
	flag(c, "sharable", &t.Sharable)
}

func (e *MediaElement) code(c *coder) {
	text(c, "media_type", &e.MediaType)
	looseText(c, "attachment_id", &e.AttachmentID)
	text(c, "url", &e.URL)
	list(c, "buttons", &e.Buttons)
}

func (t *ProductTemplate) code(c *coder) {
	templateType(c, t)
	list(c, "elements", &t.Elements)
}

func (p *Product) code(c *coder) { looseText(c, "id", &p.ID) }

func (t *CouponTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "title", &t.Title)
	text(c, "subtitle", &t.Subtitle)
	text(c, "coupon_code", &t.CouponCode)
	text(c, "coupon_url", &t.CouponURL)
	text(c, "coupon_url_button_title", &t.CouponURLButtonTitle)
	text(c, "coupon_pre_message", &t.CouponPreMessage)
	text(c, "image_url", &t.ImageURL)
	text(c, "payload", &t.Payload)
}

func (t *ImageGridTemplate) code(c *coder) {
	templateType(c, t)
	list(c, "elements", &t.Elements)
}

func (g *ImageGrid) code(c *coder) {
	list(c, "images", &g.Images)
	text(c, "title", &g.Title)
	text(c, "subtitle", &g.Subtitle)
	list(c, "buttons", &g.Buttons)
}

func (i *GridImage) code(c *coder) {
	text(c, "url", &i.URL)
	flag(c, "is_hero_image", &i.IsHeroImage)
	optional(c, "action", &i.Action)
}

func (a *GridAction) code(c *coder) {
	text(c, "type", &a.Type)
	text(c, "url", &a.URL)
	text(c, "payload", &a.Payload)
	text(c, "text", &a.Text)
}

func (t *MediaTemplate) check(c *checker) { each(c, "elements", t.Elements, 1, 1) }

func (e *MediaElement) check(c *checker) {
	known(c, "media_type", e.MediaType, []AttachmentType{Image, Video})
	byID := e.AttachmentID != "" || e.given("attachment_id")
	switch {
	case e.URL == "" && !byID:
		c.fail("", "needs url or attachment_id")
	case e.URL != "" && byID:
		c.fail("", "url and attachment_id: only one is allowed")
	}
	c.facebookURL("url", e.URL)
	each(c, "buttons", e.Buttons, 0, maxButtons)
}

func (t *ProductTemplate) check(c *checker) { each(c, "elements", t.Elements, 1, maxElements) }

func (p *Product) check(c *checker) {
	if !p.given("id") {
		c.required("id", p.ID)
	}
}

func (t *CouponTemplate) check(c *checker) {
	c.required("title", t.Title)
	c.cutOff("title", t.Title, maxCardText)
	c.cutOff("subtitle", t.Subtitle, maxCardText)
	if t.CouponCode == "" && t.CouponURL == "" {
		c.fail("", "needs coupon_code or coupon_url")
	}
	if strings.ContainsAny(t.CouponCode, " \t\n\r") {
		c.fail("coupon_code", "must not have blanks")
	}
	c.url("coupon_url", t.CouponURL)
	c.url("image_url", t.ImageURL)
}

func (t *ImageGridTemplate) check(c *checker) { each(c, "elements", t.Elements, 1, 1) }

func (g *ImageGrid) check(c *checker) {
	each(c, "images", g.Images, minImages, maxImages)
	heroes := 0
	for _, image := range g.Images {
		if image.IsHeroImage {
			heroes++
		}
	}
	if heroes > 1 {
		c.report("images", Problem{Message: "only one is_hero_image is allowed", Limit: 1, Found: heroes})
	}
	c.cutOff("title", g.Title, maxGridTitle)
	c.cutOff("subtitle", g.Subtitle, maxCardText)
	each(c, "buttons", g.Buttons, 0, maxButtons)
	c.enter(step{key: "buttons"})
	for i, b := range g.Buttons {
		if slices.Contains(buttonTypes, b.Type) && b.Type != ButtonURL && b.Type != ButtonPostback {
			c.enter(step{index: i})
			c.fail("type", "must be web_url or postback in an image grid")
			c.leave()
		}
	}
	c.leave()
}

func (i *GridImage) check(c *checker) {
	c.required("url", i.URL)
	c.url("url", i.URL)
	if i.Action != nil {
		c.part("action", i.Action)
	}
}

func (a *GridAction) check(c *checker) {
	if !known(c, "type", a.Type, []ButtonType{ButtonURL, ButtonPostback}) {
		return
	}
	for _, f := range [...]struct {
		address
		owner ButtonType
	}{
		{address{"url", a.URL}, ButtonURL},
		{address{"payload", a.Payload}, ButtonPostback},
		{address{"text", a.Text}, ButtonPostback},
	} {
		switch {
		case f.owner == a.Type:
			c.required(f.key, f.value)
		case f.value != "":
			c.fail(f.key, "allowed with type "+string(f.owner)+" only")
		}
	}
	c.url("url", a.URL)
}
