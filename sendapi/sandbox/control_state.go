package sandbox

import (
	"net/http"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// pageBody is a page as the control interface takes it.
type pageBody struct {
	Page      string  `json:"page"`
	Access    Access  `json:"access"`
	Token     string  `json:"token"`
	Window    Window  `json:"window"`
	Rate      float64 `json:"rate"`
	MediaRate float64 `json:"media_rate"`
	Usage     float64 `json:"usage"`
}

func (s *Server) setPage(b pageBody) error {
	return s.SetPage(b.Page, Page{
		Token: b.Token, Access: b.Access, Window: b.Window, Rate: b.Rate, MediaRate: b.MediaRate, Usage: b.Usage,
	})
}

// pageAnswer is how a page stands, as the control interface says it.
type pageAnswer struct {
	Access       Access  `json:"access,omitempty"`
	Window       Window  `json:"window,omitempty"`
	Rate         float64 `json:"rate,omitempty"`
	MediaRate    float64 `json:"media_rate,omitempty"`
	Usage        float64 `json:"usage,omitempty"`
	HighVolume   bool    `json:"high_volume"`
	UsagePercent float64 `json:"usage_percent"`
	BlockedFor   string  `json:"blocked_for,omitempty"`
}

func (s *Server) servePages(w http.ResponseWriter, r *http.Request) {
	page, _, ps := readTarget(r.URL.Query())
	if len(ps) > 0 {
		http.Error(w, ps.Error(), http.StatusBadRequest)
		return
	}
	var statuses map[string]PageStatus
	if page == AllPages {
		statuses = s.PageStatuses()
	} else {
		statuses = map[string]PageStatus{page: s.PageStatus(page)}
	}
	all := make(map[string]pageAnswer, len(statuses))
	for id, p := range statuses {
		all[id] = pageAnswer{
			Access: p.Access, Window: p.Window, Rate: p.Rate, MediaRate: p.MediaRate, Usage: p.Usage,
			HighVolume: p.HighVolume, UsagePercent: p.UsagePercent, BlockedFor: durationText(p.BlockedFor),
		}
	}
	writeJSON(w, map[string]any{"pages": all})
}

// personBody is a person as the control interface takes and shows it. Times are given as what passed since: the clocks of
// two machines differ.
type personBody struct {
	Page     string  `json:"page"`
	Person   string  `json:"person"`
	WroteAgo *string `json:"wrote_ago,omitempty"`
	Reach    Reach   `json:"reach,omitempty"`
	Thread   Thread  `json:"thread,omitempty"`
}

func (s *Server) setPerson(b personBody) error {
	p := Person{Reach: b.Reach, Thread: b.Thread}
	if b.WroteAgo != nil {
		var c checker
		ago := c.duration("wrote_ago", *b.WroteAgo)
		c.atLeastZero("wrote_ago", int64(ago))
		if len(c.problems) > 0 {
			return c.problems
		}
		p.WroteAt = time.Now().Add(-ago)
	}
	return s.SetPerson(b.Page, b.Person, p)
}

func (s *Server) servePerson(w http.ResponseWriter, r *http.Request) {
	page, person, ps := readTarget(r.URL.Query())
	if len(ps) == 0 && person == "" {
		ps = sendapi.Problems{{Path: "person", Message: "required"}}
	}
	if len(ps) > 0 {
		http.Error(w, ps.Error(), http.StatusBadRequest)
		return
	}
	p := s.Person(page, person)
	answer := personBody{Page: page, Person: person, Reach: p.Reach, Thread: p.Thread}
	if !p.WroteAt.IsZero() {
		ago := time.Since(p.WroteAt).String()
		answer.WroteAgo = &ago
	}
	writeJSON(w, answer)
}

// faultBody is a fault as the control interface takes it.
type faultBody struct {
	Page       string  `json:"page,omitempty"`
	Code       int     `json:"code,omitempty"`
	Subcode    int     `json:"subcode,omitempty"`
	Status     int     `json:"status,omitempty"`
	Message    string  `json:"message,omitempty"`
	Transient  bool    `json:"transient,omitempty"`
	RetryAfter string  `json:"retry_after,omitempty"`
	Delay      string  `json:"delay,omitempty"`
	DelayUpTo  string  `json:"delay_up_to,omitempty"`
	Drop       Drop    `json:"drop,omitempty"`
	Chance     float64 `json:"chance,omitempty"`
	Person     string  `json:"person,omitempty"`
	MediaURL   string  `json:"media_url,omitempty"`
	For        string  `json:"for,omitempty"`
	Times      int     `json:"times,omitempty"`
}

func (s *Server) setFault(b faultBody) error {
	var c checker
	f := Fault{
		Code: b.Code, Subcode: b.Subcode, Status: b.Status, Message: b.Message, Transient: b.Transient,
		RetryAfter: c.duration("retry_after", b.RetryAfter), Delay: c.duration("delay", b.Delay),
		DelayUpTo: c.duration("delay_up_to", b.DelayUpTo), Drop: b.Drop, Chance: b.Chance, Person: b.Person,
		MediaURL: b.MediaURL, For: c.duration("for", b.For), Times: b.Times,
	}
	s.mu.Lock()
	full := s.faults.count() >= maxFaults
	s.mu.Unlock()
	c.check(!full, "", "there are too many faults; DELETE /sandbox/faults ends them")
	if len(c.problems) == 0 {
		c.problems = f.problems(b.Page)
	}
	if len(c.problems) > 0 {
		return c.problems
	}
	s.Fail(b.Page, f)
	return nil
}

// serveFaults shows what is left of each fault: its times, and how long it holds.
func (s *Server) serveFaults(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	active := s.faults.list(time.Now())
	s.mu.Unlock()
	all := make([]faultBody, 0, len(active))
	for _, a := range active {
		f := a.fault
		all = append(all, faultBody{
			Page: a.page, Code: f.Code, Subcode: f.Subcode, Status: f.Status, Message: f.Message,
			Transient: f.Transient, RetryAfter: durationText(f.RetryAfter), Delay: durationText(f.Delay),
			DelayUpTo: durationText(f.DelayUpTo), Drop: f.Drop, Chance: f.Chance, Person: f.Person,
			MediaURL: f.MediaURL, For: durationText(a.ends), Times: a.left,
		})
	}
	writeJSON(w, map[string]any{"faults": all})
}

// durationText leaves a zero out.
func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
