package sendapi_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

func repeat[T any](v T, n int) []T { return slices.Repeat([]T{v}, n) }

func TestValidate(t *testing.T) {
	t.Parallel()
	const one = "recipient: required: one of id, user_ref, phone_number, comment_id, post_id, " +
		"one_time_notif_token, notification_messages_token"
	const payload = "message.attachment.payload"
	link := sendapi.Link("t", "https://example.com")
	card := sendapi.Element{Title: "t", Subtitle: "s"}
	media := func(m *sendapi.Media) *sendapi.Request {
		r := sendapi.MediaID(ann, sendapi.Image, "1")
		r.Message.Attachment.Payload = m
		return r
	}
	raw := func(s string) *sendapi.Request {
		r := sendapi.Cards(ann)
		r.Message.Attachment.Payload = sendapi.RawPayload(s)
		return r
	}
	for name, row := range map[string]struct {
		req  *sendapi.Request
		want []string
	}{
		"nothing": {
			&sendapi.Request{},
			[]string{one, "message: required, or a sender_action"},
		},
		"no recipient": {sendapi.Text(sendapi.Recipient{}, "x"), []string{one}},
		"two recipients": {
			sendapi.Text(sendapi.Recipient{ID: "1", UserRef: "r"}, "x"),
			[]string{"recipient: id and user_ref: only one address is allowed"},
		},
		"id not numeric": {
			sendapi.Text(sendapi.ID("12a"), "x"),
			[]string{"recipient.id: not a page-scoped id: it must be decimal digits"},
		},
		"phone": {
			sendapi.Text(sendapi.Phone("call me"), "x"),
			[]string{"recipient.phone_number: not a phone number: it must look like +1(212)555-2368"},
		},
		"name without phone": {
			sendapi.Text(sendapi.Recipient{ID: "1", Name: &sendapi.Name{}}, "x"),
			[]string{"recipient.name: allowed with phone_number only"},
		},
		"message and action": {
			&sendapi.Request{Recipient: ann, Message: &sendapi.Message{Text: "x"}, SenderAction: sendapi.TypingOn},
			[]string{"sender_action: not allowed together with message"},
		},
		"unknown action": {
			sendapi.Action(ann, "dance"),
			[]string{
				`sender_action: unknown value "dance"; it must be one of typing_on, typing_off, mark_seen, react, unreact`,
			},
		},
		"upper case action": {sendapi.Action(ann, "TYPING_ON"), nil},
		"empty message":     {sendapi.Text(ann, ""), []string{"message: needs text or an attachment"}},
		"text at the limit": {sendapi.Text(ann, strings.Repeat("é", 2000)), nil},
		"text over the limit": {
			sendapi.Text(ann, strings.Repeat("x", 2001)),
			[]string{"message.text: 2,001 characters; the limit is 2,000"},
		},
		"emoji count twice": {
			sendapi.Text(ann, strings.Repeat("😀", 1001)),
			[]string{"message.text: 2,002 characters; the limit is 2,000"},
		},
		"metadata": {
			&sendapi.Request{Recipient: ann, Message: &sendapi.Message{Text: "x", Metadata: strings.Repeat("x", 1001)}},
			[]string{"message.metadata: 1,001 characters; the limit is 1,000"},
		},
		"no messaging type": {
			&sendapi.Request{Recipient: ann, Message: &sendapi.Message{Text: "x"}},
			nil,
		},
		"unknown messaging type": {
			&sendapi.Request{Recipient: ann, Message: &sendapi.Message{Text: "x"}, MessagingType: "PROMO"},
			[]string{
				`messaging_type: unknown value "PROMO"; it must be one of RESPONSE, UPDATE, MESSAGE_TAG, UTILITY, ` +
					"NON_PROMOTIONAL_SUBSCRIPTION",
			},
		},
		"unknown notification": {
			&sendapi.Request{Recipient: ann, Message: &sendapi.Message{Text: "x"}, NotificationType: "LOUD"},
			[]string{`notification_type: unknown value "LOUD"; it must be one of REGULAR, SILENT_PUSH, NO_PUSH`},
		},
		"unknown tag": {
			sendapi.Text(ann, "x").Tagged("SALE"),
			[]string{`tag: unknown value "SALE"; it must be one of HUMAN_AGENT, CUSTOMER_FEEDBACK`},
		},
		"removed tag": {sendapi.Text(ann, "x").Tagged(sendapi.TagShippingUpdate), nil},
		"type without tag": {
			sendapi.Text(ann, "x").Tagged(""),
			[]string{"tag: required with messaging_type MESSAGE_TAG"},
		},
		"tag without type": {
			&sendapi.Request{Recipient: ann, Message: &sendapi.Message{Text: "x"}, Tag: sendapi.TagHumanAgent},
			[]string{"tag: allowed with messaging_type MESSAGE_TAG only"},
		},
		"persona and reply": {
			&sendapi.Request{
				Recipient: ann, Message: &sendapi.Message{Text: "x"},
				PersonaID: "p", ReplyTo: &sendapi.ReplyTo{},
			},
			[]string{"persona_id: must be decimal digits", "reply_to.mid: required"},
		},
		"react without payload": {
			sendapi.Action(ann, sendapi.AddReaction),
			[]string{"payload: required with react"},
		},
		"react without members": {
			sendapi.React(ann, "", ""),
			[]string{"payload.message_id: required", "payload.reaction: required"},
		},
		"payload without react": {
			&sendapi.Request{Recipient: ann, SenderAction: sendapi.MarkSeen, Payload: &sendapi.Reaction{}},
			[]string{"payload: allowed with the sender actions react and unreact only"},
		},
		"14 quick replies": {
			sendapi.Text(ann, "x").Offering(repeat(sendapi.Choice("t", "p"), 14)...),
			[]string{"message.quick_replies: 14 entries; the limit is 13"},
		},
		"long title is cut off": {
			sendapi.Text(ann, "x").Offering(sendapi.Choice(strings.Repeat("t", 99), "p")),
			nil,
		},
		"quick reply empty": {
			sendapi.Text(ann, "x").Offering(sendapi.Choice("", "")),
			[]string{
				"message.quick_replies[0].title: required, unless there is an image_url",
				"message.quick_replies[0].payload: required, unless there is an image_url",
			},
		},
		"quick reply of image": {
			sendapi.Text(ann, "x").Offering(sendapi.QuickReply{ContentType: "text", ImageURL: "https://e.com/i"}),
			nil,
		},
		"quick reply payload": {
			sendapi.Text(ann, "x").Offering(sendapi.Choice("t", strings.Repeat("p", 1001))),
			[]string{"message.quick_replies[0].payload: 1,001 characters; the limit is 1,000"},
		},
		"quick reply type": {
			sendapi.Text(ann, "x").Offering(sendapi.QuickReply{}),
			[]string{
				"message.quick_replies[0].content_type: required: one of text, user_phone_number, user_email, location",
			},
		},
		"email with title": {
			sendapi.Text(ann, "x").Offering(sendapi.QuickReply{ContentType: sendapi.ReplyEmail, Title: "t"}),
			[]string{"message.quick_replies[0].title: allowed with content_type text only"},
		},
		"media without anything": {
			media(&sendapi.Media{}),
			[]string{payload + ": needs url or attachment_id"},
		},
		"media with both": {
			media(&sendapi.Media{URL: "http://e.com", AttachmentID: "1"}),
			[]string{payload + ": url and attachment_id: only one is allowed"},
		},
		"media by ftp": {
			sendapi.MediaURL(ann, sendapi.File, "ftp://e.com/x"),
			[]string{payload + ".url: must be an http or https URL"},
		},
		"media without host": {
			sendapi.MediaURL(ann, sendapi.File, "https:///x"),
			[]string{payload + ".url: must be an http or https URL"},
		},
		"nil media": {media(nil), []string{payload + ": required"}},
		"unknown attachment": {
			sendapi.MediaID(ann, "gif", "1"),
			[]string{
				`message.attachment.type: unknown value "gif"; it must be one of image, audio, video, file, template`,
			},
		},
		"template with media": {
			sendapi.MediaID(ann, sendapi.Template, "1"),
			[]string{"message.attachment.type: does not fit the payload"},
		},
		"no cards": {sendapi.Cards(ann), []string{payload + ".elements: needs at least 1"}},
		"11 cards": {
			sendapi.Cards(ann, repeat(card, 11)...),
			[]string{payload + ".elements: 11 entries; the limit is 10"},
		},
		"bare card": {
			sendapi.Cards(ann, card, sendapi.Element{}),
			[]string{
				payload + ".elements[1].title: required",
				payload + ".elements[1]: needs one more of subtitle, image_url, default_action and buttons",
			},
		},
		"card with 4 buttons": {
			sendapi.Cards(ann, sendapi.Element{Title: "t", Buttons: repeat(link, 4)}),
			[]string{payload + ".elements[0].buttons: 4 entries; the limit is 3"},
		},
		"default action": {
			sendapi.Cards(ann, sendapi.Element{Title: "t", DefaultAction: &sendapi.Button{Type: "postback", Title: "t"}}),
			[]string{
				payload + ".elements[0].default_action.type: must be web_url",
				payload + ".elements[0].default_action.title: not allowed in a default action",
				payload + ".elements[0].default_action.url: required",
			},
		},
		"button template empty": {
			sendapi.Buttons(ann, ""),
			[]string{payload + ".text: required", payload + ".buttons: needs at least 1"},
		},
		"button template text": {
			sendapi.Buttons(ann, strings.Repeat("x", 641), link),
			[]string{payload + ".text: 641 characters; the limit is 640"},
		},
		"buttons without members": {sendapi.Buttons(
			ann, "x",
			sendapi.Button{Type: "web_url"}, sendapi.Button{Type: "postback"}, sendapi.Button{Type: "account_link"},
		), []string{
			payload + ".buttons[0].title: required", payload + ".buttons[0].url: required",
			payload + ".buttons[1].title: required", payload + ".buttons[1].payload: required",
			payload + ".buttons[2].url: required"}},
		"unknown button": {
			sendapi.Buttons(ann, "x", sendapi.Button{Type: "zap"}),
			[]string{
				payload + `.buttons[0].type: unknown value "zap"; it must be one of web_url, ` +
					"postback, phone_number, account_link, account_unlink, game_play, element_share, payment",
			},
		},
		"webview": {sendapi.Buttons(
			ann, "x",
			sendapi.Button{
				Type: "web_url", Title: "t", URL: "http://e.com",
				MessengerExtensions: true, WebviewHeightRatio: "huge", WebviewShareButton: "show",
			},
			sendapi.Button{Type: "web_url", Title: "t", URL: "https://e.com", FallbackURL: "https://e.com"}), []string{
			payload + ".buttons[0].url: must be https with messenger_extensions",
			payload + `.buttons[0].webview_height_ratio: unknown value "huge"; it must be one of compact, tall, full`,
			payload + `.buttons[0].webview_share_button: unknown value "show"; it must be one of hide`,
			payload + ".buttons[1].fallback_url: allowed with messenger_extensions only"}},
		"log out, game and others": {
			sendapi.Buttons(
				ann, "x", sendapi.Button{Type: "account_unlink"},
				sendapi.Button{Type: "game_play", Title: "t"}, sendapi.Button{Type: "element_share"},
			),
			nil,
		},
		"unknown template":        {raw(`{"template_type":"hologram"}`), nil},
		"template without a type": {raw(`{}`), []string{payload + ".template_type: required"}},
		"raw payload not JSON": {
			raw(`{`),
			[]string{payload + ": invalid JSON at byte 1: unexpected end of JSON input"},
		},
		"raw payload no object": {raw(`[]`), []string{payload + ": must be an object, not an array"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := row.req.Validate()
			if row.want == nil {
				require.NoError(t, err)
				return
			}
			problems, ok := errors.AsType[sendapi.Problems](err)
			require.True(t, ok, "%T", err)
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			assert.Equal(t, row.want, got)
			assert.EqualError(t, err, strings.Join(row.want, "; "))
		})
	}
}

// A numeric payload or attachment id, and content without a field here, count as given.
func TestValidateCountsWhatIsKept(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		`{"sticker_id":369239263222822}`,
		`{"template":{"name":"n"}}`,
		`{"attachment":{"type":"image","payload":{"attachment_id":12}}}`,
		`{"text":"x","quick_replies":[{"content_type":"text","title":"t","payload":5}]}`,
	} {
		req, err := sendapi.ParseRequest(fmt.Appendf(nil, `{"recipient":{"id":"1"},"message":%s}`, message))
		require.NoError(t, err, message)
		assert.NoError(t, req.Validate(), message)
	}
	req, err := sendapi.ParseRequest([]byte(`{"recipient":{"id":"1"},"message":{"text":"","metadata":null}}`))
	require.NoError(t, err)
	assert.EqualError(t, req.Validate(), "message: needs text or an attachment")
}
