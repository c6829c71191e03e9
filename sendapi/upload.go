package sendapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	// MaxFileBytes is how large a file may be, 25 MB. Of an image that the platform fetches by URL it takes 8 MB, which
	// only the platform can see.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
	MaxFileBytes = 25 << 20
	// AttachmentLife is how long an attachment id can be sent, from the upload on. Media that is in a conversation
	// stays there.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
	AttachmentLife = 90 * 24 * time.Hour
	// slowestUpload, in bytes a second, is what the time limit of an upload allows for: 25 MB take 200 seconds.
	slowestUpload = 128 << 10
)

// LocalFile is a file to be uploaded. It is streamed: memory does not grow with its size.
type LocalFile struct {
	// Name is the file's name, as the person sees it. Required.
	Name string
	// ContentType is the MIME type. Required, and it must fit: image/* for Image, audio/* for Audio, video/* for Video;
	// anything for File.
	ContentType string
	// Size is the number of bytes, at most MaxFileBytes. Required. A Reader that gives more or fewer makes the call fail
	// before the platform has a whole request.
	Size int64
	// Reader gives the bytes. It is read once, from where it stands, and not after the call returned, so a Read that
	// blocks holds up the call beyond its time limit. Required.
	Reader io.Reader
}

// Uploaded is a file that the platform keeps.
type Uploaded struct {
	// AttachmentID is what MediaID sends, for the page that uploaded it only.
	AttachmentID string
	// Expires is when the id stops working: AttachmentLife after the upload began.
	Expires time.Time
	// Usage is what the answer said of the limits.
	Usage Usage
	// TraceID is what the platform's support asks for; empty when there was none.
	TraceID string
}

// UploadURL makes the platform fetch and keep a file, which takes it up to 75 seconds for a video and 10 for the rest.
// kind is Image, Audio, Video or File. An error is an *Error; it is KindTransient when there was no answer, as a second
// upload does no harm.
// https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api
func (c *Client) UploadURL(ctx context.Context, page Page, kind AttachmentType, address string) (*Uploaded, error) {
	const anyone = "1" // the message is checked as if it were sent
	req := MediaURL(ID(anyone), kind, address)
	if media, ok := req.Message.Attachment.Payload.(*Media); ok {
		media.Reusable = true
	}
	if e := c.validate(req); e != nil {
		return nil, e
	}
	body := uploadBody(req.Message)
	return c.upload(ctx, page, jsonPayload(body), c.cfg.MediaTimeout, body)
}

// UploadFile uploads a file. kind is Image, Audio, Video or File. Its time limit is that of media plus a second for every
// 128 KiB. An error is an *Error: KindInvalid when the file does not fit its description, KindTransient when it
// could not be read or there was no answer, as a second upload does no harm.
// https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api
func (c *Client) UploadFile(ctx context.Context, page Page, kind AttachmentType, file LocalFile) (*Uploaded, error) {
	if ps := file.problems(kind); len(ps) > 0 {
		return nil, refused(ps...)
	}
	message := &Message{Attachment: &Attachment{Type: kind, Payload: &Media{Reusable: true}}}
	body := uploadBody(message)
	form := newFileForm(fieldsOf(body), file)
	up, err := c.upload(ctx, page, form.payload(), c.uploadLimit(file), body, file.hidden())
	if err != nil {
		return nil, form.blame(err)
	}
	return up, nil
}

// SendFile sends a message with a file of this machine. The message's attachment is Image, Audio, Video or File with a
// *Media that has neither URL nor AttachmentID; with Reusable the response has an attachment id. To send a file
// to several people, use UploadFile and MediaID. The time limit is that of UploadFile; an error is an *Error.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
func (c *Client) SendFile(ctx context.Context, page Page, req *Request, file LocalFile) (*Response, error) {
	if e := c.validate(req, WithFile()); e != nil {
		return nil, e
	}
	if ps := file.problems(req.Message.Attachment.Type); len(ps) > 0 {
		return nil, refused(ps...)
	}
	body := encode(req)
	form := newFileForm(fieldsOf(body), file)
	sent, err := c.send(ctx, page, req, form.payload(), c.uploadLimit(file), body, file.hidden())
	if err != nil {
		return nil, form.blame(err)
	}
	return sent, nil
}

func (c *Client) upload(
	ctx context.Context, page Page, body *payload, limit time.Duration, hide ...json.RawMessage,
) (*Uploaded, error) {
	begun := time.Now()
	res, err := c.do(ctx, &call{
		reading: reading{
			pageID: page.ID, hide: newRedactor([]Page{page}, hide...), repeatable: true, wants: "attachment_id",
		},
		page: page, method: http.MethodPost, path: page.ID + "/message_attachments", body: body, limit: limit,
	})
	if err != nil {
		return nil, err
	}
	return &Uploaded{
		AttachmentID: textOf(res.members["attachment_id"]), Expires: begun.Add(AttachmentLife),
		Usage: res.usage, TraceID: res.trace,
	}, nil
}

func (c *Client) uploadLimit(file LocalFile) time.Duration {
	return c.cfg.MediaTimeout + time.Duration(file.Size/slowestUpload)*time.Second
}

// uploadBody is the message alone, as the upload wants it.
func uploadBody(m *Message) json.RawMessage {
	body := append([]byte(`{"message":`), encode(m)...)
	return append(body, '}')
}

// problems checks what can be checked before a byte is read.
func (f LocalFile) problems(kind AttachmentType) Problems {
	var ps Problems
	check := func(ok bool, path, message string) {
		if !ok {
			ps = append(ps, Problem{Path: path, Message: message})
		}
	}
	media := slices.Contains([]AttachmentType{Image, Audio, Video, File}, kind)
	check(media, "type", "must be image, audio, video or file")
	check(f.Name != "" && !strings.ContainsFunc(f.Name, unicode.IsControl), "Name", "must be a file name of one line")
	mimeType, _, err := mime.ParseMediaType(f.ContentType)
	known := err == nil && strings.Contains(mimeType, "/") && !strings.ContainsFunc(f.ContentType, unicode.IsControl)
	check(known, "ContentType", "must be a MIME type")
	if media && kind != File && known {
		check(strings.HasPrefix(mimeType, string(kind)+"/"), "ContentType", fmt.Sprintf("must be %s/* for this type", kind))
	}
	check(f.Size > 0, "Size", "required")
	if f.Size > MaxFileBytes {
		ps = append(ps, Problem{
			Path: "Size", Message: fmt.Sprintf("%d bytes; the limit is %d", f.Size, MaxFileBytes),
			Limit: MaxFileBytes, Found: int(f.Size),
		})
	}
	check(f.Reader != nil, "Reader", "required")
	return ps
}

// hidden is what the platform's answers must not repeat of a file.
func (f LocalFile) hidden() json.RawMessage {
	name, _ := json.Marshal(map[string]string{"name": f.Name}) // a string
	return name
}
