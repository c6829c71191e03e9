package sendapi

// GenericTemplate is a horizontal row of cards.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/generic
type GenericTemplate struct {
	// Elements are 1 to 10 cards.
	Elements []Element
	// Sharable lets people share the message. The default is false.
	Sharable bool
	// ImageAspectRatio is horizontal (the default) or square. Libraries of 2018 have it, the current
	// reference does not: Check warns of it.
	ImageAspectRatio string

	leftover
}

// Element is a card of a GenericTemplate, or an item of a ListTemplate: a title and at least one of the other fields.
type Element struct {
	// Title is required; beyond 80 characters it is cut off.
	Title string
	// Subtitle is cut off beyond 80 characters.
	Subtitle string
	// ImageURL is a picture, ideally of ratio 1.91:1.
	ImageURL string
	// DefaultAction opens a URL when the card is tapped: a ButtonURL without a title.
	DefaultAction *Button
	// Buttons are at most 3, at most 1 in a list.
	Buttons []Button
	// ItemURL opened when the card was tapped.
	//
	// Deprecated: a leftover of 2016; DefaultAction replaces it. Check warns of it.
	ItemURL string

	leftover
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

	leftover
}

// ListTemplate was a vertical list of items.
// https://developers.facebook.com/docs/messenger-platform/send-messages/template/list
//
// Deprecated: the platform deprecated it with v4.0, of Jul 29 2019, and removed it later; GenericTemplate replaces it.
type ListTemplate struct {
	// Elements are 2 to 4 items.
	Elements []Element
	// Buttons is at most 1, below the list.
	Buttons []Button
	// TopElementStyle is large (the default), which makes the first item a cover and needs its image, or compact.
	TopElementStyle string
	// Sharable lets people share the message. The default is false.
	Sharable bool

	leftover
}

// OpenGraphTemplate was a song or another page that describes itself.
//
// Deprecated: the platform deprecated it with v4.0, of Jul 29 2019; its page now shows the generic template.
type OpenGraphTemplate struct {
	// Elements is 1 page. No current source confirms the limit, so that more is a warning.
	Elements []OpenGraphElement
	// Sharable lets people share the message. The default is false.
	Sharable bool

	leftover
}

// OpenGraphElement is a page of an OpenGraphTemplate.
type OpenGraphElement struct {
	// URL is required.
	URL string
	// Buttons are 3 at most. No current source confirms the limit, so that more is a warning.
	Buttons []Button

	leftover
}

const (
	maxElements   = 10
	maxListItems  = 4
	maxButtonText = 640
	maxCardText   = 80
)

func (*GenericTemplate) template() string   { return "generic" }
func (*ButtonTemplate) template() string    { return "button" }
func (*ListTemplate) template() string      { return "list" }
func (*OpenGraphTemplate) template() string { return "open_graph" }

func (t *GenericTemplate) code(c *coder) {
	templateType(c, t)
	list(c, "elements", &t.Elements)
	flag(c, "sharable", &t.Sharable)
	text(c, "image_aspect_ratio", &t.ImageAspectRatio)
}

func (e *Element) code(c *coder) {
	text(c, "title", &e.Title)
	text(c, "subtitle", &e.Subtitle)
	text(c, "image_url", &e.ImageURL)
	optional(c, "default_action", &e.DefaultAction)
	list(c, "buttons", &e.Buttons)
	text(c, "item_url", &e.ItemURL)
}

func (t *ButtonTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "text", &t.Text)
	list(c, "buttons", &t.Buttons)
	flag(c, "sharable", &t.Sharable)
}

func (t *ListTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "top_element_style", &t.TopElementStyle)
	list(c, "elements", &t.Elements)
	list(c, "buttons", &t.Buttons)
	flag(c, "sharable", &t.Sharable)
}

func (t *OpenGraphTemplate) code(c *coder) {
	templateType(c, t)
	list(c, "elements", &t.Elements)
	flag(c, "sharable", &t.Sharable)
}

func (e *OpenGraphElement) code(c *coder) {
	text(c, "url", &e.URL)
	list(c, "buttons", &e.Buttons)
}

func (t *GenericTemplate) check(c *checker) {
	each(c, "elements", t.Elements, 1, maxElements)
	if t.ImageAspectRatio != "" {
		known(c, "image_aspect_ratio", t.ImageAspectRatio, []string{"horizontal", "square"})
		c.old("image_aspect_ratio", "image_aspect_ratio")
	}
}

func (e *Element) check(c *checker) { e.checkWithin(c, maxButtons) }

func (e *Element) checkWithin(c *checker, mostButtons int) {
	c.required("title", e.Title)
	if e.Subtitle == "" && e.ImageURL == "" && e.DefaultAction == nil && len(e.Buttons) == 0 {
		c.fail("", "needs one more of subtitle, image_url, default_action and buttons")
	}
	c.cutOff("title", e.Title, maxCardText)
	c.cutOff("subtitle", e.Subtitle, maxCardText)
	c.url("image_url", e.ImageURL)
	if e.DefaultAction != nil {
		c.enter(step{key: "default_action"})
		e.DefaultAction.checkDefault(c)
		c.leave()
	}
	each(c, "buttons", e.Buttons, 0, mostButtons)
	if e.ItemURL != "" {
		c.url("item_url", e.ItemURL)
		c.warn("item_url", "is a leftover of 2016; default_action replaces it")
	}
}

func (t *ButtonTemplate) check(c *checker) {
	c.required("text", t.Text)
	c.limit("text", t.Text, maxButtonText)
	each(c, "buttons", t.Buttons, 1, maxButtons)
}

func (t *ListTemplate) check(c *checker) {
	c.removed("template_type", "the list template", removedList)
	optionalOf(c, "top_element_style", t.TopElementStyle, "large", "compact")
	c.count("elements", len(t.Elements), 2, maxListItems)
	c.enter(step{key: "elements"})
	for i := range t.Elements {
		c.enter(step{index: i})
		t.Elements[i].checkWithin(c, 1)
		if i == 0 && t.TopElementStyle != "compact" {
			c.required("image_url", t.Elements[i].ImageURL)
		}
		c.leave()
	}
	c.leave()
	each(c, "buttons", t.Buttons, 0, 1)
}

func (t *OpenGraphTemplate) check(c *checker) {
	c.removed("template_type", "the open_graph template", removedOpenGraph)
	if len(t.Elements) == 0 {
		c.count("elements", 0, 1, 1)
	}
	c.doubtfulCount("elements", len(t.Elements), 1)
	entriesOf(c, "elements", t.Elements)
}

func (e *OpenGraphElement) check(c *checker) {
	c.required("url", e.URL)
	c.url("url", e.URL)
	c.doubtfulCount("buttons", len(e.Buttons), maxButtons)
	entriesOf(c, "buttons", e.Buttons)
}
