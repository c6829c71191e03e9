package sendapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The functions here take JSON apart without interpreting it, so that what this version does not know
// is kept byte for byte. encoding/json cannot: its struct decoding drops unknown members, folds the
// case of names and lets the last of two equal names win.

// member is one name and value of a JSON object, the value as it was written.
type member struct {
	key   string
	value json.RawMessage
}

// wellFormed reports what keeps data from being one JSON value in UTF-8, or "".
func wellFormed(data []byte) string {
	if !json.Valid(data) {
		var value json.RawMessage
		err := json.Unmarshal(data, &value)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return fmt.Sprintf("invalid JSON at byte %d: %v", syntax.Offset, err)
		}
		return fmt.Sprintf("invalid JSON: %v", err)
	}
	if !utf8.Valid(data) {
		return "invalid JSON: not UTF-8"
	}
	return ""
}

// fewMembers is how many members most objects of a request have at most.
const fewMembers = 4

// split returns the members of a well-formed JSON object in their order, and the first name that
// occurs twice, if any. ok is false when data is another kind of value.
func split(data []byte) (members []member, duplicate string, ok bool) {
	i := space(data, 0)
	if i >= len(data) || data[i] != '{' {
		return nil, "", false
	}
	members = make([]member, 0, fewMembers)
	for i = space(data, i+1); data[i] != '}'; {
		keyEnd := stringEnd(data, i)
		key := unquote(data[i:keyEnd])
		start := space(data, space(data, keyEnd)+1)
		end := valueEnd(data, start)
		members = append(members, member{key, data[start:end]})
		if i = space(data, end); data[i] == ',' {
			i = space(data, i+1)
		}
	}
	return members, repeated(members), true
}

// elements returns the values of a well-formed JSON array; ok is false when data is no array.
func elements(data []byte) (values []json.RawMessage, ok bool) {
	i := space(data, 0)
	if i >= len(data) || data[i] != '[' {
		return nil, false
	}
	for i = space(data, i+1); data[i] != ']'; {
		end := valueEnd(data, i)
		values = append(values, data[i:end])
		if i = space(data, end); data[i] == ',' {
			i = space(data, i+1)
		}
	}
	return values, true
}

// repeated returns a name that occurs twice. It sorts, because comparing all pairs of a hostile object
// with 100,000 members would take minutes; up to a handful the pairs are cheaper.
func repeated(members []member) string {
	if len(members) <= 16 {
		for i, m := range members {
			if has(members[:i], m.key) {
				return m.key
			}
		}
		return ""
	}
	keys := make([]string, len(members))
	for i, m := range members {
		keys[i] = m.key
	}
	slices.Sort(keys)
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] {
			return keys[i]
		}
	}
	return ""
}

func has(members []member, key string) bool {
	return slices.ContainsFunc(members, func(m member) bool { return m.key == key })
}

func space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

func stringEnd(data []byte, i int) int {
	for i++; data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func valueEnd(data []byte, i int) int {
	for depth := 0; i < len(data); {
		switch data[i] {
		case '"':
			i = stringEnd(data, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			i++
			continue
		default:
			i = literalEnd(data, i)
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// literalEnd ends a number, true, false or null.
func literalEnd(data []byte, i int) int {
	for i < len(data) && strings.IndexByte(",:]} \n\t\r", data[i]) < 0 {
		i++
	}
	return i
}

// unquote decodes a well-formed JSON string. An unpaired surrogate becomes U+FFFD, as in encoding/json.
func unquote(data []byte) string {
	if bytes.IndexByte(data, '\\') < 0 {
		return string(data[1 : len(data)-1])
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return ""
	}
	return s
}

// appendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD, as in encoding/json.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size != 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		i += size
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c >= utf8.RuneSelf:
		return append(dst, "\uFFFD"...)
	}
	dst = append(dst, '\\', 'u', '0', '0')
	if c < 0x10 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, uint64(c), 16)
}
