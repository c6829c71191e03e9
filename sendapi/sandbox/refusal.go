package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

type codes struct{ code, subcode int }

// refusal is a reason not to do what a call asks for; the zero value is none.
type refusal struct {
	codes
	why string
}

func (r refusal) refuses() bool { return r.code != 0 }

// refuse returns the platform's error object. It says is_transient where recordings show it.
// https://developers.facebook.com/docs/graph-api/guides/error-handling
func (s *Server) refuse(c codes, message string) reply {
	return s.refuseAs(c, message, "OAuthException", false)
}

func (s *Server) refuseAs(c codes, message, kind string, transient bool) reply {
	type body struct {
		Message   string `json:"message"`
		Type      string `json:"type"`
		Code      int    `json:"code"`
		Subcode   int    `json:"error_subcode,omitempty"`
		Transient bool   `json:"is_transient,omitempty"`
		Trace     string `json:"fbtrace_id"`
	}
	text, _ := json.Marshal(map[string]body{"error": { // strings and numbers
		Message:   fmt.Sprintf("(#%d) %s", c.code, message),
		Type:      kind,
		Code:      c.code,
		Subcode:   c.subcode,
		Transient: transient || c.code == 2 || c.code == 1200,
		Trace:     "A" + s.started + strconv.FormatUint(s.ids.Add(1), 36),
	}})
	return reply{status: statusOf(c.code), code: c.code, subcode: c.subcode, body: text}
}

// statusOf is the usual HTTP status of a code, as far as recordings show it: there is no official table.
func statusOf(code int) int {
	switch {
	case code == 1 || code == 2 || code == 1200:
		return http.StatusInternalServerError
	case code == 10 || 200 <= code && code <= 299:
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

// fail answers as a fault says. Without a code it is an answer of something else than the platform.
func (s *Server) fail(f Fault) reply {
	message := f.Message
	if message == "" {
		message = "refused by the sandbox"
	}
	answer := s.refuseAs(codes{f.Code, f.Subcode}, message, "OAuthException", f.Transient)
	if f.Code == 0 {
		answer.body = []byte("<html><body>" + http.StatusText(f.Status) + "</body></html>\n")
	}
	if 200 <= f.Status && f.Status < 600 {
		answer.status = f.Status
	}
	return answer
}

func (a reply) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	kind := "application/json"
	if len(a.body) > 0 && a.body[0] == '<' {
		kind = "text/html"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller may be gone
}
