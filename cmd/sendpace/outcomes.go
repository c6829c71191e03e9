package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer"
)

const (
	// outcomesBatch is how many records are read at a time.
	outcomesBatch = 500
	// followWait is how long a read waits for the next record, and awayPause the time between two tries while Redis is away.
	followWait = 10 * time.Second
	awayPause  = time.Second
)

var outcomeKinds = []producer.OutcomeKind{
	producer.Sent, producer.Failed, producer.Expired, producer.Cancelled, producer.Unknown,
}

func (a *app) outcomesCommand() *cobra.Command {
	var q outcomesQuery
	var kinds []string
	var since string
	cmd := &cobra.Command{
		Use:   "outcomes",
		Short: "Show how jobs ended",
		Long: "outcomes shows the records of ended jobs that are kept (outcomes.max), the oldest first. With --follow it\n" +
			"waits for more, until Ctrl-C, and begins with those that come from now on unless --since says otherwise.\n\n" +
			"The lines have neither the message's text nor the recipient. --json prints the full records, and with them\n" +
			"the job of all that were not sent: that is your users' data, text and recipient included.",
		Example: "  sendpace outcomes --kind failed,unknown --since 24h\n" +
			"  sendpace outcomes --follow --page 1001\n" +
			"  sendpace outcomes --kind failed --json | jq .job.request.recipient",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if q.kinds, err = parseKinds(kinds); err != nil {
				return err
			}
			if q.from, err = parseTimeFlag("since", since, time.Now()); err != nil {
				return err
			}
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error { return a.showOutcomes(ctx, p, q) })
		},
	}
	cmd.Flags().BoolVar(&q.follow, "follow", false, "go on with those that come, until Ctrl-C")
	cmd.Flags().BoolVar(&q.json, "json", false, "print the full records as JSON, one a line")
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "only these `outcomes`: sent, failed, expired, cancelled, unknown")
	cmd.Flags().StringVar(&q.page, "page", "", "only of the page with this `id`")
	cmd.Flags().StringVar(&since, "since", "", "only those after this `time`, such as 2h or 2026-12-01T09:00:00Z")
	a.queueFlags(cmd)
	return cmd
}

// outcomesQuery says which records are wanted.
type outcomesQuery struct {
	page   string
	from   time.Time // --since
	kinds  []producer.OutcomeKind
	follow bool
	json   bool
}

func (q *outcomesQuery) wants(o producer.Outcome) bool {
	return (q.page == "" || q.page == o.PageID) && (len(q.kinds) == 0 || slices.Contains(q.kinds, o.Kind))
}

func parseKinds(names []string) ([]producer.OutcomeKind, error) {
	var kinds []producer.OutcomeKind
	for _, name := range names {
		kind := producer.OutcomeKind(name)
		if !slices.Contains(outcomeKinds, kind) {
			return nil, misuse("the outcomes are sent, failed, expired, cancelled and unknown", "--kind: there is no outcome %q", name)
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// start is the record behind which to begin.
func (q *outcomesQuery) start(ctx context.Context, p *producer.Producer) (string, error) {
	switch {
	case !q.from.IsZero():
		return strconv.FormatInt(max(0, q.from.UnixMilli()-1), 10) + "-0", nil
	case q.follow:
		return p.LastOutcomeID(ctx)
	}
	return "", nil
}

// showOutcomes shows the records that are wanted. Where it follows, it waits out that Redis is away, and ends with ctx.
func (a *app) showOutcomes(ctx context.Context, p *producer.Producer, q outcomesQuery) error {
	after, err := q.start(ctx, p)
	if err != nil {
		return err
	}
	show := func(o producer.Outcome) error { return a.printJSON(o) }
	if !q.json {
		show = a.outcomeLine
		fmt.Fprintln(a.stdout, outcomeHeader())
	}
	wait := time.Duration(0)
	if q.follow {
		wait = followWait
	}
	r := recordReader{producer: p, say: a.say, after: after, fromTime: !q.from.IsZero()}
	more := func() bool { return q.follow && ctx.Err() == nil || !q.follow && !r.done }
	for more() {
		outcomes, err := r.read(ctx, wait)
		if err != nil && !q.follow {
			return err
		}
		if err != nil {
			r.away(ctx, err)
		}
		for _, o := range outcomes {
			if !q.wants(o) {
				continue
			}
			if err := show(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// recordReader reads the stream of outcomes, and says where records are missing.
type recordReader struct {
	producer *producer.Producer
	say      func(format string, args ...any)
	after    string // the record that was read last
	fromTime bool   // after is a time so far
	waiting  bool   // for Redis
	done     bool   // there is no other record now
}

// read returns the next outcomes. It waits for one as long as it may.
func (r *recordReader) read(ctx context.Context, wait time.Duration) ([]producer.Outcome, error) {
	records, err := r.producer.ReadOutcomes(ctx, r.after, outcomesBatch, wait)
	if err != nil {
		return nil, err
	}
	if r.waiting {
		r.waiting = false
		r.say("Redis answers again")
	}
	r.done = len(records) == 0
	var outcomes []producer.Outcome
	for i, record := range records {
		switch {
		case record.Gap != nil && r.fromTime && i+1 < len(records) && records[i+1].Gap == nil:
			r.say("the oldest record that is kept is of %s", stamp(records[i+1].Outcome.EndedAt))
		case record.Gap != nil:
			r.say("%s", record.Gap.Reason)
		default:
			outcomes = append(outcomes, record.Outcome)
		}
		if record.ID != "" {
			r.after, r.fromTime = record.ID, false
		}
	}
	return outcomes, nil
}

// away waits a moment for a Redis in trouble, of which it tells once.
func (r *recordReader) away(ctx context.Context, err error) {
	if !r.waiting && ctx.Err() == nil {
		r.waiting = true
		r.say("waiting for Redis: %s", err)
	}
	timer := time.NewTimer(awayPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

const outcomeColumns = "%-19s  %-16s  %-8s  %-9s  %-35s  %5v  %s"

func outcomeHeader() string {
	return fmt.Sprintf(outcomeColumns, "ended (UTC)", "page", "lane", "outcome", "job", "tries", "message or reason")
}

func (a *app) outcomeLine(o producer.Outcome) error {
	about := strings.Join(o.MessageIDs, " ")
	if o.Kind != producer.Sent {
		about = oneLine(o.Reason)
	}
	if o.ResentUnknown > 0 {
		about += fmt.Sprintf(" (sent again %d times without knowing)", o.ResentUnknown)
	}
	_, err := fmt.Fprintln(a.stdout, strings.TrimRight(
		fmt.Sprintf(outcomeColumns, stamp(o.EndedAt), o.PageID, o.Lane, o.Kind, o.JobID, o.Attempts, about), " "))
	return err
}

// oneLine keeps what others wrote from moving the cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
