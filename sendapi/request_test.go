package sendapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

var ann = sendapi.ID("1234")

// Each line comes back with the same meaning, whatever of it this version has a field for.
func TestRequestKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`{}`,
		`{"recipient":{}}`,
		`{"recipient":{"id":"1","future":{"a":[1,2.50,null]}},"new_top":true,"messaging_type":null}`,
		`{"recipient":{"id":"1"},"message":{"text":"","sticker_id":369239263222822}}`,
		`{"recipient":{"id":"1"},"message":{"dynamic_text":{"text":"{first_name}","fallback_text":"you"}}}`,
		`{"recipient":{"id":"1"},"message":{"template":{"name":"n","language":{"code":"en"},"components":[]}},` +
			`"messaging_type":"UTILITY"}`,
		`{"recipient":{"id":"1"},"message":{"attachment":{"type":"template","payload":{"template_type":"receipt",` +
			`"elements":[{"title":"x","price":0}],"order_number":"7"},"more":1}}}`,
		`{"recipient":{"id":"1"},"message":{"attachment":{"type":"template","payload":{"template_type":"generic",` +
			`"sharable":false,"x":1,"elements":[{"title":"t","item_url":"u","buttons":[],"default_action":` +
			`{"type":"web_url","url":"https://x.y","z":"1"}}]}}}}`,
		`{"recipient":{"id":"1"},"message":{"attachment":{"type":"template","payload":{"template_type":"button",` +
			`"text":"t","buttons":[{"type":"game_play","title":"t","game_metadata":{"player_id":"1"}}]}}}}`,
		`{"recipient":{"id":"1"},"message":{"attachment":{"type":"image",` +
			`"payload":{"attachment_id":12,"is_reusable":false}}}}`,
		`{"recipient":{"id":"1"},"message":{"text":"x",` +
			`"quick_replies":[{"content_type":"text","title":"t","payload":5}]}}`,
		`{"recipient":{"id":"1"},"message":{"text":"x","quick_replies":[]},"reply_to":"m_1","persona_id":5}`,
		`{"recipient":{"id":"1","name":{"first_name":"A","middle_name":"B"}},"payload":{"message_id":"m","x":1}}`,
		`{"recipient":{"id":"1"},"reply_to":{"mid":"m","x":[]},"a\u0062c":"\ud83d\ude00","":0}`,
		`{"recipient":{"id":6216551234567890},"message":{"text":"x"}}`,
		`{"recipient":{"id":"1"},"message":{"attachment":{"type":"VIDEO","payload":{"url":"u","is_reusable":"true"}}}}`,
		`{"recipient":{"id":"1"},"message":{"attachment":{"type":"Template","payload":{"template_type":"generic",` +
			`"sharable":"false"}}}}`,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			req, err := sendapi.ParseRequest([]byte(line))
			require.NoError(t, err)
			got, err := json.Marshal(req)
			require.NoError(t, err)
			assert.JSONEq(t, line, string(got))
		})
	}
}

func TestRequestFieldsWinOverWhatWasKept(t *testing.T) {
	t.Parallel()
	req, err := sendapi.ParseRequest([]byte(`{"recipient":{"id":"1"},"tag":null,"persona_id":5,"new":1}`))
	require.NoError(t, err)
	req.Tag, req.PersonaID = sendapi.TagHumanAgent, "6"
	got, err := json.Marshal(req)
	require.NoError(t, err)
	assert.JSONEq(t, `{"recipient":{"id":"1"},"tag":"HUMAN_AGENT","persona_id":"6","new":1}`, string(got))
}

