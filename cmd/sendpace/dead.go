package main

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer"
)

func (a *app) deadCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "dead",
		Short: "Look at jobs that were not sent, and send them again",
		Long: "Dead jobs ended as failed, expired or unknown, or were archived by hand. The newest 10,000 are kept for 90 days, and more\n" +
			"as far as the records of outcomes reach (outcomes.max).",
	}
	group.AddCommand(a.deadExportCommand(), a.deadListCommand(), a.deadReplayCommand(), a.deadShowCommand())
	return group
}

// deadQuery says which dead jobs are wanted.
type deadQuery struct {
	page, broadcast string
	code            string // with or without a subcode, as codeText shows it
	since, until    string
	kinds           []string

	ids      []string
	from, to time.Time // since and until, as times
}

var platformCode = regexp.MustCompile(`^[0-9]+(/[0-9]+)?$`)

// kindFlag lets a command choose the outcomes, beside its other flags.
func (q *deadQuery) kindFlag(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&q.kinds, "kind", q.kinds, "only these `outcomes`: failed, expired, unknown")
	completeFlag(cmd, "kind", cobra.FixedCompletions([]cobra.Completion{"failed", "expired", "unknown"}, cobra.ShellCompDirectiveNoFileComp))
}

func (q *deadQuery) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.page, "page", "", "only of the page with this `id`")
	cmd.Flags().StringVar(&q.code, "code", "", "only those that failed with this `code` of the platform, such as 551 or 100/2018001")
	cmd.Flags().StringVar(&q.since, "since", q.since, "only those that ended after this `time`, such as 2h or 2026-12-01T09:00:00Z")
	cmd.Flags().StringVar(&q.until, "until", "", "only those that ended before this `time`")
	cmd.Flags().StringVar(&q.broadcast, "broadcast", "", "only of the broadcast with this `id`")
}

// check reads the flags. Jobs that are named by their ids are wanted whatever they are.
func (q *deadQuery) check(cmd *cobra.Command, ids []string) error {
	var err, untilErr error
	now := time.Now()
	q.from, err = parseTimeFlag("since", q.since, now)
	q.to, untilErr = parseTimeFlag("until", q.until, now)
	if err := cmp.Or(err, untilErr); err != nil {
		return err
	}
	kinds, err := parseKinds(q.kinds)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if kind == producer.Sent || kind == producer.Cancelled {
			return misuse("dead jobs are failed, expired or unknown", "--kind: no dead job is %s", kind)
		}
	}
	if q.code != "" && !platformCode.MatchString(q.code) {
		return misuse("such as --code 551 or --code 100/2018001", "--code %q is no code", q.code)
	}
	q.ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 {
		return nil
	}
	for _, flag := range []string{"page", "code", "since", "until", "broadcast", "kind"} {
		if cmd.Flags().Changed(flag) {
			return misuse("name jobs by their ids, or by page, code, time, broadcast and kind", "--%s does not go with job ids", flag)
		}
	}
	return nil
}

func (q *deadQuery) wants(o producer.Outcome) bool {
	if len(q.ids) > 0 {
		return slices.Contains(q.ids, o.JobID)
	}
	return (q.page == "" || q.page == o.PageID) && (q.code == "" || q.code == strconv.Itoa(o.Code) || q.code == codeText(o.Code, o.Subcode)) &&
		(q.broadcast == "" || q.broadcast == o.Broadcast) && (len(q.kinds) == 0 || slices.Contains(q.kinds, string(o.Kind))) &&
		!o.EndedAt.Before(q.from) && (q.to.IsZero() || o.EndedAt.Before(q.to))
}

