package broadcast

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The names of what holds the recipient.
const (
	keyRecipient = "recipient"
	keyPSID      = "psid"
)

var (
	errUTF8   = errors.New("not UTF-8; save the file as UTF-8")
	errCR     = errors.New("its lines end in CR alone; save it with LF or CRLF")
	errNDJSON = errors.New("this is NDJSON, not CSV")
)

// csvParser reads the rows of a CSV.
type csvParser struct {
	comma     byte
	columns   int
	recipient int
	places    []int // of each column, the field that it holds; -1 for none
	fields    int
}

// newCSVParser reads the header. Each field of the template must be a column.
func newCSVParser(header []byte, fields []string) (*csvParser, error) {
	p := &csvParser{comma: ',', recipient: -1, fields: len(fields)}
	for _, c := range []byte{';', '\t'} {
		if bytes.IndexByte(header, ',') < 0 && bytes.IndexByte(header, c) >= 0 {
			p.comma = c
		}
	}
	switch {
	case !utf8.Valid(header):
		return nil, errUTF8
	case bytes.IndexByte(header, '\r') >= 0:
		return nil, errCR
	case bytes.HasPrefix(header, []byte("{")):
		return nil, errNDJSON
	}
	names, err := splitCSV(header, p.comma, nil)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	p.columns, p.places = len(names), make([]int, len(names))
	seen := map[string]bool{}
	for i, name := range names {
		name = strings.TrimSpace(name)
		names[i] = name
		if name != "" && seen[name] {
			return nil, fmt.Errorf("the column %q is there twice", name)
		}
		seen[name] = true
		p.places[i] = slices.Index(fields, name)
		if name == keyRecipient || name == keyPSID && p.recipient < 0 {
			p.recipient = i
		}
	}
	return p, p.missing(names, fields)
}

// missing reports the columns that are not there.
func (p *csvParser) missing(names, fields []string) error {
	const shown = 20
	has := strings.Join(names[:min(len(names), shown)], ", ")
	if p.recipient < 0 {
		return fmt.Errorf("there is no column recipient (or psid); the columns are %q", has)
	}
	for i, f := range fields {
		if !slices.Contains(p.places, i) {
			return fmt.Errorf("the template has {{.%s}}, but there is no column %s; the columns are %q", f, f, has)
		}
	}
	return nil
}

func (p *csvParser) parse(record []byte) (row, error) {
	if !utf8.Valid(record) {
		return row{}, errUTF8
	}
	var room [16]string
	values, err := splitCSV(record, p.comma, room[:0])
	if err != nil {
		return row{}, err
	}
	if len(values) != p.columns {
		return row{}, fmt.Errorf("%d values; the header has %d columns", len(values), p.columns)
	}
	r := row{recipient: strings.TrimSpace(values[p.recipient]), values: make([]string, p.fields)}
	for i, f := range p.places {
		if f >= 0 && strings.TrimSpace(values[i]) != "" {
			r.values[f] = values[i]
		}
	}
	return r, nil
}

// splitCSV appends the values of a record to into.
func splitCSV(record []byte, comma byte, into []string) ([]string, error) {
	for text := string(record); ; {
		var value, rest string
		var more bool
		var err error
		if quoted, ok := strings.CutPrefix(text, `"`); ok {
			value, rest, more, err = cutQuoted(quoted, comma)
		} else {
			value, rest, more = strings.Cut(text, string(comma))
			if strings.Contains(value, `"`) {
				err = fmt.Errorf("value %d has a quote inside; put the value in quotes, and write the quote twice", len(into)+1)
			}
		}
		if err != nil {
			return nil, err
		}
		into = append(into, value)
		if !more {
			return into, nil
		}
		text = rest
	}
}

// cutQuoted takes a value in quotes, whose first one is gone, from the text.
func cutQuoted(text string, comma byte) (value, rest string, more bool, err error) {
	var whole strings.Builder
	for {
		part, after, closed := strings.Cut(text, `"`)
		if !closed {
			return "", "", false, errors.New("a quoted value does not end")
		}
		whole.WriteString(part)
		switch {
		case after == "":
			return whole.String(), "", false, nil
		case after[0] == comma:
			return whole.String(), after[1:], true, nil
		case after[0] != '"':
			return "", "", false, errors.New("a quoted value goes on behind its quote; a quote inside is written twice")
		}
		whole.WriteByte('"')
		text = after[1:]
	}
}

// ndjsonParser reads the rows of an NDJSON file.
type ndjsonParser struct{ fields []string }

func (p ndjsonParser) parse(record []byte) (row, error) {
	if !utf8.Valid(record) {
		return row{}, errUTF8
	}
	if record[0] == '[' {
		return row{}, errors.New("a list; write one JSON object a line, and nothing around them")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(record, &members); err != nil || members == nil {
		return row{}, errors.New("not a JSON object")
	}
	to, ok := members[keyRecipient]
	if !ok {
		to, ok = members[keyPSID]
	}
	if !ok {
		return row{}, errors.New("there is no recipient (or psid)")
	}
	r := row{values: make([]string, len(p.fields))}
	var err error
	if r.recipient, err = plain(to); err != nil {
		return row{}, fmt.Errorf("recipient: %w", err)
	}
	r.recipient = strings.TrimSpace(r.recipient)
	for i, f := range p.fields {
		if r.values[i], err = plain(members[f]); err != nil {
			return row{}, fmt.Errorf("%s: %w", f, err)
		}
		if strings.TrimSpace(r.values[i]) == "" {
			r.values[i] = ""
		}
	}
	return r, nil
}

// plain is a JSON value as text. null is empty, as is what is not there.
func plain(v json.RawMessage) (string, error) {
	switch {
	case len(v) == 0 || string(v) == "null":
		return "", nil
	case v[0] == '"':
		var s string
		err := json.Unmarshal(v, &s)
		return s, err
	case v[0] == '{' || v[0] == '[':
		return "", errors.New("must be a string, a number, true or false")
	}
	return string(v), nil
}
