package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sendpace/sendpace/sendapi"
)

// action is what an edge makes of an operation that may call it.
type action struct {
	recipient string           // for the record
	media     bool             // it counts against the media limit
	fetches   string           // where the platform has to fetch media from, if it has to
	request   *sendapi.Request // what is sent, where the edge sends; nil elsewhere
	refused   refusal          // what is wrong with the operation itself
	run       func() reply     // once nothing stands in its way
}

// edges are what can be called, by method and the name below a node; a node itself has the name "". A batch is not among
// them: it cannot be part of one.
var edges = map[string]func(*Server, *operation) action{
	"POST messages":            (*Server).messages,
	"POST message_attachments": (*Server).upload,
	"POST personas":            (*Server).createPersona,
	"GET personas":             (*Server).listPersonas,
	"GET ":                     (*Server).getNode,
	"DELETE ":                  (*Server).deletePersona,
}

// knownEdges is what a caller of anything else is told.
const knownEdges = "POST messages, POST message_attachments and POST or GET personas below /{version}/{page-id}/, " +
	"GET /{page-id}, GET or DELETE /{persona-id}, and a batch at POST /"

// route finds the edge that a request is for.
func (s *Server) route(r *http.Request) (*operation, bool) {
	op := newOperation(r.Method, r.URL.Path, r.URL.RawQuery)
	if op == nil {
		return nil, false
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		op.token = bearer
	}
	return op, true
}

// resolve finds the page of an operation: /me/ is that of the token, a persona's is the one that made it.
func (s *Server) resolve(op *operation) {
	op.call.PageID = op.node
	if op.node == "me" {
		if known, ok := s.credentials.pageOf(op.token); ok {
			op.call.PageID = known
		}
	} else if p, ok := s.kept.persona(op.node); ok && op.call.Edge == "" {
		op.call.PageID = p.page
	}
}

// upload is the edge that keeps a file. One that is to come from a URL is not fetched.
// https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api
func (s *Server) upload(op *operation) action {
	refused := func(c codes, why string) action { return action{refused: refusal{c, why}} }
	var body struct{ Message sendapi.Message }
	if err := json.Unmarshal(op.call.Body, &body); err != nil {
		return refused(codes{100, 0}, err.Error())
	}
	media := mediaOf(&body.Message)
	if media == nil || media.AttachmentID != "" || media.URL == "" && op.file == nil {
		return refused(codes{100, 0}, "message.attachment must be a file, by URL or as the part filedata")
	}
	const anyone = "1" // the message is checked as if it were sent
	req := &sendapi.Request{Recipient: sendapi.ID(anyone), Message: &body.Message}
	if r := s.content(op, req); r.refuses() {
		return action{refused: r}
	}
	return action{fetches: media.URL, run: func() reply {
		return accepted(map[string]string{"attachment_id": s.keepFile(op.call.PageID, body.Message.Attachment.Type)})
	}}
}

// unfit says why the file that came with a message, if any, cannot be its attachment.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
func (op *operation) unfit(m *sendapi.Message) (codes, string) {
	media := mediaOf(m)
	switch {
	case op.file == nil:
		return codes{}, ""
	case media == nil || media.URL != "" || media.AttachmentID != "":
		return codes{100, 0}, "a file in the part filedata needs a media attachment that names no other"
	case op.file.size > sendapi.MaxFileBytes:
		return codes{100, 2018109}, "the file is larger than 25 MB"
	}
	if kind := m.Attachment.Type; kind != sendapi.File && !strings.HasPrefix(op.file.contentType, string(kind)+"/") {
		return codes{100, 2018047}, fmt.Sprintf("a file of type %.40q is no %s", op.file.contentType, kind)
	}
	return codes{}, ""
}

// reusable keeps the file that an accepted message brought, if it asked for that, and returns its id.
func (s *Server) reusable(op *operation, m *sendapi.Message) string {
	media := mediaOf(m)
	if media == nil || !media.Reusable || media.URL == "" && op.file == nil {
		return ""
	}
	return s.keepFile(op.call.PageID, m.Attachment.Type)
}

// mediaOf returns nil for a message without a media file.
func mediaOf(m *sendapi.Message) *sendapi.Media {
	if m == nil || m.Attachment == nil {
		return nil
	}
	media, _ := m.Attachment.Payload.(*sendapi.Media)
	return media
}

// keepFile returns a new attachment id of a page.
func (s *Server) keepFile(page string, kind sendapi.AttachmentType) string {
	id := s.newID()
	s.kept.addFile(id, storedFile{page: page, kind: kind, at: time.Now()})
	return id
}

// newID returns an id in decimal digits, as the platform's.
func (s *Server) newID() string { return strconv.FormatUint(1e15+s.ids.Add(1), 10) }

// accepted is a success with a body of its own.
func accepted(body any) reply {
	text, _ := json.Marshal(body) // strings, in maps and structs of this package
	return reply{status: http.StatusOK, body: text, accepted: true}
}

// createPersona, and the edges below, manage the names under which a page writes.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/personas
func (s *Server) createPersona(op *operation) action {
	return action{run: func() reply {
		var p persona
		if err := json.Unmarshal(op.call.Body, &p); err != nil || p.Name == "" || p.Picture == "" {
			return s.refuse(codes{100, 0}, "name and profile_picture_url are required")
		}
		if utf8.RuneCountInString(p.Name) > 50 {
			return s.refuse(codes{100, 0}, "name is longer than 50 characters")
		}
		p.ID, p.page = s.newID(), op.call.PageID
		s.kept.addPersona(p)
		return accepted(map[string]string{"id": p.ID})
	}}
}

const maxListed = 100

func (s *Server) listPersonas(op *operation) action {
	return action{run: func() reply {
		most := 25
		if n, err := strconv.Atoi(op.query.Get("limit")); err == nil {
			most = min(max(n, 1), maxListed)
		}
		found, more := s.kept.personasOf(op.call.PageID, op.query.Get("after"), most)
		type cursors struct {
			After string `json:"after"`
		}
		var answer struct {
			Data   []persona `json:"data"`
			Paging struct {
				Cursors *cursors `json:"cursors,omitempty"`
				Next    string   `json:"next,omitempty"`
			} `json:"paging"`
		}
		answer.Data = found
		if len(found) > 0 {
			last := found[len(found)-1].ID
			answer.Paging.Cursors = &cursors{last}
			if more {
				answer.Paging.Next = fmt.Sprintf("/%s/personas?limit=%d&after=%s", op.call.PageID, most, last)
			}
		}
		return accepted(answer)
	}}
}

// getNode reads a persona, or the name of a page.
func (s *Server) getNode(op *operation) action {
	return action{run: func() reply {
		p, ok := s.kept.persona(op.node)
		switch {
		case op.call.PageID == "me":
			return s.refuse(codes{100, 0}, "the sandbox takes any token, and cannot tell whose this one is; give it the "+
				"tokens of its pages")
		case !ok:
			return accepted(map[string]string{"id": op.call.PageID, "name": "Page " + op.call.PageID})
		case p.deleted:
			return s.refuse(codes{100, 33}, "there is no such persona")
		}
		return accepted(p)
	}}
}

func (s *Server) deletePersona(op *operation) action {
	return action{run: func() reply {
		if !s.kept.deletePersona(op.node) {
			return s.refuse(codes{100, 33}, "there is no such persona")
		}
		return accepted(map[string]bool{"success": true})
	}}
}
