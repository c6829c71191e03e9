package pace

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace/alarm"
)

// Verdict is what may become of a job whose slot has come.
type Verdict string

// The verdicts.
const (
	// Go: the job may be sent now.
	Go Verdict = "go"
	// Back: it goes back into its line.
	Back Verdict = "back"
	// Gone: it is in this hand no more. Nothing is to be done.
	Gone Verdict = "gone"
	// Known: it was sent before, and Permit.Known is how it ends.
	Known Verdict = "known"
	// Cancelled: its cancellation was asked for.
	Cancelled Verdict = "cancelled"
	// Suppressed: its recipient is not to be sent to.
	Suppressed Verdict = "suppressed"
	// Unanswered: an earlier send has no known answer, and must not be repeated.
	Unanswered Verdict = "unknown"
)

// Permit is the answer to a job that wants to be sent.
type Permit struct {
	Verdict Verdict
	// Step is the index of the request to send: 0, or how far its sequence has come.
	Step int
	// MessageIDs are those of the steps before.
	MessageIDs []string
	// Resent is how many sends of the job, this one counted, follow one whose answer is not known.
	Resent int
	// Known is the outcome of a job that was sent before.
	Known producer.Outcome
	// Where and Why are where in its line a job goes back to, and what it waits for.
	Where Where
	Why   string
}

// Ask is what the pacer must know of a job that wants to be sent.
type Ask struct {
	Route producer.Route
	// Never is true for a job that is not sent again where an earlier send has no known answer.
	Never bool
}

// Place tells the hand what its job is. A job that was taken from no line, or from one whose limits are not all that it is
// subject to, belongs to another line from now on: a slot that it has there is not its own. Await and Settle come after it.
func (h *Hand) Place(r producer.Route) {
	want := r.Line
	if side := sideOf(r.Class); side != "" && !tellsClass(h.ID) {
		want.Side, want.Broadcast = side, ""
	}
	if at, ok := producer.ParseLine(h.line); ok && fits(at, want) {
		return
	}
	h.moved, h.slot = want.String(), 0
	h.line = h.moved
}

// fits is true if the limits of a line are all that a job is subject to that belongs to another one. A job of a broadcast may
// come from the lane's own line, into which older versions put it.
func fits(line, want producer.Line) bool {
	return line.PageID == want.PageID && line.Lane == want.Lane &&
		(want.Side == "" || want.Side == line.Side) && (line.Broadcast == "" || line.Broadcast == want.Broadcast)
}

// Await waits for the job's slot, and asks then whether it may still be sent. A job that came without a slot gets one if
// there is one soon. After any verdict but Go the slot may be given back with [Pacer.Unused]. The error is Redis's, or
// ctx's; the job may be marked then, and is to be settled.
func (p *Pacer) Await(ctx context.Context, h *Hand, a Ask) (Permit, error) {
	defer p.begun(h)
	for {
		if p.wasSetBack(h) {
			h.slot = 0
		}
		if h.slot == 0 || !claimedBy(h.ID, a.Route.Recipient) {
			got, err := p.admit(ctx, h, a.Route)
			if err != nil || got.Verdict != Go {
				return got, err
			}
		}
		h.leaves = onGrid(h.slot+p.cfg.Ahead.Microseconds(), p.cfg.Grid)
		ready, ahead := h.leaves-p.cfg.Ahead.Microseconds(), p.permitAhead()
		if !p.wait(ctx, ready-ahead.Microseconds()) {
			return stopping(ctx)
		}
		got, err := p.permit(ctx, h, a)
		if err != nil || got.Verdict != Go {
			return got, err
		}
		if p.wasSetBack(h) {
			continue
		}
		if p.cfg.Grid == 0 { // a grid absorbs what timers are late, and many wait for the same moment of it
			alarm.Sleep(min(ahead, time.Until(p.clock.at(ready))))
		}
		if !p.wait(ctx, ready) {
			return stopping(ctx)
		}
		if time.Since(p.clock.at(h.leaves)) <= p.cfg.Lead {
			return got, nil
		}
		h.slot = 0 // held up for so long that others have the time now
	}
}

