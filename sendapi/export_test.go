package sendapi

import (
	"maps"
	"slices"
)

// Vocabulary is each enumeration of a request, by the JSON key of its values.
func Vocabulary() map[string][]string {
	return map[string][]string{
		"template_type":     slices.Collect(maps.Keys(templates)),
		"type":              slices.Concat(plain(buttonTypes), plain(attachmentTypes), []string{"element_share", "payment"}),
		"content_type":      append(plain(quickReplyTypes), "location"),
		"messaging_type":    append(plain(messagingTypes), "NON_PROMOTIONAL_SUBSCRIPTION"),
		"sender_action":     plain(senderActions),
		"notification_type": plain(notificationTypes),
		"tag":               plain(slices.Concat(currentTags, tagsOf2020, tagsOf2018)),
	}
}

// Templates is an empty template of each type.
func Templates() (all []Payload) {
	for _, empty := range templates {
		all = append(all, empty())
	}
	return all
}

// RecipientKinds is each kind of address.
func RecipientKinds() (keys []string) {
	for _, a := range new(Recipient).addresses() {
		keys = append(keys, a.key)
	}
	return append(keys, "name")
}

func plain[T ~string](values []T) (texts []string) {
	for _, v := range values {
		texts = append(texts, string(v))
	}
	return texts
}