// What the platform takes in a second form is read in it, and written back in it until its field is set.
func TestSecondForms(t *testing.T) {
	t.Parallel()
	const in = `{"recipient":{"id":7},"message":{"attachment":{"type":"AUDIO","payload":{"url":"u","is_reusable":"true"}}}}`
	req, err := sendapi.ParseRequest([]byte(in))
	require.NoError(t, err)
	assert.Equal(t, sendapi.ID("7").Address(), req.Recipient.Address())
	assert.True(t, req.Media(), "the lower limit is that of audio, however it is written")
	a := req.Message.Attachment
	media, ok := a.Payload.(*sendapi.Media)
	require.True(t, ok, "%T", a.Payload)
	assert.Equal(t, sendapi.Audio, a.Type)
	assert.True(t, media.Reusable)
	req.Recipient.ID, a.Type, media.Reusable = "8", sendapi.File, false
	got, err := json.Marshal(req)
	require.NoError(t, err)
	assert.JSONEq(t, `{"recipient":{"id":"8"},"message":{"attachment":{"type":"file","payload":{"url":"u","is_reusable":false}}}}`,
		string(got))
	media.Reusable = true
	require.NoError(t, json.Unmarshal([]byte(`{"url":"u","is_reusable":"false"}`), media))
	assert.False(t, media.Reusable)
	media.Reusable = true
	got, err = json.Marshal(media)
	require.NoError(t, err)
	assert.JSONEq(t, `{"url":"u","is_reusable":true}`, string(got))
}

func TestParseRequestSaysWhere(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		``:                                    "invalid JSON at byte 0: unexpected end of JSON input",
		`{"recipient":`:                       "invalid JSON at byte 13: unexpected end of JSON input",
		`{} {}`:                               "invalid JSON at byte 4: invalid character '{' after top-level value",
		`[]`:                                  "must be an object, not an array",
		`null`:                                "must be an object, not null",
		`{"recipient":"1"}`:                   "recipient: must be an object, not a string",
		`{"recipient":{"id":1.5}}`:            "recipient.id: must be a string of digits, not a number",
		`{"recipient":{"id":[1]}}`:            "recipient.id: must be a string of digits, not an array",
		`{"tag":"A","tag":"B"}`:               `has the member "tag" twice`,
		`{"message":{"text":"a","text":"b"}}`: `message: has the member "text" twice`,
		"{\"tag\":\"\xff\"}":                  "invalid JSON: not UTF-8",
		`{"message":{"quick_replies":{}}}`:    "message.quick_replies: must be an array, not an object",
		`{"message":{"quick_replies":[{"title":1},{"title":[]}]},"sender_action":true}`: "" +
			"message.quick_replies[0].title: must be a string, not a number; " +
			"message.quick_replies[1].title: must be a string, not an array; " +
			"sender_action: must be a string, not true or false",
		`{"message":{"attachment":{"type":"image","payload":{"is_reusable":"yes"}}}}`: "" +
			"message.attachment.payload.is_reusable: must be true or false, not a string",
		`{"message":{"sticker_id":1.5}}`: "message.sticker_id: must be a whole number of at most 64 bits",
		`{"message":{"sticker_id":[]}}`:  "message.sticker_id: must be a number, not an array",
		template(`"customer_information","countries":["US",1]`): "" +
			"message.attachment.payload.countries[1]: must be a string, not a number",
		template(`"receipt","summary":{"total_cost":true}`): "" +
			"message.attachment.payload.summary.total_cost: must be a number, not true or false",
	} {
		t.Run(data, func(t *testing.T) {
			t.Parallel()
			_, err := sendapi.ParseRequest([]byte(data))
			assert.EqualError(t, err, want)
			assert.IsType(t, sendapi.Problems{}, err)
		})
	}
}

func TestParseRequestOfManyMembers(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	_, err := sendapi.ParseRequest([]byte("{" + b.String()[1:] + "}"))
	require.NoError(t, err)
	_, err = sendapi.ParseRequest([]byte("{" + b.String()[1:] + `,"k5":2}`))
	assert.EqualError(t, err, `has the member "k5" twice`)
}

