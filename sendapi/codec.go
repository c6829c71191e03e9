package sendapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// coded is a part of a request that names its members once, for both directions: code is run by the
// encoder and by the decoder.
type coded interface {
	code(c *coder)
	kept() *[]member
}

// leftover holds the members of an object that its type has no room for. Each type of a request embeds it.
type leftover struct{ extra []member }

func (l *leftover) kept() *[]member { return &l.extra }

// given tells whether a member other than null and "" was kept.
func (l *leftover) given(key string) bool { return given(l.extra, key) }

// coder walks through a request, either writing it to buf or filling it from members.
//
// Nothing is lost on the way in: a member that the types have no room for (unknown, null, an empty
// value that would not be written again, a documented second form) stays in the extra list of its
// object and is written back, unless the typed field of that name was set since.
type coder struct {
	buf   []byte
	start int      // where the object that is being written begins in buf
	extra []member // what was kept of it

	sharing  bool // inside of share_contents
	decoding bool
	members  []member // what is left of the object that is being read
	path     path
	problems Problems
}

// encode returns v as JSON.
func encode(v coded) []byte {
	c := coder{buf: make([]byte, 0, 512)}
	c.object(nil, v)
	return c.buf
}

// decode fills v, which must be zero, from data. All that is wrong with data is reported at once.
func decode(data []byte, v coded) error {
	if wrong := wellFormed(data); wrong != "" {
		return Problems{{Message: wrong}}
	}
	c := coder{decoding: true}
	c.object(data, v)
	return c.problems.err()
}

// object codes one JSON object; data is its text when decoding.
func (c *coder) object(data []byte, v coded) {
	if !c.decoding {
		start, extra := c.start, c.extra
		c.start, c.extra = len(c.buf), *v.kept()
		c.buf = append(c.buf, '{')
		v.code(c)
		c.writeRest()
		c.buf = append(c.buf, '}')
		c.start, c.extra = start, extra
		return
	}
	members, duplicate, ok := split(data)
	if !ok {
		c.fail("", "must be an object, not "+kindOf(data))
		return
	}
	if duplicate != "" {
		c.fail("", fmt.Sprintf("has the member %.40q twice", duplicate))
	}
	outer := c.members
	c.members = members
	v.code(c)
	for _, m := range c.members {
		*v.kept() = append(*v.kept(), member{m.key, slices.Clone(m.value)})
	}
	c.members = outer
}

// take removes and returns a member. It leaves null where it is: it means "not given", and is kept.
func (c *coder) take(key string) (json.RawMessage, bool) {
	for i, m := range c.members {
		if m.key == key && m.value[0] != 'n' {
			c.members = slices.Delete(c.members, i, i+1)
			return m.value, true
		}
	}
	return nil, false
}

// keep puts a member back, so that it stays as it was written.
func (c *coder) keep(key string, value json.RawMessage) {
	c.members = append(c.members, member{key, value})
}

// kept is the form in which a member of the object that is being written was kept, "" for none.
func (c *coder) kept(key string) string {
	for _, m := range c.extra {
		if m.key == key {
			return string(m.value)
		}
	}
	return ""
}

// writeRest writes what was kept of an object, unless a field of that name has written it.
func (c *coder) writeRest() {
	if len(c.extra) == 0 {
		return
	}
	object := append(slices.Clone(c.buf[c.start:]), '}')
	if !json.Valid(object) { // for a value that was given as JSON and is none: Check, or encoding/json, says so
		return
	}
	written, _, _ := split(object)
	for _, m := range c.extra {
		if !has(written, m.key) {
			c.key(m.key)
			c.buf = append(c.buf, m.value...)
		}
	}
}

// key begins a member of the object that is being written.
func (c *coder) key(key string) {
	if len(c.buf) > c.start+1 {
		c.buf = append(c.buf, ',')
	}
	c.buf = append(appendString(c.buf, key), ':')
}

