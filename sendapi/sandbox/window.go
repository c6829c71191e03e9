package sandbox

import (
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// Window says what holds for people of whom it is not known when they wrote.
type Window string

// The windows.
const (
	// WindowOpen lets a page write to them. It is the default.
	WindowOpen Window = "open"
	// WindowClosed takes them for people who never wrote.
	WindowClosed Window = "closed"
)

func (w Window) valid() bool { return w == "" || w == WindowOpen || w == WindowClosed }

const (
	// DefaultWindowLength is how long a page may write to a person after the last message from them.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
	DefaultWindowLength = 24 * time.Hour
	// tagWindow is how long HUMAN_AGENT and CUSTOMER_FEEDBACK allow it.
	tagWindow = 7 * 24 * time.Hour
)

// inWindow refuses a message or sender action that comes too late after the person's last message. Other addresses
// than a page-scoped id carry a permission of their own, see spend.
func (s *Server) inWindow(req *sendapi.Request, person Person, page Page, at time.Time) refusal {
	length := s.cfg.WindowLength
	switch {
	case req.Recipient.ID == "" || req.MessagingType == sendapi.TypeUtility:
		return refusal{}
	case req.Tag == sendapi.TagHumanAgent || req.Tag == sendapi.TagCustomerFeedback:
		length = tagWindow
	case req.Tag != "" || req.MessagingType == sendapi.TypeSubscription: //nolint:staticcheck // an older server knows it
		return refusal{} // removed ones get here only where Config.AllowRemoved lets them pass
	}
	open := at.Sub(person.WroteAt) < length
	if person.WroteAt.IsZero() {
		open = s.windowOf(page) == WindowOpen
	}
	if open {
		return refusal{}
	}
	return refusal{codes: codes{10, 2018278}, why: "this message is sent outside of the allowed window"}
}

func (s *Server) windowOf(page Page) Window {
	if page.Window != "" {
		return page.Window
	}
	return s.cfg.Window
}
