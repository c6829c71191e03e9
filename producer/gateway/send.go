package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

// send is the messages edge.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (h *Handler) send(c *call) reply {
	p, f := h.read(c)
	if f != nil {
		return f.reply()
	}
	job, f := h.newJob(c.arg, p, c.r.Header)
	if f != nil {
		return f.reply()
	}
	attachment := ""
	if p.file != nil {
		if job.Request, attachment, f = h.attach(c, job.PageID, p); f != nil {
			return f.reply()
		}
	}
	ctx, cancel := h.storeContext(c.r)
	defer cancel()
	receipt, err := h.queue.Enqueue(ctx, job)
	return h.enqueued(job, receipt, err, attachment)
}

// newJob makes a job for the page that node names, if the credential is for it.
func (h *Handler) newJob(node string, p params, header http.Header) (producer.Job, *failure) {
	page, f := h.authorize(node, p.token)
	if f != nil {
		return producer.Job{}, f
	}
	if len(p.body) > producer.MaxJobBytes { // spaces are not stored
		var compact bytes.Buffer
		if json.Compact(&compact, p.body) == nil { // it is an object
			p.body = compact.Bytes()
		}
	}
	if len(p.body) > producer.MaxJobBytes { // to read it and say all that is wrong could take a thousand times its size
		return producer.Job{}, invalid("a send has at most %d bytes, and this one has %d", producer.MaxJobBytes, len(p.body))
	}
	job, f := jobOf(header)
	job.PageID, job.Request = page, p.body
	return job, f
}

func (h *Handler) authorize(node, token string) (page string, f *failure) {
	now := h.now.Load()
	g, f := now.access.find(token)
	if f != nil {
		return "", f
	}
	return g.page(node, func(id string) bool {
		_, ok := now.pages[id]
		return ok
	})
}

// storeContext bounds the wait for Redis. That the caller goes away does not end it: a job is then stored or not, as if the
// caller had stayed, and a connection to Redis is not lost with each caller.
func (h *Handler) storeContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), h.cfg.StoreTimeout)
}

// jobHeader has the job's id in an answer.
const jobHeader = optionPrefix + "Job"

// success is what the platform answers to a send.
type success struct {
	RecipientID  string `json:"recipient_id,omitempty"`
	MessageID    string `json:"message_id,omitempty"`
	AttachmentID string `json:"attachment_id,omitempty"`
}

// enqueued answers a send by what the producer said. The recipient's id is only in it where the caller gave it: for other
// addresses the platform finds it out when the message is sent.
func (h *Handler) enqueued(job producer.Job, receipt producer.Receipt, err error, attachment string) reply {
	if err != nil {
		f := enqueueFailure(err, job.Request)
		if f == queueAway {
			h.noteQueue(err)
		}
		return f.reply()
	}
	h.noteQueue(nil)
	answer := success{MessageID: receipt.ID, AttachmentID: attachment}
	if req, err := sendapi.ParseRequest(job.Request); err == nil {
		answer.RecipientID = req.Recipient.ID
		if req.Message == nil {
			answer.MessageID = ""
		}
	}
	a := answerWith(http.StatusOK, answer)
	a.header.Set(jobHeader, receipt.ID)
	if receipt.Repeat {
		a.header.Set("X-Sendpace-Repeat", "true")
	}
	return a
}

// noteQueue logs when Redis goes away and comes back, not each call in between.
func (h *Handler) noteQueue(err error) {
	switch {
	case err != nil && !h.away.Swap(true):
		h.cfg.Log.Warn().Err(err).Msg("Redis does not answer; calls are refused until it does")
	case err == nil && h.away.Load() && h.away.Swap(false):
		h.cfg.Log.Info().Msg("Redis answers again")
	}
}
