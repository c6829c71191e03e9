package sandbox

import (
	"strconv"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

const (
	// maxAttachments bounds the attachment ids that are remembered.
	maxAttachments = 100_000
	// attachmentLife is how long an attachment id works after the upload.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
	attachmentLife = 90 * 24 * time.Hour
)

// upload is where an attachment id works, and since when.
type upload struct {
	page string
	at   time.Time
}

// keepAttachment returns a new attachment id of a page.
func (s *Server) keepAttachment(page string, at time.Time) string {
	id := strconv.FormatUint(1e15+s.ids.Add(1), 10)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attachments.put(id, upload{page, at})
	return id
}

// attachment refuses an id that another page uploaded, that is too old, or, if Config.KnownAttachments asks for it, that
// nobody uploaded here.
func (s *Server) attachment(page string, req *sendapi.Request, at time.Time) refusal {
	id := mediaOf(req).AttachmentID
	if id == "" {
		return refusal{}
	}
	from, known := s.attachments.get(id)
	if known && from.page == page && at.Sub(from.at) < attachmentLife || !known && !s.cfg.KnownAttachments {
		return refusal{}
	}
	return refusal{codes: codes{100, 2018074}, why: "the attachment id is unknown, expired, or of another page"}
}

// mediaOf returns the media of a message, empty when there is none.
func mediaOf(req *sendapi.Request) sendapi.Media {
	if req != nil && req.Message != nil && req.Message.Attachment != nil {
		if media, ok := req.Message.Attachment.Payload.(*sendapi.Media); ok && media != nil {
			return *media
		}
	}
	return sendapi.Media{}
}
