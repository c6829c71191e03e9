package sendapi_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func TestUploadURL(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	begun := time.Now()
	up, err := c.UploadURL(t.Context(), page, sendapi.Video, "https://example.com/a.mp4")
	require.NoError(t, err)
	assert.WithinRange(t, up.Expires, begun.Add(90*24*time.Hour), time.Now().Add(90*24*time.Hour))
	calls := srv.Calls()
	require.Len(t, calls, 1)
	assert.Equal(t, "message_attachments", calls[0].Edge)
	assert.JSONEq(t, `{"message":{"attachment":{"type":"video",`+
		`"payload":{"url":"https://example.com/a.mp4","is_reusable":true}}}}`, string(calls[0].Body))
	assert.Empty(t, srv.Accepted(), "an upload is no message")

	_, err = c.Send(t.Context(), page, sendapi.MediaID(ann, sendapi.Video, up.AttachmentID))
	assert.NoError(t, err)
}

func TestUploadFile(t *testing.T) {
	t.Parallel()
	var got map[string]string
	c := clientFor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = partsOf(r)
		answering(200, `{"attachment_id":1857777774821032}`, "X-App-Usage", `{"call_count":5}`)(w, r)
	}), sendapi.Config{})
	up, err := c.UploadFile(t.Context(), page, sendapi.Audio, sendapi.LocalFile{
		Name: "a \"b\".mp3", ContentType: "audio/mpeg", Size: 5, Reader: iotest.OneByteReader(strings.NewReader("sound")),
	})
	require.NoError(t, err)
	assert.Equal(t, "1857777774821032", up.AttachmentID)
	assert.Equal(t, 5.0, up.Usage.App.Calls)
	assert.Equal(t, map[string]string{
		"path":     "/v26.0/1001/message_attachments",
		"message":  `{"attachment":{"type":"audio","payload":{"is_reusable":true}}}`,
		"filedata": `a "b".mp3 audio/mpeg: sound`,
	}, got)
}

// partsOf reads a multipart request whose length was announced.
func partsOf(r *http.Request) map[string]string {
	parts := map[string]string{"path": r.URL.Path}
	if r.ContentLength <= 0 {
		parts["length"] = "unknown"
	}
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	for form := multipart.NewReader(r.Body, params["boundary"]); ; {
		part, err := form.NextPart()
		if err != nil {
			return parts
		}
		data, _ := io.ReadAll(part)
		value := string(data)
		if part.FileName() != "" {
			value = part.FileName() + " " + part.Header.Get("Content-Type") + ": " + value
		}
		parts[part.FormName()] = value
	}
}

func TestSendFile(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	for _, reusable := range []bool{false, true} {
		req := withFile(sendapi.Image).AsResponse()
		req.Message.Attachment.Payload = &sendapi.Media{Reusable: reusable}
		res, err := c.SendFile(t.Context(), page, req, textFile("image/png", "pixels"))
		require.NoError(t, err)
		assert.NotEmpty(t, res.MessageID)
		assert.Equal(t, reusable, res.AttachmentID != "")
		calls := srv.Accepted()
		want, err := req.MarshalJSON()
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(calls[len(calls)-1].Body))
	}
}

