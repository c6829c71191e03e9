package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptrace"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

// handler sends one task at a time; asynq runs as many as there are places.
type handler struct {
	pacer       *pace.Pacer
	sender      Sender
	pages       map[string]sendapi.Page
	maxAttempts int
	log         zerolog.Logger
}

// delivery is one run of one job.
type delivery struct {
	id      string
	job     producer.Job
	route   producer.Route
	attempt int
	last    bool // asynq would archive the task now whatever the error is
	result  func([]byte) (int, error)
}

// ProcessTask runs a task from hand-out to outcome.
func (h *handler) ProcessTask(ctx context.Context, t *asynq.Task) error {
	id, _ := asynq.GetTaskID(ctx)
	defer h.pacer.Done(id)
	d, err := newDelivery(ctx, id, t)
	if err != nil {
		return h.endUnsent(ctx, d, Failed, err)
	}
	if d.attempt > h.maxAttempts {
		return h.endUnsent(ctx, d, Failed, fmt.Errorf("tried %d times", d.attempt-1))
	}
	page, ok := h.pages[d.job.PageID]
	if !ok {
		return h.pauseForToken(ctx, d)
	}
	if d.expired() {
		return h.endUnsent(ctx, d, Expired, errExpired)
	}
	verdict, err := h.pacer.Await(ctx, id, d.route)
	if err != nil {
		h.pacer.GiveBack(id, d.route)
		return backError{err.Error()}
	}
	if !verdict.Go {
		return backError{verdict.Why}
	}
	if d.expired() {
		return h.end(ctx, d, Expired, errExpired)
	}
	return h.send(ctx, d, page)
}

var errExpired = errors.New("its time had passed before its turn came")

func newDelivery(ctx context.Context, id string, t *asynq.Task) (delivery, error) {
	retried, _ := asynq.GetRetryCount(ctx)
	most, _ := asynq.GetMaxRetry(ctx)
	d := delivery{id: id, attempt: retried + 1, last: retried >= most}
	if w := t.ResultWriter(); w != nil {
		d.result = w.Write
	}
	if t.Type() != producer.TaskType {
		return d, fmt.Errorf("task type %q: this queue takes %q", t.Type(), producer.TaskType)
	}
	var err error
	if d.job, err = producer.ParseJob(t.Payload()); err != nil {
		return d, err
	}
	d.route, err = d.job.Route()
	return d, err
}

func (d delivery) expired() bool {
	return !d.job.ExpiresAt.IsZero() && !time.Now().Before(d.job.ExpiresAt)
}

// send makes the call and does what its answer asks for.
func (h *handler) send(ctx context.Context, d delivery, page sendapi.Page) error {
	start := time.Now()
	resp, err := h.sender.SendRaw(h.watchDeparture(ctx, d), page, d.job.Request)
	took := time.Since(start)
	h.pacer.Report(d.id, reportOf(d.job.PageID, resp, err))
	next := decide(err, d.job.PageID, d.attempt, h.maxAttempts)
	switch {
	case next.retry > 0 && !next.free && d.last:
		next = decision{outcome: Failed}
	case next.free && d.last:
		// asynq archives on the last attempt, whatever the error. Its page waits instead.
		next = decision{back: true, scope: d.job.PageID, pause: next.retry}
	}
	if next.scope != "" {
		h.stop(ctx, d, next, err)
	}
	switch {
	case next.back:
		h.pacer.GiveBack(d.id, d.route)
		return backError{err.Error()}
	case next.retry > 0:
		h.line(d, h.log.Warn()).Err(err).Dur("retry_in", next.retry).Msg("will be retried")
		return retryError{error: err, after: next.retry, free: next.free}
	case next.outcome == Sent:
		h.keepResult(d, resp)
		h.line(d, h.log.Info()).Str("message_id", resp.MessageID).Dur("took", took).Msg(string(Sent))
		h.finish(ctx, d, Sent)
		return nil
	}
	return h.end(ctx, d, next.outcome, err)
}