func (c *coder) fail(key, message string) {
	c.problems = append(c.problems, Problem{Path: c.path.to(key), Message: message})
}

func (c *coder) enter(s step) { c.path = append(c.path, s) }
func (c *coder) leave()       { c.path = c.path[:len(c.path)-1] }

// text codes a string member.
func text[T ~string](c *coder, key string, p *T) {
	if value, other := looseText(c, key, p); other {
		c.fail(key, "must be a string, not "+kindOf(value))
	}
}

// looseText codes a member that is a string here, but that the platform documents in a second form as
// well; that form is kept aside. It reports whether it found one.
func looseText[T ~string](c *coder, key string, p *T) (value json.RawMessage, other bool) {
	if !c.decoding {
		if *p != "" {
			c.key(key)
			c.buf = appendString(c.buf, string(*p))
		}
		return nil, false
	}
	value, ok := c.take(key)
	if !ok {
		return nil, false
	}
	if other = value[0] != '"'; !other {
		*p = T(unquote(value))
	}
	if *p == "" {
		c.keep(key, value)
	}
	return value, other
}

// quotedTrue is true as public clients write it, and the platform's samples for Instagram.
// https://developers.facebook.com/docs/messenger-platform/instagram/features/attachment-upload
const quotedTrue = `"true"`

// eitherCase codes a string of these values, which the platform prints in lower and in upper case. The field has it in lower
// case; it is written back as it was.
// https://developers.facebook.com/docs/graph-api/reference/page/messages
func eitherCase[T ~string](c *coder, key string, p *T, values []T) {
	if !c.decoding {
		if !strings.EqualFold(c.kept(key), `"`+string(*p)+`"`) {
			text(c, key, p)
		}
		return
	}
	text(c, key, p)
	if lower := T(strings.ToLower(string(*p))); lower != *p && slices.Contains(values, lower) {
		c.keep(key, appendString(nil, string(*p)))
		*p = lower
	}
}

// flag codes a boolean whose default is false. One in quotes is written back in quotes.
func flag(c *coder, key string, p *bool) {
	if !c.decoding {
		if *p != (c.kept(key) == quotedTrue) {
			c.key(key)
			c.buf = strconv.AppendBool(c.buf, *p)
		}
		return
	}
	value, ok := c.take(key)
	switch text := string(value); {
	case !ok:
	case text == "true":
		*p = true
	case text == "false", text == quotedTrue, text == `"false"`:
		*p = text == quotedTrue
		c.keep(key, value)
	default:
		c.fail(key, "must be true or false, not "+kindOf(value))
	}
}

// pointer constrains P to be *T with a code method, so that a decoder can make a new T.
type pointer[T any] interface {
	*T
	coded
}

// nested codes an object that is always there on the Go side; when it is empty it is not written.
func nested[T any, P pointer[T]](c *coder, key string, p P) {
	if c.decoding {
		if value, ok := c.take(key); ok {
			c.enter(step{key: key})
			c.object(value, p)
			c.leave()
			if members, _, _ := split(value); len(members) == 0 {
				c.keep(key, value)
			}
		}
		return
	}
	before := len(c.buf)
	c.key(key)
	from := len(c.buf)
	if c.object(nil, p); len(c.buf) == from+len("{}") {
		c.buf = c.buf[:before]
	}
}

// optional codes an object that may be absent.
func optional[T any, P pointer[T]](c *coder, key string, p *P) {
	if c.decoding {
		if value, ok := c.take(key); ok {
			*p = P(new(T))
			c.enter(step{key: key})
			c.object(value, *p)
			c.leave()
		}
		return
	}
	if *p != nil {
		c.key(key)
		c.object(nil, *p)
	}
}

// given reports whether members has a value other than null and "" for key.
func given(members []member, key string) bool {
	for _, m := range members {
		if m.key == key {
			return string(m.value) != "null" && string(m.value) != `""`
		}
	}
	return false
}

func kindOf(value []byte) string {
	switch value[space(value, 0)] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}
