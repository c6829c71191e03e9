package sendapi_test

import (
	"strings"
	"testing"
)

func TestCheckRecipient(t *testing.T) {
	t.Parallel()
	to := func(recipient string) string {
		return `{"recipient":` + recipient + `,"messaging_type":"UPDATE","message":{"text":"x"}}`
	}
	checkRules(t, []rule{
		{"id", to(`{"id":"6216551234567890"}`), nil},
		{
			"nobody",
			to(`{}`),
			[]string{"! recipient: required: one of id, user_ref, phone_number, comment_id, post_id, " +
				"one_time_notif_token, notification_messages_token"},
		},
		{"id as a number", to(`{"id":6216551234567890}`), nil},
		{
			"a kind of address that there is not",
			to(`{"psid":"1"}`),
			[]string{"! recipient: required: one of id, user_ref, phone_number, comment_id, post_id, " +
				"one_time_notif_token, notification_messages_token"},
		},
		{
			"recipient left out",
			`{"messaging_type":"UPDATE","message":{"text":"x"}}`,
			[]string{"! recipient: required: one of id, user_ref, phone_number, comment_id, post_id, " +
				"one_time_notif_token, notification_messages_token"},
		},
		{
			"two addresses",
			to(`{"id":"1","comment_id":"1_2"}`),
			[]string{"! recipient: id and comment_id: only one address is allowed [2/1]"},
		},
		{
			"three addresses",
			to(`{"id":"1","comment_id":"1_2","post_id":"1_3"}`),
			[]string{"! recipient: id and comment_id and post_id: only one address is allowed [3/1]"},
		},
		{
			"id not numeric",
			to(`{"id":"12a"}`),
			[]string{"! recipient.id: not a page-scoped id: it must be decimal digits"},
		},
		{
			"not a phone number",
			to(`{"phone_number":"call me"}`),
			[]string{"! recipient.phone_number: not a phone number: it must look like +1(212)555-2368"},
		},
		{
			"phone number without punctuation",
			to(`{"phone_number":"+12125552368"}`),
			[]string{"recipient.phone_number: matching people by phone number" + of2018},
		},
		{
			"name without phone",
			to(`{"id":"1","name":{"first_name":"A"}}`),
			[]string{"! recipient.name: allowed with phone_number only"},
		},
	})
}

