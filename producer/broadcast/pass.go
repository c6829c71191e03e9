package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"runtime"
	"sync"

	"github.com/google/uuid"

	"github.com/sendpace/sendpace/producer"
)

const (
	// groupRows bounds how many rows are dealt with together, and groupBytes about how many bytes of requests they make.
	groupRows  = 500
	groupBytes = 1 << 20
)

// pass goes once through an audience: rows are rendered on all cores, and collected in their order.
type pass struct {
	rows     *rowReader
	template *template
	spec     Spec
	seed     maphash.Seed
	// use is called for a row's job, in any order and on several goroutines. wanted tells the rows that are, by number.
	use    func(ctx context.Context, job producer.Job, order uuid.UUID) (producer.Prepared, error)
	wanted func(row int) bool
}

// work is a group of rows, and what became of each.
type work struct {
	group
	order     []uuid.UUID // of each row, time-ordered
	results   []result
	hash      uint64 // of the records
	defaulted []int  // how many rows took the default of each field
	done      chan struct{}
}

// result is what became of one row.
type result struct {
	number    int
	blank     bool // nothing stands there, or it is not wanted
	recipient string
	prepared  producer.Prepared
	bodies    []json.RawMessage
	err       error
}

// groupSize is how many rows go together. Long templates make long jobs.
func (p *pass) groupSize() int { return max(1, min(groupRows, groupBytes/(len(p.spec.Template)+512))) }

// run calls collect with each group, in order. It returns when all of its goroutines have ended.
func (p *pass) run(ctx context.Context, collect func(*work) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	workers := runtime.GOMAXPROCS(0)
	todo, order := make(chan *work), make(chan *work, workers)
	for range workers {
		wg.Go(func() {
			for w := range todo {
				p.render(ctx, w)
				close(w.done)
			}
		})
	}
	var readErr error
	wg.Go(func() {
		defer close(order)
		defer close(todo)
		readErr = p.read(ctx, todo, order)
	})
	for w := range order {
		<-w.done
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := collect(w); err != nil {
			return err
		}
	}
	return readErr
}

// read hands out the groups until the audience ends.
func (p *pass) read(ctx context.Context, todo, order chan<- *work) error {
	for {
		w := &work{done: make(chan struct{})}
		switch err := p.rows.fill(&w.group, p.groupSize()); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("audience: %w", err)
		}
		for range w.len() {
			w.order = append(w.order, uuid.Must(uuid.NewV7()))
		}
		for _, out := range []chan<- *work{todo, order} {
			select {
			case out <- w:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// render deals with the rows of a group.
func (p *pass) render(ctx context.Context, w *work) {
	w.hash = w.sum(p.seed)
	w.results, w.defaulted = make([]result, w.len()), make([]int, len(p.template.fields))
	for i := range w.results {
		if ctx.Err() != nil {
			return
		}
		w.results[i] = p.row(ctx, w, i)
	}
}

func (p *pass) row(ctx context.Context, w *work, i int) result {
	res := result{number: w.first + i}
	if res.blank = !p.wanted(res.number); res.blank {
		return res
	}
	var r row
	if r, res.blank, res.err = p.rows.parse(&w.group, i); res.blank || res.err != nil {
		return res
	}
	if res.err = checkRecipient(r.recipient); res.err != nil {
		return res
	}
	res.recipient = r.recipient
	var missing string
	if res.bodies, missing = p.template.requests(r, func(field int) { w.defaulted[field]++ }); missing != "" {
		res.err = fmt.Errorf("%s: empty, and it has no default", missing)
		return res
	}
	res.prepared, res.err = p.use(ctx, p.spec.job(res.bodies), w.order[i])
	return res
}

// checkRecipient looks at what spreadsheets make of long numbers before the platform's rules are asked.
func checkRecipient(to string) error {
	digits := to != ""
	for i := range len(to) {
		c := to[i]
		if c < '0' || c > '9' {
			digits = false
			if (c == 'e' || c == 'E' || c == '.' || c == ',') && to[0] >= '0' && to[0] <= '9' {
				return errors.New("recipient: a spreadsheet has rounded it; export the column as text")
			}
		}
	}
	switch {
	case to == "":
		return errors.New("recipient: empty")
	case !digits:
		return errors.New("recipient: must be a PSID, which is decimal digits")
	case len(to) > 32:
		return errors.New("recipient: longer than 32 digits")
	}
	return nil
}
