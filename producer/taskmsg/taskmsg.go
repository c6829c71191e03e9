// Package taskmsg reads and changes tasks as asynq encodes them in Redis (asynq v0.26.0, internal/proto/asynq.proto, TaskMessage).
// asynq itself lets nobody do that. A test of package pace fails if asynq changes them.
package taskmsg

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is a field of a task.
type Field protowire.Number

// The fields that Sendpace knows. Times are unix seconds.
const (
	Type         Field = 1
	Payload      Field = 2
	ID           Field = 3
	MaxRetry     Field = 5
	Retried      Field = 6
	Error        Field = 7
	Timeout      Field = 8 // seconds
	Deadline     Field = 9
	UniqueKey    Field = 10
	LastFailedAt Field = 11
	Retention    Field = 12 // seconds
	CompletedAt  Field = 13
	Headers      Field = 15

	last = Headers
)

// maxHeader bounds a header that is read, in bytes. The longest tracestate that must be passed on has 512.
// https://www.w3.org/TR/trace-context/#tracestate-limits
const maxHeader = 1024

// Message is a task. Its zero value has nothing.
type Message struct {
	raw     []byte
	numbers [last + 1]int64
	texts   [last + 1]string
}

// ErrMalformed means that a task is not encoded as asynq does.
var ErrMalformed = errors.New("taskmsg: the task is not encoded as asynq does")

// Read reads a task. Of a field that stands twice the last counts. The error is an [ErrMalformed], and the message has what could be
// read.
func Read(raw string) (Message, error) {
	m := Message{raw: []byte(raw)}
	var bad error
	err := m.each(func(f Field, field []byte) {
		if f < 1 || f > last {
			return
		}
		_, kind, tag := protowire.ConsumeTag(field)
		switch kind {
		case protowire.VarintType:
			v, _ := protowire.ConsumeVarint(field[tag:])
			m.numbers[f] = int64(v) //nolint:gosec // asynq's numbers are signed, and encoded so
		case protowire.BytesType:
			if f == Headers { // Header reads them
				return
			}
			v, _ := protowire.ConsumeBytes(field[tag:])
			if m.texts[f] = string(v); f != Payload && !utf8.Valid(v) {
				bad = fmt.Errorf("%w: field %d is no text", ErrMalformed, f)
			}
		}
	})
	return m, errors.Join(err, bad)
}

// each calls do with every field as it stands in the message.
func (m *Message) each(do func(Field, []byte)) error {
	for rest := m.raw; len(rest) > 0; {
		num, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		do(Field(num), rest[:n])
		rest = rest[n:]
	}
	return nil
}

// Number is the value of a field that is a number; 0 if the task has none.
func (m *Message) Number(f Field) int64 { return m.numbers[f] }

// Text is the value of a field that is a text; empty if the task has none.
func (m *Message) Text(f Field) string { return m.texts[f] }

// Payload is what the task is about, which may be anything.
func (m *Message) Payload() []byte { return []byte(m.texts[Payload]) }

// Header is the value of a header that the client which enqueued the task gave it. It is empty if there is none, and for one that is
// no text, or longer than a trace context can be.
func (m *Message) Header(name string) string {
	found := ""
	_ = m.each(func(f Field, field []byte) { // Read said if it ends early
		_, kind, tag := protowire.ConsumeTag(field)
		if f != Headers || kind != protowire.BytesType {
			return
		}
		entry, _ := protowire.ConsumeBytes(field[tag:])
		if key, value, ok := header(entry); ok && key == name {
			found = value
		}
	})
	return found
}

// header reads one entry of the headers.
func header(raw []byte) (name, value string, ok bool) {
	if len(raw) > maxHeader {
		return "", "", false
	}
	for len(raw) > 0 {
		field, kind, tag := protowire.ConsumeTag(raw)
		if tag < 0 {
			return "", "", false
		}
		size := protowire.ConsumeFieldValue(field, kind, raw[tag:])
		if size < 0 {
			return "", "", false
		}
		if text, n := protowire.ConsumeBytes(raw[tag : tag+size]); kind == protowire.BytesType && n >= 0 {
			switch field {
			case 1:
				name = string(text)
			case 2:
				value = string(text)
			}
		}
		raw = raw[tag+size:]
	}
	return name, value, utf8.ValidString(name) && utf8.ValidString(value)
}

// Edit is a field's new value: a text where there is one, else a number. A field of neither is left out, as asynq does.
type Edit struct {
	Field  Field
	Number int64
	Text   string
}

// With returns the task, encoded, with some fields changed. It keeps the fields that it does not know.
func (m *Message) With(edits ...Edit) string {
	var changed [last + 1]bool
	for _, e := range edits {
		changed[e.Field] = true
	}
	out := make([]byte, 0, len(m.raw)+64)
	_ = m.each(func(f Field, field []byte) { // Read said if it ends early
		if f < 0 || f > last || !changed[f] {
			out = append(out, field...)
		}
	})
	for _, e := range edits {
		switch {
		case e.Text != "":
			out = protowire.AppendTag(out, protowire.Number(e.Field), protowire.BytesType)
			out = protowire.AppendString(out, strings.ToValidUTF8(e.Text, "?"))
		case e.Number != 0:
			out = protowire.AppendTag(out, protowire.Number(e.Field), protowire.VarintType)
			out = protowire.AppendVarint(out, uint64(e.Number)) //nolint:gosec // as above
		}
	}
	return string(out)
}
