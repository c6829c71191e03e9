package pace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

const (
	// auditLook is how many jobs, beside archived ones, the audit looks at in one step, in which Redis does nothing else: 0.1 s at
	// 5 us each, as measured on a busy machine.
	auditLook = 20_000
	// AllPages stands in place of a page's id where more jobs wait outside of the lines than can be looked at in one step.
	AllPages = "*"
)

// AuditQuery is what [Audit] is asked. The zero value asks about all pages and broadcasts of the default queue.
type AuditQuery struct {
	// Queue is the asynq queue. Default: [producer.DefaultQueue].
	Queue string
	// Page leaves all other pages out. Broadcasts are counted over all pages.
	Page string
	// Broadcast asks about that broadcast alone, in place of all, and counts its open jobs. That takes a look at each job.
	Broadcast string
	// Deep looks at each job, also where the sums fit. Else that is done only where they do not.
	Deep bool
}

// Ends counts how jobs ended.
type Ends struct {
	Sent      int64 `json:"sent"`
	Failed    int64 `json:"failed"`
	Expired   int64 `json:"expired"`
	Cancelled int64 `json:"cancelled"`
	Unknown   int64 `json:"unknown"`
}

func (e Ends) ended() int64 { return e.Sent + e.Failed + e.Expired + e.Cancelled + e.Unknown }

// PageAudit is the account of one page. Accepted is the sum of Waiting, InHand, Archived, Ends and Missing.
type PageAudit struct {
	// ID is the page's, or [AllPages].
	ID       string `json:"id"`
	Accepted int64  `json:"accepted"`
	// Waiting jobs are in a line, or wait for their time or for their next try.
	Waiting int64 `json:"waiting"`
	InHand  int64 `json:"in_hand"`
	// Archived jobs were archived by hand before they ended: they have no outcome, and can be run again.
	Archived int64 `json:"archived"`
	Ends
	// Uncounted jobs were enqueued by another program than a producer, or run again after they had ended. They count as
	// accepted when they end.
	Uncounted int64 `json:"not_counted_yet"`
	// Missing is how many jobs are in no place and have no outcome; below zero, how many are there too often.
	Missing int64 `json:"missing"`
}

// BroadcastAudit is the account of one broadcast. Accepted is the sum of Ends and Open.
type BroadcastAudit struct {
	ID       string `json:"id"`
	Accepted int64  `json:"accepted"`
	Ends
	// Open is how many jobs have not ended: Accepted less Ends.
	Open int64 `json:"open"`
	// Found is how many open jobs were found, nil if they were not counted. The count takes a while, in which jobs end.
	Found *int64 `json:"found,omitempty"`
	// Missing is how many open jobs fewer were found than there were all the time; below zero, how many more.
	Missing int64 `json:"missing"`
}

// Misplaced is a job that is not where it should be, seen at one moment.
type Misplaced struct {
	JobID  string `json:"job_id"`
	PageID string `json:"page_id,omitempty"`
	// What is wrong: [Lost], [Ghost] or [Doubled].
	What string `json:"what"`
	// Where lists the Redis keys that have the job's id, with spaces between them.
	Where string `json:"where,omitempty"`
}

// What can be wrong with a job.
const (
	// Lost jobs are in no collection, so that no worker will find them.
	Lost = "lost"
	// Ghost is an id in a collection whose job is gone.
	Ghost = "ghost"
	// Doubled jobs are in a collection twice, or in two.
	Doubled = "doubled"
)

// AuditReport is the account of a queue.
type AuditReport struct {
	// Exact is false if there are more jobs than can be looked at in one step. Those of the lines are only counted then, so that
	// jobs that were not counted as accepted can make up for missing ones.
	Exact      bool             `json:"exact"`
	Pages      []PageAudit      `json:"pages"`
	Broadcasts []BroadcastAudit `json:"broadcasts,omitempty"`
	// Deep is true if each job was looked at.
	Deep bool `json:"deep"`
	// Misplaced are the jobs that are not where they should be, a thousand at most; Unnamed is how many there are beside them.
	Misplaced []Misplaced `json:"misplaced,omitempty"`
	Unnamed   int         `json:"unnamed,omitempty"`
}

// Fits is true if each job that was accepted is accounted for once.
func (r *AuditReport) Fits() bool {
	fits := len(r.Misplaced) == 0
	for _, p := range r.Pages {
		fits = fits && p.Missing == 0
	}
	for _, b := range r.Broadcasts {
		fits = fits && b.Missing == 0
	}
	return fits
}

// Audit accounts for each job of a queue: what was accepted is where it waits, in hand, or has ended. It may be called at any
// time; the counts of all pages of a shard are of one moment. Where they do not fit it looks for the jobs at fault. It changes nothing.
func Audit(ctx context.Context, rdb redis.UniversalClient, q AuditQuery) (*AuditReport, error) {
	return audit(ctx, rdb, q, auditLook)
}

