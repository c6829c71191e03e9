package pace

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/taskmsg"
)

// handTimeout is what asynq is told of each task, in place of its own timeout and deadline: asynq ends a run that takes
// longer although its send may be under way.
const handTimeout = 24 * time.Hour

// Hand is one handing-out of a job to this worker. A job can be handed out again while an earlier hand of it is still
// open: after a stall this worker is taken for dead. Its token tells the two apart.
type Hand struct {
	// ID is the job's.
	ID string
	// Type is that of the task.
	Type string
	// Retried is how many attempts were counted before.
	Retried int
	// MaxRetry is how often asynq's client that enqueued the job wants it to be retried at most.
	MaxRetry int
	// Deadline is the time at which asynq's client wants the job to have ended; zero if it has none.
	Deadline time.Time
	// FailedAt is when it was tried last and failed, in whole seconds; zero if it was not.
	FailedAt time.Time
	// LastError is why it was not sent when it was tried last, or how it ended if a person took it out of the archive; empty if it was
	// not tried.
	LastError string
	// Payload is the job, as it was enqueued.
	Payload []byte

	token    string
	page     string    // of the line that it was taken from; empty: from no line
	line     string    // whose limits it is subject to
	moved    string    // where it goes back to, if it was taken from no line, or not from one of its own
	slot     int64     // us, 0: none
	slotAt   time.Time // the slot, by the clock of this machine when the slot was given
	number   int64     // of the slot, for late.lua
	admitted bool      // admit gave it the claim of its recipient
	leaves   int64     // us, when it is to be sent
	msg      taskmsg.Message
	// constant is true where nothing adapted the pace when the job got its permit: an answer that reports no high usage cannot
	// change it.
	constant bool
	dueAt    int64 // the slot that it came with, 0 once that was waited for; the pacer's mutex guards it
	inside   bool  // it takes up room
}

// newHand reads a job that take handed out. With an error the hand has no message, and can only be settled.
func (p *Pacer) newHand(got taken, job takenJob) (*Hand, error) {
	h := &Hand{
		ID: job.id, token: p.id + ":" + strconv.FormatInt(got.now, 10), line: job.line,
		slot: job.slot, slotAt: p.clock.at(job.slot), number: job.number,
	}
	if h.line != "" {
		h.page, _, _ = strings.Cut(h.line, ":")
	}
	m, err := taskmsg.Read(job.msg)
	if err != nil {
		return h, err
	}
	h.msg, h.Type, h.Payload, h.LastError = m, m.Text(taskmsg.Type), m.Payload(), m.Text(taskmsg.Error)
	h.Retried, h.MaxRetry = int(m.Number(taskmsg.Retried)), int(m.Number(taskmsg.MaxRetry))
	if at := m.Number(taskmsg.Deadline); at != 0 {
		h.Deadline = time.Unix(at, 0)
	}
	if at := m.Number(taskmsg.LastFailedAt); at != 0 {
		h.FailedAt = time.Unix(at, 0)
	}
	return h, nil
}

// take gives the hand the slot of an answer of admit, which may be the one that it has.
func (h *Hand) take(got reply) error {
	slot, err := got.us(0)
	if err != nil || slot == h.slot {
		return err
	}
	h.slot = slot
	h.number, err = got.us(1)
	return err
}

// claims is true if the job has the claim of its recipient for sure, which nobody takes from a job in hand.
func (h *Hand) claims(page, recipient string) bool {
	line, ok := producer.ParseLine(h.line) // to take, a group that is no line is one of another page
	return recipient != "" && (h.admitted || ok && h.moved == "" && line.PageID == page && claimedBy(h.ID, recipient))
}

// name tells the hand from all others. Where a clock stands still two jobs can get one token.
func (h *Hand) name() string { return h.token + " " + h.ID }

// PageID is the page of the line that the job was taken from; empty if it came from none.
func (h *Hand) PageID() string { return h.page }

// Header is a header of the job's task; see [taskmsg.Message.Header].
func (h *Hand) Header(name string) string { return h.msg.Header(name) }

// forAsynq is the message as asynq gets to see it.
func (h *Hand) forAsynq() string {
	return h.msg.With(
		taskmsg.Edit{Field: taskmsg.Timeout, Number: int64(handTimeout / time.Second)}, taskmsg.Edit{Field: taskmsg.Deadline},
		taskmsg.Edit{Field: taskmsg.ID, Text: h.ID},
		taskmsg.Edit{Field: taskmsg.Headers}, // Header has them, and asynq drops a task whose headers it cannot
	)
}

// open notes a hand that begins.
func (p *Pacer) open(h *Hand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.fresh[h.ID]; old != nil {
		p.shut(old) // lost before it began
		p.ready = slices.DeleteFunc(p.ready, func(r *Hand) bool { return r == old })
	}
	p.ready, h.dueAt = append(p.ready, h), h.slot
	p.fresh[h.ID], p.hands[h.name()] = h, h
}

// nextReady returns the next hand that asynq is to get; nil if there is none.
func (p *Pacer) nextReady() *Hand {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ready) == 0 {
		return nil
	}
	h := p.ready[0]
	p.ready = p.ready[1:]
	return h
}

// Unbegun returns the hands that asynq did not get. Each one needs a call of End, as if Begin had returned it.
func (p *Pacer) Unbegun() []*Hand {
	var all []*Hand
	for h := p.nextReady(); h != nil; h = p.nextReady() {
		all = append(all, p.Begin(h.ID))
	}
	return all
}

// Begin returns the hand of a job that asynq runs, once. nil means that the job is not in this worker's hands any more.
func (p *Pacer) Begin(id string) *Hand {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.fresh[id]
	delete(p.fresh, id)
	return h
}

// begun notes that a hand waits for its slot no more.
func (p *Pacer) begun(h *Hand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.dueAt = 0
}

// End closes a hand that was settled. Each one that Begin returned needs one call.
func (p *Pacer) End(h *Hand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut(h)
}

// shut forgets a hand. The caller has p.mu.
func (p *Pacer) shut(h *Hand) {
	delete(p.hands, h.name())
	if h.inside {
		h.inside = false
		p.cfg.Room.leave(1)
	}
}

func (p *Pacer) inHand() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.hands)
}

// openHands are the names of all open hands.
func (p *Pacer) openHands() []any {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := make([]any, 0, len(p.hands))
	for name := range p.hands {
		names = append(names, name)
	}
	return names
}
