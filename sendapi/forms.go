package sendapi

import (
	"encoding/json"
	"slices"
	"strings"
)

// CustomerFeedbackTemplate asks how it went, in a form of the platform. It is the only message that TagCustomerFeedback
// may be used for. The platform calls it in development.
// https://developers.facebook.com/docs/messenger-platform/send-messages/templates/customer-feedback-template
type CustomerFeedbackTemplate struct {
	// Title is cut off beyond 65 characters.
	Title string
	// Subtitle is cut off beyond 80 characters.
	Subtitle string
	// ButtonTitle is cut off beyond 20 characters, and must not have a URL.
	ButtonTitle string
	// FeedbackScreens is exactly 1.
	FeedbackScreens []FeedbackScreen
	// BusinessPrivacy is required.
	BusinessPrivacy BusinessPrivacy
	// ExpiresInDays is 1 to 7; 0 means the default, 1.
	ExpiresInDays int

	leftover
}

// FeedbackScreen is a page of the form.
type FeedbackScreen struct {
	// Questions is exactly 1.
	Questions []FeedbackQuestion

	leftover
}

// FeedbackQuestion is a question of the form.
type FeedbackQuestion struct {
	// ID comes back with the answer: at most 80 letters, digits and underscores. Required.
	ID string
	// Type is csat (satisfaction), nps (recommendation), ces (effort) or free_form. Required.
	Type string
	// Title is 5 to 85 characters; empty means the platform's own, in the person's language.
	Title string
	// ScoreLabel names the ends of the scale: neg_pos, hard_easy, dis_sat, unlike_like, poor_great or none.
	ScoreLabel string
	// ScoreOption is the scale. For csat one_to_five, five_stars (the default) or five_emojis, for nps zero_to_ten, for
	// ces one_to_seven.
	ScoreOption string
	// FollowUp asks for a text as well, of at most 400 characters.
	FollowUp *FollowUp

	leftover
}

// FollowUp asks for a text.
type FollowUp struct {
	// Type is free_form. Required.
	Type string
	// Placeholder is at most 65 characters.
	Placeholder string

	leftover
}

// BusinessPrivacy says what happens to what the person enters.
type BusinessPrivacy struct {
	// URL of the business's privacy policy. Required.
	URL string

	leftover
}

// CustomerInformationTemplate asks for an address to send goods to; the platform also calls it structured information.
// https://developers.facebook.com/docs/messenger-platform/send-messages/templates/structured-information-template
type CustomerInformationTemplate struct {
	// Countries that goods are sent to, two letters each; none means all that the platform offers.
	Countries []string
	// BusinessPrivacy is required.
	BusinessPrivacy BusinessPrivacy
	// ExpiresInDays is 1 to 7; 0 means the default, 1.
	ExpiresInDays int
	// AddressOverrides is an object that changes the fields of the address, as JSON.
	AddressOverrides json.RawMessage
	// ContactOverrides is an object that changes the fields of the contact, as JSON.
	ContactOverrides json.RawMessage
	// Purpose is SHIPPING, or empty.
	Purpose string

	leftover
}

// InstantFormTemplate shows a lead form of the page. The platform calls it in development. A form that does not exist
// or does not qualify is error 1, subcode 2018382.
// https://developers.facebook.com/docs/messenger-platform/send-messages/templates/instant-form-template
type InstantFormTemplate struct {
	// FormID is required.
	FormID string

	leftover
}

const (
	maxFormTitle    = 65
	maxQuestionID   = 80
	minQuestion     = 5
	maxQuestion     = 85
	maxFormValidity = 7
)

func (*CustomerFeedbackTemplate) template() string    { return "customer_feedback" }
func (*CustomerInformationTemplate) template() string { return "customer_information" }
func (*InstantFormTemplate) template() string         { return "instant_form" }

func (t *CustomerFeedbackTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "title", &t.Title)
	text(c, "subtitle", &t.Subtitle)
	text(c, "button_title", &t.ButtonTitle)
	list(c, "feedback_screens", &t.FeedbackScreens)
	nested(c, "business_privacy", &t.BusinessPrivacy)
	integer(c, "expires_in_days", &t.ExpiresInDays)
}

func (s *FeedbackScreen) code(c *coder) { list(c, "questions", &s.Questions) }

func (q *FeedbackQuestion) code(c *coder) {
	text(c, "id", &q.ID)
	text(c, "type", &q.Type)
	text(c, "title", &q.Title)
	text(c, "score_label", &q.ScoreLabel)
	text(c, "score_option", &q.ScoreOption)
	optional(c, "follow_up", &q.FollowUp)
}

