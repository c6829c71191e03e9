package sendapi

import "strings"

// Recipient is who gets a message: exactly one of its addresses. Name goes with PhoneNumber only.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type Recipient struct {
	// ID is the page-scoped id (PSID) of a person, decimal digits. The same person has another one on
	// each Page; an id of Facebook Login does not work.
	ID string
	// UserRef is the reference that the checkbox plugin handed out. The answer has no recipient id.
	UserRef string
	// PhoneNumber is for customer matching, as +1(212)555-2368. It was a closed beta in 2018 and is gone
	// from the current reference. The answer has no recipient id.
	PhoneNumber string
	// Name raises the match rate of PhoneNumber.
	Name *Name
	// CommentID makes the message a private reply to a comment, at most 7 days old.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/discovery/private-replies
	CommentID string
	// PostID makes the message a private reply to a visitor's post, at most 7 days old.
	PostID string
	// OneTimeNotifToken redeems a one-time notification. Each token works once, within a year. The
	// platform's overview of 2026 still names it; third parties call it gone.
	// https://developers.facebook.com/docs/messenger-platform/send-messages/one-time-notification/
	OneTimeNotifToken string
	// NotificationMessagesToken is the subscription of a recurring notification. Deprecated on Sep 1
	// 2025, removed on Feb 10 2026; the Marketing Messages API replaces it.
	NotificationMessagesToken string

	extra []member
}

// Name is the name of a person that is addressed by phone number.
type Name struct {
	// First is the given name.
	First string
	// Last is the family name.
	Last string

	extra []member
}

// ID addresses a person by page-scoped id.
func ID(psid string) Recipient { return Recipient{ID: psid} }

// UserRef addresses a person by the checkbox plugin's reference.
func UserRef(ref string) Recipient { return Recipient{UserRef: ref} }

// Comment addresses the author of a comment, for one private reply.
func Comment(id string) Recipient { return Recipient{CommentID: id} }

// Post addresses the author of a visitor post, for one private reply.
func Post(id string) Recipient { return Recipient{PostID: id} }

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
	text(c, "id", &rcp.ID)
	text(c, "user_ref", &rcp.UserRef)
	text(c, "phone_number", &rcp.PhoneNumber)
	optional(c, "name", &rcp.Name)
	text(c, "comment_id", &rcp.CommentID)
	text(c, "post_id", &rcp.PostID)
	text(c, "one_time_notif_token", &rcp.OneTimeNotifToken)
	text(c, "notification_messages_token", &rcp.NotificationMessagesToken)
	c.rest(&rcp.extra)
}

func (n *Name) code(c *coder) {
	text(c, "first_name", &n.First)
	text(c, "last_name", &n.Last)
	c.rest(&n.extra)
}

func (rcp *Recipient) check(c *checker) {
	var found []string
	for _, a := range rcp.addresses() {
		if a.value != "" {
			found = append(found, a.key)
		}
	}
	switch {
	case len(found) == 0:
		c.fail("", "required: one of id, user_ref, phone_number, comment_id, post_id, one_time_notif_token, "+
			"notification_messages_token")
	case len(found) > 1:
		c.fail("", strings.Join(found, " and ")+": only one address is allowed")
	}
	if rcp.ID != "" && !digits(rcp.ID) {
		c.fail("id", "not a page-scoped id: it must be decimal digits")
	}
	if rcp.PhoneNumber != "" && !phoneNumber(rcp.PhoneNumber) {
		c.fail("phone_number", "not a phone number: it must look like +1(212)555-2368")
	}
	if rcp.Name != nil && rcp.PhoneNumber == "" {
		c.fail("name", "allowed with phone_number only")
	}
}

// phoneNumber takes what people write: digits with an optional plus, grouped by blanks and punctuation.
func phoneNumber(s string) bool {
	return strings.ContainsAny(s, "0123456789") && strings.Trim(s, "+0123456789 ().-/") == ""
}