// wasSetBack is true if Redis's clock went back since a hand has its slot, which lies far ahead then.
func (p *Pacer) wasSetBack(h *Hand) bool {
	return h.slot != 0 && p.clock.at(h.slot).Sub(h.slotAt) > clockSet
}

// permitAhead is how long before its slot a job asks for the last time whether it may be sent. It covers a timer that is late, and the
// answer of Redis, also to a question that waits until an earlier one is answered.
func (p *Pacer) permitAhead() time.Duration {
	return min(shortestAhead+2*p.clock.doubt(), p.cfg.Lead/2)
}

// onGrid is the first multiple of a grid from a time on.
func onGrid(at int64, grid time.Duration) int64 {
	if g := grid.Microseconds(); g > 0 {
		return (at + g - 1) / g * g
	}
	return at
}

func stopping(ctx context.Context) (Permit, error) {
	return Permit{Verdict: Back, Where: Head, Why: "the worker is stopping"}, ctx.Err()
}

var whyBack = map[Where]string{
	Head: "the next free slot is later",
	tail: "others in the line are first",
	park: "an earlier message to this recipient is first",
}

// claimedBy is true if take could claim the job's recipient by the id alone. See recipient_of in lib.lua.
func claimedBy(id, recipient string) bool {
	return len(id) == 35 && strings.IndexByte("-mrb", id[26]) >= 0 && id[27:] == recipient
}

// tellsClass is true if take can tell by the id alone that a limit of its class holds for the job. See class_of in lib.lua.
func tellsClass(id string) bool { return len(id) == 35 && strings.IndexByte("mrb", id[26]) >= 0 }

// sideOf is the side line of a class, for jobs whose id does not tell it.
func sideOf(c producer.Class) producer.Side {
	switch c {
	case producer.ClassMedia:
		return producer.SideMedia
	case producer.ClassReply, producer.ClassBoth:
		return producer.SideReply
	}
	return ""
}

// admit asks for a slot, or for the recipient where there is a slot.
func (p *Pacer) admit(ctx context.Context, h *Hand, r producer.Route) (Permit, error) {
	k, asked := p.keys, time.Now()
	parts, err := admitScript.Run(ctx, p.rdb,
		[]string{k.Line(h.line), k.Busy(), k.Due(), k.Task(h.ID)},
		k.Task(""), k.Own(""), h.ID, h.line, r.Recipient, p.cfg.Lead.Microseconds(), h.slot, k.Line(""), string(r.Class), h.token).StringSlice()
	if err != nil {
		return Permit{}, fmt.Errorf("pace: admit: %w", err)
	}
	got, err := readTimedReply(parts)
	if err != nil {
		return Permit{}, fmt.Errorf("pace: admit: %w", err)
	}
	p.clock.observe(got.now, asked, time.Now())
	switch got.verb {
	case "slot":
		h.admitted = true
		err := h.take(got)
		h.slotAt = p.clock.at(h.slot)
		return Permit{Verdict: Go}, err
	case "gone":
		return Permit{Verdict: Gone}, nil
	}
	where := Where(got.verb)
	return Permit{Verdict: Back, Where: where, Why: whyBack[where]}, nil
}

// permitting is a job that permit.lua is asked about.
type permitting struct {
	task string // its key
	args [7]any
}

func (p *Pacer) permit(ctx context.Context, h *Hand, a Ask) (Permit, error) {
	r, unanswered := a.Route, "resend"
	if a.Never {
		unanswered = "never"
	}
	got, err := p.permits.do(ctx, permitting{
		task: p.keys.Task(h.ID),
		args: [7]any{h.token, unanswered, r.Line.PageID, r.Recipient, h.moved, h.slot, r.Line.Broadcast},
	})
	if err == nil {
		if got.verb == "rests" {
			h.moved = a.Route.Line.String() // also if it came from another line, which would hand it out again
		}
		h.constant = got.verb == "go" && got.args[3] == "0"
		var res Permit
		if res, err = got.permit(); err == nil {
			return res, nil
		}
	}
	return Permit{}, fmt.Errorf("pace: permit: %w", err)
}

