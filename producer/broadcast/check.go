package broadcast

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/sendpace/sendpace/producer"
)

// maxProblems is how many problems of rows are kept. All are counted.
const maxProblems = 100

// Problem is what is wrong with one row.
type Problem struct {
	// Row is its number, from 1: of the record in a CSV, whose header is row 1, and of the line in NDJSON. Blank lines count.
	Row int `json:"row"`
	// Message says what, for a person. It has neither the message's text nor the recipient.
	Message string `json:"problem"`
}

// ProblemsError is why an audience with bad rows is not sent to.
type ProblemsError struct {
	// Bad is how many rows have problems; Problems are those of the first 100.
	Bad      int
	Problems []Problem
}

// Error says how many rows there are, and what is wrong with the first. It has nothing of the rows' values.
func (e *ProblemsError) Error() string {
	return fmt.Sprintf("%d rows have problems, the first one row %d: %s", e.Bad, e.Problems[0].Row, e.Problems[0].Message)
}

// bitmap is a set of small numbers.
type bitmap []uint64

func (b *bitmap) add(n int) {
	for len(*b) <= n/64 {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bitmap) has(n int) bool { return n/64 < len(b) && b[n/64]&(1<<(n%64)) != 0 }

// people is a set of recipients. Page-scoped ids are numbers that fit 64 bits, in the 9 bytes or so that such a one takes; whatever
// does not is kept as it is.
type people struct {
	numbers map[uint64]struct{}
	others  map[string]struct{}
}

func newPeople() people {
	return people{numbers: map[uint64]struct{}{}, others: map[string]struct{}{}}
}

// add returns false if the recipient is there already.
func (p people) add(to string) bool {
	before := len(p.numbers) + len(p.others)
	if n, err := strconv.ParseUint(to, 10, 64); err == nil && to[0] != '0' {
		p.numbers[n] = struct{}{}
	} else {
		p.others[strings.Clone(to)] = struct{}{}
	}
	return len(p.numbers)+len(p.others) > before
}

// checker goes through an audience and notes what is wrong with it.
type checker struct {
	plan *Plan
	seen people
}

// check fills in what the plan says of the audience. It stores nothing.
func (c *Client) check(ctx context.Context, p *Plan) error {
	rows, err := p.audience.open(p.template)
	if err != nil {
		return err
	}
	validate := func(_ context.Context, job producer.Job, _ uuid.UUID) (producer.Prepared, error) {
		return producer.Prepared{}, c.producer.Check(job)
	}
	k := checker{plan: p, seen: newPeople()}
	run := pass{
		rows: rows, template: p.template, spec: p.spec, seed: p.seed, use: validate, wanted: func(int) bool { return true },
	}
	if err := run.run(ctx, func(w *work) error {
		k.collect(w)
		c.progress(Progress{Stage: StageCheck, Rows: p.last, Bytes: w.read, Total: rows.size})
		return nil
	}); err != nil {
		return err
	}
	p.sum = rows.sum.Sum(nil)
	return nil
}

// collect notes what became of the rows of a group.
func (k *checker) collect(w *work) {
	p := k.plan
	for i, n := range w.defaulted {
		if n > 0 {
			p.Defaulted[p.template.fields[i]] += n
		}
	}
	p.hashes, p.last = append(p.hashes, w.hash), w.last()
	for _, r := range w.results {
		switch {
		case r.blank:
		case r.err != nil:
			p.Bad++
			if len(p.Problems) < maxProblems {
				p.Problems = append(p.Problems, Problem{Row: r.number, Message: r.err.Error()})
			}
		case !k.seen.add(r.recipient):
			p.Duplicates++
		default:
			p.wanted.add(r.number)
			if p.People++; p.People == 1 {
				p.Sample = r.bodies
			}
		}
	}
}
