package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

type codes struct{ code, subcode int }

// refuse returns the platform's error object.
// https://developers.facebook.com/docs/graph-api/guides/error-handling
func (s *Server) refuse(c codes, message string) reply {
	type body struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Code    int    `json:"code"`
		Subcode int    `json:"error_subcode,omitempty"`
		Trace   string `json:"fbtrace_id"`
	}
	text, _ := json.Marshal(map[string]body{"error": { // strings and numbers
		Message: fmt.Sprintf("(#%d) %s", c.code, message),
		Type:    "OAuthException",
		Code:    c.code,
		Subcode: c.subcode,
		Trace:   "A" + s.started + strconv.FormatUint(s.ids.Add(1), 36),
	}})
	return reply{status: statusOf(c.code), code: c.code, subcode: c.subcode, body: text, header: make(http.Header)}
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
func (s *Server) fail(page string, f Fault) reply {
	message := f.Message
	if message == "" {
		message = "refused by the sandbox"
	}
	answer := s.refuse(codes{f.Code, f.Subcode}, message)
	if f.Code == 0 {
		answer.body = []byte("<html><body>" + http.StatusText(f.Status) + "</body></html>\n")
	}
	if 200 <= f.Status && f.Status < 600 {
		answer.status = f.Status
	}
	switch {
	case f.Code == 4 || f.Code == 341 || f.Code == 613 && f.Subcode == 1996:
		answer.header.Set("X-App-Usage", `{"call_count":100,"total_cputime":25,"total_time":25}`)
	case f.Code == 32 || f.Code == 613 || 80000 <= f.Code && f.Code <= 80014:
		answer.blocked(page, f.RetryAfter)
	}
	if f.RetryAfter > 0 {
		answer.blocked(page, f.RetryAfter)
	}
	return answer
}

func (s *Server) overLimit(page string) reply {
	answer := s.refuse(codes{613, 0}, "more calls in a second than the page may make")
	answer.blocked(page, 0)
	return answer
}

// blocked adds the header of a page whose allowance is used up. Its wait is in whole minutes, rounded up; 0 means
// that there is no estimate.
// https://developers.facebook.com/docs/graph-api/overview/rate-limiting
func (a reply) blocked(page string, wait time.Duration) {
	minutes := (wait + time.Minute - 1) / time.Minute
	a.header.Set("X-Business-Use-Case-Usage", fmt.Sprintf(`{%q:[{"type":"messenger","call_count":100,`+
		`"total_cputime":25,"total_time":25,"estimated_time_to_regain_access":%d}]}`, page, minutes))
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