func (p *Pacer) permitAll(all []permitting) ([]answered[reply], error) {
	ctx, cancel := context.WithTimeout(context.Background(), takeTimeout)
	defer cancel()
	suppress := 0
	if p.cfg.Suppress {
		suppress = 1
	}
	keys, args := []string{p.keys.Pause(App), p.keys.Adapt(App)}, []any{p.keys.Own(""), suppress}
	for _, a := range all {
		keys, args = append(keys, a.task), append(args, a.args[:]...)
	}
	lists, err := readEach(permitScript.Run(ctx, p.rdb, keys, args...), len(all))
	if err != nil {
		return nil, err
	}
	got := make([]answered[reply], len(all))
	for i, list := range lists {
		if got[i].err = list.err; list.err == nil {
			got[i].answer, got[i].err = readReply(list.answer)
		}
	}
	return got, nil
}

// permit reads the answer of permit.lua.
func (r reply) permit() (Permit, error) {
	res := Permit{Verdict: Verdict(r.verb)}
	ids := ""
	var err error
	switch r.verb {
	case "go":
		if res.Step, err = strconv.Atoi(r.args[0]); err != nil {
			return res, err
		}
		if res.Resent, err = strconv.Atoi(r.args[1]); err != nil {
			return res, err
		}
		ids = r.args[2]
	case "unknown":
		ids = r.args[0]
	case "known":
		err = json.Unmarshal([]byte(r.args[0]), &res.Known)
	case "paused":
		res = Permit{Verdict: Back, Where: Head, Why: "the page is paused"}
	case "rests":
		res = Permit{Verdict: Back, Where: Head, Why: "its broadcast does not send now"}
	}
	if ids != "" {
		err = json.Unmarshal([]byte(ids), &res.MessageIDs)
	}
	return res, err
}

// wait returns true at the slot, and false if the worker stops before.
func (p *Pacer) wait(ctx context.Context, slot int64) bool {
	select {
	case <-p.draining:
		return false
	default:
	}
	left := time.Until(p.clock.at(slot))
	if left <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.draining:
		return false
	case <-ctx.Done():
		return false
	}
}

// Left tells when a job's message was really written to the platform. A page's next slots keep their distance to a message
// that left later than its slot, by a stall or over a new connection, or may have, where no answer of Redis was quick enough to tell.
func (p *Pacer) Left(ctx context.Context, h *Hand, at time.Time) error {
	late := p.lateBy(h, at)
	if late <= 0 {
		return nil
	}
	if _, err := p.lates.do(ctx, lateness{h.line, h.ID, h.slot, h.slot + late.Microseconds(), h.number}); err != nil {
		return fmt.Errorf("pace: late: %w", err)
	}
	return nil
}

// IsLate is true if Left would have to tell Redis. It asks nobody.
func (p *Pacer) IsLate(h *Hand, at time.Time) bool { return p.lateBy(h, at) > 0 }

// lateBy is by how much a message left too late, at a time: a part of the margin is left for small delays, and half the lead for a
// Redis that is far away. A job without a slot is never late.
func (p *Pacer) lateBy(h *Hand, at time.Time) time.Duration {
	if h.slot == 0 {
		return 0
	}
	late := at.Sub(p.clock.at(max(h.slot, h.leaves))) - time.Duration(p.cfg.Margin*slackShare*float64(time.Second))
	return late + max(0, p.clock.doubt()-p.cfg.Lead/2)
}

// lateness is what late.lua is told of a message.
type lateness [5]any

func (p *Pacer) lateAll(all []lateness) ([]answered[[]string], error) {
	ctx, cancel := context.WithTimeout(context.Background(), lateTimeout)
	defer cancel()
	args := []any{p.keys.Own("")}
	for _, l := range all {
		args = append(args, l[:]...)
	}
	return readEach(lateScript.Run(ctx, p.rdb, []string{p.keys.Threads()}, args...), len(all))
}

// Unused gives back the slot of a job that will not be sent, for others.
func (p *Pacer) Unused(ctx context.Context, h *Hand) error {
	if h.slot == 0 {
		return nil
	}
	err := unusedScript.Run(ctx, p.rdb, []string{p.keys.Due()}, p.keys.Own(""), h.line, h.ID, h.slot).Err()
	if err != nil {
		return fmt.Errorf("pace: unused: %w", err)
	}
	return nil
}