func (a *app) deadListCommand() *cobra.Command {
	var q deadQuery
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show dead jobs, the newest first",
		Long:  "list has neither the message's text nor the recipient, also with --json: dead show and dead export have.",
		Example: "  sendpace dead list --since 24h\n  sendpace dead list --page 1001 --code 551 --limit 0\n" +
			"  sendpace dead list --broadcast spring-sale --json | jq -r .reason | sort | uniq -c",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return misuse("", "--limit must be 0, for all, or more")
			}
			if err := q.check(cmd, nil); err != nil {
				return err
			}
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error { return a.listDead(ctx, p, &q, limit, asJSON) })
		},
	}
	q.flags(cmd)
	q.kindFlag(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, 0 for all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one job a line")
	a.queueFlags(cmd)
	return cmd
}

func (a *app) listDead(ctx context.Context, p *producer.Producer, q *deadQuery, limit int, asJSON bool) error {
	t := newTable("ended (UTC)", "page", "outcome", "code", "job", "again as", "reason")
	rightAlign(t, 4)
	n := 0
	for job, err := range p.Dead(ctx, true, q.wants) {
		if err != nil {
			return err
		}
		if n++; limit > 0 && n > limit {
			a.say("there are more: --limit 0 shows all")
			break
		}
		if job.Job, job.Meta = nil, nil; asJSON {
			if err := a.printJSON(job); err != nil {
				return err
			}
			continue
		}
		t.AppendRow(table.Row{stamp(job.EndedAt), job.PageID, job.Kind, codeText(job.Code, job.Subcode), job.JobID, job.ReplayedAs, oneLine(job.Reason)})
	}
	if asJSON {
		return nil
	}
	text := "no dead job is kept that fits"
	if n > 0 {
		text = render(t)
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}

// codeText is an error of the platform, with its subcode.
func codeText(code, subcode int) string {
	switch {
	case code == 0:
		return "-"
	case subcode == 0:
		return fmt.Sprint(code)
	}
	return fmt.Sprintf("%d/%d", code, subcode)
}

func (a *app) deadShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Tell how a dead job ended",
		Long: "show tells how a job ended that was not sent, and whether it was sent again. --json prints the job as well, with\n" +
			"recipient and text: that is your users' data.",
		Example: "  sendpace dead show 06h0o17d4nhq7em5t2q9e4s5m0-o5a8u2k1",
		Args:    oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := deadQuery{ids: args}
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error {
				for job, err := range p.Dead(ctx, true, q.wants) {
					switch {
					case err != nil:
						return err
					case asJSON:
						return a.printJSON(job)
					}
					_, err = fmt.Fprintln(a.stdout, deadText(job))
					return err
				}
				return failure("sendpace job show "+oneLine(args[0])+" tells more of one that is not dead", "no dead job %s is kept", oneLine(args[0]))
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the job itself")
	a.queueFlags(cmd)
	return cmd
}

// deadText has neither the message's text nor the recipient.
func deadText(job producer.DeadJob) string {
	t := newTable("job", job.JobID)
	row := func(name, value string) {
		if value != "" && value != "0" {
			t.AppendRow(table.Row{name, oneLine(value)})
		}
	}
	row("outcome", string(job.Kind))
	row("reason", job.Reason)
	row("code", strings.TrimPrefix(codeText(job.Code, job.Subcode), "-"))
	row("ended (UTC)", stamp(job.EndedAt))
	row("page", job.PageID)
	row("lane", string(job.Lane))
	row("broadcast", job.Broadcast)
	row("key", job.Key)
	row("attempts", fmt.Sprint(job.Attempts))
	row("sent before it failed", strings.Join(job.MessageIDs, " "))
	row("sent again as", job.ReplayedAs)
	return render(t)
}

func (a *app) deadExportCommand() *cobra.Command {
	var q deadQuery
	cmd := &cobra.Command{
		Use:   "export [ID...]",
		Short: "Print dead jobs as sendpace enqueue takes them",
		Long: "export prints one job a line, the oldest first, with recipient and text: that is your users' data. A sequence begins\n" +
			"behind what was sent of it. Each has the key that dead replay gives it, so that it is stored once, whichever of the two is\n" +
			"used; remove or change keys to send jobs once more, and expires_at of those that expired.",
		Example: "  sendpace dead export --page 1001 --since 24h > dead.ndjson\n" +
			"  sendpace dead export --code 100 | sed s/old.example/new.example/ | sendpace enqueue --file -",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := q.check(cmd, args); err != nil {
				return err
			}
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error { return a.exportDead(ctx, p, &q) })
		},
	}
	q.flags(cmd)
	q.kindFlag(cmd)
	a.queueFlags(cmd)
	return cmd
}

