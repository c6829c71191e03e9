package sendapi

// MessagingType says why a message is sent. The platform calls it required since May 7 2018, while many
// of its own current samples leave it out: send it with every message, and not with a sender action.
// Check warns of its absence.
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
	// TypeSubscription was subscription messaging. Registered news publishers kept a feature of their own.
	//
	// Deprecated: it was removed on Mar 4 2020; TypeUpdate within the 24 hours or TypeUtility replaces it.
	TypeSubscription MessagingType = "NON_PROMOTIONAL_SUBSCRIPTION"
)

// messagingTypes is those of today.
var messagingTypes = []MessagingType{TypeResponse, TypeUpdate, TypeMessageTag, TypeUtility}

// SenderAction is something that the person sees the Page do, other than sending a message. The Graph
// reference prints these in upper case, the guide in lower case; Check takes both.
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
