package sendapi

import "math"

// BoardingPass is one passenger's pass for one flight.
type BoardingPass struct {
	// PassengerName is the passenger's.
	PassengerName string
	// PNRNumber is the number of the booking.
	PNRNumber string
	// TravelClass is economy, business or first_class.
	TravelClass string
	// Seat is the number of the seat.
	Seat string
	// AuxiliaryFields stand on top; at most 5, which no current page confirms: more is a warning.
	AuxiliaryFields []PassField
	// SecondaryFields stand below; at most 5, which no current page confirms: more is a warning.
	SecondaryFields []PassField
	// LogoImageURL is the airline's logo.
	LogoImageURL string
	// HeaderImageURL is a picture on top.
	HeaderImageURL string
	// HeaderTextField is a text on top.
	HeaderTextField *PassField
	// QRCode is the text of a QR code. Exactly one of QRCode and BarcodeImageURL is required.
	QRCode string
	// BarcodeImageURL is a picture of the code.
	BarcodeImageURL string
	// AboveBarCodeImageURL is a picture above the code.
	AboveBarCodeImageURL string
	// FlightInfo is the flight. Required.
	FlightInfo *FlightInfo

	leftover
}

// PassField is a labelled value of a boarding pass.
type PassField struct {
	// Label says what Value is.
	Label string
	// Value is shown below its label.
	Value string

	leftover
}

// FlightInfo is one flight.
type FlightInfo struct {
	// ConnectionID names the connection that the flight is a part of; in an itinerary.
	ConnectionID string
	// SegmentID names the flight within an itinerary, for PassengerSegmentInfo.
	SegmentID string
	// FlightNumber is the airline's code and number.
	FlightNumber string
	// AircraftType is the kind of plane.
	AircraftType string
	// TravelClass is economy, business or first_class; in an itinerary.
	TravelClass string
	// DepartureAirport is where the flight begins.
	DepartureAirport *Airport
	// ArrivalAirport is where it ends.
	ArrivalAirport *Airport
	// FlightSchedule is when.
	FlightSchedule *FlightSchedule

	leftover
}

// Airport is one end of a flight.
type Airport struct {
	// AirportCode is the code of three letters, such as SFO.
	AirportCode string
	// City of the airport.
	City string
	// Terminal of the flight.
	Terminal string
	// Gate of the flight.
	Gate string

	leftover
}

// FlightSchedule is when a flight boards, leaves and arrives, each in the local time of the airport in the form
// 2026-11-24T10:30. A time of another form is a warning: no current page has the airline templates.
type FlightSchedule struct {
	// BoardingTime is when boarding begins.
	BoardingTime string
	// DepartureTime is when the flight leaves.
	DepartureTime string
	// ArrivalTime is when it arrives.
	ArrivalTime string

	leftover
}

// PassengerInfo is one passenger of an itinerary.
type PassengerInfo struct {
	// PassengerID names the passenger within the itinerary, for PassengerSegmentInfo.
	PassengerID string
	// TicketNumber of the passenger.
	TicketNumber string
	// Name of the passenger.
	Name string

	leftover
}

// PassengerSegmentInfo is one passenger on one flight of an itinerary.
type PassengerSegmentInfo struct {
	// SegmentID is the flight's.
	SegmentID string
	// PassengerID is the passenger's.
	PassengerID string
	// Seat is the number of the seat.
	Seat string
	// SeatType is the kind of seat.
	SeatType string
	// ProductInfo is what comes with the seat; at most 4, which no current page confirms: more is a warning.
	ProductInfo []ProductInfo

	leftover
}

// ProductInfo is something that comes with a seat.
type ProductInfo struct {
	// Title says what Value is.
	Title string
	// Value is shown beside it.
	Value string

	leftover
}

// PriceInfo is a part of the price of an itinerary.
type PriceInfo struct {
	// Title says what it is for.
	Title string
	// Amount is the price.
	Amount Decimal
	// Currency is a code of ISO 4217; a value of another form is a warning.
	Currency string

	leftover
}

func (p *BoardingPass) code(c *coder) {
	text(c, "passenger_name", &p.PassengerName)
	text(c, "pnr_number", &p.PNRNumber)
	text(c, "travel_class", &p.TravelClass)
	text(c, "seat", &p.Seat)
	list(c, "auxiliary_fields", &p.AuxiliaryFields)
	list(c, "secondary_fields", &p.SecondaryFields)
	text(c, "logo_image_url", &p.LogoImageURL)
	text(c, "header_image_url", &p.HeaderImageURL)
	optional(c, "header_text_field", &p.HeaderTextField)
	text(c, "qr_code", &p.QRCode)
	text(c, "barcode_image_url", &p.BarcodeImageURL)
	text(c, "above_bar_code_image_url", &p.AboveBarCodeImageURL)
	optional(c, "flight_info", &p.FlightInfo)
}

func (f *PassField) code(c *coder) {
	text(c, "label", &f.Label)
	text(c, "value", &f.Value)
}