func (f *FollowUp) code(c *coder) {
	text(c, "type", &f.Type)
	text(c, "placeholder", &f.Placeholder)
}

func (p *BusinessPrivacy) code(c *coder) { text(c, "url", &p.URL) }

func (t *CustomerInformationTemplate) code(c *coder) {
	templateType(c, t)
	texts(c, "countries", &t.Countries)
	nested(c, "business_privacy", &t.BusinessPrivacy)
	integer(c, "expires_in_days", &t.ExpiresInDays)
	raw(c, "address_overrides", &t.AddressOverrides)
	raw(c, "contact_overrides", &t.ContactOverrides)
	text(c, "purpose", &t.Purpose)
}

func (t *InstantFormTemplate) code(c *coder) {
	templateType(c, t)
	looseText(c, "form_id", &t.FormID)
}

func (t *CustomerFeedbackTemplate) check(c *checker) {
	c.cutOff("title", t.Title, maxFormTitle)
	c.cutOff("subtitle", t.Subtitle, maxCardText)
	c.cutOff("button_title", t.ButtonTitle, maxButtonTitle)
	if strings.Contains(t.ButtonTitle, "://") || strings.Contains(strings.ToLower(t.ButtonTitle), "www.") {
		c.fail("button_title", "must not have a URL")
	}
	each(c, "feedback_screens", t.FeedbackScreens, 1, 1)
	c.part("business_privacy", &t.BusinessPrivacy)
	c.validity(t.ExpiresInDays, &t.leftover)
}

// validity checks the expires_in_days of a form. A 0 that was read stands in extra; one that was not written is none.
func (c *checker) validity(days int, form *leftover) {
	const key = "expires_in_days"
	zero := slices.ContainsFunc(form.extra, func(m member) bool { return m.key == key && string(m.value) == "0" })
	if days != 0 || zero {
		c.between(key, days, 1, maxFormValidity)
	}
}

func (s *FeedbackScreen) check(c *checker) { each(c, "questions", s.Questions, 1, 1) }

func (q *FeedbackQuestion) check(c *checker) {
	c.required("id", q.ID)
	c.limit("id", q.ID, maxQuestionID)
	if strings.TrimLeftFunc(q.ID, isWord) != "" {
		c.fail("id", "must be letters, digits and underscores")
	}
	if n := units(q.Title); n > 0 && n < minQuestion {
		c.report("title", Problem{Message: "needs at least 5 characters", Limit: minQuestion, Found: n})
	}
	c.limit("title", q.Title, maxQuestion)
	optionalOf(c, "score_label", q.ScoreLabel, "neg_pos", "hard_easy", "dis_sat", "unlike_like", "poor_great", "none")
	q.checkScore(c)
	if q.FollowUp != nil {
		c.part("follow_up", q.FollowUp)
	}
}

func (q *FeedbackQuestion) checkScore(c *checker) {
	if !known(c, "type", q.Type, []string{"csat", "nps", "ces", "free_form"}) || q.ScoreOption == "" {
		return
	}
	switch q.Type {
	case "csat":
		known(c, "score_option", q.ScoreOption, []string{"one_to_five", "five_stars", "five_emojis"})
	case "nps":
		known(c, "score_option", q.ScoreOption, []string{"zero_to_ten"})
	case "ces":
		known(c, "score_option", q.ScoreOption, []string{"one_to_seven"})
	case "free_form":
		c.warn("score_option", "has no meaning with type free_form")
	}
}

func (f *FollowUp) check(c *checker) {
	known(c, "type", f.Type, []string{"free_form"})
	c.limit("placeholder", f.Placeholder, maxFormTitle)
}

func (p *BusinessPrivacy) check(c *checker) {
	c.required("url", p.URL)
	c.url("url", p.URL)
}

func (t *CustomerInformationTemplate) check(c *checker) {
	c.enter(step{key: "countries"})
	for i, country := range t.Countries {
		if country == "" || !letters(country, 2) {
			c.enter(step{index: i})
			c.fail("", mustBeCountry)
			c.leave()
		}
	}
	c.leave()
	c.part("business_privacy", &t.BusinessPrivacy)
	c.validity(t.ExpiresInDays, &t.leftover)
	c.jsonObject("address_overrides", t.AddressOverrides)
	c.jsonObject("contact_overrides", t.ContactOverrides)
	optionalOf(c, "purpose", t.Purpose, "SHIPPING")
}

func (t *InstantFormTemplate) check(c *checker) {
	if !t.given("form_id") {
		c.required("form_id", t.FormID)
	}
}
