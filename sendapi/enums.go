package sendapi

// MessagingType says why a message is sent. The platform calls it required since May 7 2018, while many
// of its own current samples leave it out: send it with every message, and not with a sender action.
// Validate does not refuse its absence.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type MessagingType string

// The messaging types.
const (
	// TypeResponse answers something that the person did, within 24 hours of it.
	TypeResponse MessagingType = "RESPONSE"
	// TypeUpdate is sent on the business's own account, within 24 hours of the person's last action.
	TypeUpdate MessagingType = "UPDATE"
	// TypeMessageTag goes outside the 24 hours and needs a Tag.
	TypeMessageTag MessagingType = "MESSAGE_TAG"
	// TypeUtility carries an approved utility template.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
	TypeUtility MessagingType = "UTILITY"
	// TypeSubscription was subscription messaging. Removed on Mar 4 2020, but for registered news
	// publishers; TypeUpdate within the window, or a Tag, replaces it.
	TypeSubscription MessagingType = "NON_PROMOTIONAL_SUBSCRIPTION"
)

var messagingTypes = []MessagingType{TypeResponse, TypeUpdate, TypeMessageTag, TypeUtility, TypeSubscription}

// SenderAction is something that the person sees the Page do, other than sending a message. The Graph
// reference prints these in upper case, the guide in lower case; Validate takes both.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/sender-actions
type SenderAction string

// The sender actions.
const (
	// TypingOn shows that the Page is writing; it ends by itself after some 20 seconds.
	TypingOn SenderAction = "typing_on"
	// TypingOff ends TypingOn.
	TypingOff SenderAction = "typing_off"
	// MarkSeen shows that the Page read what the person wrote.
	MarkSeen SenderAction = "mark_seen"
	// AddReaction reacts to a message; Request.Payload says to which one, and how.
	AddReaction SenderAction = "react"
	// RemoveReaction takes a reaction back; Request.Payload says from which message.
	RemoveReaction SenderAction = "unreact"
)

var senderActions = []SenderAction{TypingOn, TypingOff, MarkSeen, AddReaction, RemoveReaction}

// NotificationType is how the person's device announces a message. Empty means NotifyRegular.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
type NotificationType string

// The notification types.
const (
	// NotifyRegular makes a sound or vibrates.
	NotifyRegular NotificationType = "REGULAR"
	// NotifySilent only shows on the screen.
	NotifySilent NotificationType = "SILENT_PUSH"
	// NotifyNone does not notify.
	NotifyNone NotificationType = "NO_PUSH"
)

var notificationTypes = []NotificationType{NotifyRegular, NotifySilent, NotifyNone}

// Tag is the reason for a message outside the 24 hours; it goes with TypeMessageTag only.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
type Tag string

// The tags that the platform accepts.
const (
	// TagHumanAgent is for answers that a person wrote, up to 7 days after the last message of the
	// recipient. It needs the Human Agent feature.
	TagHumanAgent Tag = "HUMAN_AGENT"
	// TagCustomerFeedback is for the customer_feedback template only, up to 7 days.
	TagCustomerFeedback Tag = "CUSTOMER_FEEDBACK"
)

// Tags of 2020, removed on Apr 27 2026: the platform answers error 100. TagHumanAgent, utility messages
// and marketing messages replace them.
const (
	// TagConfirmedEventUpdate was removed on Apr 27 2026.
	TagConfirmedEventUpdate Tag = "CONFIRMED_EVENT_UPDATE"
	// TagPostPurchaseUpdate was removed on Apr 27 2026.
	TagPostPurchaseUpdate Tag = "POST_PURCHASE_UPDATE"
	// TagAccountUpdate was removed on Apr 27 2026. It had another meaning before 2020.
	TagAccountUpdate Tag = "ACCOUNT_UPDATE"
)

// Tags of 2018, removed on Mar 4 2020.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/changelog/archive
const (
	// TagCommunityAlert was removed on Mar 4 2020.
	TagCommunityAlert Tag = "COMMUNITY_ALERT"
	// TagConfirmedEventReminder was removed on Mar 4 2020.
	TagConfirmedEventReminder Tag = "CONFIRMED_EVENT_REMINDER"
	// TagSubscription was removed on Mar 4 2020.
	TagSubscription Tag = "NON_PROMOTIONAL_SUBSCRIPTION"
	// TagPairingUpdate was removed on Mar 4 2020.
	TagPairingUpdate Tag = "PAIRING_UPDATE"
	// TagApplicationUpdate was removed on Mar 4 2020.
	TagApplicationUpdate Tag = "APPLICATION_UPDATE"
	// TagPaymentUpdate was removed on Mar 4 2020.
	TagPaymentUpdate Tag = "PAYMENT_UPDATE"
	// TagPersonalFinanceUpdate was removed on Mar 4 2020.
	TagPersonalFinanceUpdate Tag = "PERSONAL_FINANCE_UPDATE"
	// TagShippingUpdate was removed on Mar 4 2020.
	TagShippingUpdate Tag = "SHIPPING_UPDATE"
	// TagReservationUpdate was removed on Mar 4 2020.
	TagReservationUpdate Tag = "RESERVATION_UPDATE"
	// TagIssueResolution was removed on Mar 4 2020.
	TagIssueResolution Tag = "ISSUE_RESOLUTION"
	// TagAppointmentUpdate was removed on Mar 4 2020.
	TagAppointmentUpdate Tag = "APPOINTMENT_UPDATE"
	// TagGameEvent was removed on Mar 4 2020.
	TagGameEvent Tag = "GAME_EVENT"
	// TagTransportationUpdate was removed on Mar 4 2020.
	TagTransportationUpdate Tag = "TRANSPORTATION_UPDATE"
	// TagFeatureFunctionalityUpdate was removed on Mar 4 2020.
	TagFeatureFunctionalityUpdate Tag = "FEATURE_FUNCTIONALITY_UPDATE"
	// TagTicketUpdate was removed on Mar 4 2020.
	TagTicketUpdate Tag = "TICKET_UPDATE"
	// TagBusinessProductivity came on Sep 27 2018 and was removed on Mar 4 2020.
	TagBusinessProductivity Tag = "BUSINESS_PRODUCTIVITY"
)

var currentTags = []Tag{TagHumanAgent, TagCustomerFeedback}

var removedTags = []Tag{
	TagConfirmedEventUpdate, TagPostPurchaseUpdate, TagAccountUpdate, TagCommunityAlert,
	TagConfirmedEventReminder, TagSubscription, TagPairingUpdate, TagApplicationUpdate, TagPaymentUpdate,
	TagPersonalFinanceUpdate, TagShippingUpdate, TagReservationUpdate, TagIssueResolution,
	TagAppointmentUpdate, TagGameEvent, TagTransportationUpdate, TagFeatureFunctionalityUpdate,
	TagTicketUpdate, TagBusinessProductivity,
}

// Removed reports whether the platform no longer accepts the tag. Validate lets it pass all the same, as a
// server of an older version may take it.
func (t Tag) Removed() bool {
	for _, removed := range removedTags {
		if t == removed {
			return true
		}
	}
	return false
}
