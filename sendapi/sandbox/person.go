package sandbox

import (
	"strings"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// maxPeople bounds the people with a state of their own.
const maxPeople = 100_000

// Person is the state of whom a page writes to. The zero value can be reached, and never wrote as far as is known.
type Person struct {
	// WroteAt is when the person wrote to the page last: the window runs from it. For the address of a comment, post
	// or one-time token it is when that came into being. Zero is unknown: then the page's Window decides, and a comment
	// or token is new.
	WroteAt time.Time
	// Reach is why the person cannot be reached; empty means nothing is in the way.
	Reach Reach
	// Thread is who has the conversation instead of this app; empty means nobody.
	Thread Thread
}

// Reach is why a person cannot be reached.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
type Reach string

// Why a person cannot be reached, and the code that it is answered with.
const (
	// ReachBlocked: the person blocked the page, or deactivated the account, 551/1545041.
	ReachBlocked Reach = "blocked"
	// ReachGone: there is no such person, 100/2018001.
	ReachGone Reach = "gone"
	// ReachUnavailable: the person cannot receive messages now, 10/2018108.
	ReachUnavailable Reach = "unavailable"
)

// Thread is who has a conversation instead of the app that calls.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
type Thread string

// Who can have a conversation, and the subcode that the call is answered with.
const (
	// ThreadOtherApp: another app controls it, 2018300.
	ThreadOtherApp Thread = "other_app"
	// ThreadAutomation: Messenger's automated answers control it, 2018321.
	ThreadAutomation Thread = "automation"
)

var reachRefusals = map[Reach]refusal{
	ReachBlocked:     {codes: codes{551, 1545041}, why: "this person is not available right now"},
	ReachGone:        {codes: codes{100, 2018001}, why: "no matching user found"},
	ReachUnavailable: {codes: codes{10, 2018108}, why: "this person cannot receive messages now"},
}

// The error page prints these numbers without saying whether they are codes or subcodes; they look like the latter.
var threadRefusals = map[Thread]refusal{
	ThreadOtherApp:   {codes: codes{100, 2018300}, why: "another app controls this thread now"},
	ThreadAutomation: {codes: codes{100, 2018321}, why: "automated answers control this thread now"},
}

// contact is a page and an address as in sendapi.Recipient.Address, or another thing that belongs to a page.
type contact struct{ page, address string }

// SetPerson replaces the state of a person at a page. The person is a page-scoped id, or any other address as in
// sendapi.Recipient.Address, such as "comment_id:1_2". An error is of type sendapi.Problems and names every field that is
// wrong.
func (s *Server) SetPerson(pageID, person string, p Person) error {
	if ps := p.problems(pageID, person); len(ps) > 0 {
		return ps
	}
	key := contact{pageID, addressOf(person)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.people[key]; !ok && len(s.people) >= maxPeople {
		return sendapi.Problems{{Path: "person", Message: "there are too many people with a state of their own"}}
	}
	s.people[key] = p
	return nil
}

// Person returns the state of a person at a page.
func (s *Server) Person(pageID, person string) Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.people[contact{pageID, addressOf(person)}]
}

// ResetPerson forgets the state of a person at a page; an empty person is everybody of the page, and AllPages with it
// everybody.
func (s *Server) ResetPerson(pageID, person string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.people {
		if (pageID == AllPages || key.page == pageID) && (person == "" || key.address == addressOf(person)) {
			delete(s.people, key)
		}
	}
}

// addressOf takes a bare page-scoped id for an address.
func addressOf(person string) string {
	if numeric(person) {
		return "id:" + person
	}
	return person
}

// maxAddress is far above the length of any address.
const maxAddress = 1000

const notAddress = "must be a page-scoped id, or an address such as comment_id:1_2"

func isAddress(person string) bool {
	kind, value, ok := strings.Cut(addressOf(person), ":")
	if !ok || value == "" || len(person) > maxAddress {
		return false
	}
	switch kind {
	case "id", "user_ref", "phone_number", "comment_id", "post_id", "one_time_notif_token", "notification_messages_token":
		return true
	}
	return false
}

func (p Person) problems(pageID, person string) sendapi.Problems {
	var c checker
	c.check(isPage(pageID), "page", "must be decimal digits")
	c.check(isAddress(person), "person", notAddress)
	_, known := reachRefusals[p.Reach]
	c.check(p.Reach == "" || known, "reach", "must be one of "+oneOf(reachRefusals))
	_, known = threadRefusals[p.Thread]
	c.check(p.Thread == "" || known, "thread", "must be one of "+oneOf(threadRefusals))
	return c.problems
}
