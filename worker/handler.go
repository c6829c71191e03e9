package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/spans"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

// newerPause is how long a job waits that only a later version can read. In a rolling upgrade there is one soon.
const newerPause = 30 * time.Second

var errExpired = errors.New("its time had passed before its turn came")

// triedBefore stands between that and the reason of the last retry.
const triedBefore = "; it was tried before: "

// handler sends one job at a time; asynq runs as many as there are places.
type handler struct {
	pacer       *pace.Pacer
	queue       string // of the shard
	shards      producer.Shards
	sender      Sender
	pages       *pageBook
	maxAttempts int
	onUnknown   producer.UnknownPolicy
	suppressFor time.Duration
	sendTimeout time.Duration
	log         zerolog.Logger
	observer    Observer
	plain       bool // recipients in the log
	tracing     tracing
}

// ProcessTask runs a job from hand-out to its settlement. asynq is told nothing but that the run is over.
func (h *handler) ProcessTask(ctx context.Context, _ *asynq.Task) error {
	growStack()
	id, _ := asynq.GetTaskID(ctx)
	hand := h.pacer.Begin(id)
	if hand == nil {
		return nil // taken over before it began
	}
	h.run(ctx, hand)
	return nil
}

// run settles a hand, whatever happens.
func (h *handler) run(ctx context.Context, hand *pace.Hand) {
	defer h.pacer.End(hand)
	d, err := h.newDelivery(hand)
	ctx = h.tracing.begin(ctx, d)
	defer d.span.End()
	defer h.recover(ctx, d)
	switch {
	case err != nil && newer(hand.Payload):
		err = fmt.Errorf("a later version of Sendpace is needed: %w", err) // what is looked at where the job is
		h.line(d, h.log.Warn()).Err(err).Msg("the job waits for a worker of a later version")
		h.settle(ctx, d, pace.Settlement{Outcome: d.ended("", err), Retry: newerPause})
	case err != nil:
		h.endUnsent(ctx, d, producer.Failed, err)
	case d.expired():
		h.endUnsent(ctx, d, producer.Expired, d.expiry())
	default:
		h.deliver(ctx, d)
	}
}

// recover settles a job whose run panicked. What a panic says is not logged: it may hold the message.
func (h *handler) recover(ctx context.Context, d *delivery) {
	if recover() == nil {
		return
	}
	h.line(d, h.log.Error()).Bytes("stack", debug.Stack()).Msg("panic")
	e := &sendapi.Error{Kind: sendapi.KindTransient, Message: "the worker panicked"}
	if d.sending {
		e.Kind = sendapi.KindUnknownOutcome
	}
	h.act(ctx, d, nil, e)
}

// deliver waits for the job's turn.
func (h *handler) deliver(ctx context.Context, d *delivery) {
	page, ok := h.pages.get(d.job.PageID)
	if !ok {
		h.holdForToken(ctx, d)
		return
	}
	asked := time.Now()
	var err error
	waiting, span := h.tracing.start(ctx, "permit")
	d.permit, err = h.pacer.Await(waiting, d.hand, pace.Ask{Route: d.route, Never: d.never})
	span.SetAttributes(spans.Verdict.String(string(d.permit.Verdict)))
	span.End()
	h.observer.Waited(d.route.Line.Lane, time.Since(asked))
	switch {
	case err != nil:
		h.line(d, h.log.Debug()).Err(err).Msg("back to its line")
		h.settle(ctx, d, pace.Settlement{Outcome: d.ended("", err)})
		return
	case d.permit.Verdict == pace.Go && d.expired():
		h.endUnsent(ctx, d, producer.Expired, d.expiry())
		return
	}
	switch d.permit.Verdict {
	case pace.Go:
		d.access = page
		h.send(ctx, d, page)
	case pace.Back:
		h.unused(ctx, d)
		h.settle(ctx, d, pace.Settlement{Outcome: d.outcome(""), Where: d.permit.Where})
	case pace.Gone:
		h.unused(ctx, d)
		h.gone(d)
	case pace.Known:
		h.unused(ctx, d)
		h.settle(ctx, d, pace.Settlement{Outcome: d.permit.Known})
	case pace.Cancelled:
		h.endUnsent(ctx, d, producer.Cancelled, errors.New("cancelled"))
	case pace.Suppressed:
		h.endUnsent(ctx, d, producer.Failed, errors.New("suppressed: its recipient could not be reached before"))
	case pace.Unanswered:
		h.endUnsent(ctx, d, producer.Unknown, errors.New("the answer to its send is not known, and it must not be sent again"))
	}
}

