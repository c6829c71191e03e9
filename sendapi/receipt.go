package sendapi

// ReceiptTemplate confirms an order.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/template/receipt
type ReceiptTemplate struct {
	// RecipientName is required.
	RecipientName string
	// OrderNumber is required, and another one for each order.
	OrderNumber string
	// Currency of the payment, a code of ISO 4217. Required; a value of another form is a warning.
	Currency string
	// PaymentMethod is required: a custom text such as "Visa 1234".
	PaymentMethod string
	// Summary is required, as it has the total.
	Summary ReceiptSummary
	// MerchantName is shown as logo text.
	MerchantName string
	// Timestamp of the order in seconds since 1970, as decimal digits.
	Timestamp string
	// OrderURL opens the order.
	OrderURL string
	// Elements are at most 100 items; the platform does not keep their order.
	Elements []ReceiptElement
	// Address is where the order goes.
	Address *ReceiptAddress
	// Adjustments are coupons and the like.
	Adjustments []ReceiptAdjustment
	// Sharable lets people share the message. The default is false.
	Sharable bool

	leftover
}

// ReceiptElement is an item of a receipt.
type ReceiptElement struct {
	// Title is required.
	Title string
	// Price is required; "0" is allowed.
	Price Decimal
	// Subtitle is a second line.
	Subtitle string
	// Quantity is how many were sold; 0 means not given.
	Quantity int
	// Currency of the price, a code of ISO 4217; a value of another form is a warning.
	Currency string
	// ImageURL is a picture of the item.
	ImageURL string

	leftover
}

// ReceiptAddress is where an order goes.
type ReceiptAddress struct {
	// Street1 is required.
	Street1 string
	// Street2 is a second line.
	Street2 string
	// City is required.
	City string
	// PostalCode is required.
	PostalCode string
	// State is required; a region where there are no states.
	State string
	// Country is required: two letters.
	Country string

	leftover
}

// ReceiptSummary is what an order costs in all.
type ReceiptSummary struct {
	// Subtotal of the items.
	Subtotal Decimal
	// ShippingCost of the order.
	ShippingCost Decimal
	// TotalTax of the order.
	TotalTax Decimal
	// TotalCost is required.
	TotalCost Decimal

	leftover
}

// ReceiptAdjustment is a change of the total.
type ReceiptAdjustment struct {
	// Name says what it is for.
	Name string
	// Amount of the change.
	Amount Decimal

	leftover
}

const maxReceiptElements = 100

func (*ReceiptTemplate) template() string { return "receipt" }

func (t *ReceiptTemplate) code(c *coder) {
	templateType(c, t)
	flag(c, "sharable", &t.Sharable)
	text(c, "recipient_name", &t.RecipientName)
	text(c, "merchant_name", &t.MerchantName)
	text(c, "order_number", &t.OrderNumber)
	text(c, "currency", &t.Currency)
	text(c, "payment_method", &t.PaymentMethod)
	text(c, "order_url", &t.OrderURL)
	looseText(c, "timestamp", &t.Timestamp)
	list(c, "elements", &t.Elements)
	optional(c, "address", &t.Address)
	nested(c, "summary", &t.Summary)
	list(c, "adjustments", &t.Adjustments)
}

func (e *ReceiptElement) code(c *coder) {
	text(c, "title", &e.Title)
	text(c, "subtitle", &e.Subtitle)
	integer(c, "quantity", &e.Quantity)
	decimal(c, "price", &e.Price)
	text(c, "currency", &e.Currency)
	text(c, "image_url", &e.ImageURL)
}

func (a *ReceiptAddress) code(c *coder) {
	text(c, "street_1", &a.Street1)
	text(c, "street_2", &a.Street2)
	text(c, "city", &a.City)
	text(c, "postal_code", &a.PostalCode)
	text(c, "state", &a.State)
	text(c, "country", &a.Country)
}

func (s *ReceiptSummary) code(c *coder) {
	decimal(c, "subtotal", &s.Subtotal)
	decimal(c, "shipping_cost", &s.ShippingCost)
	decimal(c, "total_tax", &s.TotalTax)
	decimal(c, "total_cost", &s.TotalCost)
}

func (a *ReceiptAdjustment) code(c *coder) {
	text(c, "name", &a.Name)
	decimal(c, "amount", &a.Amount)
}

func (t *ReceiptTemplate) check(c *checker) {
	c.required("recipient_name", t.RecipientName)
	c.required("order_number", t.OrderNumber)
	c.required("currency", t.Currency)
	c.currency(t.Currency)
	c.required("payment_method", t.PaymentMethod)
	c.url("order_url", t.OrderURL)
	if t.Timestamp != "" && !digits(t.Timestamp) {
		c.fail("timestamp", "must be seconds since 1970, decimal digits")
	}
	each(c, "elements", t.Elements, 0, maxReceiptElements)
	if t.Address != nil {
		c.part("address", t.Address)
	}
	c.part("summary", &t.Summary)
	entriesOf(c, "adjustments", t.Adjustments)
}

func (e *ReceiptElement) check(c *checker) {
	c.required("title", e.Title)
	if e.Quantity < 0 {
		c.fail("quantity", "must not be negative")
	}
	if !e.given("price") {
		c.required("price", string(e.Price))
	}
	c.decimal("price", e.Price)
	c.currency(e.Currency)
	c.url("image_url", e.ImageURL)
}

func (a *ReceiptAddress) check(c *checker) {
	c.required("street_1", a.Street1)
	c.required("city", a.City)
	c.required("postal_code", a.PostalCode)
	c.required("state", a.State)
	c.required("country", a.Country)
	c.country("country", a.Country)
}

func (s *ReceiptSummary) check(c *checker) {
	c.decimal("subtotal", s.Subtotal)
	c.decimal("shipping_cost", s.ShippingCost)
	c.decimal("total_tax", s.TotalTax)
	if !s.given("total_cost") {
		c.required("total_cost", string(s.TotalCost))
	}
	c.decimal("total_cost", s.TotalCost)
}

func (a *ReceiptAdjustment) check(c *checker) { c.decimal("amount", a.Amount) }