func audit(ctx context.Context, rdb redis.UniversalClient, q AuditQuery, look int) (*AuditReport, error) {
	_, each, err := eachShard(ctx, rdb, q.Queue, func(r statusReader) (*AuditReport, error) {
		a := auditor{rdb: rdb, keys: r.keys, query: q, most: look, report: &AuditReport{}}
		return a.report, a.run(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("pace: audit: %w", err)
	}
	return mergeAudits(each), nil
}

type auditor struct {
	rdb    redis.UniversalClient
	keys   rediskeys.Keys
	query  AuditQuery
	most   int // jobs that are looked at in one step
	report *AuditReport
}

func (a *auditor) run(ctx context.Context) error {
	node, err := a.node(ctx)
	if err != nil {
		return err
	}
	if err := a.pages(ctx); err != nil {
		return err
	}
	ids := []string{a.query.Broadcast}
	if a.query.Broadcast == "" {
		if ids, err = a.broadcastIDs(ctx, node); err != nil {
			return err
		}
	}
	if a.report.Broadcasts, err = a.broadcasts(ctx, ids); err != nil {
		return err
	}
	if a.report.Deep = a.query.Deep || a.query.Broadcast != "" || !a.report.Fits(); !a.report.Deep {
		return nil
	}
	return a.lookAtEach(ctx, node)
}

// node is the server that has the queue's keys, which are all in one slot of a cluster.
func (a *auditor) node(ctx context.Context) (redis.UniversalClient, error) {
	if cluster, ok := a.rdb.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, a.keys.Groups())
	}
	return a.rdb, nil
}

// pages accounts for the pages, at one moment.
func (a *auditor) pages(ctx context.Context) error {
	k := a.keys
	got, err := auditScript.Run(ctx, a.rdb,
		[]string{k.Outcomes(), k.Groups(), k.Pending(), k.Active(), k.Scheduled(), k.Retry(), k.Archived()},
		k.Task(""), k.Line(""), a.most).StringSlice()
	switch {
	case err != nil:
		return err
	case len(got)%2 != 1:
		return fmt.Errorf("the script answered %d values", len(got))
	}
	a.report.Exact = got[0] == "all"
	fields := map[string]string{}
	for i := 1; i < len(got); i += 2 {
		fields[got[i]] = got[i+1]
	}
	counts := countsByPage(fields)
	if got[0] == "none" {
		if a.query.Page != "" {
			return errors.New("so many jobs wait outside of the lines that they cannot be told apart by page; ask about all pages")
		}
		counts = map[string]map[string]int64{AllPages: sumOf(counts)}
	}
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		if a.query.Page == "" || a.query.Page == id {
			a.report.Pages = append(a.report.Pages, pageAudit(id, counts[id], a.report.Exact))
		}
	}
	return nil
}

func sumOf(pages map[string]map[string]int64) map[string]int64 {
	sum := map[string]int64{}
	for _, counts := range pages {
		for name, n := range counts {
			sum[name] += n
		}
	}
	return sum
}

// pageAudit puts the account of a page together. Where the jobs of the lines were only counted, those that are more than were
// accepted pass for jobs that are not counted yet.
func pageAudit(id string, n map[string]int64, exact bool) PageAudit {
	p := PageAudit{
		ID: id, Accepted: n["accepted"], Waiting: n["waiting"], InHand: n["in_hand"], Archived: n["archived"],
		Ends: endsOf(n), Uncounted: n["uncounted"],
	}
	p.Missing = p.Accepted - p.Waiting - p.InHand - p.Archived - p.ended()
	if !exact && p.Missing < 0 {
		more := min(-p.Missing, p.Waiting)
		p.Waiting, p.Uncounted, p.Missing = p.Waiting-more, p.Uncounted+more, p.Missing+more
	}
	return p
}

func endsOf(n map[string]int64) Ends {
	return Ends{
		Sent: n[string(producer.Sent)], Failed: n[string(producer.Failed)], Expired: n[string(producer.Expired)],
		Cancelled: n[string(producer.Cancelled)], Unknown: n[string(producer.Unknown)],
	}
}

// misplaced notes a job, if its page is asked about.
func (a *auditor) misplaced(m Misplaced) {
	if a.query.Page == "" || m.PageID == "" || m.PageID == a.query.Page {
		a.report.note(m)
	}
}

// note notes a job once.
func (r *AuditReport) note(m Misplaced) {
	const most = 1000
	switch i, known := slices.BinarySearchFunc(r.Misplaced, m, byID); {
	case known:
	case len(r.Misplaced) == most:
		r.Unnamed++
	default:
		r.Misplaced = slices.Insert(r.Misplaced, i, m)
	}
}

func byID(a, b Misplaced) int { return cmp.Compare(a.JobID, b.JobID) }
