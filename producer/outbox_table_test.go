package producer_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// outboxTable is a database of one table that knows the statements of the outbox example, and may go away.
type outboxTable struct {
	rows      []outboxRow
	done      map[int64]bool
	problems  map[int64]string
	failAfter int
}

type outboxRow struct {
	id         int64
	psid, text string
}

func (t *outboxTable) Connect(context.Context) (driver.Conn, error) { return t, nil }
func (t *outboxTable) Driver() driver.Driver                        { return nil }
func (t *outboxTable) Close() error                                 { return nil }

func (t *outboxTable) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not supported") }
func (t *outboxTable) Begin() (driver.Tx, error)           { return nil, errors.New("not supported") }

// QueryContext selects the rows without a job.
func (t *outboxTable) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	left := &outboxRows{}
	for _, r := range t.rows {
		if !t.done[r.id] {
			left.rows = append(left.rows, r)
		}
	}
	return left, nil
}

// ExecContext updates a row; its id is the last argument.
func (t *outboxTable) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if t.failAfter == 0 {
		return nil, errors.New("the database is away")
	}
	t.failAfter--
	if t.done == nil {
		t.done, t.problems = map[int64]bool{}, map[int64]string{}
	}
	id, _ := args[1].Value.(int64)
	t.done[id] = true
	if query == "UPDATE outbox SET job_id = '', problem = ? WHERE id = ?" {
		t.problems[id], _ = args[0].Value.(string)
	}
	return driver.RowsAffected(1), nil
}

type outboxRows struct{ rows []outboxRow }

func (r *outboxRows) Columns() []string { return []string{"id", "psid", "text"} }
func (r *outboxRows) Close() error      { return nil }

func (r *outboxRows) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	dest[0], dest[1], dest[2] = r.rows[0].id, r.rows[0].psid, r.rows[0].text
	r.rows = r.rows[1:]
	return nil
}
