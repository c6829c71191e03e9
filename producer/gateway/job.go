package gateway

import (
	"errors"
	"net/http"
	"time"

	"github.com/sendpace/sendpace/producer"
)

// jobState is what a caller is told of a job. The message itself is not in it.
type jobState struct {
	ID          string            `json:"id"`
	PageID      string            `json:"page_id"`
	State       producer.State    `json:"state"`
	Lane        producer.Lane     `json:"lane,omitempty"`
	Place       int64             `json:"place,omitempty"`
	ETA         time.Time         `json:"eta,omitzero"`
	Stopped     producer.Stop     `json:"stopped,omitempty"`
	At          time.Time         `json:"at,omitzero"`
	Attempts    int               `json:"attempts"`
	LastError   string            `json:"last_error,omitempty"`
	CancelAsked bool              `json:"cancel_asked,omitempty"`
	Outcome     *producer.Outcome `json:"outcome,omitempty"`
}

func (h *Handler) showJob(c *call) reply {
	state, f := h.job(c)
	if f != nil {
		return f.reply()
	}
	return answerWith(http.StatusOK, state)
}

// cancelStatus is how each end of cancelling is answered.
var cancelStatus = map[producer.CancelResult]int{
	producer.CancelDone: http.StatusOK, producer.CancelInHand: http.StatusAccepted, producer.CancelTooLate: http.StatusConflict,
}

func (h *Handler) cancelJob(c *call) reply {
	state, f := h.job(c)
	if f != nil {
		return f.reply()
	}
	ctx, cancel := h.storeContext(c.r)
	defer cancel()
	result, err := h.queue.Cancel(ctx, state.ID)
	h.noteQueue(err)
	switch {
	case err != nil:
		return queueAway.reply()
	case result == producer.CancelNotFound:
		return noJob.reply()
	}
	return answerWith(cancelStatus[result], map[string]any{"id": state.ID, "result": result})
}

// job reads the job that the path names. One of a page that the credential is not for is not there.
func (h *Handler) job(c *call) (jobState, *failure) {
	g, f := h.now.Load().access.find(c.token)
	if f != nil {
		return jobState{}, f
	}
	ctx, cancel := h.storeContext(c.r)
	defer cancel()
	info, err := h.queue.Get(ctx, c.arg)
	if errors.Is(err, producer.ErrNotFound) {
		h.noteQueue(nil)
		return jobState{}, noJob
	}
	if h.noteQueue(err); err != nil {
		return jobState{}, queueAway
	}
	state := stateOf(info)
	if !g.covers(state.PageID) {
		return jobState{}, noJob
	}
	return state, nil
}

func stateOf(info producer.JobInfo) jobState {
	s := jobState{
		ID: info.ID, PageID: info.Job.PageID, State: info.State, Lane: info.Job.Lane, Place: info.Place, ETA: info.ETA,
		Stopped: info.Stopped, At: info.At, Attempts: info.Attempts, LastError: info.LastError, CancelAsked: info.CancelAsked, Outcome: info.Outcome,
	}
	if s.Outcome != nil {
		s.Outcome.Job = nil
	}
	return s
}
