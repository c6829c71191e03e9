package producer_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

// relay enqueues what transactions have written to the table outbox, oldest first. A transaction that rolls back leaves no message,
// and one that commits leaves one for certain. A crash between the two statements repeats a row, and its key makes the repeat
// the same job: run it as often as you like, in as many processes as you like. A row that is left for more than a day
// after it was enqueued may be sent twice.
func relay(ctx context.Context, db *sql.DB, p *producer.Producer) error {
	rows, err := db.QueryContext(ctx, "SELECT id, psid, text FROM outbox WHERE job_id IS NULL ORDER BY id LIMIT 100")
	if err != nil {
		return err
	}
	defer rows.Close()
	var ids []int64
	var jobs []producer.Job
	for rows.Next() {
		var id int64
		var psid, text string
		if err := rows.Scan(&id, &psid, &text); err != nil {
			return err
		}
		job, err := producer.NewJob("1001", sendapi.Text(sendapi.ID(psid), text))
		if err != nil {
			return err
		}
		job.Key = fmt.Sprintf("outbox-%d", id)
		ids, jobs = append(ids, id), append(jobs, job)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i, result := range p.EnqueueMany(ctx, jobs) {
		var problems sendapi.Problems
		switch {
		case errors.As(result.Err, &problems):
			// It never becomes valid: note it with the row, so that it does not come again.
			_, err = db.ExecContext(ctx, "UPDATE outbox SET job_id = '', problem = ? WHERE id = ?", problems.Error(), ids[i])
		case result.Err != nil:
			return result.Err // the row stays, and those behind it
		default:
			_, err = db.ExecContext(ctx, "UPDATE outbox SET job_id = ? WHERE id = ?", result.ID, ids[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Enqueue from a transaction's outbox.
func ExampleProducer_EnqueueMany_outbox() {
	p, stop := exampleProducer(producer.Config{})
	defer stop()
	ctx := context.Background()
	table := &outboxTable{rows: []outboxRow{{1, "4321", "Your order is paid."}, {2, "4322", ""}, {3, "4321", "It is on its way."}}}
	db := sql.OpenDB(table)
	defer db.Close()

	table.failAfter = 1 // updates, then the database is away: the process might as well have crashed
	fmt.Println(relay(ctx, db, p))
	table.failAfter = 100
	fmt.Println(relay(ctx, db, p))
	fmt.Println(relay(ctx, db, p)) // nothing is left to do

	count, err := p.CancelPage(ctx, "1001")
	fmt.Println("jobs:", count.Cancelled, err)
	fmt.Println("problem:", table.problems[2])
	// Output:
	// the database is away
	// <nil>
	// <nil>
	// jobs: 2 <nil>
	// problem: request.message: needs text, an attachment, a template or a sticker_id
}
