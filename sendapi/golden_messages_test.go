package sendapi_test

import (
	"strings"

	"github.com/sendpace/sendpace/sendapi"
)

const (
	noType    = "messaging_type: missing; the reference calls it required since May 7 2018"
	removed20 = " was removed on Mar 4 2020; use a message within the 24 hours, a utility message or HUMAN_AGENT instead"
	removed26 = " was removed on Apr 27 2026; use a utility message, HUMAN_AGENT or the Marketing Messages API instead"
	of2018    = " belongs to the surface of 2018; it is not known to be refused today"
	otn       = "one-time notifications are still named by the platform's overview of 2026, while others call them gone"
	recurring = " of recurring notifications was removed on Feb 10 2026; use the Marketing Messages API instead"
	unneeded  = "missing; the platform's page requires it in one place, and not beside an image_url in another"
	payload   = "message.attachment.payload"

	notInSamples = "missing, while the platform's samples have it"
	noURL        = "must be an http or https URL"
	noList       = " was removed with v4.0, of Jul 29 2019; use the generic template instead"
)

// content is a message on its own, as an update.
func content(m sendapi.Message) *sendapi.Request {
	return &sendapi.Request{Recipient: ann, MessagingType: sendapi.TypeUpdate, Message: &m}
}

func goldenMessages() map[string]goldenRow {
	media := func(t sendapi.AttachmentType, m sendapi.Media) *sendapi.Request {
		return content(sendapi.Message{Attachment: &sendapi.Attachment{Type: t, Payload: &m}})
	}
	return map[string]goldenRow{
		"text":          {req: sendapi.Text(ann, "Grüße \"x\"\n<b>\u0001")},
		"text_answer":   {req: sendapi.Text(ann, "yes").AsResponse().Quoting("m_0")},
		"text_metadata": {req: content(sendapi.Message{Text: "x", Metadata: "job-1"})},
		"quick_replies": {
			req: sendapi.Text(ann, "which?").Offering(
				sendapi.Choice("Red", "r"),
				sendapi.QuickReply{ContentType: sendapi.ReplyText, Title: "Blue", Payload: "b", ImageURL: "https://e.com/b.png"},
				sendapi.QuickReply{ContentType: sendapi.ReplyText, ImageURL: "https://e.com/c.png"},
				sendapi.AskPhone(), sendapi.AskEmail(),
				sendapi.QuickReply{ContentType: sendapi.ReplyLocation},
			),
			problems: []string{
				"message.quick_replies[2].title: " + unneeded,
				"message.quick_replies[5].content_type: location, withdrawn in 2019," + of2018,
			},
		},
		"quick_replies_on_image": {req: sendapi.MediaID(ann, sendapi.Image, "99").Offering(sendapi.Choice("Red", "r"))},
		"image_url":              {req: sendapi.MediaURL(ann, sendapi.Image, "https://example.com/a.png")},
		"audio_url":              {req: sendapi.MediaURL(ann, sendapi.Audio, "https://example.com/a.mp3")},
		"video_id":               {req: sendapi.MediaID(ann, sendapi.Video, "99")},
		"reusable_file":          {req: media(sendapi.File, sendapi.Media{URL: "https://example.com/a.pdf", Reusable: true})},
		"file_sent_along": {
			req:      media(sendapi.File, sendapi.Media{Reusable: true}),
			problems: []string{"! " + payload + ": needs url or attachment_id"},
		},
		"sticker": {req: sendapi.Sticker(ann, sendapi.ThumbsUp)},
		"dynamic_text": {
			req: content(sendapi.Message{
				DynamicText: &sendapi.DynamicText{Text: "Hi, {first_name}!", FallbackText: "Hello"},
			}),
			problems: []string{"message.dynamic_text: dynamic_text" + of2018},
		},
		"utility": {req: sendapi.Utility(
			ann, "order_sent", "en_US",
			sendapi.UtilityComponent{Type: "body", Parameters: []sendapi.UtilityParameter{
				{Type: "text", Text: "4711"}, {Type: "text", Name: "carrier", Text: "DHL"},
			}},
			sendapi.UtilityComponent{Type: "buttons", Parameters: []sendapi.UtilityParameter{
				{Type: "POSTBACK", Payload: "where"}, {Type: "URL", URL: "track/4711"},
			}},
		)},
	}
}

func goldenOptions() map[string]goldenRow {
	action := func(a sendapi.SenderAction) goldenRow { return goldenRow{req: sendapi.Action(ann, a)} }
	to := func(r sendapi.Recipient, problems ...string) goldenRow {
		return goldenRow{req: sendapi.Text(r, "x"), problems: problems}
	}
	notify := func(n sendapi.NotificationType) goldenRow {
		req := sendapi.Text(ann, "x")
		req.NotificationType = n
		return goldenRow{req: req}
	}
	subscription := sendapi.Text(ann, "x")
	subscription.MessagingType = sendapi.TypeSubscription
	rows := map[string]goldenRow{
		"options": {
			req: &sendapi.Request{
				Recipient: ann, NotificationType: sendapi.NotifyNone, PersonaID: "77",
				ReplyTo: &sendapi.ReplyTo{MID: "m_0"}, Message: &sendapi.Message{Text: "x", Metadata: "job-1"},
			},
			problems: []string{noType},
		},
		"type_subscription": {req: subscription, problems: []string{
			"! messaging_type: NON_PROMOTIONAL_SUBSCRIPTION" + removed20,
		}},
		"notify_regular": notify(sendapi.NotifyRegular),
		"notify_silent":  notify(sendapi.NotifySilent),
		"notify_none":    notify(sendapi.NotifyNone),
		"typing_on":      action(sendapi.TypingOn),
		"typing_off":     action(sendapi.TypingOff),
		"mark_seen":      action(sendapi.MarkSeen),
		"react":          {req: sendapi.React(ann, "m_1", "❤")},
		"unreact":        {req: sendapi.Unreact(ann, "m_1")},
		"to_user_ref":    to(sendapi.UserRef("r-1")),
		"to_comment":     to(sendapi.Comment("1_2")),
		"to_post":        to(sendapi.Post("1_3")),
		"to_phone": to(
			sendapi.Recipient{PhoneNumber: "+1(212)555-2368", Name: &sendapi.Name{First: "Ann", Last: "Lee"}},
			"recipient.phone_number: matching people by phone number"+of2018,
		),
		"to_one_time_token": to(sendapi.OneTimeNotif("t"), "recipient.one_time_notif_token: "+otn),
		"to_recurring_token": to(
			sendapi.Recipient{NotificationMessagesToken: "t"},
			"! recipient.notification_messages_token: the token"+recurring,
		),
	}
	for _, tag := range sendapi.Vocabulary()["tag"] {
		row := goldenRow{req: sendapi.Text(ann, "x").Tagged(sendapi.Tag(tag))}
		switch tag {
		case "HUMAN_AGENT":
		case "CUSTOMER_FEEDBACK":
			row.problems = []string{"! tag: CUSTOMER_FEEDBACK is for the customer_feedback template only"}
		case "CONFIRMED_EVENT_UPDATE", "POST_PURCHASE_UPDATE", "ACCOUNT_UPDATE":
			row.problems = []string{"! tag: " + tag + removed26}
		default:
			row.problems = []string{"! tag: " + tag + removed20}
		}
		rows["tag_"+strings.ToLower(tag)] = row
	}
	return rows
}
