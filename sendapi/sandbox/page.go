package sandbox

import (
	"maps"
	"slices"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// maxPages bounds the pages that are remembered: those with a state of their own, and the counters of all.
const maxPages = 10_000

// Page is the state of a page, as far as it differs from Config. The zero value differs in nothing.
type Page struct {
	// Token is a new access token: from now on the page takes this one only. Empty leaves the token as it is.
	Token string
	// Access is what is wrong with the page's access; empty means nothing.
	Access Access
	// Window is the default for people of the page; empty means Config.Window.
	Window Window
	// Rate and MediaRate are the calls a second of the page, as in Config; 0 means the figure of Config. A change starts
	// the counting anew.
	Rate, MediaRate float64
	// Usage is the least percentage that the usage header of the page shows, 0 to 1,000; 0 means Config.Usage.
	Usage float64
}

// Access is a reason for which the platform refuses every call of a page. Such calls count against no limit.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
type Access string

// What can be wrong with a page's access, and the code that it is answered with.
const (
	// AccessExpired: the token expired, 190/463.
	AccessExpired Access = "expired"
	// AccessInvalid: the token is invalid, 190/467.
	AccessInvalid Access = "invalid"
	// AccessPasswordChanged: the token ended with the password of its user, 190/460.
	AccessPasswordChanged Access = "password_changed"
	// AccessRoleLost: the token's user lost the role on the page, 190/492.
	AccessRoleLost Access = "role_lost"
	// AccessNotGranted: a permission was not granted or was removed, 10.
	AccessNotGranted Access = "not_granted"
	// AccessNoPermission: a permission is missing or the app is not live, 200.
	AccessNoPermission Access = "no_permission"
	// AccessNoMessaging: pages_messaging is missing, 230.
	AccessNoMessaging Access = "no_messaging"
	// AccessBlocked: the page is blocked for what it did, 368.
	AccessBlocked Access = "blocked"
	// AccessRestricted: the page is restricted from messaging, 10/1893063, since Jun 25 2026.
	AccessRestricted Access = "restricted"
)

var accessRefusals = map[Access]refusal{
	AccessExpired:         {codes: codes{190, 463}, why: "the access token has expired"},
	AccessInvalid:         {codes: codes{190, 467}, why: "the access token is invalid"},
	AccessPasswordChanged: {codes: codes{190, 460}, why: "the user has changed the password"},
	AccessRoleLost:        {codes: codes{190, 492}, why: "the user has no role on the page any more"},
	AccessNotGranted:      {codes: codes{10, 0}, why: "the app has no permission for this action"},
	AccessNoPermission:    {codes: codes{200, 0}, why: "a permission is missing, or the app is not live"},
	AccessNoMessaging:     {codes: codes{230, 0}, why: "requires the pages_messaging permission"},
	AccessBlocked:         {codes: codes{368, 0}, why: "blocked temporarily from this action"},
	AccessRestricted:      {codes: codes{10, 1893063}, why: "the page is temporarily restricted from messaging"},
}

// PageStatus is how a page stands.
type PageStatus struct {
	// Page is its state; the Token is left out.
	Page
	// HighVolume is true while the page is in high-volume mode: at the platform its inbox stops showing new messages.
	HighVolume bool
	// UsagePercent is what the usage header of a call would show now.
	UsagePercent float64
	// BlockedFor is how long calls are still refused after a limit, as far as that is known; 0 is not, or no estimate.
	BlockedFor time.Duration
}

// SetPage replaces the state of a page, but for the token if p has none. An error is of type sendapi.Problems and names
// every field that is wrong.
func (s *Server) SetPage(pageID string, p Page) error {
	if ps := p.problems(pageID); len(ps) > 0 {
		return ps
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, ok := s.pages[pageID]
	if !ok && len(s.pages) >= maxPages {
		return sendapi.Problems{{Path: "page", Message: "there are too many pages with a state of their own"}}
	}
	if p.Token != "" {
		s.credentials.set(pageID, p.Token)
	}
	p.Token = ""
	if s.pages[pageID] = p; before.Rate != p.Rate || before.MediaRate != p.MediaRate {
		s.traffic.remove(pageID)
	}
	return nil
}

// ResetPage brings a page back to what Config says, its token too; AllPages does so with every page. Counters go on.
func (s *Server) ResetPage(pageID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pageID == AllPages {
		clear(s.pages)
		s.credentials.reset(s.cfg.Tokens)
		return
	}
	delete(s.pages, pageID)
	s.credentials.set(pageID, s.cfg.Tokens[pageID])
}

// PageStatus returns how a page stands, also one that was never heard of.
func (s *Server) PageStatus(pageID string) PageStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pageStatus(pageID, time.Now())
}

func (s *Server) pageStatus(pageID string, now time.Time) PageStatus {
	status := PageStatus{Page: s.pages[pageID]}
	t, ok := s.traffic.get(pageID)
	if !ok {
		t = new(traffic)
	}
	u := s.usageOf(t, status.Page, now)
	status.HighVolume = t.volume.on(now, s.cfg.HighVolumeStays)
	status.UsagePercent, status.BlockedFor = u.page, u.wait
	return status
}

// PageStatuses returns how each page stands that has a state or was heard of lately.
func (s *Server) PageStatuses() map[string]PageStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.AppendSeq(slices.Collect(maps.Keys(s.pages)), maps.Keys(s.traffic.young))
	ids = slices.AppendSeq(ids, maps.Keys(s.traffic.old))
	now := time.Now()
	all := make(map[string]PageStatus, len(ids))
	for _, id := range ids {
		all[id] = s.pageStatus(id, now)
	}
	return all
}

func (p Page) problems(pageID string) sendapi.Problems {
	var c checker
	c.check(isPage(pageID), "page", "must be decimal digits")
	_, known := accessRefusals[p.Access]
	c.check(p.Access == "" || known, "access", "must be one of "+oneOf(accessRefusals))
	c.check(p.Window.valid(), "window", "must be open or closed")
	c.rate("rate", p.Rate)
	c.rate("media_rate", p.MediaRate)
	c.check(0 <= p.Usage && p.Usage <= maxUsage, "usage", "must be 0 to 1,000")
	c.check(len(p.Token) <= maxToken, "token", "must not be longer than 1,000 characters")
	return c.problems
}
