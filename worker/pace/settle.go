package pace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/taskmsg"
)

// What asynq keeps, and for how long (asynq v0.26.0, internal/rdb/rdb.go: statsTTL, maxArchiveSize,
// archivedExpirationInDays).
const (
	statsTTL    = 90 * 24 * time.Hour
	archiveTTL  = 90 * 24 * time.Hour
	archiveSize = 10_000
)

const (
	// settleTimeout bounds one try to settle. There is another one until Redis answers.
	settleTimeout = 5 * time.Second
	// longestSettlePause bounds the pause between two tries.
	longestSettlePause = 2 * time.Second
	// longestWhy bounds what is kept of the text of a failure beside the counts of a broadcast, in bytes.
	longestWhy = 300
)

// Where is where in its line a job goes that does not end.
type Where string

// The places in a line.
const (
	Head Where = "head" // before all others
	tail Where = "tail" // behind all others
	park Where = "park" // behind another job to the same recipient
)

// Settlement is how a hand ends. If the outcome has a kind, the job ends with it. If not, it goes on: after Retry, or where
// Retry is zero at a place in its line.
type Settlement struct {
	// Outcome is the record of the job, with or without a kind. EndedAt is set by Settle.
	Outcome producer.Outcome
	// Recipient is the job's, as [producer.RecipientHash] makes it; empty if it is not known.
	Recipient string
	// Retry is how long the job waits for its next try.
	Retry time.Duration
	// Counted is true if the retry is to count as an attempt.
	Counted bool
	// Where is the place in its line; empty means [Head].
	Where Where
	// Unknown is true if a send was started and its answer is not known.
	Unknown bool
	// Step is the next step of a sequence of which one more was sent; zero means that it stays where it was. The outcome's
	// MessageIDs are those of the steps so far.
	Step int
	// Suppress is how long nothing more is sent to the recipient; zero means that it may be.
	Suppress time.Duration
	// Report is what the send's answer said about the pace; the zero value for a job that was not sent.
	Report Report
}

// ErrGone means that a job was not in the hand any more that was to be settled: it was taken over by another one.
var ErrGone = errors.New("pace: the job was taken over")

// Settle ends a hand, and tries to until Redis answers or the pacer is closed. It returns the outcome that the job ended
// with, which is not always the one that was asked for: a job that was sent by an earlier hand ends as sent, one of which
// that is not known as unknown, and one whose cancellation was asked for does not go on. An empty kind means that the job
// goes on. The error is [ErrGone], or that of the last try.
func (p *Pacer) Settle(ctx context.Context, h *Hand, s Settlement) (producer.Outcome, error) {
	ctx = context.WithoutCancel(ctx)
	pause := 50 * time.Millisecond
	for {
		s.Outcome.EndedAt = time.Now().UTC()
		verb, record, err := p.settle(ctx, h, s)
		switch {
		case err != nil:
			if !p.sleep(pause) {
				return producer.Outcome{}, err
			}
			pause = min(2*pause, longestSettlePause)
			continue
		case verb == "ok":
			return s.Outcome, nil
		case verb == "gone":
			return producer.Outcome{}, ErrGone
		}
		if s, err = s.corrected(verb, record); err != nil {
			return producer.Outcome{}, err
		}
	}
}

// corrected is the settlement of a job of which Redis knows more than its hand.
func (s Settlement) corrected(verb, more string) (Settlement, error) {
	o := &s.Outcome
	switch {
	case verb == "known":
		o.Code, o.Subcode, o.Reason, o.Job, s.Unknown, s.Suppress = 0, 0, "", nil, false, 0
		if err := json.Unmarshal([]byte(more), o); err != nil {
			return s, fmt.Errorf("pace: outcome of %s: %w", o.JobID, err)
		}
	case verb == "marked":
		o.Kind, o.Reason = producer.Unknown, "the answer to a send is not known; then: "+o.Reason
		n, err := strconv.Atoi(more)
		if err != nil {
			return s, fmt.Errorf("pace: settle: %w", err)
		}
		o.ResentUnknown = n
	case verb == "cancelled" && s.Unknown:
		o.Kind, o.Reason = producer.Unknown, "the answer to the send is not known, and it was cancelled then"
	case verb == "cancelled":
		o.Kind, o.Reason, o.Code, o.Subcode = producer.Cancelled, "cancelled", 0, 0
	default:
		return s, fmt.Errorf("pace: settle answered %q", verb)
	}
	return s, nil
}

// sleep returns false if the pacer is closed before its end.
func (p *Pacer) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.closed:
		return false
	}
}

// decision is a settlement as settle.lua reads it. What it is about travels as it is, and the rest as JSON: most jobs need none of
// that. Numbers that must keep all digits are texts.
type decision struct {
	ID        string               `json:"-"`
	Token     string               `json:"-"`
	Kind      producer.OutcomeKind `json:"-"`
	Page      string               `json:"-"`
	Recipient string               `json:"-"`

	Unique      bool   `json:"unique,omitempty"`       // it has a lock
	Place       string `json:"place,omitempty"`        // archived, completed; empty: deleted
	To          string `json:"to,omitempty"`           // head, tail, park, retry
	Score       int64  `json:"score,omitempty,string"` // in the set that the task goes to, unix seconds
	ArchiveFrom int64  `json:"archive_from,omitempty,string"`
	ArchiveSize int    `json:"archive_size,omitempty"`
	Unclaimed   bool   `json:"unclaimed,omitempty"` // the job may not have the claim of its recipient
	Line        string `json:"line,omitempty"`      // where it goes back to, if the task does not say so right
	Broadcast   string `json:"broadcast,omitempty"`
	Code        string `json:"code,omitempty"` // '<code>/<subcode>' of a failure
	Why         string `json:"why,omitempty"`  // what it says
	Counted     bool   `json:"counted,omitempty"`
	Unknown     bool   `json:"unknown,omitempty"`
	Step        string `json:"step,omitempty"`
	IDs         string `json:"ids,omitempty"`
	Suppress    int64  `json:"suppress,omitempty"` // us
	Report      []int  `json:"report,omitempty"`   // as Report.encode makes it; empty: it cannot change the pace
}

