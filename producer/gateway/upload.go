package gateway

import (
	"cmp"
	"encoding/json"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// uploadTime is how long a caller may take to send a file and to wait for what became of it: 25 MB at the slowest pace that
// sendapi allows for, both ways, and the platform's time.
const uploadTime = 10 * time.Minute

// answerTime is what is left for the answer when a body took all the time that it may.
const answerTime = 15 * time.Second

// upload is the message_attachments edge: the platform keeps the file, and its answer is passed on. It is not queued, as the
// caller needs the id in order to go on.
// https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api
func (h *Handler) upload(c *call) reply {
	p, f := h.read(c)
	if f != nil {
		return f.reply()
	}
	page, f := h.authorize(c.arg, p.token)
	if f != nil {
		return f.reply()
	}
	var message sendapi.Message
	if err := json.Unmarshal(memberOf(p.body, "message"), &message); err != nil || message.Attachment == nil {
		return invalid("message: must have an attachment").reply()
	}
	id, f := h.keep(c, page, message.Attachment, p)
	if f != nil {
		return f.reply()
	}
	return answerWith(http.StatusOK, success{AttachmentID: id})
}

// keep has the platform keep a file: the one that came along, or the one at a URL.
func (h *Handler) keep(c *call, page string, a *sendapi.Attachment, p params) (id string, f *failure) {
	c.extend(uploadTime)
	ctx := c.r.Context()
	var up *sendapi.Uploaded
	var err error
	if p.file != nil {
		if p.file.Size > sendapi.MaxFileBytes {
			return "", fileTooLarge(p.file.Size)
		}
		file, failed := p.file.Open()
		if failed != nil {
			return "", internalError
		}
		defer file.Close()
		up, err = h.graph.UploadFile(ctx, h.now.Load().pages[page], a.Type, sendapi.LocalFile{
			Name: p.file.Filename, ContentType: typeOf(p.file, a.Type), Size: p.file.Size, Reader: file,
		})
	} else {
		media, ok := a.Payload.(*sendapi.Media)
		if !ok || media == nil || media.URL == "" {
			return "", invalid("message.attachment.payload.url: missing, and no file came along as filedata")
		}
		up, err = h.graph.UploadURL(ctx, h.now.Load().pages[page], a.Type, media.URL)
	}
	if err != nil {
		return "", graphFailure(err)
	}
	return up.AttachmentID, nil
}

// typeOf is the MIME type of a file. Where the caller says none, as public clients such as pymessenger do, or just that it is bytes,
// the ending of the name tells.
func typeOf(file *multipart.FileHeader, kind sendapi.AttachmentType) string {
	const nothing = "application/octet-stream"
	said := cmp.Or(file.Header.Get("Content-Type"), nothing)
	ending := strings.ToLower(strings.TrimPrefix(path.Ext(file.Filename), "."))
	if said != nothing || kind == sendapi.File || ending == "" {
		return said
	}
	named, wanted := mime.TypeByExtension("."+ending), string(kind)+"/"
	if strings.HasPrefix(named, wanted) {
		return named
	}
	return wanted + ending // the machine's tables need not know audio/mp3
}

// attach uploads the file that came with a message. The message then waits for its turn like any other, which the file itself
// could not. The caller learns the id if it asked for a reusable file.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
func (h *Handler) attach(c *call, page string, p params) (body json.RawMessage, id string, f *failure) {
	req, err := sendapi.ParseRequest(p.body)
	if err == nil {
		err = req.Validate(sendapi.WithFile())
	}
	if err != nil {
		return nil, "", enqueueFailure(err, p.body)
	}
	media := req.Message.Attachment.Payload.(*sendapi.Media) // Validate saw to it
	if id, f = h.keep(c, page, req.Message.Attachment, p); f != nil {
		return nil, "", f
	}
	reusable := media.Reusable
	media.Reusable, media.AttachmentID = false, id
	body, err = req.MarshalJSON()
	if err != nil {
		return nil, "", internalError
	}
	if !reusable {
		id = ""
	}
	return body, id, nil
}
