package taskmsg_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sendpace/sendpace/producer/taskmsg"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// entry is a header as asynq's protobuf library encodes it.
func entry(name, value string) []byte {
	b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	return protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), value)
}

// task is one with an entry in its headers.
func task(entry []byte) string {
	b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "sendpace:send")
	return string(protowire.AppendBytes(protowire.AppendTag(b, protowire.Number(taskmsg.Headers), protowire.BytesType), entry))
}

func TestReadAndChange(t *testing.T) {
	t.Parallel()
	m, err := taskmsg.Read(task(entry("traceparent", parent)) + "\xa2\x06\x03new") // field 100
	require.NoError(t, err)
	assert.Equal(t, "sendpace:send", m.Text(taskmsg.Type))
	m, err = taskmsg.Read(m.With(
		taskmsg.Edit{Field: taskmsg.Error, Text: "bad \xff luck"}, taskmsg.Edit{Field: taskmsg.Retried, Number: 3}, taskmsg.Edit{Field: taskmsg.Type},
	))
	require.NoError(t, err)
	assert.Equal(t, []any{"", "bad ? luck", int64(3), int64(0)},
		[]any{m.Text(taskmsg.Type), m.Text(taskmsg.Error), m.Number(taskmsg.Retried), m.Number(taskmsg.Deadline)})
	assert.Equal(t, parent, m.Header("traceparent"), "what is not changed stays")
	assert.Contains(t, m.With(), "\xa2\x06\x03new", "what is not known stays")
}

func TestWhatIsNoTaskIsRefused(t *testing.T) {
	t.Parallel()
	for what, raw := range map[string]string{
		"cut off": "\x0a\x09send", "no field": "\xff", "an error that is no text": "\x3a\x01\xff", "a group, unended": "\x0b",
	} {
		_, err := taskmsg.Read(raw)
		assert.ErrorIs(t, err, taskmsg.ErrMalformed, what)
	}
	m, err := taskmsg.Read("\x12\x01\xff")
	require.NoError(t, err, "a payload may be anything")
	assert.Equal(t, "\xff", string(m.Payload()))
}

func TestWhatIsNoHeaderIsLeftOut(t *testing.T) {
	t.Parallel()
	for what, raw := range map[string][]byte{
		"cut off":          entry("traceparent", parent)[:20],
		"no text":          entry("traceparent", "\xff"),
		"too long":         entry("traceparent", strings.Repeat("x", 1024)),
		"no field":         {0xff},
		"a group, unended": protowire.AppendTag(entry("traceparent", parent), 2, protowire.StartGroupType),
		"another name":     entry("tracestate", parent),
		"another type":     protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 7),
	} {
		m, err := taskmsg.Read(task(raw))
		require.NoError(t, err, what)
		assert.Empty(t, m.Header("traceparent"), what)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("\n\rsendpace:send\x12\x02{}\x1a\x01a(\xe8\a0\x02:\ano luck`\x90\x1c", "no luck", int64(5))
	f.Add(task(entry("traceparent", parent)), "", int64(-1))
	f.Fuzz(func(t *testing.T, raw, text string, number int64) {
		m, err := taskmsg.Read(raw)
		if err != nil {
			return
		}
		again, err := taskmsg.Read(m.With(taskmsg.Edit{Field: taskmsg.Error, Text: text}, taskmsg.Edit{Field: taskmsg.CompletedAt, Number: number}))
		assert.NoError(t, err)
		assert.Equal(t, strings.ToValidUTF8(text, "?"), again.Text(taskmsg.Error))
		assert.Equal(t, number, again.Number(taskmsg.CompletedAt))
		for field := taskmsg.Type; field <= taskmsg.Headers; field++ {
			if field != taskmsg.Error && field != taskmsg.CompletedAt {
				assert.Equal(t, m.Text(field), again.Text(field))
				assert.Equal(t, m.Number(field), again.Number(field))
			}
		}
		assert.Equal(t, m.Header("traceparent"), again.Header("traceparent"))
	})
}
