package sendapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"
	"sync"
)

// formField is a member of a request in the form for fields: a string as it is, anything else as JSON.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type formField struct{ name, value string }

// fieldsOf takes a JSON object apart.
func fieldsOf(body json.RawMessage) []formField {
	members, _, _ := split(body)
	fields := make([]formField, len(members))
	for i, m := range members {
		fields[i] = formField{m.key, string(m.value)}
		var text string
		if json.Unmarshal(m.value, &text) == nil {
			fields[i].value = text
		}
	}
	return fields
}

// JoinFields makes the JSON object of a call from its form fields, the reverse of what fields are: a value that is a JSON object,
// list or string is taken as it is, any other as a string. Objects and lists may be written as in the platform's samples, with
// single quotes around strings and none around names. Of a name that comes twice the first counts.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func JoinFields(fields map[string][]string) json.RawMessage {
	members := make(map[string]json.RawMessage, len(fields))
	for name, values := range fields {
		if len(values) > 0 {
			members[name] = fieldValue(values[0])
		}
	}
	body, _ := json.Marshal(members) // valid JSON, each of them
	return body
}

func fieldValue(value string) json.RawMessage {
	trimmed := strings.TrimSpace(value)
	if trimmed != "" && strings.ContainsRune(`{["`, rune(trimmed[0])) {
		if json.Valid([]byte(trimmed)) {
			return json.RawMessage(trimmed)
		}
		if strict, ok := relaxed(trimmed); ok && trimmed[0] != '"' {
			return strict
		}
	}
	text, _ := json.Marshal(value) // a string
	return text
}

// fileForm is a multipart body: the fields, then the file.
type fileForm struct {
	contentType string
	head, tail  []byte
	file        *exactReader
	size        int64
}

func newFileForm(fields []formField, file LocalFile) *fileForm {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf) // a buffer takes everything
	for _, f := range fields {
		_ = w.WriteField(f.name, f.value)
	}
	_, _ = w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("filedata", file.Name)},
		"Content-Type":        {file.ContentType},
	})
	head := bytes.Clone(buf.Bytes())
	buf.Reset()
	_ = w.Close()
	return &fileForm{
		contentType: w.FormDataContentType(), head: head, tail: buf.Bytes(),
		file: &exactReader{from: file.Reader, left: file.Size},
		size: int64(len(head)) + file.Size + int64(buf.Len()),
	}
}

func (f *fileForm) payload() *payload {
	return &payload{contentType: f.contentType, size: f.size, once: true, open: func() (io.ReadCloser, error) {
		whole := io.MultiReader(bytes.NewReader(f.head), f.file, bytes.NewReader(f.tail))
		return struct {
			io.Reader
			io.Closer
		}{whole, f.file}, nil
	}}
}

// blame makes the file the reason of a call that failed because of it, and makes sure that its reader is left alone.
func (f *fileForm) blame(err error) error {
	_ = f.file.Close()
	why := f.file.failure()
	switch {
	case why == nil:
		return err
	case errors.Is(why, errShort) || errors.Is(why, errLong):
		return &Error{Kind: KindInvalid, Err: Problems{{Path: "Size", Message: why.Error()}}}
	}
	return &Error{Kind: KindTransient, Message: "the file could not be read", Err: why}
}

var (
	errShort  = errors.New("the file has fewer bytes than said")
	errLong   = errors.New("the file has more bytes than said")
	errClosed = errors.New("the call is over")
)

// exactReader gives exactly as many bytes as a file is said to have. It looks for more before it ends, while the
// request still lacks its last line: neither too few nor too many bytes make a whole request.
//
// The transport reads on its own goroutine, perhaps still when the call is over; Close waits for that.
type exactReader struct {
	mu   sync.Mutex
	from io.Reader
	left int64
	err  error // what every further Read returns
}

// Read fails with errShort or errLong.
func (r *exactReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	if r.left == 0 {
		r.err = r.end()
		return 0, r.err
	}
	n, err := r.from.Read(p[:min(int64(len(p)), r.left)])
	if r.left -= int64(n); err == io.EOF {
		if err = nil; r.left > 0 {
			err = errShort
		}
	}
	r.err = err
	return n, err
}

// end returns io.EOF when there is nothing left.
func (r *exactReader) end() error {
	if n, err := io.ReadFull(r.from, make([]byte, 1)); n == 0 {
		return err
	}
	return errLong
}

// Close ends the reading.
func (r *exactReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = errClosed
	}
	return nil
}

// failure is what went wrong with the file, or nil.
func (r *exactReader) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(r.err, io.EOF) || errors.Is(r.err, errClosed) {
		return nil
	}
	return r.err
}