func TestFilesThatAreRefusedBeforeACall(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	good := textFile("image/png", "pixels")
	for want, spoil := range map[string]func(*sendapi.LocalFile) sendapi.AttachmentType{
		"type: must be image, audio, video or file": func(*sendapi.LocalFile) sendapi.AttachmentType { return "template" },
		"ContentType: must be audio/* for this type": func(f *sendapi.LocalFile) sendapi.AttachmentType {
			return sendapi.Audio
		},
		"ContentType: must be a MIME type": func(f *sendapi.LocalFile) sendapi.AttachmentType {
			f.ContentType = "image/png;\r\n x=y"
			return sendapi.Image
		},
		"Name: must be a file name of one line": func(f *sendapi.LocalFile) sendapi.AttachmentType {
			f.Name = "a\nb"
			return sendapi.Image
		},
		"Size: 26214401 bytes; the limit is 26214400": func(f *sendapi.LocalFile) sendapi.AttachmentType {
			f.Size = sendapi.MaxFileBytes + 1
			return sendapi.Image
		},
		"Name: must be a file name of one line; ContentType: must be a MIME type; Size: required; Reader: required": func(
			f *sendapi.LocalFile) sendapi.AttachmentType {
			*f = sendapi.LocalFile{}
			return sendapi.File
		},
	} {
		file := good
		kind := spoil(&file)
		_, err := c.UploadFile(t.Context(), page, kind, file)
		assert.EqualError(t, err, "invalid: "+want)
		assert.ErrorIs(t, err, sendapi.KindInvalid)
	}
	for _, address := range []string{"", "ftp://example.com/x"} {
		_, err := c.UploadURL(t.Context(), page, sendapi.Image, address)
		assert.ErrorIs(t, err, sendapi.KindInvalid, address)
	}
	_, err := c.UploadURL(t.Context(), page, sendapi.Template, "https://example.com/x")
	assert.ErrorIs(t, err, sendapi.KindInvalid)
	for name, req := range map[string]*sendapi.Request{
		"none": nil, "text": sendapi.Text(ann, "x"), "by URL": sendapi.MediaURL(ann, sendapi.Image, "https://example.com/x"),
		"by id": sendapi.MediaID(ann, sendapi.Image, "1"),
	} {
		_, err := c.SendFile(t.Context(), page, req, good)
		assert.ErrorIs(t, err, sendapi.KindInvalid, name)
	}
	nobody := withFile(sendapi.Image)
	nobody.Recipient = sendapi.Recipient{}
	_, err = c.SendFile(t.Context(), page, nobody, good)
	assert.ErrorIs(t, err, sendapi.KindInvalid)
	_, err = c.SendFile(t.Context(), page, withFile(sendapi.Video), good)
	assert.EqualError(t, err, "invalid: ContentType: must be video/* for this type")
	assert.Empty(t, srv.Calls())
}

// A file that is not what it was said to be must not become an attachment, whole or in part.
func TestFilesThatAreNotAsSaid(t *testing.T) {
	t.Parallel()
	gone := errors.New("the disk is gone")
	for name, row := range map[string]struct {
		from io.Reader
		want sendapi.Kind
		says string
	}{
		"too short": {strings.NewReader("12345"), sendapi.KindInvalid, "invalid: Size: the file has fewer bytes than said"},
		"empty":     {strings.NewReader(""), sendapi.KindInvalid, "invalid: Size: the file has fewer bytes than said"},
		"too long":  {strings.NewReader("1234567"), sendapi.KindInvalid, "invalid: Size: the file has more bytes than said"},
		"broken": {
			io.MultiReader(strings.NewReader("123"), iotest.ErrReader(gone)), sendapi.KindTransient,
			"transient: the file could not be read: the disk is gone",
		},
		"broken at its end": {
			io.MultiReader(strings.NewReader("123456"), iotest.ErrReader(gone)), sendapi.KindTransient,
			"transient: the file could not be read: the disk is gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, c := start(t, sandbox.Config{})
			file := sendapi.LocalFile{Name: "x", ContentType: "image/png", Size: 6, Reader: row.from}
			_, err := c.UploadFile(t.Context(), page, sendapi.Image, file)
			assert.EqualError(t, err, row.says)
			assert.ErrorIs(t, err, row.want)
			for _, call := range srv.Calls() {
				assert.False(t, call.Accepted, "%+v", call)
			}
			_, err = c.UploadFile(t.Context(), page, sendapi.Image, textFile("image/png", "whole"))
			assert.NoError(t, err, "the connection of a call that broke off is not used again")
		})
	}
}