// args are the decision as the script's arguments.
func (d decision) args() ([]any, error) {
	rest, err := json.Marshal(d)
	if string(rest) == "{}" {
		rest = nil
	}
	return []any{d.ID, d.Token, string(d.Kind), d.Page, d.Recipient, rest}, err
}

// settling is a hand that settle.lua is to end.
type settling struct {
	task, lock string // keys; no lock if the task is not unique
	args       []any
}

func (p *Pacer) settle(ctx context.Context, h *Hand, s Settlement) (verb, record string, err error) {
	question, err := p.settling(h, s)
	if err != nil {
		return "", "", fmt.Errorf("pace: settle: %w", err)
	}
	got, err := p.settles.do(ctx, question)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("pace: settle: %w", err)
	case len(got) == 0:
		return "", "", errors.New("pace: settle answered nothing")
	case len(got) == 1:
		return got[0], "", nil
	}
	return got[0], got[1], nil
}

func (p *Pacer) settling(h *Hand, s Settlement) (settling, error) {
	now := time.Now()
	d := p.decide(h, s, now)
	args, err := d.args()
	if err != nil {
		return settling{}, err
	}
	stream, result, err := records(s.Outcome)
	return settling{
		task: p.keys.Task(h.ID), lock: h.msg.Text(taskmsg.UniqueKey), args: append(args, h.encode(d, s, now), stream, result),
	}, err
}

func (p *Pacer) settleAll(all []settling) ([]answered[[]string], error) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	k := p.keys
	keys := []string{k.Active(), k.Lease(), k.Groups(), k.Due(), k.Busy(), k.Outcomes(), k.Stream()}
	now := time.Now()
	args := []any{k.Asynq(""), k.Own(""), now.UTC().Format(time.DateOnly), now.Add(statsTTL).Unix(), p.cfg.StreamLength}
	for _, s := range all {
		keys, args = append(keys, s.task), append(args, s.args...)
		if s.lock != "" {
			keys = append(keys, s.lock)
		}
	}
	return readEach(settleScript.Run(ctx, p.rdb, keys, args...), len(all))
}

// records are the outcome as the stream and as the task's result hold it. The task has its job beside it.
func records(o producer.Outcome) (stream, result []byte, err error) {
	if o.Kind == "" {
		return nil, nil, nil
	}
	if stream, err = json.Marshal(o); err != nil || o.Job == nil {
		return stream, stream, err
	}
	o.Job = nil
	result, err = json.Marshal(o)
	return stream, result, err
}

func (p *Pacer) decide(h *Hand, s Settlement, now time.Time) decision {
	o := s.Outcome
	d := decision{
		ID: h.ID, Token: h.token, Unique: h.msg.Text(taskmsg.UniqueKey) != "",
		Kind: o.Kind, Page: o.PageID, Recipient: s.Recipient, Unclaimed: !h.claims(o.PageID, s.Recipient), Broadcast: o.Broadcast, Line: h.moved,
		Counted: s.Counted, Unknown: s.Unknown, Suppress: s.Suppress.Microseconds(),
	}
	if o.Kind == producer.Failed && o.Broadcast != "" {
		d.Code, d.Why = fmt.Sprintf("%d/%d", o.Code, o.Subcode), firstBytes(o.Reason, longestWhy)
	}
	if s.Step > 0 {
		ids, _ := json.Marshal(o.MessageIDs) // texts can always be encoded
		d.Step, d.IDs = strconv.Itoa(s.Step), string(ids)
	}
	if report := s.Report.encode(p.cfg.Steady); !h.constant || slices.Max(report[1:]) > slowFrom {
		d.Report = report
	}
	retention := h.msg.Number(taskmsg.Retention)
	switch {
	case o.Kind == "" && s.Retry > 0:
		d.To, d.Score = "retry", now.Add(s.Retry+time.Second-1).Unix() // a whole second, and never early
	case o.Kind == "":
		d.To = string(s.Where)
		if d.To == "" {
			d.To = string(Head)
		}
	case o.Kind != producer.Sent && o.Kind != producer.Cancelled:
		d.Place, d.Score, d.ArchiveFrom, d.ArchiveSize = "archived", now.Unix(), now.Add(-archiveTTL).Unix(), archiveSize
	case retention > 0:
		d.Place, d.Score = "completed", now.Unix()+retention
	}
	return d
}

// firstBytes cuts a text, between two characters.
func firstBytes(text string, n int) string {
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "")
	}
	return text
}

// encode is the task's message from now on, as asynq would write it, or nil where it stays as it is.
func (h *Hand) encode(d decision, s Settlement, now time.Time) string {
	switch {
	case d.Place == "completed":
		return h.msg.With(taskmsg.Edit{Field: taskmsg.CompletedAt, Number: now.Unix()})
	case d.Place == "archived", d.To == "retry":
		why := s.Outcome.Reason
		if d.Kind != "" {
			why = string(d.Kind) + ": " + why
		}
		edits := []taskmsg.Edit{{Field: taskmsg.Error, Text: why}, {Field: taskmsg.LastFailedAt, Number: now.Unix()}}
		if s.Counted {
			edits = append(edits, taskmsg.Edit{Field: taskmsg.Retried, Number: int64(h.Retried) + 1})
		}
		return h.msg.With(edits...)
	}
	return ""
}
