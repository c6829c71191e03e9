package pace

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sendpace/sendpace/producer/spans"
)

// handTimeout is what asynq is told of each task, in place of its own timeout and deadline: asynq ends a run that takes
// longer although its send may be under way.
const handTimeout = 24 * time.Hour

// Hand is one handing-out of a job to this worker. A job can be handed out again while an earlier hand of it is still
// open: after a stall this worker is taken for dead. Its token tells the two apart.
type Hand struct {
	// ID is the job's.
	ID string
	// Retried is how many attempts were counted before.
	Retried int
	// MaxRetry is how often asynq's client that enqueued the job wants it to be retried at most.
	MaxRetry int
	// Deadline is the time at which asynq's client wants the job to have ended; zero if it has none.
	Deadline time.Time
	// FailedAt is when it was tried last and failed, in whole seconds; zero if it was not.
	FailedAt time.Time
	// Payload is the job, as it was enqueued.
	Payload []byte

	token string
	page  string // of the line that it was taken from; empty: from no line
	line  string // whose limits it is subject to
	moved string // where it goes back to, if it was taken from no line, or not from one of its own
	slot  int64  // us, 0: none
	msg   message
}

// newHand reads what take handed out. With an error the hand has no message, and can only be settled.
func (p *Pacer) newHand(got reply) (*Hand, error) {
	h := &Hand{ID: got.args[0], token: p.id + ":" + strconv.FormatInt(got.now, 10)}
	if got.verb == "job" {
		h.line = got.args[2]
		h.page, _, _ = strings.Cut(h.line, ":")
		h.slot, _ = got.us(3) // a job without a slot asks for one
	}
	m, err := readMessage([]byte(got.args[1]))
	if err != nil {
		return h, err
	}
	h.msg, h.Payload = m, []byte(m.texts[fieldPayload])
	h.Retried, h.MaxRetry = int(m.numbers[fieldRetried]), int(m.numbers[fieldRetry])
	if at := m.numbers[fieldDeadline]; at != 0 {
		h.Deadline = time.Unix(at, 0)
	}
	if at := m.numbers[fieldLastFailedAt]; at != 0 {
		h.FailedAt = time.Unix(at, 0)
	}
	return h, nil
}

// name tells the hand from all others. Where a clock stands still two jobs can get one token.
func (h *Hand) name() string { return h.token + " " + h.ID }

// PageID is the page of the line that the job was taken from; empty if it came from none.
func (h *Hand) PageID() string { return h.page }

// Header is the header of that name that the client which enqueued the job gave its task. It is empty if there is none, and for a
// value that no trace context has.
func (h *Hand) Header(name string) string {
	found := ""
	_ = h.msg.each(func(n protowire.Number, field []byte) { // readMessage has read it whole
		_, kind, tag := protowire.ConsumeTag(field)
		if n != fieldHeaders || kind != protowire.BytesType {
			return
		}
		entry, _ := protowire.ConsumeBytes(field[tag:])
		if key, value, ok := spans.Entry(entry); ok && key == name {
			found = value
		}
	})
	return found
}

// forAsynq is the message as asynq gets to see it.
func (h *Hand) forAsynq() string {
	return string(h.msg.with(
		edit{field: fieldTimeout, number: int64(handTimeout / time.Second)}, edit{field: fieldDeadline}, edit{field: fieldID, text: h.ID},
		edit{field: fieldHeaders}, // Header has them, and asynq drops a task whose headers it cannot
	))
}

// open notes a hand that begins.
func (p *Pacer) open(h *Hand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.fresh[h.ID]; old != nil {
		delete(p.hands, old.name()) // lost before its handler began, which will find none
	}
	p.fresh[h.ID], p.hands[h.name()] = h, h
}

// Begin returns the hand of a job that asynq runs, once. nil means that the job is not in this worker's hands any more.
func (p *Pacer) Begin(id string) *Hand {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.fresh[id]
	delete(p.fresh, id)
	return h
}

// End closes a hand that was settled. Each one that Begin returned needs one call.
func (p *Pacer) End(h *Hand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.hands, h.name())
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
