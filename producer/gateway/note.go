package gateway

import (
	"crypto/rand"
	"net/http"
	"regexp"
	"time"

	"github.com/rs/zerolog"
)

// requestHeader carries the id of a call: the caller's, or one of ours. It is in the answer and in the log.
const requestHeader = "X-Request-Id"

var requestIDs = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,64}$`)

// requestID is the caller's, if it is one that a log can bear.
func requestID(r *http.Request) string {
	if id := r.Header.Get(requestHeader); requestIDs.MatchString(id) {
		return id
	}
	return rand.Text()
}

// note logs a call and counts it. Neither the path nor what was sent is in it.
func (h *Handler) note(id string, found *route, a reply, took time.Duration) {
	name, level := noRoute, zerolog.InfoLevel
	if found != nil {
		name = found.name()
	}
	if found != nil && found.open { // a probe, mostly
		level = zerolog.DebugLevel
	}
	h.cfg.Called(name, a.status, took)
	line := h.cfg.Log.WithLevel(level).Str("request", id).Str("route", name).Int("status", a.status).Dur("took_ms", took)
	if job := a.header.Get(jobHeader); job != "" {
		line.Str("job", job)
	}
	if a.trace != "" {
		line.Str("trace", a.trace).Int("code", a.code)
	}
	line.Msg("call")
}
