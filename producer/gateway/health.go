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

// ready tries whether a job could be stored.
func (h *Handler) ready(c *call) reply {
	ctx, cancel := context.WithTimeout(c.r.Context(), readyTimeout)
	defer cancel()
	var refused *producer.UnwritableError
	switch err := h.queue.Ready(ctx); {
	case err == nil:
		return h.alive(c)
	case errors.As(err, &refused):
		return queueRefuses(refused.Reason).reply()
	}
	return queueAway.reply()
}
