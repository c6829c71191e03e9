package sendapi

// Each type of a request is a json.Marshaler and a json.Unmarshaler by itself, so that a part of a
// request (a message template, say) can live in other JSON. What UnmarshalJSON fills is replaced as a whole;
// null leaves it zero, as encoding/json asks. Without the two methods, encoding/json would write a type by its Go
// names and lose what it keeps, without an error: TestEachTypeIsJSON sees that none is left out.

func unmarshal[T any, P pointer[T]](data []byte, p P) error {
	var zero T
	*p = zero
	if string(data) == "null" {
		return nil
	}
	return decode(data, p)
}

// MarshalJSON writes the platform's form.
func (r Request) MarshalJSON() ([]byte, error) { return encode(&r), nil }

// UnmarshalJSON reads the platform's form.
func (r *Request) UnmarshalJSON(data []byte) error { return unmarshal(data, r) }

// MarshalJSON writes the platform's form.
func (t ReplyTo) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *ReplyTo) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (re Reaction) MarshalJSON() ([]byte, error) { return encode(&re), nil }

// UnmarshalJSON reads the platform's form.
func (re *Reaction) UnmarshalJSON(data []byte) error { return unmarshal(data, re) }

// MarshalJSON writes the platform's form.
func (rcp Recipient) MarshalJSON() ([]byte, error) { return encode(&rcp), nil }

// UnmarshalJSON reads the platform's form.
func (rcp *Recipient) UnmarshalJSON(data []byte) error { return unmarshal(data, rcp) }

// MarshalJSON writes the platform's form.
func (n Name) MarshalJSON() ([]byte, error) { return encode(&n), nil }

// UnmarshalJSON reads the platform's form.
func (n *Name) UnmarshalJSON(data []byte) error { return unmarshal(data, n) }

// MarshalJSON writes the platform's form.
func (m Message) MarshalJSON() ([]byte, error) { return encode(&m), nil }

// UnmarshalJSON reads the platform's form.
func (m *Message) UnmarshalJSON(data []byte) error { return unmarshal(data, m) }

// MarshalJSON writes the platform's form.
func (d DynamicText) MarshalJSON() ([]byte, error) { return encode(&d), nil }

// UnmarshalJSON reads the platform's form.
func (d *DynamicText) UnmarshalJSON(data []byte) error { return unmarshal(data, d) }

// MarshalJSON writes the platform's form.
func (q QuickReply) MarshalJSON() ([]byte, error) { return encode(&q), nil }

// UnmarshalJSON reads the platform's form.
func (q *QuickReply) UnmarshalJSON(data []byte) error { return unmarshal(data, q) }

