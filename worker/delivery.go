package worker

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/spans"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

// jobVersion is the version of the jobs that this program can read. A job that needs a later one says so in its field "v".
const jobVersion = 1

// delivery is one hand of one job.
type delivery struct {
	hand    *pace.Hand
	job     producer.Job
	route   producer.Route
	permit  pace.Permit
	access  sendapi.Page // what it is sent with
	trace   string       // of the last call, by which the platform finds it
	span    trace.Span   // of the hand
	sending bool         // the message may have been sent, and the answer is not known

	attempt     int // counts from 1
	maxAttempts int
	never       bool // not to be sent again where it is not known whether it was sent
}

// newDelivery reads the job. With an error the delivery is good for its end alone.
func (h *handler) newDelivery(hand *pace.Hand) (*delivery, error) {
	d := &delivery{
		hand: hand, span: noop.Span{}, attempt: hand.Retried + 1, maxAttempts: h.maxAttempts,
		never: h.onUnknown == producer.NeverResend,
	}
	if hand.Type != producer.TaskType {
		return d, fmt.Errorf("task type %q: this queue takes %q", hand.Type, producer.TaskType)
	}
	var err error
	if d.job, err = producer.ParseJob(hand.Payload); err != nil {
		return d, err
	}
	if d.job.MaxAttempts > 0 {
		d.maxAttempts = d.job.MaxAttempts
	}
	d.maxAttempts = min(d.maxAttempts, hand.MaxRetry+1) // a plain client may ask for fewer
	if d.job.OnUnknown != "" {
		d.never = d.job.OnUnknown == producer.NeverResend
	}
	if !hand.Deadline.IsZero() && (d.job.ExpiresAt.IsZero() || hand.Deadline.Before(d.job.ExpiresAt)) {
		d.job.ExpiresAt = hand.Deadline
	}
	if d.route, err = d.job.Route(); err != nil {
		return d, err
	}
	if queue := h.shards.QueueOf(d.job.PageID); queue != h.queue {
		// Two shards cannot hold the pace of one page.
		return d, fmt.Errorf("page %s belongs to the queue %s, and the job was enqueued to %s", d.job.PageID, queue, h.queue)
	}
	hand.Place(d.route)
	return d, nil
}

// newer is true for a job that only a later version of this program can read.
func newer(payload []byte) bool {
	var j struct {
		V int `json:"v"`
	}
	return json.Unmarshal(payload, &j) == nil && j.V > jobVersion
}

func (d *delivery) expired() bool {
	return !d.job.ExpiresAt.IsZero() && !time.Now().Before(d.job.ExpiresAt)
}

// expiry says that the job's time has passed, and why it was not sent when it was tried before.
func (d *delivery) expiry() error {
	before := d.hand.LastError
	if strings.HasPrefix(before, string(producer.Expired)+": ") { // it was taken out of the archive
		_, before, _ = strings.Cut(before, triedBefore)
	}
	if before == "" {
		return errExpired
	}
	return fmt.Errorf("%w"+triedBefore+"%s", errExpired, before)
}

// outcome is the job's record so far.
func (d *delivery) outcome(kind producer.OutcomeKind) producer.Outcome {
	o := producer.NewOutcome(d.hand.ID, d.job, d.hand.Payload, kind)
	o.Attempts, o.ResentUnknown = d.hand.Retried, d.permit.Resent
	o.StepsDone, o.MessageIDs = d.permit.Step, d.permit.MessageIDs
	o.PageID, o.Lane, o.TraceParent = d.page(), d.route.Line.Lane, spans.Parent(d.span.SpanContext())
	return o
}

// page is the job's page, or that of its line if the job cannot be read.
func (d *delivery) page() string {
	if d.job.PageID != "" {
		return d.job.PageID
	}
	return d.hand.PageID()
}

// body is the request of the step that is next. A message without metadata gets the job's id and the step, by which its echo
// can be told.
func (d *delivery) body() (json.RawMessage, error) {
	steps := d.job.Steps()
	if d.permit.Step >= len(steps) {
		return nil, fmt.Errorf("its step %d was to be sent, and it has %d", d.permit.Step, len(steps))
	}
	return sendapi.WithMetadata(steps[d.permit.Step], "sendpace:"+d.hand.ID+":"+strconv.Itoa(d.permit.Step)), nil
}

// ended is the record of a job that ends after an error, or as sent.
func (d *delivery) ended(kind producer.OutcomeKind, cause error) producer.Outcome {
	o := d.outcome(kind)
	if cause != nil {
		o.Reason = cause.Error()
	}
	if e := sendError(cause); e != nil {
		o.Code, o.Subcode = e.Code, e.Subcode
	}
	return o
}

// address is whom the job is for, as the caller named them.
func (d *delivery) address() string {
	req, err := sendapi.ParseRequest(d.job.Steps()[0])
	if err != nil {
		return ""
	}
	return req.Recipient.Address()
}

// traceOf is what the platform's support asks for about a call.
func traceOf(resp *sendapi.Response, err error) string {
	if e := sendError(err); e != nil {
		return e.TraceID
	}
	if resp != nil {
		return resp.TraceID
	}
	return ""
}