// send makes the call and does what its answer asks for.
func (h *handler) send(ctx context.Context, d *delivery, page sendapi.Page) {
	if d.permit.Resent > d.maxAttempts {
		// Crashes count as no attempt. A job that kills its workers must not do so for ever.
		h.end(ctx, d, producer.Unknown, fmt.Errorf("sent %d times without an answer", d.permit.Resent))
		return
	}
	body, err := d.body()
	if err != nil {
		h.endUnsent(ctx, d, producer.Failed, err)
		return
	}
	// asynq ends ctx when it has lost its lease, though the message is on its way.
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.sendTimeout)
	defer cancel()
	d.sending = true
	call, span := h.tracing.call(call, d.permit.Step)
	left := newDeparture(h.pacer, d.hand)
	resp, err := h.sender.SendRaw(left.watch(call), page, body)
	endCall(span, resp, err)
	d.sending = errors.Is(err, sendapi.KindUnknownOutcome)
	if err := left.wait(); err != nil {
		h.line(d, h.log.Warn()).Err(err).Msg("could not note that the message left late")
	}
	h.act(ctx, d, resp, err)
}

// act does what the answer to a send asks for.
func (h *handler) act(ctx context.Context, d *delivery, resp *sendapi.Response, err error) {
	d.trace = traceOf(resp, err)
	next := decide(err, d)
	if next.scope != "" {
		h.stop(ctx, d, next, err)
	}
	s := pace.Settlement{
		Outcome: d.ended(next.outcome, err), Unknown: next.unknown, Retry: next.retry, Counted: !next.free,
		Report: reportOf(d.job.PageID, resp, err),
	}
	s.Outcome.Attempts = d.attempt
	switch {
	case next.outcome == producer.Sent:
		s = d.sent(s, resp)
	case next.retry > 0:
		h.line(d, h.log.Warn()).Err(err).Stringer("retry_in", next.retry.Round(time.Millisecond)).Msg("will be retried")
	case errors.Is(err, sendapi.KindRecipient):
		s.Suppress = h.suppressFor
	}
	h.settle(ctx, d, s)
}

// sent makes s the settlement of a step that was sent: the job ends, or its next step takes its turn.
func (d *delivery) sent(s pace.Settlement, resp *sendapi.Response) pace.Settlement {
	o := &s.Outcome
	o.StepsDone, o.SentAt = d.permit.Step+1, time.Now().UTC()
	if resp != nil && resp.MessageID != "" {
		o.MessageIDs = append(o.MessageIDs[:len(o.MessageIDs):len(o.MessageIDs)], resp.MessageID)
	}
	if o.StepsDone < len(d.job.Steps()) {
		o.Kind, s.Step, s.Where = "", o.StepsDone, pace.Head
	}
	return s
}

// stop pauses or holds what the error names. The fleet must know before anything else happens.
func (h *handler) stop(ctx context.Context, d *delivery, next decision, cause error) {
	ctx = context.WithoutCancel(ctx)
	why := reasonOf(cause)
	if next.hold && errors.Is(cause, sendapi.KindAuth) && next.scope == d.job.PageID {
		if page, _ := h.pages.get(next.scope); page != d.access {
			h.line(d, h.log.Info()).Err(cause).Msg("its token was replaced while it was on its way; it goes again")
			return
		}
		why.TokenMark = markOf(d.access)
	}
	log := h.line(d, h.log.Warn()).Err(cause).Str("scope", next.scope)
	h.observer.Stopped(next.scope, next.hold)
	if next.hold {
		err := h.pacer.Hold(ctx, next.scope, why)
		log.AnErr("pacer", err).Msg("held until a person releases it")
		return
	}
	left, err := h.pacer.Pause(ctx, next.scope, next.pause, why)
	log.AnErr("pacer", err).Stringer("for", left).Msg("paused")
}