func (f *FlightInfo) code(c *coder) {
	text(c, "connection_id", &f.ConnectionID)
	text(c, "segment_id", &f.SegmentID)
	text(c, "flight_number", &f.FlightNumber)
	text(c, "aircraft_type", &f.AircraftType)
	text(c, "travel_class", &f.TravelClass)
	optional(c, "departure_airport", &f.DepartureAirport)
	optional(c, "arrival_airport", &f.ArrivalAirport)
	optional(c, "flight_schedule", &f.FlightSchedule)
}

func (a *Airport) code(c *coder) {
	text(c, "airport_code", &a.AirportCode)
	text(c, "city", &a.City)
	text(c, "terminal", &a.Terminal)
	text(c, "gate", &a.Gate)
}

func (s *FlightSchedule) code(c *coder) {
	text(c, "boarding_time", &s.BoardingTime)
	text(c, "departure_time", &s.DepartureTime)
	text(c, "arrival_time", &s.ArrivalTime)
}

func (p *PassengerInfo) code(c *coder) {
	text(c, "passenger_id", &p.PassengerID)
	text(c, "ticket_number", &p.TicketNumber)
	text(c, "name", &p.Name)
}

func (p *PassengerSegmentInfo) code(c *coder) {
	text(c, "segment_id", &p.SegmentID)
	text(c, "passenger_id", &p.PassengerID)
	text(c, "seat", &p.Seat)
	text(c, "seat_type", &p.SeatType)
	list(c, "product_info", &p.ProductInfo)
}

func (p *ProductInfo) code(c *coder) {
	text(c, "title", &p.Title)
	text(c, "value", &p.Value)
}

func (p *PriceInfo) code(c *coder) {
	text(c, "title", &p.Title)
	decimal(c, "amount", &p.Amount)
	text(c, "currency", &p.Currency)
}

const (
	maxPassFields  = 5
	maxProductInfo = 4
)

// some checks a list that needs an entry and has no upper limit.
func some[T any, P entry[T]](c *checker, key string, entries []T) {
	each[T, P](c, key, entries, 1, math.MaxInt)
}

func (p *BoardingPass) check(c *checker) {
	c.expected("passenger_name", p.PassengerName != "")
	c.expected("pnr_number", p.PNRNumber != "")
	travelClass(c, p.TravelClass)
	c.doubtfulCount("auxiliary_fields", len(p.AuxiliaryFields), maxPassFields)
	c.doubtfulCount("secondary_fields", len(p.SecondaryFields), maxPassFields)
	c.url("logo_image_url", p.LogoImageURL)
	c.url("header_image_url", p.HeaderImageURL)
	switch {
	case p.QRCode == "" && p.BarcodeImageURL == "":
		c.fail("", "needs qr_code or barcode_image_url")
	case p.QRCode != "" && p.BarcodeImageURL != "":
		c.fail("", "qr_code and barcode_image_url: only one is allowed")
	}
	c.url("barcode_image_url", p.BarcodeImageURL)
	c.url("above_bar_code_image_url", p.AboveBarCodeImageURL)
	if p.FlightInfo == nil {
		c.fail("flight_info", "required")
		return
	}
	c.part("flight_info", p.FlightInfo)
}

func travelClass(c *checker, class string) {
	optionalOf(c, "travel_class", class, "economy", "business", "first_class")
}

func (f *FlightInfo) check(c *checker) {
	c.expected("flight_number", f.FlightNumber != "")
	travelClass(c, f.TravelClass)
	c.expected("departure_airport", f.DepartureAirport != nil)
	if f.DepartureAirport != nil {
		c.part("departure_airport", f.DepartureAirport)
	}
	c.expected("arrival_airport", f.ArrivalAirport != nil)
	if f.ArrivalAirport != nil {
		c.part("arrival_airport", f.ArrivalAirport)
	}
	c.expected("flight_schedule", f.FlightSchedule != nil)
	if f.FlightSchedule != nil {
		c.part("flight_schedule", f.FlightSchedule)
	}
}

// checkSegment is about what a flight has in an itinerary only.
func (f *FlightInfo) checkSegment(c *checker) {
	c.expected("connection_id", f.ConnectionID != "")
	c.expected("segment_id", f.SegmentID != "")
	c.expected("travel_class", f.TravelClass != "")
}

func (a *Airport) check(c *checker) {
	c.expected("airport_code", a.AirportCode != "")
	c.expected("city", a.City != "")
}

func (s *FlightSchedule) check(c *checker) {
	c.localTime("boarding_time", s.BoardingTime)
	c.expected("departure_time", s.DepartureTime != "")
	c.localTime("departure_time", s.DepartureTime)
	c.localTime("arrival_time", s.ArrivalTime)
}

func (p *PassengerInfo) check(c *checker) {
	c.expected("passenger_id", p.PassengerID != "")
	c.expected("name", p.Name != "")
}

func (p *PassengerSegmentInfo) check(c *checker) {
	c.expected("segment_id", p.SegmentID != "")
	c.expected("passenger_id", p.PassengerID != "")
	c.doubtfulCount("product_info", len(p.ProductInfo), maxProductInfo)
}

func (p *PriceInfo) check(c *checker) {
	c.expected("title", p.Title != "")
	c.expected("amount", p.Amount != "" || p.given("amount"))
	c.decimal("amount", p.Amount)
	c.currency(p.Currency)
}
