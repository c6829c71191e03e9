package broadcast

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// picker chooses the test share: so many of the people, each as likely as any other, and with the same seed always the same ones.
// It is asked for each person once, in order.
type picker struct {
	random     *rand.Rand
	want, left int
}

func newPicker(seed uint64, want, people int) *picker {
	return &picker{random: rand.New(rand.NewPCG(seed, 0)), want: want, left: people}
}

func (k *picker) next() bool {
	if k.want == 0 || k.left <= 0 {
		return false
	}
	chosen := k.random.IntN(k.left) < k.want
	k.left--
	if chosen {
		k.want--
	}
	return chosen
}

// loader stores what is not stored yet.
type loader struct {
	client *Client
	plan   *Plan
	pick   *picker
	groups int // that were seen
	cursor int // the number of the last row that is dealt with
}

// load goes through the audience again and stores the jobs of those people whose rows are behind the cursor.
func (c *Client) load(ctx context.Context, p *Plan, pick *picker) error {
	start, err := c.rdb.HGet(ctx, c.keys.Broadcast(p.spec.Name), "loaded").Int()
	if err != nil || start >= p.last {
		return err
	}
	rows, err := p.audience.open(p.template)
	if err != nil {
		return err
	}
	l := loader{client: c, plan: p, pick: pick, cursor: start}
	run := pass{
		rows: rows, template: p.template, spec: p.spec, seed: p.seed, use: c.producer.Prepare,
		wanted: func(n int) bool { return n > start && p.wanted.has(n) },
	}
	err = run.run(ctx, func(w *work) error {
		if l.groups == len(p.hashes) || w.hash != p.hashes[l.groups] {
			return ErrChanged
		}
		l.groups++
		if err := l.store(ctx, w); err != nil {
			return err
		}
		c.progress(Progress{Stage: StageLoad, Rows: w.last(), Bytes: w.read, Total: rows.size})
		return nil
	})
	if err == nil && l.groups < len(p.hashes) {
		err = ErrChanged
	}
	return err
}

// store stores a group's jobs, and moves the cursor over its rows. Where another process has been faster, it goes on behind that.
func (l *loader) store(ctx context.Context, w *work) error {
	test := make([]bool, len(w.results))
	for i, r := range w.results {
		test[i] = l.plan.wanted.has(r.number) && l.pick.next()
	}
	for l.cursor < w.last() {
		var jobs []any
		for i, r := range w.results {
			if r.number <= l.cursor || r.blank {
				continue
			}
			if r.err != nil { // it was all right when it was checked
				return fmt.Errorf("row %d: %w", r.number, r.err)
			}
			flag := "0"
			if test[i] {
				flag = "1"
			}
			jobs = append(jobs, r.prepared.ID, flag, r.prepared.Message)
		}
		if err := l.call(ctx, w.last(), jobs); err != nil {
			return err
		}
	}
	return nil
}

// call runs the script once, and takes over where the cursor is then.
func (l *loader) call(ctx context.Context, to int, jobs []any) error {
	c, s := l.client, l.plan.spec
	line := l.plan.line()
	keys := []string{c.keys.Broadcast(s.Name), c.keys.Line(line), c.keys.Groups(), c.keys.Due(), c.keys.Outcomes(), c.keys.Closed()}
	args := append([]any{c.keys.Task(""), line, s.PageID, l.cursor, to}, jobs...)
	answer, err := loadScript.Run(ctx, c.rdb, keys, args...).StringSlice()
	switch {
	case err != nil:
		return err
	case len(answer) == 1 && answer[0] == "stored":
		l.cursor = to
		return nil
	case len(answer) == 1 && answer[0] == "cancelled":
		return ErrCancelled
	case len(answer) == 1 && answer[0] == "closed":
		return errClosed
	case len(answer) == 1 && answer[0] == "gone":
		return ErrNotFound
	case len(answer) == 2 && answer[0] == "at":
		at, err := strconv.Atoi(answer[1])
		if err == nil && at < l.cursor {
			err = errors.New("the rows that were stored last are lost in Redis; start it again")
		}
		l.cursor = at
		return err
	}
	return fmt.Errorf("the script answered %.100q", answer)
}