func reasonOf(err error) pace.Reason {
	why := pace.Reason{Text: err.Error(), Since: time.Now().UTC()}
	if e := sendError(err); e != nil {
		why.Code, why.Subcode = e.Code, e.Subcode
	}
	return why
}

// holdForToken holds a page that this worker has no token for. A worker that has one releases it.
func (h *handler) holdForToken(ctx context.Context, d *delivery) {
	text := "no access token for page " + d.job.PageID + ": add it to pages in the configuration; the workers find it by themselves"
	err := h.pacer.HoldForToken(context.WithoutCancel(ctx), d.job.PageID, pace.Reason{Text: text, Since: time.Now().UTC()})
	h.line(d, h.log.Warn()).AnErr("pacer", err).Msg("held: no access token is configured for the page")
	h.settle(ctx, d, pace.Settlement{Outcome: d.outcome("")})
}

// endUnsent ends a job whose slot others can use.
func (h *handler) endUnsent(ctx context.Context, d *delivery, kind producer.OutcomeKind, cause error) {
	h.unused(ctx, d)
	h.end(ctx, d, kind, cause)
}

func (h *handler) unused(ctx context.Context, d *delivery) {
	if err := h.pacer.Unused(ctx, d.hand); err != nil {
		h.line(d, h.log.Warn()).Err(err).Msg("its slot is lost")
	}
}

func (h *handler) end(ctx context.Context, d *delivery, kind producer.OutcomeKind, cause error) {
	h.settle(ctx, d, pace.Settlement{Outcome: d.ended(kind, cause)})
}

// settle ends the hand, and logs the outcome that the job ended with.
func (h *handler) settle(ctx context.Context, d *delivery, s pace.Settlement) {
	s.Recipient = d.route.Recipient
	ctx, span := h.tracing.start(ctx, "settle")
	o, err := h.pacer.Settle(ctx, d.hand, s)
	if err == nil {
		note(span, o, s)
		note(d.span, o, s)
	}
	span.End()
	if err == nil && o.Kind != "" {
		h.observer.Ended(o)
	}
	switch {
	case errors.Is(err, pace.ErrGone):
		h.gone(d)
	case err != nil:
		h.line(d, h.log.Error()).Err(err).Msg("could not be settled; another worker takes it over")
	case o.Kind == producer.Sent:
		h.line(d, h.log.Info()).Strs("message_ids", o.MessageIDs).Msg(string(o.Kind))
	case o.Kind != "":
		h.line(d, h.log.Warn()).Str("reason", o.Reason).Int("code", o.Code).Int("subcode", o.Subcode).Msg(string(o.Kind))
	}
}

func (h *handler) gone(d *delivery) {
	h.line(d, h.log.Warn()).Msg("taken over by another worker, or settled by a try whose answer was lost")
}

// line starts a log line about a job. The recipient shows as a hash unless asked otherwise, the message not at all.
func (h *handler) line(d *delivery, e *zerolog.Event) *zerolog.Event {
	recipient := d.route.Recipient
	if h.plain && recipient != "" {
		recipient = d.address()
	}
	e = e.Str("job", d.hand.ID).Str("page", d.page()).Str("lane", string(d.route.Line.Lane)).
		Str("recipient", recipient).Int("attempt", d.attempt)
	if d.trace != "" {
		e = e.Str("trace", d.trace)
	}
	if sc := d.span.SpanContext(); sc.IsValid() {
		e = e.Stringer("trace_id", sc.TraceID())
	}
	return e
}
