package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/worker/pace"
)

func (a *app) auditCommand() *cobra.Command {
	var q pace.AuditQuery
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Account for each job: accepted = waiting + in hand + ended",
		Long: "audit holds what was accepted against what waits, is in hand, and has ended, per page and broadcast. It may be run\n" +
			"at any time: the pages' figures are of one moment. It exits with 1 if they do not add up, and then names the jobs:\n\n" +
			"  lost     in no place, so that no worker will find it\n" +
			"  ghost    an id in a line or list whose job is gone\n" +
			"  doubled  in two places\n\n" +
			"A job that was deleted by hand shows as missing: nothing of it is left to name. With --deep it looks at each job,\n" +
			"also if the figures fit. Of a broadcast the open jobs follow from its counts; --broadcast counts them too, one\n" +
			"after the other while sending goes on, so it allows for what is accepted and ends meanwhile.",
		Example: "  sendpace audit\n  sendpace audit --page 1001 --deep\n  sendpace audit --broadcast spring-sale",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withRedis(cmd, func(ctx context.Context, _ *config.Config, rdb redis.UniversalClient) error {
				r, err := pace.Audit(ctx, rdb, q)
				if err = errors.Join(err, auditedNothing(q, r)); err != nil {
					return err
				}
				if asJSON {
					err = a.printJSON(r)
				} else {
					_, err = fmt.Fprintln(a.stdout, auditText(r))
				}
				if err == nil && !r.Fits() {
					err = failure("keep this report; sendpace job show ID tells more of a job that it names",
						"the account does not add up")
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&q.Page, "page", "", "only the page with this `id`")
	cmd.Flags().StringVar(&q.Broadcast, "broadcast", "", "count the open jobs of the broadcast with this `id`")
	cmd.Flags().BoolVar(&q.Deep, "deep", false, "look at each job, also if the figures fit")
	a.queueFlags(cmd)
	return cmd
}

// auditedNothing is the error of a name that stands for nothing: a slip must not look like a page whose figures fit.
func auditedNothing(q pace.AuditQuery, r *pace.AuditReport) error {
	switch {
	case r == nil:
		return nil
	case q.Page != "" && len(r.Pages) == 0:
		return failure("sendpace audit lists all pages", "there has never been a job of page %s in this queue", q.Page)
	case q.Broadcast != "" && !slices.ContainsFunc(r.Broadcasts, func(b pace.BroadcastAudit) bool {
		return b.ID == q.Broadcast && (b.Accepted > 0 || b.Found != nil && *b.Found > 0)
	}):
		return failure("sendpace audit lists all broadcasts", "there is no broadcast %s in this queue", q.Broadcast)
	}
	return nil
}

func auditText(r *pace.AuditReport) string {
	parts := []string{render(pagesTable(r.Pages))}
	if len(r.Broadcasts) > 0 {
		parts = append(parts, render(broadcastsTable(r.Broadcasts)))
	}
	var notes []string
	for _, m := range r.Misplaced {
		notes = append(notes, strings.TrimSpace(fmt.Sprintf("%s  %s  %s", m.What, m.JobID, m.Where)))
	}
	if r.Unnamed > 0 {
		notes = append(notes, fmt.Sprintf("and %d more", r.Unnamed))
	}
	if !r.Exact && !r.Deep {
		notes = append(notes, "there are too many jobs to look at in one step: what waits was only counted, and jobs that are not counted as\n"+
			"accepted yet can make up for missing ones; --deep names those")
	}
	if len(notes) == 0 && r.Fits() {
		notes = append(notes, "the account adds up: no job is lost")
	}
	if len(notes) > 0 {
		parts = append(parts, strings.Join(notes, "\n"))
	}
	return strings.Join(parts, "\n\n")
}

func pagesTable(pages []pace.PageAudit) table.Writer {
	t := newTable("page", "accepted", "waiting", "in hand", "archived", "sent", "failed", "expired", "cancelled", "unknown",
		"missing", "not counted yet")
	rightAlign(t, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	for _, p := range pages {
		id := p.ID
		if id == pace.AllPages {
			id = "all"
		}
		t.AppendRow(table.Row{id, p.Accepted, p.Waiting, p.InHand, p.Archived, p.Sent, p.Failed, p.Expired, p.Cancelled,
			p.Unknown, p.Missing, p.Uncounted})
	}
	return t
}

func broadcastsTable(broadcasts []pace.BroadcastAudit) table.Writer {
	t := newTable("broadcast", "accepted", "open", "found", "sent", "failed", "expired", "cancelled", "unknown", "missing")
	rightAlign(t, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	for _, b := range broadcasts {
		found := "-"
		if b.Found != nil {
			found = fmt.Sprint(*b.Found)
		}
		t.AppendRow(table.Row{b.ID, b.Accepted, b.Open, found, b.Sent, b.Failed, b.Expired, b.Cancelled, b.Unknown, b.Missing})
	}
	return t
}
