package sendapi

// Each type of a request is a json.Marshaler and a json.Unmarshaler by itself, so that a part of a
// request (a message template, say) can live in other JSON. What UnmarshalJSON fills is replaced as a whole;
// null leaves it zero, as encoding/json asks.

// MarshalJSON writes the platform's form.
func (r Request) MarshalJSON() ([]byte, error) { return encode(&r), nil }

// UnmarshalJSON reads the platform's form.
func (r *Request) UnmarshalJSON(data []byte) error { *r = Request{}; return unmarshal(data, r) }

// MarshalJSON writes the platform's form.
func (rcp Recipient) MarshalJSON() ([]byte, error) { return encode(&rcp), nil }

// UnmarshalJSON reads the platform's form.
func (rcp *Recipient) UnmarshalJSON(data []byte) error {
	*rcp = Recipient{}
	return unmarshal(data, rcp)
}

// MarshalJSON writes the platform's form.
func (n Name) MarshalJSON() ([]byte, error) { return encode(&n), nil }

// UnmarshalJSON reads the platform's form.
func (n *Name) UnmarshalJSON(data []byte) error { *n = Name{}; return unmarshal(data, n) }

// MarshalJSON writes the platform's form.
func (m Message) MarshalJSON() ([]byte, error) { return encode(&m), nil }

// UnmarshalJSON reads the platform's form.
func (m *Message) UnmarshalJSON(data []byte) error { *m = Message{}; return unmarshal(data, m) }

// MarshalJSON writes the platform's form.
func (q QuickReply) MarshalJSON() ([]byte, error) { return encode(&q), nil }

// UnmarshalJSON reads the platform's form.
func (q *QuickReply) UnmarshalJSON(data []byte) error { *q = QuickReply{}; return unmarshal(data, q) }

// MarshalJSON writes the platform's form.
func (a Attachment) MarshalJSON() ([]byte, error) { return encode(&a), nil }

// UnmarshalJSON reads the platform's form.
func (a *Attachment) UnmarshalJSON(data []byte) error { *a = Attachment{}; return unmarshal(data, a) }

// MarshalJSON writes the platform's form.
func (m Media) MarshalJSON() ([]byte, error) { return encode(&m), nil }

// UnmarshalJSON reads the platform's form.
func (m *Media) UnmarshalJSON(data []byte) error { *m = Media{}; return unmarshal(data, m) }

// MarshalJSON writes the platform's form.
func (t GenericTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *GenericTemplate) UnmarshalJSON(data []byte) error {
	*t = GenericTemplate{}
	return unmarshal(data, t)
}

// MarshalJSON writes the platform's form.
func (e Element) MarshalJSON() ([]byte, error) { return encode(&e), nil }

// UnmarshalJSON reads the platform's form.
func (e *Element) UnmarshalJSON(data []byte) error { *e = Element{}; return unmarshal(data, e) }

// MarshalJSON writes the platform's form.
func (t ButtonTemplate) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *ButtonTemplate) UnmarshalJSON(data []byte) error {
	*t = ButtonTemplate{}
	return unmarshal(data, t)
}

// MarshalJSON writes the platform's form.
func (b Button) MarshalJSON() ([]byte, error) { return encode(&b), nil }

// UnmarshalJSON reads the platform's form.
func (b *Button) UnmarshalJSON(data []byte) error { *b = Button{}; return unmarshal(data, b) }

// MarshalJSON writes the platform's form.
func (t ReplyTo) MarshalJSON() ([]byte, error) { return encode(&t), nil }

// UnmarshalJSON reads the platform's form.
func (t *ReplyTo) UnmarshalJSON(data []byte) error { *t = ReplyTo{}; return unmarshal(data, t) }

// MarshalJSON writes the platform's form.
func (re Reaction) MarshalJSON() ([]byte, error) { return encode(&re), nil }

// UnmarshalJSON reads the platform's form.
func (re *Reaction) UnmarshalJSON(data []byte) error { *re = Reaction{}; return unmarshal(data, re) }

func unmarshal(data []byte, v coded) error {
	if string(data) == "null" {
		return nil
	}
	return decode(data, v)
}