func (a *app) exportDead(ctx context.Context, p *producer.Producer, q *deadQuery) error {
	n, refused := 0, 0
	for dead, err := range p.Dead(ctx, false, q.wants) {
		if err != nil {
			return err
		}
		job, err := dead.Again()
		if err != nil {
			refused++
			a.say("%s: %s", dead.JobID, oneLine(err.Error()))
			continue
		}
		if err := a.printJSON(job); err != nil {
			return err
		}
		n++
	}
	a.say("%s exported", plural(n, "job"))
	if refused > 0 {
		return failure("their tasks hold something else than a job", "%d of %d jobs cannot be exported", refused, n+refused)
	}
	return nil
}

func (a *app) deadReplayCommand() *cobra.Command {
	q := deadQuery{kinds: []string{string(producer.Failed)}}
	var yes bool
	var expires time.Duration
	cmd := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Send dead jobs again",
		Long: "replay enqueues dead jobs again, under new ids, the oldest first; a sequence goes on behind what was sent of it. Without\n" +
			"ids it takes the failed ones that the flags name, and asks first, or takes --yes; --kind unknown takes those that may have\n" +
			"arrived, --kind expired those that came too late, which need a new time with --expires.\n\n" +
			"It is safe to run twice: a job is stored again once within 24 hours.",
		Example: "  sendpace dead replay --page 1001 --code 551 --since 6h\n  sendpace dead replay --kind expired --expires 2h --yes\n" +
			"  sendpace dead replay 06h0o17d4nhq7em5t2q9e4s5m0-o5a8u2k1",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := q.check(cmd, args); err != nil {
				return err
			}
			if expires < 0 {
				return misuse("such as --expires 2h", "--expires must be above 0")
			}
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error {
				r := replayer{app: a, producer: p}
				if expires > 0 {
					r.opts = append(r.opts, producer.ExpireAt(time.Now().Add(expires)))
				}
				return a.replay(ctx, &r, &q, "dead job", yes || len(args) > 0)
			})
		},
	}
	q.flags(cmd)
	q.kindFlag(cmd)
	cmd.Flags().DurationVar(&expires, "expires", 0, "give each job this `span` to be sent, in place of its expires_at")
	yesFlag(cmd, &yes)
	a.queueFlags(cmd)
	return cmd
}

// replay counts first, so that one knows what is asked, and sends again no more than was counted. what is what the jobs are called.
func (a *app) replay(ctx context.Context, r *replayer, q *deadQuery, what string, yes bool) error {
	counted := map[string]bool{}
	for job, err := range r.producer.Dead(ctx, false, q.wants) {
		if err != nil {
			return err
		}
		counted[job.JobID] = true
	}
	switch {
	case len(counted) < len(q.ids):
		return failure("sendpace dead list shows those that are; nothing was done", "%d of %d jobs are not dead, or not kept",
			len(q.ids)-len(counted), len(q.ids))
	case len(counted) == 0:
		fmt.Fprintf(a.stdout, "no %s is kept that fits\n", what)
		return nil
	}
	if err := a.confirm(yes, "send "+plural(len(counted), what)+" again"); err != nil {
		return err
	}
	err := r.sendAll(ctx, r.producer.Dead(ctx, false, func(o producer.Outcome) bool { return counted[o.JobID] }))
	return r.tell(err, len(counted))
}
