package broadcast

import (
	"encoding/json"
	"unicode/utf8"
)

// render puts a row's values into request i, behind buf. defaulted is called with each field whose default stood in. missing is a
// field that has neither value nor default; the request is of no use then.
func (t *template) render(buf []byte, i int, r row, defaulted func(field int)) (body []byte, missing string) {
	for _, s := range t.bodies[i] {
		buf = append(buf, s.json...)
		switch {
		case s.hole == nil:
		case s.hole.recipient:
			buf = appendEscaped(buf, r.recipient)
		default:
			value := t.choose(s.hole, r, defaulted)
			if value == "" {
				return nil, t.fields[s.hole.fields[0]]
			}
			buf = appendEscaped(buf, value)
		}
	}
	return buf, ""
}

// choose returns the value of a hole, empty if there is none.
func (t *template) choose(h *hole, r row, defaulted func(field int)) string {
	for _, f := range h.fields {
		if v := r.values[f]; v != "" {
			return v
		}
		if v := t.given[f]; v != "" {
			defaulted(f)
			return v
		}
	}
	if h.literal != "" {
		defaulted(h.fields[0])
	}
	return h.literal
}

// requests renders all of a row's.
func (t *template) requests(r row, defaulted func(field int)) (bodies []json.RawMessage, missing string) {
	bodies = make([]json.RawMessage, len(t.bodies))
	for i := range t.bodies {
		if bodies[i], missing = t.render(nil, i, r, defaulted); missing != "" {
			return nil, missing
		}
	}
	return bodies, ""
}

// appendString appends s as a JSON string.
func appendString(buf []byte, s string) []byte {
	return append(appendEscaped(append(buf, '"'), s), '"')
}

// appendEscaped appends what stands between the quotes of a JSON string. What is not UTF-8 becomes U+FFFD.
func appendEscaped(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				buf = append(append(buf, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			buf = append(buf, s[from:i]...)
			if c < ' ' {
				buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				buf = append(buf, '\\', c)
			}
			from = i + 1
		}
		i++
	}
	return append(buf, s[from:]...)
}
