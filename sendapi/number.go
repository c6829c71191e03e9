package sendapi

import (
	"encoding/json"
	"slices"
	"strconv"
)

// Decimal is a number as it is written, such as "12.50": an amount of money keeps its digits. Empty means not given,
// so that "0" can be. The platform asks for a dot before the decimals, and for 2 of them in most currencies.
type Decimal string

// decimal codes a number. A string of digits, which some of the platform's samples have, is kept aside.
func decimal(c *coder, key string, p *Decimal) {
	if c.decoding {
		if value, ok := c.takeNumber(key); ok {
			*p = Decimal(value)
		}
		return
	}
	switch {
	case *p == "":
	case p.valid():
		c.key(key)
		c.buf = append(c.buf, *p...)
	default: // Check refuses it; what is written is JSON all the same
		c.key(key)
		c.buf = appendString(c.buf, string(*p))
	}
}

// valid reports whether d is a number of JSON.
func (d Decimal) valid() bool {
	if d == "" || d[0] != '-' && (d[0] < '0' || d[0] > '9') {
		return false
	}
	last := d[len(d)-1]
	return '0' <= last && last <= '9' && json.Valid([]byte(d))
}

// integer codes a whole number. Zero counts as not given, and a string of digits is kept aside, as with decimal.
func integer[T ~int | ~int64](c *coder, key string, p *T) {
	if !c.decoding {
		if *p != 0 {
			c.key(key)
			c.buf = strconv.AppendInt(c.buf, int64(*p), 10)
		}
		return
	}
	value, ok := c.takeNumber(key)
	if !ok {
		return
	}
	n, err := strconv.ParseInt(string(value), 10, strconv.IntSize)
	switch {
	case err != nil || strconv.FormatInt(n, 10) != string(value):
		c.fail(key, "must be a whole number of at most "+strconv.Itoa(strconv.IntSize)+" bits")
	case n == 0:
		c.keep(key, value)
	}
	*p = T(n)
}

// takeNumber takes a number. A string is kept aside; anything else is a problem.
func (c *coder) takeNumber(key string) (json.RawMessage, bool) {
	value, ok := c.take(key)
	if !ok {
		return nil, false
	}
	switch kindOf(value) {
	case "a number":
		return value, true
	case "a string":
		c.keep(key, value)
	default:
		c.fail(key, "must be a number, not "+kindOf(value))
	}
	return nil, false
}

// raw codes a value that has no type here.
func raw(c *coder, key string, p *json.RawMessage) {
	if c.decoding {
		if value, ok := c.take(key); ok {
			*p = slices.Clone(value)
		}
		return
	}
	if len(*p) > 0 {
		c.key(key)
		c.buf = append(c.buf, *p...)
	}
}
