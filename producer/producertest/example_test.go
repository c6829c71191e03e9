package producertest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/producertest"
	"github.com/sendpace/sendpace/sendapi"
)

// shop is the code under test: it tells customers that a parcel is on its way.
type shop struct{ messages *producer.Producer }

func (s shop) shipped(ctx context.Context, order, psid string) error {
	job, err := producer.NewJob("1001", sendapi.Text(sendapi.ID(psid), "Your parcel is on its way."))
	if err != nil {
		return err
	}
	_, err = s.messages.Enqueue(ctx, job, producer.Key("shipped-"+order))
	return err
}

// t stands for the argument of a test; an example has none.
type exampleT struct {
	testing.TB
	cleanup []func()
}

func (t *exampleT) Helper()          {}
func (t *exampleT) Cleanup(f func()) { t.cleanup = append(t.cleanup, f) }
func (t *exampleT) end() {
	for _, f := range t.cleanup {
		f()
	}
}

func Example() {
	t := &exampleT{} // in a test: its *testing.T
	defer t.end()

	queue := producertest.New(t, producer.Config{})
	s := shop{messages: queue.Producer}
	for range 2 { // the second call is a repeat
		if err := s.shipped(context.Background(), "17", "4321"); err != nil {
			fmt.Println(err)
		}
	}
	jobs := queue.Jobs()
	fmt.Println(len(jobs), jobs[0].Line, string(jobs[0].Job.Request))

	queue.End(jobs[0].ID, producer.Failed, func(o *producer.Outcome) { o.Code = 551 })
	records, err := queue.ReadOutcomes(context.Background(), "", 10, 0)
	fmt.Println(records[0].Outcome.Key, records[0].Outcome.Kind, records[0].Outcome.Code, err)
	// Output:
	// 1 1001:bulk {"recipient":{"id":"4321"},"messaging_type":"UPDATE","message":{"text":"Your parcel is on its way."}}
	// shipped-17 failed 551 <nil>
}
