package producer

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sendpace/sendpace/producer/spans"
)

// Fields of a task as asynq encodes it (asynq v0.26.0, internal/proto/asynq.proto, TaskMessage).
const (
	fieldPayload     protowire.Number = 2
	fieldRetried     protowire.Number = 6
	fieldError       protowire.Number = 7
	fieldUniqueKey   protowire.Number = 10
	fieldRetention   protowire.Number = 12
	fieldCompletedAt protowire.Number = 13
	fieldHeaders     protowire.Number = 15
)

// message is what this package reads of a task.
type message struct {
	payload   []byte
	retried   int
	lastError string
	lock      string // the key that a unique task holds; empty for others
	retention time.Duration
	parent    string // the header traceparent
}

var errMessage = errors.New("the task is not encoded as asynq does")

func readMessage(raw string) (message, error) {
	var m message
	for rest := []byte(raw); len(rest) > 0; {
		field, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return message{}, fmt.Errorf("%w: %w", errMessage, protowire.ParseError(n))
		}
		size := protowire.ConsumeFieldValue(field, kind, rest[n:])
		if size < 0 {
			return message{}, fmt.Errorf("%w: %w", errMessage, protowire.ParseError(size))
		}
		m.set(field, kind, rest[n:n+size])
		rest = rest[n+size:]
	}
	return m, nil
}

// set notes a field whose value is known to be whole.
func (m *message) set(field protowire.Number, kind protowire.Type, value []byte) {
	switch kind {
	case protowire.VarintType:
		v, _ := protowire.ConsumeVarint(value)
		switch field {
		case fieldRetried:
			m.retried = int(int32(v)) //nolint:gosec // an int32 of asynq's
		case fieldRetention:
			m.retention = time.Duration(int64(v)) * time.Second //nolint:gosec // an int64 of asynq's
		}
	case protowire.BytesType:
		v, _ := protowire.ConsumeBytes(value)
		switch field {
		case fieldPayload:
			m.payload = v
		case fieldError:
			m.lastError = string(v)
		case fieldUniqueKey:
			m.lock = string(v)
		case fieldHeaders:
			if name, value, ok := spans.Entry(v); ok && name == spans.TraceParent {
				m.parent = value
			}
		}
	}
}

// completed adds the time of completion to an encoded task. Of a field that stands twice the last counts.
func completed(raw string, at time.Time) []byte {
	out := protowire.AppendTag([]byte(raw), fieldCompletedAt, protowire.VarintType)
	return protowire.AppendVarint(out, uint64(at.Unix())) //nolint:gosec // after 1970
}
