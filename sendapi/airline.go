package sendapi

// The four airline templates are of 2018. One page still links to them, the current list of templates does not have
// them: Check warns of each. What the samples of that time always have, while no page calls it required, is a warning
// when it is missing. Field names are those of
// https://developers.facebook.com/docs/messenger-platform/send-messages/template/airline

// BoardingPassTemplate carries boarding passes, airline_boardingpass. The platform makes one message of all passes with
// an equal FlightInfo, so that one call can become several messages.
// https://developers.facebook.com/docs/messenger-platform/send-messages/template/airline
type BoardingPassTemplate struct {
	// IntroMessage is required.
	IntroMessage string
	// Locale of the message, such as en_US. Required.
	Locale string
	// ThemeColor is an RGB value, such as #009ddc.
	ThemeColor string
	// BoardingPass is at least 1 pass.
	BoardingPass []BoardingPass

	leftover
}

// CheckinTemplate reminds of the check-in, airline_checkin.
// https://developers.facebook.com/docs/messenger-platform/reference/templates/airline-checkin
type CheckinTemplate struct {
	// IntroMessage is required.
	IntroMessage string
	// Locale of the message, such as en_US. Required.
	Locale string
	// PNRNumber is the number of the booking. Required.
	PNRNumber string
	// CheckinURL is where the check-in is. Required.
	CheckinURL string
	// FlightInfo is at least 1 flight.
	FlightInfo []FlightInfo

	leftover
}

// ItineraryTemplate confirms a booking, airline_itinerary.
// https://developers.facebook.com/docs/messenger-platform/reference/template/airline-itinerary
type ItineraryTemplate struct {
	// IntroMessage is required.
	IntroMessage string
	// Locale of the message, such as en_US. Required.
	Locale string
	// ThemeColor is an RGB value, such as #009ddc.
	ThemeColor string
	// PNRNumber is the number of the booking. Required.
	PNRNumber string
	// PassengerInfo is at least 1 passenger.
	PassengerInfo []PassengerInfo
	// FlightInfo is at least 1 flight.
	FlightInfo []FlightInfo
	// PassengerSegmentInfo says who sits where; at least 1 entry.
	PassengerSegmentInfo []PassengerSegmentInfo
	// PriceInfo is what the price is made of; at most 4 parts, which no current page confirms: more is a warning.
	PriceInfo []PriceInfo
	// BasePrice is the price without tax.
	BasePrice Decimal
	// Tax is its tax.
	Tax Decimal
	// TotalPrice is required.
	TotalPrice Decimal
	// Currency of the prices, a code of ISO 4217. Required; a value of another form is a warning.
	Currency string

	leftover
}

// FlightUpdateTemplate tells of a change of a flight, airline_update.
// https://developers.facebook.com/docs/messenger-platform/reference/template/airline-flight-update
type FlightUpdateTemplate struct {
	// IntroMessage comes before the update.
	IntroMessage string
	// ThemeColor is an RGB value, such as #009ddc.
	ThemeColor string
	// UpdateType is delay, gate_change or cancellation. Required.
	UpdateType string
	// Locale of the message, such as en_US. Required.
	Locale string
	// PNRNumber is the number of the booking.
	PNRNumber string
	// UpdateFlightInfo is the flight as it is now. Required.
	UpdateFlightInfo *FlightInfo

	leftover
}

func (*BoardingPassTemplate) template() string { return "airline_boardingpass" }
func (*CheckinTemplate) template() string      { return "airline_checkin" }
func (*ItineraryTemplate) template() string    { return "airline_itinerary" }
func (*FlightUpdateTemplate) template() string { return "airline_update" }

func (t *BoardingPassTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "intro_message", &t.IntroMessage)
	text(c, "locale", &t.Locale)
	text(c, "theme_color", &t.ThemeColor)
	list(c, "boarding_pass", &t.BoardingPass)
}

func (t *CheckinTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "intro_message", &t.IntroMessage)
	text(c, "locale", &t.Locale)
	text(c, "pnr_number", &t.PNRNumber)
	text(c, "checkin_url", &t.CheckinURL)
	list(c, "flight_info", &t.FlightInfo)
}

func (t *ItineraryTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "intro_message", &t.IntroMessage)
	text(c, "locale", &t.Locale)
	text(c, "theme_color", &t.ThemeColor)
	text(c, "pnr_number", &t.PNRNumber)
	list(c, "passenger_info", &t.PassengerInfo)
	list(c, "flight_info", &t.FlightInfo)
	list(c, "passenger_segment_info", &t.PassengerSegmentInfo)
	list(c, "price_info", &t.PriceInfo)
	decimal(c, "base_price", &t.BasePrice)
	decimal(c, "tax", &t.Tax)
	decimal(c, "total_price", &t.TotalPrice)
	text(c, "currency", &t.Currency)
}

func (t *FlightUpdateTemplate) code(c *coder) {
	templateType(c, t)
	text(c, "intro_message", &t.IntroMessage)
	text(c, "theme_color", &t.ThemeColor)
	text(c, "update_type", &t.UpdateType)
	text(c, "locale", &t.Locale)
	text(c, "pnr_number", &t.PNRNumber)
	optional(c, "update_flight_info", &t.UpdateFlightInfo)
}

const maxPrices = 4

func (t *BoardingPassTemplate) check(c *checker) {
	c.old("template_type", t.template())
	c.required("intro_message", t.IntroMessage)
	c.required("locale", t.Locale)
	some(c, "boarding_pass", t.BoardingPass)
}

func (t *CheckinTemplate) check(c *checker) {
	c.old("template_type", t.template())
	c.required("intro_message", t.IntroMessage)
	c.required("locale", t.Locale)
	c.required("pnr_number", t.PNRNumber)
	c.required("checkin_url", t.CheckinURL)
	c.url("checkin_url", t.CheckinURL)
	some(c, "flight_info", t.FlightInfo)
}

func (t *ItineraryTemplate) check(c *checker) {
	c.old("template_type", t.template())
	c.required("intro_message", t.IntroMessage)
	c.required("locale", t.Locale)
	c.required("pnr_number", t.PNRNumber)
	some(c, "passenger_info", t.PassengerInfo)
	some(c, "flight_info", t.FlightInfo)
	for i := range t.FlightInfo {
		c.enter(step{key: "flight_info"})
		c.enter(step{index: i})
		t.FlightInfo[i].checkSegment(c)
		c.leave()
		c.leave()
	}
	some(c, "passenger_segment_info", t.PassengerSegmentInfo)
	c.doubtfulCount("price_info", len(t.PriceInfo), maxPrices)
	entriesOf(c, "price_info", t.PriceInfo)
	c.decimal("base_price", t.BasePrice)
	c.decimal("tax", t.Tax)
	if !t.given("total_price") {
		c.required("total_price", string(t.TotalPrice))
	}
	c.decimal("total_price", t.TotalPrice)
	c.required("currency", t.Currency)
	c.currency(t.Currency)
}

func (t *FlightUpdateTemplate) check(c *checker) {
	c.old("template_type", t.template())
	c.expected("intro_message", t.IntroMessage != "")
	known(c, "update_type", t.UpdateType, []string{"delay", "gate_change", "cancellation"})
	c.required("locale", t.Locale)
	if t.UpdateFlightInfo == nil {
		c.fail("update_flight_info", "required")
		return
	}
	c.part("update_flight_info", t.UpdateFlightInfo)
}