// Not parallel: it counts what the process allocates, which is a megabyte, and 4 with the race detector, which empties
// the pools of buffers.
func TestLargestFileInConstantMemory(t *testing.T) {
	_, c := start(t, sandbox.Config{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.UploadFile(t.Context(), page, sendapi.Video, sendapi.LocalFile{
		Name: "film.mp4", ContentType: "video/mp4", Size: sendapi.MaxFileBytes,
		Reader: io.LimitReader(endless{}, sendapi.MaxFileBytes),
	})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(sendapi.MaxFileBytes/3), "bytes allocated for a file of 25 MB, server included")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// The time limit of an upload grows with the file, in virtual time.
func TestUploadTimeouts(t *testing.T) {
	t.Parallel()
	const size = 10 * 128 << 10
	for name, row := range map[string]struct {
		delay, want time.Duration
		ok          bool
	}{
		"in time":  {94 * time.Second, 94 * time.Second, true},
		"too late": {96 * time.Second, 95 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, err := sandbox.New(sandbox.Config{Latency: row.delay})
				require.NoError(t, err)
				defer srv.Close()
				c, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://sandbox", HTTPClient: srv.Client()})
				require.NoError(t, err)
				begun := time.Now()
				_, err = c.UploadFile(t.Context(), page, sendapi.File, sendapi.LocalFile{
					Name: "x", ContentType: "text/plain", Size: size, Reader: io.LimitReader(endless{}, size),
				})
				assert.Equal(t, row.want, time.Since(begun))
				if row.ok {
					assert.NoError(t, err)
					return
				}
				assert.ErrorIs(t, err, sendapi.KindTransient, "a second upload does no harm")
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}

// Once a call returned, the caller may do with the file what it wants.
func TestFileIsLeftAloneAfterTheCall(t *testing.T) {
	t.Parallel()
	c := clientFor(t, answering(400, `{"error":{"code":190}}`), sendapi.Config{})
	file := &guarded{t: t}
	_, err := c.UploadFile(t.Context(), page, sendapi.Video, sendapi.LocalFile{
		Name: "x", ContentType: "video/mp4", Size: sendapi.MaxFileBytes, Reader: file,
	})
	file.over = true // the race detector sees a reading that goes on
	assert.ErrorIs(t, err, sendapi.KindAuth, "the server answered before it had the whole file: %v", err)
}

type guarded struct {
	t    *testing.T
	over bool
}

func (g *guarded) Read(p []byte) (int, error) {
	if g.over {
		g.t.Error("read after the call")
	}
	return len(p), nil
}

func TestUploadAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]sendapi.Kind{
		`{}`: sendapi.KindTransient, `{"attachment_id":""}`: sendapi.KindTransient, `<html>`: sendapi.KindTransient,
		`{"error":{"code":100,"error_subcode":2018047}}`:                     sendapi.KindInvalid,
		`{"attachment_id":"1","error":{"code":100,"error_subcode":2018047}}`: sendapi.KindInvalid,
	} {
		c := clientFor(t, answering(200, body), sendapi.Config{})
		_, err := c.UploadURL(t.Context(), page, sendapi.Image, "https://example.com/x.png")
		assert.ErrorIs(t, err, want, body)
	}
}

func TestFieldsBecomeTheBodyThatTheyAreOf(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fields map[string][]string
		want   string
	}{
		{map[string][]string{"recipient": {` {"id": "7"}`}, "messaging_type": {"UPDATE"}}, `{"messaging_type":"UPDATE","recipient":{"id":"7"}}`},
		{map[string][]string{"sender_action": {`"typing_on"`}, "persona_id": {"17"}}, `{"persona_id":"17","sender_action":"typing_on"}`},
		{map[string][]string{"message": {`{"text":`, "second"}, "tag": {}, "batch": {"[]"}}, `{"batch":[],"message":"{\"text\":"}`},
		{map[string][]string{"recipient": {`{'id':'7'}`}, "message": {`{'text':'hello, "world"'}`}},
			`{"message":{"text":"hello, \"world\""},"recipient":{"id":"7"}}`},
		{map[string][]string{"recipient": {`{id:7}`}, "message": {`{ text : 'it\'s: {a:1}', "x" : [true,'\\' , null] }`}},
			`{"message":{"text":"it's: {a:1}","x":[true,"\\",null]},"recipient":{"id":7}}`},
		{map[string][]string{"message": {`{'text':'it's'}`}}, `{"message":"{'text':'it's'}"}`},
		{map[string][]string{"message": {`{'text':'`}, "tag": {`"'`}, "x": {`{'\`}, "y": {`{é:1}`}},
			`{"message":"{'text':'","tag":"\"'","x":"{'\\","y":"{é:1}"}`},
		{nil, `{}`},
	} {
		assert.Equal(t, row.want, string(sendapi.JoinFields(row.fields)), "%v", row.fields)
	}
}
