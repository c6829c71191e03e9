package sandbox

import (
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// maxThreads bounds the conversations whose rate is watched.
const maxThreads = 100_000

// traffic counts the calls of one page against its limits.
type traffic struct {
	all, media, replies window
	budget              budget
	block               block
	volume              volume
}

// block makes the refusals of a limit last.
type block struct {
	until time.Time
	why   refusal
}

// hold turns the verdict of a limit into that of its block: once refused, a caller is refused until it was silent for the
// given time.
func (b *block) hold(verdict refusal, at time.Time, length time.Duration) refusal {
	if length == 0 {
		return verdict
	}
	if verdict.refuses() {
		b.why = verdict
	} else if !at.Before(b.until) {
		return verdict
	}
	b.until = at.Add(length)
	return b.why
}

// trafficOf returns the counters of a page.
func (s *Server) trafficOf(pageID string) *traffic {
	if t, ok := s.traffic.get(pageID); ok {
		return t
	}
	page := s.pages[pageID]
	rate, mediaRate := s.cfg.Rate, s.cfg.MediaRate
	if page.Rate != 0 {
		rate = page.Rate
	}
	if page.MediaRate != 0 {
		mediaRate = page.MediaRate
	}
	t := &traffic{
		all:     newWindow(rate),
		media:   newWindow(mediaRate),
		replies: window{size: max(0, s.cfg.PrivateReplies), span: time.Hour},
		budget:  newBudget(s.cfg.PageCalls, s.cfg.BudgetSpan),
		volume:  volume{sent: newWindow(s.cfg.HighVolume)},
	}
	s.traffic.put(pageID, t)
	return t
}

// limit counts a call against the limits of the app and of its page.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting
func (s *Server) limit(t *traffic, act action, at time.Time) refusal {
	var app, page refusal
	if !s.app.take(at) {
		app = refusal{codes: codes{4, 0}, why: "application request limit reached"}
	}
	if r := act.request; r != nil && (r.Recipient.CommentID != "" || r.Recipient.PostID != "") && !t.replies.take(at) {
		page = refusal{codes: codes{613, 0}, why: "more private replies in an hour than the page may send"}
	}
	over := !t.all.take(at)
	if act.media {
		over = !t.media.take(at) || over
	}
	if over {
		page = refusal{codes: codes{613, 0}, why: "more calls in a second than the page may make"}
	}
	if !t.budget.take(at) {
		page = refusal{codes: codes{80006, 0}, why: "there have been too many calls to this page's messaging"}
	}
	app = s.appBlock.hold(app, at, s.cfg.Block)
	page = t.block.hold(page, at, s.cfg.Block)
	if app.refuses() {
		return app
	}
	return page
}

// thread refuses a message that comes too soon after others to the same person.
func (s *Server) thread(to contact, req *sendapi.Request, at time.Time) refusal {
	if s.cfg.ThreadRate == 0 || req.Message == nil {
		return refusal{}
	}
	w, ok := s.threads.get(to)
	if !ok {
		fresh := newWindow(s.cfg.ThreadRate)
		w = &fresh
		s.threads.put(to, w)
	}
	if w.take(at) {
		return refusal{}
	}
	return refusal{codes: codes{613, 2018338}, why: "messages to this person are too frequent"}
}

// usageOf is what the headers say after a call: the highest share of any limit, and the longest wait.
func (s *Server) usageOf(t *traffic, page Page, at time.Time) usage {
	u := usage{app: s.app.percent(at), wait: max(t.budget.wait(at), t.block.until.Sub(at), 0)}
	if at.Before(s.appBlock.until) {
		u.app = max(u.app, 100)
	}
	u.page = max(t.all.percent(at), t.media.percent(at), t.budget.percent(at), s.cfg.Usage)
	if page.Usage != 0 {
		u.page = max(u.page, page.Usage)
	}
	if u.wait > 0 {
		u.page = max(u.page, 100)
	}
	return u
}