// MarshalJSON writes the platform's form.
func (t UtilityTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *UtilityTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (l UtilityLanguage) MarshalJSON() ([]byte, error) { return encode(&l), nil }

// UnmarshalJSON reads the platform's form.
func (l *UtilityLanguage) UnmarshalJSON(data []byte) error { return unmarshal(data, l) }

// MarshalJSON writes the platform's form.
func (u UtilityComponent) MarshalJSON() ([]byte, error) { return encode(&u), nil }

// UnmarshalJSON reads the platform's form.
func (u *UtilityComponent) UnmarshalJSON(data []byte) error { return unmarshal(data, u) }

// MarshalJSON writes the platform's form.
func (p UtilityParameter) MarshalJSON() ([]byte, error) { return encode(&p), nil }

// UnmarshalJSON reads the platform's form.
func (p *UtilityParameter) UnmarshalJSON(data []byte) error { return unmarshal(data, p) }

// MarshalJSON writes the platform's form.
func (a Attachment) MarshalJSON() ([]byte, error) { return encode(&a), nil }

// UnmarshalJSON reads the platform's form.
func (a *Attachment) UnmarshalJSON(data []byte) error { return unmarshal(data, a) }

// MarshalJSON writes the platform's form.
func (m Media) MarshalJSON() ([]byte, error) { return encode(&m), nil }

// UnmarshalJSON reads the platform's form.
func (m *Media) UnmarshalJSON(data []byte) error { return unmarshal(data, m) }

// MarshalJSON writes the platform's form.
func (b Button) MarshalJSON() ([]byte, error) { return encode(&b), nil }

// UnmarshalJSON reads the platform's form.
func (b *Button) UnmarshalJSON(data []byte) error { return unmarshal(data, b) }

// MarshalJSON writes the platform's form.
func (g GameMetadata) MarshalJSON() ([]byte, error) { return encode(&g), nil }

// UnmarshalJSON reads the platform's form.
func (g *GameMetadata) UnmarshalJSON(data []byte) error { return unmarshal(data, g) }

// MarshalJSON writes the platform's form.
func (s ShareContents) MarshalJSON() ([]byte, error) { return encode(&s), nil }

// UnmarshalJSON reads the platform's form.
func (s *ShareContents) UnmarshalJSON(data []byte) error { return unmarshal(data, s) }

// MarshalJSON writes the platform's form.
func (t GenericTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *GenericTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (e Element) MarshalJSON() ([]byte, error) { return encode(&e), nil }

// UnmarshalJSON reads the platform's form.
func (e *Element) UnmarshalJSON(data []byte) error { return unmarshal(data, e) }

// MarshalJSON writes the platform's form.
func (t ButtonTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *ButtonTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (t ListTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *ListTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (t OpenGraphTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *OpenGraphTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (e OpenGraphElement) MarshalJSON() ([]byte, error) { return encode(&e), nil }

// UnmarshalJSON reads the platform's form.
func (e *OpenGraphElement) UnmarshalJSON(data []byte) error { return unmarshal(data, e) }

// MarshalJSON writes the platform's form.
func (t MediaTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *MediaTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (e MediaElement) MarshalJSON() ([]byte, error) { return encode(&e), nil }

// UnmarshalJSON reads the platform's form.
func (e *MediaElement) UnmarshalJSON(data []byte) error { return unmarshal(data, e) }

// MarshalJSON writes the platform's form.
func (t ProductTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *ProductTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (p Product) MarshalJSON() ([]byte, error) { return encode(&p), nil }

// UnmarshalJSON reads the platform's form.
func (p *Product) UnmarshalJSON(data []byte) error { return unmarshal(data, p) }

// MarshalJSON writes the platform's form.
func (t CouponTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *CouponTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (t ImageGridTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *ImageGridTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (g ImageGrid) MarshalJSON() ([]byte, error) { return encode(&g), nil }

// UnmarshalJSON reads the platform's form.
func (g *ImageGrid) UnmarshalJSON(data []byte) error { return unmarshal(data, g) }

// MarshalJSON writes the platform's form.
func (i GridImage) MarshalJSON() ([]byte, error) { return encode(&i), nil }

// UnmarshalJSON reads the platform's form.
func (i *GridImage) UnmarshalJSON(data []byte) error { return unmarshal(data, i) }

// MarshalJSON writes the platform's form.
func (a GridAction) MarshalJSON() ([]byte, error) { return encode(&a), nil }

// UnmarshalJSON reads the platform's form.
func (a *GridAction) UnmarshalJSON(data []byte) error { return unmarshal(data, a) }

// MarshalJSON writes the platform's form.
func (t ReceiptTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *ReceiptTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (e ReceiptElement) MarshalJSON() ([]byte, error) { return encode(&e), nil }

// UnmarshalJSON reads the platform's form.
func (e *ReceiptElement) UnmarshalJSON(data []byte) error { return unmarshal(data, e) }

// MarshalJSON writes the platform's form.
func (a ReceiptAddress) MarshalJSON() ([]byte, error) { return encode(&a), nil }

// UnmarshalJSON reads the platform's form.
func (a *ReceiptAddress) UnmarshalJSON(data []byte) error { return unmarshal(data, a) }

// MarshalJSON writes the platform's form.
func (s ReceiptSummary) MarshalJSON() ([]byte, error) { return encode(&s), nil }

// UnmarshalJSON reads the platform's form.
func (s *ReceiptSummary) UnmarshalJSON(data []byte) error { return unmarshal(data, s) }

// MarshalJSON writes the platform's form.
func (a ReceiptAdjustment) MarshalJSON() ([]byte, error) { return encode(&a), nil }

// UnmarshalJSON reads the platform's form.
func (a *ReceiptAdjustment) UnmarshalJSON(data []byte) error { return unmarshal(data, a) }

// MarshalJSON writes the platform's form.
func (t BoardingPassTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *BoardingPassTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (t CheckinTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *CheckinTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (t ItineraryTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *ItineraryTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (t FlightUpdateTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *FlightUpdateTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (p BoardingPass) MarshalJSON() ([]byte, error) { return encode(&p), nil }

// UnmarshalJSON reads the platform's form.
func (p *BoardingPass) UnmarshalJSON(data []byte) error { return unmarshal(data, p) }

// MarshalJSON writes the platform's form.
func (f PassField) MarshalJSON() ([]byte, error) { return encode(&f), nil }

// UnmarshalJSON reads the platform's form.
func (f *PassField) UnmarshalJSON(data []byte) error { return unmarshal(data, f) }

// MarshalJSON writes the platform's form.
func (f FlightInfo) MarshalJSON() ([]byte, error) { return encode(&f), nil }

// UnmarshalJSON reads the platform's form.
func (f *FlightInfo) UnmarshalJSON(data []byte) error { return unmarshal(data, f) }

// MarshalJSON writes the platform's form.
func (a Airport) MarshalJSON() ([]byte, error) { return encode(&a), nil }

// UnmarshalJSON reads the platform's form.
func (a *Airport) UnmarshalJSON(data []byte) error { return unmarshal(data, a) }

// MarshalJSON writes the platform's form.
func (s FlightSchedule) MarshalJSON() ([]byte, error) { return encode(&s), nil }

// UnmarshalJSON reads the platform's form.
func (s *FlightSchedule) UnmarshalJSON(data []byte) error { return unmarshal(data, s) }

// MarshalJSON writes the platform's form.
func (p PassengerInfo) MarshalJSON() ([]byte, error) { return encode(&p), nil }

// UnmarshalJSON reads the platform's form.
func (p *PassengerInfo) UnmarshalJSON(data []byte) error { return unmarshal(data, p) }

// MarshalJSON writes the platform's form.
func (p PassengerSegmentInfo) MarshalJSON() ([]byte, error) { return encode(&p), nil }

// UnmarshalJSON reads the platform's form.
func (p *PassengerSegmentInfo) UnmarshalJSON(data []byte) error { return unmarshal(data, p) }

// MarshalJSON writes the platform's form.
func (p ProductInfo) MarshalJSON() ([]byte, error) { return encode(&p), nil }

// UnmarshalJSON reads the platform's form.
func (p *ProductInfo) UnmarshalJSON(data []byte) error { return unmarshal(data, p) }

// MarshalJSON writes the platform's form.
func (p PriceInfo) MarshalJSON() ([]byte, error) { return encode(&p), nil }

// UnmarshalJSON reads the platform's form.
func (p *PriceInfo) UnmarshalJSON(data []byte) error { return unmarshal(data, p) }

// MarshalJSON writes the platform's form.
func (t CustomerFeedbackTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *CustomerFeedbackTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (s FeedbackScreen) MarshalJSON() ([]byte, error) { return encode(&s), nil }

// UnmarshalJSON reads the platform's form.
func (s *FeedbackScreen) UnmarshalJSON(data []byte) error { return unmarshal(data, s) }

// MarshalJSON writes the platform's form.
func (q FeedbackQuestion) MarshalJSON() ([]byte, error) { return encode(&q), nil }

// UnmarshalJSON reads the platform's form.
func (q *FeedbackQuestion) UnmarshalJSON(data []byte) error { return unmarshal(data, q) }

// MarshalJSON writes the platform's form.
func (f FollowUp) MarshalJSON() ([]byte, error) { return encode(&f), nil }

// UnmarshalJSON reads the platform's form.
func (f *FollowUp) UnmarshalJSON(data []byte) error { return unmarshal(data, f) }

// MarshalJSON writes the platform's form.
func (p BusinessPrivacy) MarshalJSON() ([]byte, error) { return encode(&p), nil }

// UnmarshalJSON reads the platform's form.
func (p *BusinessPrivacy) UnmarshalJSON(data []byte) error { return unmarshal(data, p) }

// MarshalJSON writes the platform's form.
func (t CustomerInformationTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *CustomerInformationTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (t InstantFormTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *InstantFormTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (t OneTimeNotifTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *OneTimeNotifTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (t NotificationMessagesTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *NotificationMessagesTemplate) UnmarshalJSON(data []byte) error { return unmarshal(data, t) }