// watchDeparture tells the pacer when the request was really written.
func (h *handler) watchDeparture(ctx context.Context, d delivery) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) {
			brief, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if err := h.pacer.Left(brief, d.id, time.Now()); err != nil {
				h.line(d, h.log.Warn()).Err(err).Msg("could not note that the message left late")
			}
		},
	})
}

// stop pauses or holds what the error names. The fleet must know before anything else happens.
func (h *handler) stop(ctx context.Context, d delivery, next decision, cause error) {
	why := reasonOf(cause)
	log := h.line(d, h.log.Warn()).Err(cause).Str("scope", next.scope)
	if next.hold {
		err := h.pacer.Hold(ctx, next.scope, why)
		log.AnErr("pacer", err).Msg("held until a person releases it")
		return
	}
	left, err := h.pacer.Pause(ctx, next.scope, next.pause, why)
	log.AnErr("pacer", err).Dur("for", left).Msg("paused")
}

func reasonOf(err error) pace.Reason {
	why := pace.Reason{Text: err.Error(), Since: time.Now().UTC()}
	var e *sendapi.Error
	if errors.As(err, &e) {
		why.Code, why.Subcode = e.Code, e.Subcode
	}
	return why
}

// tokenPause is how long a page stands still after a worker without its token met one of its jobs. It ends by itself, since
// in a rolling restart the worker that lacks the token may be the one that goes.
const tokenPause = 30 * time.Second

// pauseForToken pauses a page that this worker has no token for. A worker that has one lifts the pause when it starts.
func (h *handler) pauseForToken(ctx context.Context, d delivery) error {
	text := "no access token for page " + d.job.PageID + ": add it to pages in the configuration and restart the workers"
	why := pace.Reason{Text: text, MissingToken: true, Since: time.Now().UTC()}
	_, err := h.pacer.Pause(ctx, d.job.PageID, tokenPause, why)
	h.line(d, h.log.Warn()).AnErr("pacer", err).Msg("paused: no access token is configured for the page")
	h.pacer.GiveBack(d.id, d.route)
	return backError{text}
}

// endUnsent ends a job whose slot others can use.
func (h *handler) endUnsent(ctx context.Context, d delivery, o Outcome, cause error) error {
	if err := h.pacer.Unused(ctx, d.id); err != nil {
		h.line(d, h.log.Warn()).Err(err).Msg("its slot is lost")
	}
	return h.end(ctx, d, o, cause)
}

// end notes the outcome of a job that was not sent. asynq archives it, with the reason.
func (h *handler) end(ctx context.Context, d delivery, o Outcome, cause error) error {
	var e *sendapi.Error
	log := h.line(d, h.log.Warn()).Err(cause)
	if errors.As(cause, &e) {
		log = log.Int("code", e.Code).Int("subcode", e.Subcode).Str("kind", string(e.Kind))
	}
	log.Msg(string(o))
	h.finish(ctx, d, o)
	return endError{o, cause}
}

func (h *handler) finish(ctx context.Context, d delivery, o Outcome) {
	if err := h.pacer.Finish(context.WithoutCancel(ctx), d.id, d.route, string(o)); err != nil {
		h.line(d, h.log.Error()).Err(err).Msg("could not note the outcome; the next message to this recipient waits for a sweep")
	}
}

// keepResult writes the result to the task if asynq keeps the task, which it does for jobs with a key.
func (h *handler) keepResult(d delivery, resp *sendapi.Response) {
	if d.job.Key == "" || d.result == nil {
		return
	}
	body, err := json.Marshal(map[string]any{"outcome": Sent, "message_id": resp.MessageID, "attempts": d.attempt})
	if err == nil {
		_, err = d.result(body)
	}
	if err != nil {
		h.line(d, h.log.Warn()).Err(err).Msg("could not keep the result")
	}
}

// line starts a log line about a job. The recipient shows as a hash, the message not at all.
func (h *handler) line(d delivery, e *zerolog.Event) *zerolog.Event {
	return e.Str("job", d.id).Str("page", d.job.PageID).Str("lane", string(d.route.Line.Lane)).
		Str("recipient", d.route.Recipient).Int("attempt", d.attempt)
}