func TestCheckRequest(t *testing.T) {
	t.Parallel()
	const text = `"messaging_type":"UPDATE","message":{"text":"x"}`
	checkRules(t, []rule{
		{
			"nothing",
			body(`"tag":null`),
			[]string{"! message: required, or a sender_action"},
		},
		{
			"message and action",
			body(text + `,"sender_action":"typing_on"`),
			[]string{"! sender_action: not allowed together with message"},
		},
		{
			"unknown action",
			body(`"sender_action":"dance"`),
			[]string{"! sender_action: unknown value \"dance\"; it must be one of typing_on, typing_off, " +
				"mark_seen, react, unreact"},
		},
		{"action in upper case", body(`"sender_action":"TYPING_ON"`), nil},
		{
			"action with the options of a message",
			body(`"sender_action":"mark_seen","messaging_type":"MESSAGE_TAG","tag":"HUMAN_AGENT","persona_id":"7",` +
				`"notification_type":"REGULAR","reply_to":{"mid":"m"}`),
			[]string{
				"messaging_type: not documented with a sender_action",
				"notification_type: not documented with a sender_action",
				"tag: not documented with a sender_action",
				"! persona_id: not allowed with a sender_action",
				"! reply_to: not allowed with a sender_action",
			},
		},
		{"typing of a persona", body(`"sender_action":"typing_on","persona_id":"7"`), nil},
		{
			"no messaging type",
			body(`"message":{"text":"x"}`),
			[]string{noType},
		},
		{
			"unknown messaging type",
			body(`"message":{"text":"x"},"messaging_type":"PROMO"`),
			[]string{"! messaging_type: unknown value \"PROMO\"; it must be one of RESPONSE, UPDATE, " +
				"MESSAGE_TAG, UTILITY"},
		},
		{
			"UTILITY with a text",
			body(`"message":{"text":"x"},"messaging_type":"UTILITY"`),
			[]string{"messaging_type: UTILITY is for messages with a template"},
		},
		{
			"template of a utility message as UPDATE",
			message(`{"template":{"name":"n","language":{"code":"en"}}}`),
			[]string{"messaging_type: a message with a template is sent as UTILITY"},
		},
		{
			"unknown notification",
			body(text + `,"notification_type":"LOUD"`),
			[]string{"! notification_type: unknown value \"LOUD\"; it must be one of REGULAR, SILENT_PUSH, NO_PUSH"},
		},
		{
			"unknown tag",
			body(`"messaging_type":"MESSAGE_TAG","message":{"text":"x"},"tag":"SALE"`),
			[]string{"! tag: unknown value \"SALE\"; it must be one of HUMAN_AGENT, CUSTOMER_FEEDBACK"},
		},
		{
			"long unknown values are cut",
			body(`"messaging_type":"MESSAGE_TAG","message":{"text":"x"},"tag":"` + x(100) + `"`),
			[]string{"! tag: unknown value \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"; it must be one of " +
				"HUMAN_AGENT, CUSTOMER_FEEDBACK"},
		},
		{
			"type without tag",
			body(`"messaging_type":"MESSAGE_TAG","message":{"text":"x"}`),
			[]string{"! tag: required with messaging_type MESSAGE_TAG"},
		},
		{
			"tag without type",
			body(text + `,"tag":"HUMAN_AGENT"`),
			[]string{"! tag: allowed with messaging_type MESSAGE_TAG only"},
		},
		{
			"tag without any type",
			body(`"message":{"text":"x"},"tag":"HUMAN_AGENT"`),
			[]string{noType, "tag: without a messaging_type; it goes with MESSAGE_TAG"},
		},
		{
			"CUSTOMER_FEEDBACK for cards",
			body(`"messaging_type":"MESSAGE_TAG","tag":"CUSTOMER_FEEDBACK","message":{"attachment":{"type":"template",` +
				`"payload":{"template_type":"generic","elements":[{"title":"t","subtitle":"s"}]}}}`),
			[]string{"! tag: CUSTOMER_FEEDBACK is for the customer_feedback template only"},
		},
		{
			"persona and reply",
			body(text + `,"persona_id":"p","reply_to":{}`),
			[]string{
				"! persona_id: must be decimal digits",
				"! reply_to.mid: required",
			},
		},
		{"reply_to as a string", body(text + `,"reply_to":"m_1"`), nil},
		{"persona as a number", body(text + `,"persona_id":7`), nil},
		{
			"react without payload",
			body(`"sender_action":"react"`),
			[]string{"! payload: required with react"},
		},
		{
			"react without members",
			body(`"sender_action":"react","payload":{}`),
			[]string{
				"! payload.message_id: required",
				"! payload.reaction: required",
			},
		},
		{
			"unreact without members",
			body(`"sender_action":"unreact","payload":{}`),
			[]string{"! payload.message_id: required"},
		},
		{
			"payload without react",
			body(`"sender_action":"mark_seen","payload":{"message_id":"m"}`),
			[]string{"! payload: allowed with the sender actions react and unreact only"},
		},
		{"members of tomorrow", body(text + `,"suggestion_action":{"x":1},"folder":"f"`), nil},
	})
}

