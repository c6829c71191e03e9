package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

// draft is a job that has not been enqueued yet. Its times count from when it is.
type draft struct {
	Job
	offerAt              time.Duration // since the run began
	sendAfter, expiresIn time.Duration // 0: none
}

// drafts draws the jobs of a run: text and media in both lanes, a tenth of them sequences, some with a time, an expiry, or
// the wish rather not to arrive than twice.
func drafts(rng *rand.Rand, s scale) []draft {
	jobs := make([]draft, s.jobs)
	for i := range jobs {
		person := rng.IntN(s.recipients)
		d := draft{offerAt: s.span * time.Duration(i) / time.Duration(s.jobs), Job: Job{
			Label: strconv.Itoa(i), PageID: pageID(person % s.pages), Recipient: strconv.Itoa(5000 + person),
			Lane: producer.LaneBulk, Steps: 1,
			Media: rng.IntN(20) == 0, Once: rng.IntN(10) == 0,
		}}
		if rng.IntN(3) == 0 {
			d.Lane = producer.LaneRealtime
		}
		if !d.Media && rng.IntN(10) == 0 {
			d.Steps = 2 + rng.IntN(3)
		}
		if rng.IntN(20) == 0 {
			d.sendAfter = time.Second + upTo(rng, s.span/10)
		}
		if rng.IntN(10) == 0 {
			d.expiresIn = d.sendAfter + 2*time.Second + upTo(rng, s.span/5)
		}
		jobs[i] = d
	}
	return jobs
}

func pageID(i int) string { return strconv.Itoa(1001 + i) }

// job is what the producer gets.
func (d draft) job() producer.Job {
	j := producer.Job{
		PageID: d.PageID, Lane: d.Lane, Key: d.Label, SendAt: d.SendAt, ExpiresAt: d.ExpiresAt,
	}
	if d.Once {
		j.OnUnknown = producer.NeverResend
	}
	if d.Steps == 1 {
		j.Request = d.request(0)
		return j
	}
	for step := range d.Steps {
		j.Requests = append(j.Requests, d.request(step))
	}
	return j
}

// request is one call. A sequence begins as people know it: with the sign that somebody types.
func (d draft) request(step int) json.RawMessage {
	what := fmt.Sprintf(`"messaging_type":"RESPONSE","message":{"text":"%s.%d"}`, d.Label, step)
	switch {
	case d.Media:
		what = `"messaging_type":"RESPONSE","message":{"attachment":{"type":"video","payload":{"url":"https://example.com/v.mp4"}}}`
	case d.Steps > 1 && step == 0:
		what = `"sender_action":"typing_on"`
	}
	return json.RawMessage(fmt.Sprintf(`{"recipient":{"id":"%s"},%s,"chaos_job":"%s","chaos_step":%d}`,
		d.Recipient, what, d.Label, step))
}

// offer enqueues a job as an app would: again and again with the same key until there is an answer.
func (d *draft) offer(ctx context.Context, p *producer.Producer) {
	d.Offered = time.Now()
	if d.sendAfter > 0 {
		d.SendAt = d.Offered.Add(d.sendAfter)
	}
	if d.expiresIn > 0 {
		d.ExpiresAt = d.Offered.Add(d.expiresIn)
	}
	for ctx.Err() == nil {
		brief, cancel := context.WithTimeout(ctx, 3*time.Second)
		receipt, err := p.Enqueue(brief, d.job())
		cancel()
		if err == nil {
			d.ID, d.Stored = receipt.ID, time.Now()
			return
		}
		if errors.As(err, new(sendapi.Problems)) {
			return // it expired before Redis could be reached; an earlier try may have stored it
		}
		wait(ctx, 100*time.Millisecond)
	}
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// upTo draws a time from 0 to below d.
func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }
