package sendapi

import "strings"

// Recipient is who gets a message: exactly one of its addresses. Name goes with PhoneNumber only.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type Recipient struct {
	// ID is the page-scoped id (PSID) of a person, decimal digits. The same person has another one on
	// each Page; an id of Facebook Login does not work. When a request is read it may be a number, which the platform takes as
	// well; it is written back as one.
	ID string
	// UserRef is the reference that the checkbox plugin handed out. The answer has no recipient id.
	UserRef string
	// PhoneNumber is for customer matching, as +1(212)555-2368. It was a closed beta in 2018 and is gone
	// from the current reference, while the error codes about it are still listed: Check warns of it. The answer
	// has no recipient id.
	PhoneNumber string
	// Name raises the match rate of PhoneNumber.
	Name *Name
	// CommentID makes the message a private reply to a comment, at most 7 days old.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/discovery/private-replies
	CommentID string
	// PostID makes the message a private reply to a visitor's post, at most 7 days old.
	PostID string
	// OneTimeNotifToken redeems a one-time notification. Each token works once, within a year. The
	// platform's overview of 2026 still names it; third parties call it gone. Check warns of it.
	// https://developers.facebook.com/docs/messenger-platform/send-messages/one-time-notification/
	OneTimeNotifToken string
	// NotificationMessagesToken is the subscription of a recurring notification.
	//
	// Deprecated: closed to new pages on Sep 1 2025 and removed on Feb 10 2026. The Marketing Messages API, which
	// sends through an ad account and not through this call, replaces it.
	NotificationMessagesToken string

	leftover
}

// Name is the name of a person that is addressed by phone number.
type Name struct {
	// First is the given name.
	First string
	// Last is the family name.
	Last string

	leftover
}

// ID addresses a person by page-scoped id.
func ID(psid string) Recipient { return Recipient{ID: psid} }

// UserRef addresses a person by the checkbox plugin's reference.
func UserRef(ref string) Recipient { return Recipient{UserRef: ref} }

// Comment addresses the author of a comment, for one private reply.
func Comment(id string) Recipient { return Recipient{CommentID: id} }

// Post addresses the author of a visitor post, for one private reply.
func Post(id string) Recipient { return Recipient{PostID: id} }

// OneTimeNotif addresses the person who allowed one message by a OneTimeNotifTemplate.
func OneTimeNotif(token string) Recipient { return Recipient{OneTimeNotifToken: token} }

// Phone addresses a person by phone number, as it was possible in 2018.
func Phone(number string) Recipient { return Recipient{PhoneNumber: number} }

// Address returns what identifies the recipient on a page, as the kind of address and its value
// ("id:1234"), or "" when there is none. A phone number is reduced to its digits and a leading plus, so that
// its different spellings are one address. With several addresses, which Validate refuses, it is the
// first in the order of the fields. Two addresses of different kinds may still be the same person.
func (rcp Recipient) Address() string {
	for _, a := range rcp.addresses() {
		switch {
		case a.value == "":
		case a.key == "phone_number":
			return a.key + ":" + strings.Map(dialled, a.value)
		default:
			return a.key + ":" + a.value
		}
	}
	return ""
}

type address struct{ key, value string }

func (rcp *Recipient) addresses() [7]address {
	return [...]address{
		{"id", rcp.ID},
		{"user_ref", rcp.UserRef},
		{"phone_number", rcp.PhoneNumber},
		{"comment_id", rcp.CommentID},
		{"post_id", rcp.PostID},
		{"one_time_notif_token", rcp.OneTimeNotifToken},
		{"notification_messages_token", rcp.NotificationMessagesToken},
	}
}

func dialled(r rune) rune {
	if r == '+' || '0' <= r && r <= '9' {
		return r
	}
	return -1
}

func (rcp *Recipient) code(c *coder) {
	rcp.codeID(c)
	text(c, "user_ref", &rcp.UserRef)
	text(c, "phone_number", &rcp.PhoneNumber)
	optional(c, "name", &rcp.Name)
	text(c, "comment_id", &rcp.CommentID)
	text(c, "post_id", &rcp.PostID)
	text(c, "one_time_notif_token", &rcp.OneTimeNotifToken)
	text(c, "notification_messages_token", &rcp.NotificationMessagesToken)
}

// codeID takes a number as well: the platform's first samples have one.
// https://developers.facebook.com/docs/messenger-platform/get-started
func (rcp *Recipient) codeID(c *coder) {
	if !c.decoding {
		if c.kept("id") != rcp.ID {
			text(c, "id", &rcp.ID)
		}
		return
	}
	value, other := looseText(c, "id", &rcp.ID)
	switch {
	case other && digits(string(value)):
		rcp.ID = string(value)
	case other:
		c.fail("id", "must be a string of digits, not "+kindOf(value))
	}
}

func (n *Name) code(c *coder) {
	text(c, "first_name", &n.First)
	text(c, "last_name", &n.Last)
}

func (rcp *Recipient) check(c *checker) {
	rcp.checkCount(c)
	if rcp.ID != "" && !digits(rcp.ID) {
		c.fail("id", "not a page-scoped id: it must be decimal digits")
	}
	switch {
	case rcp.PhoneNumber == "":
	case !phoneNumber(rcp.PhoneNumber):
		c.fail("phone_number", "not a phone number: it must look like +1(212)555-2368")
	default:
		c.old("phone_number", "matching people by phone number")
	}
	if rcp.Name != nil && rcp.PhoneNumber == "" {
		c.fail("name", "allowed with phone_number only")
	}
	if rcp.OneTimeNotifToken != "" {
		c.warn("one_time_notif_token", oneTimeDoubt)
	}
	if rcp.NotificationMessagesToken != "" {
		c.removed("notification_messages_token", "the token of recurring notifications", removedRecurring)
	}
}

// oneTimeDoubt is what is known of one-time notifications.
const oneTimeDoubt = "one-time notifications are still named by the platform's overview of 2026, while others call them gone"

func (rcp *Recipient) checkCount(c *checker) {
	var first, others string
	n := 0
	for _, a := range rcp.addresses() {
		switch {
		case a.value == "":
			continue
		case n == 0:
			first = a.key
		default:
			others += " and " + a.key
		}
		n++
	}
	switch {
	case n == 0:
		c.fail("", "required: one of id, user_ref, phone_number, comment_id, post_id, one_time_notif_token, "+
			"notification_messages_token")
	case n > 1:
		c.report("", Problem{Message: first + others + ": only one address is allowed", Limit: 1, Found: n})
	}
}