func TestCheckMessage(t *testing.T) {
	t.Parallel()
	checkRules(t, []rule{
		{
			"empty message",
			message(`{}`),
			[]string{"! message: needs text, an attachment, a template or a sticker_id"},
		},
		{
			"empty text",
			message(`{"text":"","metadata":null,"quick_replies":[]}`),
			[]string{"! message: needs text, an attachment, a template or a sticker_id"},
		},
		{"content of tomorrow", message(`{"hologram":{}}`), nil},
		{
			"no sticker",
			message(`{"sticker_id":0}`),
			[]string{"! message: needs text, an attachment, a template or a sticker_id"},
		},
		{"sticker as a string", message(`{"sticker_id":"369239263222822"}`), nil},
		{"text below the limit", message(`{"text":"` + strings.Repeat("é", 1999) + `"}`), nil},
		{
			"text at the limit",
			message(`{"text":"` + strings.Repeat("é", 2000) + `"}`),
			[]string{"message.text: 2,000 characters; the reference of 2018 allows that, the current one asks " +
				"for less [2000/2000]"},
		},
		{
			"text over the limit",
			message(`{"text":"` + x(2001) + `"}`),
			[]string{"! message.text: 2,001 characters; the limit is 2,000 [2001/2000]"},
		},
		{
			"an emoji counts twice",
			message(`{"text":"` + strings.Repeat("😀", 1001) + `"}`),
			[]string{"! message.text: 2,002 characters; the limit is 2,000 [2002/2000]"},
		},
		{
			"metadata at the limit",
			message(`{"text":"x","metadata":"` + x(1000) + `"}`),
			[]string{"message.metadata: 1,000 characters; the reference of 2018 allows that, the current one " +
				"asks for less [1000/1000]"},
		},
		{
			"metadata over the limit",
			message(`{"text":"x","metadata":"` + x(1001) + `"}`),
			[]string{"! message.metadata: 1,001 characters; the limit is 1,000 [1001/1000]"},
		},
		{
			"text and attachment",
			message(`{"text":"x","attachment":{"type":"image","payload":{"attachment_id":"1"}}}`),
			[]string{"! message.attachment: not allowed together with text"},
		},
		{
			"everything at once",
			message(`{"text":"x","sticker_id":1,"template":{"name":"n","language":{"code":"en"}}}`),
			[]string{
				"messaging_type: a message with a template is sent as UTILITY",
				"! message.template: not allowed together with text",
				"! message.sticker_id: not allowed together with text",
			},
		},
		{
			"dynamic text beside a template",
			message(`{"dynamic_text":{"text":"x"},"sticker_id":1}`),
			[]string{"message.dynamic_text: dynamic_text" + of2018},
		},
		{"13 quick replies", answers(some(13, `{"content_type":"text","title":"t","payload":"p"}`)), nil},
		{
			"14 quick replies",
			answers(some(14, `{"content_type":"text","title":"t","payload":"p"}`)),
			[]string{"! message.quick_replies: 14 entries; the limit is 13 [14/13]"},
		},
		{
			"long title",
			answers(`{"content_type":"text","title":"` + x(21) + `","payload":"p"}`),
			[]string{"message.quick_replies[0].title: 21 characters; the platform cuts it off after 20 [21/20]"},
		},
		{
			"quick reply empty",
			answers(`{"content_type":"text"}`),
			[]string{
				"! message.quick_replies[0].title: required, unless there is an image_url",
				"! message.quick_replies[0].payload: required, unless there is an image_url",
			},
		},
		{
			"quick reply of an image",
			answers(`{"content_type":"text","image_url":"https://e.com/i"}`),
			[]string{"message.quick_replies[0].title: " + unneeded},
		},
		{"payload as a number", answers(`{"content_type":"text","title":"t","payload":5}`), nil},
		{
			"long payload",
			answers(`{"content_type":"text","title":"t","payload":"` + x(1001) + `"}`),
			[]string{"! message.quick_replies[0].payload: 1,001 characters; the limit is 1,000 [1001/1000]"},
		},
		{
			"icon by ftp",
			answers(`{"content_type":"text","title":"t","payload":"p","image_url":"ftp://e.com"}`),
			[]string{"! message.quick_replies[0].image_url: " + noURL},
		},
		{
			"quick reply without type",
			answers(`{}`),
			[]string{"! message.quick_replies[0].content_type: required: one of text, user_phone_number, user_email"},
		},
		{
			"quick reply in upper case",
			answers(`{"content_type":"TEXT"},{"content_type":"USER_EMAIL"}`),
			[]string{
				"! message.quick_replies[0].title: required, unless there is an image_url",
				"! message.quick_replies[0].payload: required, unless there is an image_url",
			},
		},
		{
			"quick reply of unknown type",
			answers(`{"content_type":"USER_CITY"}`),
			[]string{"! message.quick_replies[0].content_type: unknown value \"USER_CITY\"; it must be one of " +
				"text, user_phone_number, user_email"},
		},
		{
			"email with the fields of a text",
			answers(`{"content_type":"user_email","title":"t","payload":"p","image_url":"https://e.com"}`),
			[]string{
				"message.quick_replies[0].title: has a meaning with content_type text only",
				"message.quick_replies[0].payload: has a meaning with content_type text only",
				"message.quick_replies[0].image_url: has a meaning with content_type text only",
			},
		},
		{
			"utility template empty",
			body(`"messaging_type":"UTILITY","message":{"template":{}}`),
			[]string{
				"! message.template.name: required",
				"! message.template.language.code: required",
			},
		},
		{
			"utility components",
			body(`"messaging_type":"UTILITY","message":{"template":{"name":"n","language":{"code":"en"},"components":[` +
				`{"type":"FOOTER"},{"type":"BODY","parameters":[{"type":"text"},{"type":"postback"},{"type":"URL"},{}]}]}}`),
			[]string{
				"! message.template.components[0].type: unknown value \"footer\"; it must be one of " +
					"header, body, title, buttons",
				"! message.template.components[1].parameters[0].text: required",
				"! message.template.components[1].parameters[1].payload: required",
				"! message.template.components[1].parameters[2].url: required",
				"! message.template.components[1].parameters[3].type: required: one of text, postback, url",
			},
		},
	})
}
