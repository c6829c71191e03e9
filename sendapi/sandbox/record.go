package sandbox

import (
	"encoding/json"
	"sync"
	"time"
)

// Call is one call as the sandbox saw it.
type Call struct {
	// Seq is the number of the call, from 1 on. Numbers have no gaps, so that one shows what was forgotten.
	Seq uint64
	// At is when the call arrived: when its headers were read, before anything else was done.
	At time.Time
	// Done is when it was answered or dropped; zero while it waits.
	Done time.Time
	// PageID is the page of the path.
	PageID string
	// Edge is what was called below the page: messages, message_attachments, personas; empty for the page or persona
	// itself. The operations of a batch are calls of their own.
	Edge string
	// Recipient is the address as in sendapi.Recipient.Address; empty when the body could not be read.
	Recipient string
	// Accepted is true for a call that was accepted, also when the answer was dropped.
	Accepted bool
	// Status is the HTTP status; 0 when the connection was dropped instead.
	Status int
	// Code and Subcode are those of a refusal.
	Code, Subcode int
	// MessageID is the id of an accepted message.
	MessageID string
	// Metadata is the metadata of the message.
	Metadata string
	// Body is the request; nil for older calls once all bodies together are more than 1 GiB. It must not be changed.
	Body json.RawMessage
}

// sent is true for an accepted message or sender action.
func (c *Call) sent() bool { return c.Accepted && c.Edge == "messages" }

// maxBodies bounds the bodies that are remembered, in bytes.
const maxBodies = 1 << 30

// record remembers the newest calls. It is a slice that grows to its limit and then goes round.
type record struct {
	mu     sync.Mutex
	limit  uint64
	calls  []Call
	next   uint64 // the number of the next call
	room   int    // for more bodies
	bodied uint64 // the number of the oldest call that may have its body
}

func newRecord(limit int) *record { return &record{limit: uint64(limit), room: maxBodies, bodied: 1} }

// add returns the number of the call, for done.
func (r *record) add(c Call) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.next % r.limit
	r.next++
	c.Seq = r.next
	if uint64(len(r.calls)) < r.limit {
		r.calls = append(r.calls, c)
	} else {
		r.dropBody(&r.calls[at])
		r.calls[at] = c
	}
	r.room -= len(c.Body)
	for r.bodied = max(r.bodied, r.first()); r.room < 0 && r.bodied < c.Seq; r.bodied++ {
		r.dropBody(&r.calls[(r.bodied-1)%r.limit])
	}
	return c.Seq
}

// first is the number of the oldest call.
func (r *record) first() uint64 { return r.next - uint64(len(r.calls)) + 1 }

func (r *record) dropBody(c *Call) {
	r.room += len(c.Body)
	c.Body = nil
}

func (r *record) done(seq uint64, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq >= r.first() {
		r.calls[(seq-1)%r.limit].Done = at
	}
}

// scan shows the calls after a number to look, until it wants no more, and returns the number of the last one.
func (r *record) scan(after uint64, look func(*Call) (more bool)) (last uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for seq := max(after, r.first()-1); seq < r.next; seq++ {
		if !look(&r.calls[seq%r.limit]) {
			return seq + 1
		}
	}
	return max(after, r.next)
}

func (r *record) all(want func(*Call) bool) []Call {
	var found []Call
	r.scan(0, func(c *Call) bool {
		if want(c) {
			found = append(found, *c)
		}
		return true
	})
	return found
}

func (r *record) dropped() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.next) - len(r.calls)
}
