package pace

import (
	"context"
	"sync"
)

// mostTogether is how many jobs one call of Redis is about at most: a longer script would keep others waiting.
const mostTogether = 16

// together makes one call of what is asked while another one is under way. Who asks alone has a call at once: nothing ever waits for
// company.
type together[Q, A any] struct {
	// ask makes the call, with a context of its own: it is for all who asked. It returns an answer for each question.
	ask func(all []Q) ([]answered[A], error)

	mu      sync.Mutex
	busy    bool // a call is under way
	waiting []*asking[Q, A]
}

// asking is one who waits for an answer.
type asking[Q, A any] struct {
	question Q
	got      answered[A]
	done     chan struct{}
}

// answered is the answer to one question.
type answered[A any] struct {
	answer A
	err    error
}

// do asks. If ctx ends before there is an answer, the question may have been asked all the same.
func (t *together[Q, A]) do(ctx context.Context, question Q) (A, error) {
	me := &asking[Q, A]{question: question, done: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, me)
	first := !t.busy
	t.busy = true
	t.mu.Unlock()
	if first && t.call() {
		go func() {
			for t.call() {
			}
		}()
	}
	select {
	case <-me.done:
		return me.got.answer, me.got.err
	case <-ctx.Done():
		var none A
		return none, ctx.Err()
	}
}

// call asks for those who wait, and returns whether there are others then. If Redis does not answer, those have the error too: each
// of many calls one after the other would keep them for its time limit.
func (t *together[Q, A]) call() (more bool) {
	t.mu.Lock()
	n := min(len(t.waiting), mostTogether)
	all := t.waiting[:n:n]
	t.waiting = t.waiting[n:]
	t.mu.Unlock()
	questions := make([]Q, n)
	for i, a := range all {
		questions[i] = a.question
	}
	answers, err := t.ask(questions)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		all, t.waiting = append(all, t.waiting...), nil
	}
	for i, a := range all {
		if err != nil {
			a.got.err = err
		} else {
			a.got = answers[i]
		}
		close(a.done)
	}
	t.busy = len(t.waiting) > 0
	return t.busy
}
