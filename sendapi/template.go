package sendapi

// templates has a constructor for each template_type that has a type here; the others are RawPayload.
var templates = byType(
	empty[GenericTemplate], empty[ButtonTemplate], empty[MediaTemplate], empty[ReceiptTemplate],
	empty[ListTemplate], empty[OpenGraphTemplate],
	empty[BoardingPassTemplate], empty[CheckinTemplate], empty[ItineraryTemplate], empty[FlightUpdateTemplate],
	empty[ProductTemplate], empty[CouponTemplate], empty[ImageGridTemplate],
	empty[CustomerFeedbackTemplate], empty[CustomerInformationTemplate], empty[InstantFormTemplate],
	empty[OneTimeNotifTemplate], empty[NotificationMessagesTemplate],
)

// newTemplate returns an empty template of a template_type, or nil when there is no type for it.
func newTemplate(templateType string) Payload {
	if create, ok := templates[templateType]; ok {
		return create()
	}
	return nil
}

func byType(constructors ...func() Payload) map[string]func() Payload {
	m := make(map[string]func() Payload, len(constructors))
	for _, create := range constructors {
		m[create().template()] = create
	}
	return m
}

func empty[T any, P interface {
	*T
	Payload
}]() Payload {
	return P(new(T))
}

// templateType codes the template_type, which follows from the Go type.
func templateType(c *coder, p Payload) {
	const key = "template_type"
	if !c.decoding {
		c.key(key)
		c.buf = appendString(c.buf, p.template())
		return
	}
	if found, ok := c.take(key); ok && (found[0] != '"' || unquote(found) != p.template()) {
		c.fail(key, "must be "+p.template())
	}
}
