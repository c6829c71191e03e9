package sendapi

import "strings"

// UtilityTemplate names an approved template of the page and fills in its places. Templates are made with
// /{page-id}/message_templates; the page needs the permission for utility messages.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
type UtilityTemplate struct {
	// Name is the template's. Required.
	Name string
	// Language is one that the template was approved in. Required.
	Language UtilityLanguage
	// Components fill in the places of the template's parts; none for a template without places.
	Components []UtilityComponent

	leftover
}

// UtilityLanguage is the language of a utility message.
type UtilityLanguage struct {
	// Code is the language, such as en_US. Required.
	Code string

	leftover
}

// UtilityComponent fills in one part of a utility template.
type UtilityComponent struct {
	// Type is header, body, title or buttons; required. The guide writes it in lower case, the Graph reference in
	// upper case; Check takes both.
	Type string
	// Parameters are the values in the order of the places, or by name.
	Parameters []UtilityParameter

	leftover
}

// UtilityParameter is the value of one place of a utility template.
type UtilityParameter struct {
	// Type is text, or for buttons POSTBACK or URL. Required.
	Type string
	// Name is the place's, in a template with named parameters.
	Name string
	// Text is the value of a text.
	Text string
	// Payload is what a POSTBACK button hands to the webhook.
	Payload string
	// URL is the end of a URL button's address, after the part that was approved.
	URL string

	leftover
}

func (t *UtilityTemplate) code(c *coder) {
	text(c, "name", &t.Name)
	nested(c, "language", &t.Language)
	list(c, "components", &t.Components)
}

func (l *UtilityLanguage) code(c *coder) { text(c, "code", &l.Code) }

func (u *UtilityComponent) code(c *coder) {
	text(c, "type", &u.Type)
	list(c, "parameters", &u.Parameters)
}

func (p *UtilityParameter) code(c *coder) {
	text(c, "type", &p.Type)
	text(c, "parameter_name", &p.Name)
	text(c, "text", &p.Text)
	text(c, "payload", &p.Payload)
	text(c, "url", &p.URL)
}

func (t *UtilityTemplate) check(c *checker) {
	c.required("name", t.Name)
	c.part("language", &t.Language)
	entriesOf(c, "components", t.Components)
}

func (l *UtilityLanguage) check(c *checker) { c.required("code", l.Code) }

func (u *UtilityComponent) check(c *checker) {
	known(c, "type", strings.ToLower(u.Type), []string{"header", "body", "title", "buttons"})
	entriesOf(c, "parameters", u.Parameters)
}

func (p *UtilityParameter) check(c *checker) {
	if !known(c, "type", strings.ToLower(p.Type), []string{"text", "postback", "url"}) {
		return
	}
	switch strings.ToLower(p.Type) {
	case "text":
		c.required("text", p.Text)
	case "postback":
		c.required("payload", p.Payload)
	case "url":
		c.required("url", p.URL)
	}
}
