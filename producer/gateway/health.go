package gateway

import (
	"context"
	_ "embed" // the description is a file, so that other tools read it too
	"errors"
	"net/http"
	"time"

	"github.com/sendpace/sendpace/producer"
)

// readyTimeout is well below the time after which probes give up.
const readyTimeout = time.Second

//go:embed openapi.json
var openAPI []byte

func (h *Handler) openAPI(*call) reply {
	return reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: openAPI}
}

func (h *Handler) alive(*call) reply {
	return answerWith(http.StatusOK, map[string]string{"status": "ok"})
}

// ready asks Redis for a job that cannot be.
func (h *Handler) ready(c *call) reply {
	ctx, cancel := context.WithTimeout(c.r.Context(), readyTimeout)
	defer cancel()
	if _, err := h.queue.Get(ctx, "none"); !errors.Is(err, producer.ErrNotFound) {
		return queueAway.reply()
	}
	return h.alive(c)
}
