package monitor

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
)

const (
	// maxBody bounds a call, and maxWhy a person's reason, in bytes.
	maxBody = 4 << 10
	maxWhy  = 500
	// longestStop bounds a pause. What is to last longer is a hold.
	longestStop = 30 * 24 * time.Hour
)

// order is what a visitor wants done.
type order struct {
	// Scope is a page, or "app" for all.
	Scope string `json:"scope"`
	// Seconds is how long to stop it; 0 is until a person lets it go on.
	Seconds int64 `json:"seconds"`
	// Why is for others who look.
	Why string `json:"why"`
}

// done is what became of it.
type done struct {
	Text string `json:"text"`
}

func (h *Handler) mayAct() bool { return h.cfg.Stop != nil && h.cfg.Release != nil }

func (h *Handler) stop(w http.ResponseWriter, r *http.Request) {
	o, ok := h.order(w, r)
	if !ok {
		return
	}
	o.Why = strings.TrimSpace(strings.Map(printable, o.Why))
	switch {
	case o.Why == "" || len(o.Why) > maxWhy:
		refuse(w, http.StatusUnprocessableEntity, "say why, in at most 500 bytes: others look at it")
		return
	case o.Seconds < 0 || o.Seconds > int64(longestStop/time.Second):
		refuse(w, http.StatusUnprocessableEntity, "a pause lasts at most 30 days; a hold lasts until it is released")
		return
	}
	text, err := h.cfg.Stop(r.Context(), o.Scope, time.Duration(o.Seconds)*time.Second, o.Why)
	h.tell(w, text, err)
}

func (h *Handler) release(w http.ResponseWriter, r *http.Request) {
	o, ok := h.order(w, r)
	if !ok {
		return
	}
	text, err := h.cfg.Release(r.Context(), o.Scope)
	h.tell(w, text, err)
}

func (h *Handler) tell(w http.ResponseWriter, text string, err error) {
	h.fleet.forget()
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, done{text})
}

// order reads what is to be done. A form of another site cannot send JSON without the browser asking here first.
func (h *Handler) order(w http.ResponseWriter, r *http.Request) (o order, ok bool) {
	if !h.mayAct() {
		refuse(w, http.StatusForbidden, "this monitor only shows; start it with --read-write")
		return o, false
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "send application/json")
		return o, false
	}
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	in.DisallowUnknownFields()
	if err := in.Decode(&o); err != nil || in.More() {
		refuse(w, http.StatusBadRequest, `send {"scope": "1001"}, and to stop it "seconds" and "why"`)
		return o, false
	}
	if o.Scope != pace.App && !producer.IsPageID(o.Scope) {
		refuse(w, http.StatusUnprocessableEntity, "the scope is a page's id, which has 1 to 32 digits, or app")
		return o, false
	}
	_, _ = io.Copy(io.Discard, r.Body) // so that the connection can be used again
	return o, true
}

func printable(c rune) rune {
	if unicode.IsControl(c) {
		return ' '
	}
	return c
}
