package pace

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sendpace/sendpace/producer"
)

// longer is the stop that lasts longer; nil for none.
func longer(a, b *PauseStatus) *PauseStatus {
	if a == nil || b != nil && !a.Hold && (b.Hold || b.Left > a.Left) {
		return b
	}
	return a
}

// mergeStatus makes one of the shards' statuses.
func mergeStatus(shards producer.Shards, each []*Status) *Status {
	if len(each) == 1 {
		return each[0]
	}
	sum := &Status{At: each[0].At, Lines: []LineStatus{}}
	workers, pages := map[string]WorkerInfo{}, map[string]PageStatus{}
	all := !slices.ContainsFunc(each, func(s *Status) bool { return s.Halted.IsZero() })
	for i, s := range each {
		queue := shards.Queues()[i]
		if all {
			sum.Halted = s.Halted
		}
		for _, p := range s.Pages {
			pages[p.ID] = samePage(p, pages[p.ID], shards.QueueOf(p.ID) == queue)
		}
		for _, w := range s.Workers {
			w.Leads = w.Leads || workers[w.ID].Leads
			workers[w.ID] = w
		}
		sum.add(s)
	}
	sum.Workers = slices.SortedFunc(maps.Values(workers), func(a, b WorkerInfo) int { return a.Started.Compare(b.Started) })
	sum.Pages = slices.AppendSeq([]PageStatus{}, maps.Values(pages))
	slices.SortFunc(sum.Pages, func(a, b PageStatus) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(sum.Lines, func(a, b LineStatus) int { return cmp.Compare(a.Name, b.Name) })
	return sum
}

// add adds what can be added up.
func (s *Status) add(of *Status) {
	s.Lines = append(s.Lines, of.Lines...)
	s.App = longer(s.App, of.App)
	if of.AppUsage > s.AppUsage {
		s.AppUsage, s.AppUsageAt = of.AppUsage, of.AppUsageAt
	}
	s.AppBudget, s.AppSpent = s.AppBudget+of.AppBudget, s.AppSpent+of.AppSpent
	s.Pending, s.Active, s.Retrying = s.Pending+of.Pending, s.Active+of.Active, s.Retrying+of.Retrying
	s.Scheduled, s.Archived = s.Scheduled+of.Scheduled, s.Archived+of.Archived
}

// samePage makes one of what two shards say of a page: another program may have enqueued jobs into one that is not the page's. other
// has no id if there is none; own is true if p is what the page's shard says.
func samePage(p, other PageStatus, own bool) PageStatus {
	if other.ID == "" {
		return p
	}
	if !own {
		p, other = other, p
	}
	ends := maps.Clone(p.Outcomes)
	for kind, n := range other.Outcomes {
		if ends == nil {
			ends = map[string]int64{}
		}
		ends[kind] += n
	}
	p.Outcomes = ends
	return p
}

// mergeFigures makes one of the shards' figures.
func mergeFigures(shards producer.Shards, each []*Figures) *Figures {
	sum := each[0]
	if len(each) == 1 {
		return sum
	}
	pages := map[string]PageFigures{}
	for i, f := range each {
		for _, p := range f.Pages {
			if _, there := pages[p.ID]; !there || shards.QueueOf(p.ID) == shards.Queues()[i] {
				pages[p.ID] = p
			}
		}
		if i == 0 {
			continue
		}
		sum.Workers = max(sum.Workers, f.Workers) // each works in all shards
		sum.App = longer(sum.App, f.App)
		sum.Pending, sum.Active, sum.Retrying = sum.Pending+f.Pending, sum.Active+f.Active, sum.Retrying+f.Retrying
		sum.Scheduled, sum.Archived = sum.Scheduled+f.Scheduled, sum.Archived+f.Archived
	}
	sum.Pages = slices.SortedFunc(maps.Values(pages), func(a, b PageFigures) int { return cmp.Compare(a.ID, b.ID) })
	return sum
}

// mergeAudits makes one of the shards' accounts.
func mergeAudits(each []*AuditReport) *AuditReport {
	sum := each[0]
	for _, r := range each[1:] {
		sum.Exact, sum.Deep = sum.Exact && r.Exact, sum.Deep || r.Deep
		sum.Pages = append(sum.Pages, r.Pages...)
		sum.Broadcasts = append(sum.Broadcasts, r.Broadcasts...)
		for _, m := range r.Misplaced {
			sum.note(m)
		}
		sum.Unnamed += r.Unnamed
	}
	sum.Pages = addUp(sum.Pages, func(p PageAudit) string { return p.ID }, PageAudit.plus)
	sum.Broadcasts = addUp(sum.Broadcasts, func(b BroadcastAudit) string { return b.ID }, BroadcastAudit.plus)
	return sum
}

// addUp makes one of all that have the same id, sorted by it.
func addUp[T any](list []T, id func(T) string, plus func(a, b T) T) []T {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(id(a), id(b)) })
	var sums []T
	for _, v := range list {
		if n := len(sums); n > 0 && id(sums[n-1]) == id(v) {
			sums[n-1] = plus(sums[n-1], v)
		} else {
			sums = append(sums, v)
		}
	}
	return sums
}

func (p PageAudit) plus(q PageAudit) PageAudit {
	return PageAudit{
		ID: p.ID, Accepted: p.Accepted + q.Accepted, Waiting: p.Waiting + q.Waiting, InHand: p.InHand + q.InHand,
		Archived: p.Archived + q.Archived, Ends: p.Ends.plus(q.Ends), Uncounted: p.Uncounted + q.Uncounted, Missing: p.Missing + q.Missing,
	}
}

func (b BroadcastAudit) plus(c BroadcastAudit) BroadcastAudit {
	sum := BroadcastAudit{
		ID: b.ID, Accepted: b.Accepted + c.Accepted, Ends: b.Ends.plus(c.Ends), Open: b.Open + c.Open, Found: b.Found,
		Missing: b.Missing + c.Missing,
	}
	if b.Found != nil && c.Found != nil {
		found := *b.Found + *c.Found
		sum.Found = &found
	}
	return sum
}

func (e Ends) plus(f Ends) Ends {
	return Ends{
		Sent: e.Sent + f.Sent, Failed: e.Failed + f.Failed, Expired: e.Expired + f.Expired, Cancelled: e.Cancelled + f.Cancelled,
		Unknown: e.Unknown + f.Unknown,
	}
}
