package sandbox

import (
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// usable refuses an attachment that another page uploaded, or longer ago than it lives, and a persona that is deleted
// or another page's. What was not made here is refused if Config.KnownIDs asks for it.
func (s *Server) usable(page string, req *sendapi.Request, at time.Time) refusal {
	if media := mediaOf(req.Message); media != nil && media.AttachmentID != "" {
		f, known := s.kept.file(media.AttachmentID)
		if known && (f.page != page || at.Sub(f.at) >= sendapi.AttachmentLife) || !known && s.cfg.KnownIDs {
			return refusal{codes: codes{100, 2018074}, why: "the attachment id is unknown, expired, or of another page"}
		}
	}
	if req.PersonaID != "" {
		p, known := s.kept.persona(req.PersonaID)
		if known && (p.page != page || p.deleted) || !known && s.cfg.KnownIDs {
			return refusal{codes: codes{100, 0}, why: "persona_id: there is no such persona"}
		}
	}
	return refusal{}
}
