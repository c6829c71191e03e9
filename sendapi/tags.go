package sendapi

import "slices"

// Tag is the reason for a message outside the 24 hours; it goes with TypeMessageTag only.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
type Tag string

// The tags that the platform accepts.
const (
	// TagHumanAgent is for answers that a person wrote, up to 7 days after the last message of the
	// recipient. It needs the Human Agent feature.
	TagHumanAgent Tag = "HUMAN_AGENT"
	// TagCustomerFeedback is for the customer_feedback template only, up to 7 days after the last message of the
	// recipient. The reference of 2026 has it; one third party expects it to go.
	TagCustomerFeedback Tag = "CUSTOMER_FEEDBACK"
)

// Tags of 2020, removed on Apr 27 2026: the platform answers error 100. TagHumanAgent, utility messages and the
// Marketing Messages API replace them.
const (
	// Deprecated: TagConfirmedEventUpdate was removed on Apr 27 2026.
	TagConfirmedEventUpdate Tag = "CONFIRMED_EVENT_UPDATE"
	// Deprecated: TagPostPurchaseUpdate was removed on Apr 27 2026.
	TagPostPurchaseUpdate Tag = "POST_PURCHASE_UPDATE"
	// Deprecated: TagAccountUpdate was removed on Apr 27 2026. It had another meaning before 2020.
	TagAccountUpdate Tag = "ACCOUNT_UPDATE"
)

// Tags of 2018, removed on Mar 4 2020. A message within the 24 hours, a utility message or TagHumanAgent replaces
// them; the tags of 2020, which did at first, are gone as well.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/changelog/archive
const (
	// Deprecated: TagCommunityAlert was removed on Mar 4 2020.
	TagCommunityAlert Tag = "COMMUNITY_ALERT"
	// Deprecated: TagConfirmedEventReminder was removed on Mar 4 2020.
	TagConfirmedEventReminder Tag = "CONFIRMED_EVENT_REMINDER"
	// Deprecated: TagSubscription was removed on Mar 4 2020.
	TagSubscription Tag = "NON_PROMOTIONAL_SUBSCRIPTION"
	// Deprecated: TagPairingUpdate was removed on Mar 4 2020.
	TagPairingUpdate Tag = "PAIRING_UPDATE"
	// Deprecated: TagApplicationUpdate was removed on Mar 4 2020.
	TagApplicationUpdate Tag = "APPLICATION_UPDATE"
	// Deprecated: TagPaymentUpdate was removed on Mar 4 2020.
	TagPaymentUpdate Tag = "PAYMENT_UPDATE"
	// Deprecated: TagPersonalFinanceUpdate was removed on Mar 4 2020.
	TagPersonalFinanceUpdate Tag = "PERSONAL_FINANCE_UPDATE"
	// Deprecated: TagShippingUpdate was removed on Mar 4 2020.
	TagShippingUpdate Tag = "SHIPPING_UPDATE"
	// Deprecated: TagReservationUpdate was removed on Mar 4 2020.
	TagReservationUpdate Tag = "RESERVATION_UPDATE"
	// Deprecated: TagIssueResolution was removed on Mar 4 2020.
	TagIssueResolution Tag = "ISSUE_RESOLUTION"
	// Deprecated: TagAppointmentUpdate was removed on Mar 4 2020.
	TagAppointmentUpdate Tag = "APPOINTMENT_UPDATE"
	// Deprecated: TagGameEvent was removed on Mar 4 2020.
	TagGameEvent Tag = "GAME_EVENT"
	// Deprecated: TagTransportationUpdate was removed on Mar 4 2020.
	TagTransportationUpdate Tag = "TRANSPORTATION_UPDATE"
	// Deprecated: TagFeatureFunctionalityUpdate was removed on Mar 4 2020.
	TagFeatureFunctionalityUpdate Tag = "FEATURE_FUNCTIONALITY_UPDATE"
	// Deprecated: TagTicketUpdate was removed on Mar 4 2020.
	TagTicketUpdate Tag = "TICKET_UPDATE"
	// Deprecated: TagBusinessProductivity came on Sep 27 2018 and was removed on Mar 4 2020.
	TagBusinessProductivity Tag = "BUSINESS_PRODUCTIVITY"
)

var (
	currentTags = []Tag{TagHumanAgent, TagCustomerFeedback}
	tagsOf2020  = []Tag{TagConfirmedEventUpdate, TagPostPurchaseUpdate, TagAccountUpdate}
	tagsOf2018  = []Tag{
		TagCommunityAlert, TagConfirmedEventReminder, TagSubscription, TagPairingUpdate, TagApplicationUpdate,
		TagPaymentUpdate, TagPersonalFinanceUpdate, TagShippingUpdate, TagReservationUpdate, TagIssueResolution,
		TagAppointmentUpdate, TagGameEvent, TagTransportationUpdate, TagFeatureFunctionalityUpdate,
		TagTicketUpdate, TagBusinessProductivity,
	}
)

// Removed reports whether the platform no longer accepts the tag. Check refuses it then, unless AllowRemoved.
func (t Tag) Removed() bool { return slices.Contains(tagsOf2020, t) || slices.Contains(tagsOf2018, t) }

func (t Tag) check(c *checker) {
	switch {
	case t == "":
	case slices.Contains(tagsOf2020, t):
		c.removed("", string(t), removedIn2026)
	case slices.Contains(tagsOf2018, t):
		c.removed("", string(t), removedIn2020)
	default:
		known(c, "", t, currentTags)
	}
}