func TestPartsInOtherJSON(t *testing.T) {
	t.Parallel()
	type campaign struct {
		Message sendapi.Message         `json:"message"`
		Buttons []sendapi.Button        `json:"buttons"`
		Card    *sendapi.Element        `json:"card"`
		To      sendapi.Recipient       `json:"to"`
		Null    sendapi.QuickReply      `json:"null"`
		Media   sendapi.Media           `json:"media"`
		React   sendapi.Reaction        `json:"react"`
		Reply   sendapi.ReplyTo         `json:"reply"`
		Name    sendapi.Name            `json:"name"`
		Attach  sendapi.Attachment      `json:"attach"`
		Cards   sendapi.GenericTemplate `json:"cards"`
		Text    sendapi.ButtonTemplate  `json:"text"`
	}
	const in = `{"message":{"text":"hi","x":1},"buttons":[{"type":"postback","title":"t","payload":"p"}],
		"card":{"title":"c"},"to":{"id":"1"},"null":{},"media":{"url":"u"},"react":{"message_id":"m"},
		"reply":{"mid":"m"},"name":{"first_name":"A"},"attach":{"type":"x","payload":[1]},
		"cards":{"template_type":"generic"},"text":{"template_type":"button","text":"t"}}`
	var c campaign
	require.NoError(t, json.Unmarshal([]byte(strings.Replace(in, `"null":{}`, `"null":null`, 1)), &c))
	out, err := json.Marshal(c)
	require.NoError(t, err)
	assert.JSONEq(t, in, string(out))
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for want, to := range map[string]sendapi.Recipient{
		"":                              {},
		"id:1234":                       ann,
		"user_ref:r-1":                  sendapi.UserRef("r-1"),
		"phone_number:+12125552368":     sendapi.Phone("+1 (212) 555-2368"),
		"comment_id:1_2":                sendapi.Comment("1_2"),
		"post_id:1_3":                   sendapi.Post("1_3"),
		"one_time_notif_token:a":        {OneTimeNotifToken: "a"},
		"notification_messages_token:b": {NotificationMessagesToken: "b"},
	} {
		assert.Equal(t, want, to.Address())
	}
}

func TestClassOfARequest(t *testing.T) {
	t.Parallel()
	const url = "https://example.com/x"
	for name, row := range map[string]struct {
		req                    *sendapi.Request
		media, fetches, answer bool
	}{
		"text":         {req: sendapi.Text(ann, "x")},
		"answer":       {req: sendapi.Text(ann, "x").AsResponse(), answer: true},
		"action":       {req: sendapi.Action(ann, sendapi.MarkSeen), answer: true},
		"image by url": {req: sendapi.MediaURL(ann, sendapi.Image, url), fetches: true},
		"audio by url": {req: sendapi.MediaURL(ann, sendapi.Audio, url), media: true, fetches: true},
		"video by id":  {req: sendapi.MediaID(ann, sendapi.Video, "1"), media: true},
		"file by id":   {req: sendapi.MediaID(ann, sendapi.File, "1")},
		"cards":        {req: sendapi.Cards(ann)},
		"video template": {req: structured(&sendapi.MediaTemplate{
			Elements: []sendapi.MediaElement{{MediaType: sendapi.Video}},
		}), media: true},
		"image template": {req: structured(&sendapi.MediaTemplate{
			Elements: []sendapi.MediaElement{{MediaType: sendapi.Image}},
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, row.media, row.req.Media(), "Media")
			assert.Equal(t, row.fetches, row.req.FetchesMedia(), "FetchesMedia")
			assert.Equal(t, row.answer, row.req.Answer(), "Answer")
		})
	}
}

func TestWithMetadata(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"message":{"text":"a"},"x":1.50}`:       `{"message":{"metadata":"m\"1","text":"a"},"x":1.50}`,
		`{ "x" : {"message":1}, "message" : { }}`: `{ "x" : {"message":1}, "message" : {"metadata":"m\"1" }}`,
		`{"message":{"metadata":null}}`:           `{"message":{"metadata":null}}`,
		`{"message":{"text":"metadata"}}`:         `{"message":{"metadata":"m\"1","text":"metadata"}}`,
		`{"message":null}`:                        `{"message":null}`,
		`{"sender_action":"typing_on"}`:           `{"sender_action":"typing_on"}`,
		`{"message":{`:                            `{"message":{`,
		`[{"message":{}}]`:                        `[{"message":{}}]`,
		``:                                        ``,
	} {
		assert.Equal(t, want, string(sendapi.WithMetadata(json.RawMessage(body), `m"1`)))
	}
	part := json.RawMessage(`[{"message":{}},7]`)[1:15:15]
	assert.Equal(t, `{"message":{"metadata":"m"}}`, string(sendapi.WithMetadata(part, "m")), "a part of a longer text")
}
