package pace

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of a task message that this package reads or writes (asynq v0.26.0, internal/proto/asynq.proto).
const (
	fieldType         protowire.Number = 1
	fieldPayload      protowire.Number = 2
	fieldID           protowire.Number = 3
	fieldRetry        protowire.Number = 5
	fieldRetried      protowire.Number = 6
	fieldError        protowire.Number = 7
	fieldTimeout      protowire.Number = 8
	fieldDeadline     protowire.Number = 9
	fieldUniqueKey    protowire.Number = 10
	fieldLastFailedAt protowire.Number = 11
	fieldRetention    protowire.Number = 12
	fieldCompletedAt  protowire.Number = 13
	fieldHeaders      protowire.Number = 15
)

// message is a task as asynq keeps it in Redis.
type message struct {
	raw     []byte
	numbers map[protowire.Number]int64
	texts   map[protowire.Number]string
}

var errMessage = errors.New("pace: not a message of asynq's")

// readMessage reads a message. The fields that it does not know are kept by with.
func readMessage(raw []byte) (message, error) {
	m := message{raw: raw, numbers: map[protowire.Number]int64{}, texts: map[protowire.Number]string{}}
	err := m.each(func(n protowire.Number, field []byte) {
		num, typ, tag := protowire.ConsumeTag(field)
		switch typ {
		case protowire.VarintType:
			v, _ := protowire.ConsumeVarint(field[tag:])
			m.numbers[num] = int64(v) //nolint:gosec // asynq's numbers are signed, and encoded so
		case protowire.BytesType:
			if n == fieldHeaders { // read when they are asked for
				return
			}
			v, _ := protowire.ConsumeBytes(field[tag:])
			m.texts[n] = string(v)
		}
	})
	for n, text := range m.texts {
		if n != fieldPayload && !utf8.ValidString(text) {
			err = errors.Join(err, fmt.Errorf("%w: field %d is no text", errMessage, n))
		}
	}
	return m, err
}

// each calls f with every field as it stands in the message.
func (m message) each(f func(protowire.Number, []byte)) error {
	for rest := m.raw; len(rest) > 0; {
		num, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			return fmt.Errorf("%w: %w", errMessage, protowire.ParseError(n))
		}
		f(num, rest[:n])
		rest = rest[n:]
	}
	return nil
}

// edit is a field's new value: a text where there is one, else a number. A field of zero is left out, as asynq does.
type edit struct {
	field  protowire.Number
	number int64
	text   string
}

// with returns the message, encoded, with some fields changed.
func (m message) with(edits ...edit) []byte {
	changed := map[protowire.Number]bool{}
	for _, e := range edits {
		changed[e.field] = true
	}
	out := make([]byte, 0, len(m.raw)+64)
	_ = m.each(func(n protowire.Number, field []byte) { // readMessage has read it whole
		if !changed[n] {
			out = append(out, field...)
		}
	})
	for _, e := range edits {
		switch {
		case e.text != "":
			out = protowire.AppendTag(out, e.field, protowire.BytesType)
			out = protowire.AppendString(out, strings.ToValidUTF8(e.text, "?"))
		case e.number != 0:
			out = protowire.AppendTag(out, e.field, protowire.VarintType)
			out = protowire.AppendVarint(out, uint64(e.number)) //nolint:gosec // as above
		}
	}
	return out
}
