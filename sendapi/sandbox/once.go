package sandbox

import (
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

const (
	// maxSpent bounds the comments, posts and tokens that are remembered as used.
	maxSpent = 100_000
	// replyWindow is how long after a comment or post a private reply is possible.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/discovery/private-replies
	replyWindow = 7 * 24 * time.Hour
	// oneTimeLife is how long a one-time token lives.
	// https://developers.facebook.com/docs/messenger-platform/send-messages/one-time-notification/
	oneTimeLife = 365 * 24 * time.Hour
	// recurringGap is the least time between two messages to a recurring token, from Sep 1 2025 until tokens ended.
	// https://developers.facebook.com/docs/messenger-platform/marketing-messages
	recurringGap = 48 * time.Hour
)

// spend uses up what a recipient's address stands for: a comment or post is replied to once, a one-time token works
// once, a recurring one with a gap. Since is when it came into being, zero if unknown.
func (s *Server) spend(to contact, rcp sendapi.Recipient, since, at time.Time) refusal {
	used, spent := s.spent.get(to)
	old := func(limit time.Duration) bool { return !since.IsZero() && at.Sub(since) >= limit }
	switch {
	case rcp.CommentID != "" || rcp.PostID != "":
		if spent {
			return refusal{codes: codes{10900, 0}, why: "the activity was already replied to"}
		}
		if old(replyWindow) {
			return refusal{codes: codes{10903, 0}, why: "this activity cannot be replied to any more"}
		}
	case rcp.OneTimeNotifToken != "":
		if spent || old(oneTimeLife) {
			return refusal{codes: codes{100, 0}, why: "the one_time_notif_token was used, or has expired"}
		}
	case rcp.NotificationMessagesToken != "": //nolint:staticcheck // an older server knows it
		if spent && at.Sub(used) < recurringGap {
			return refusal{codes: codes{4, 2018354}, why: "the next notification to this token is not due yet"}
		}
	default:
		return refusal{}
	}
	s.spent.put(to, at)
	return refusal{}
}
