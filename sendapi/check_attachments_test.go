package sendapi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/sendapi"
)

func TestCheckAttachments(t *testing.T) {
	t.Parallel()
	attachment := func(members string) string { return message(`{"attachment":{` + members + `}}`) }
	checkRules(t, []rule{
		{
			"no type",
			attachment(`"payload":{}`),
			[]string{"! message.attachment.type: required: one of image, audio, video, file, template"},
		},
		{
			"unknown type",
			attachment(`"type":"LIKE_HEART","payload":{}`),
			[]string{"! message.attachment.type: unknown value \"LIKE_HEART\"; it must be one of image, audio, " +
				"video, file, template"},
		},
		{
			"no payload",
			attachment(`"type":"image"`),
			[]string{"! " + payload + ": required"},
		},
		{
			"payload null",
			attachment(`"type":"image","payload":null`),
			[]string{"! " + payload + ": required"},
		},
		{
			"media without anything",
			attachment(`"type":"image","payload":{}`),
			[]string{"! " + payload + ": needs url or attachment_id"},
		},
		{
			"media with both",
			attachment(`"type":"video","payload":{"url":"http://e.com","attachment_id":"1"}`),
			[]string{"! " + payload + ": url and attachment_id: only one is allowed"},
		},
		{"media with a numeric id", attachment(`"type":"video","payload":{"attachment_id":12}`), nil},
		{
			"media by ftp",
			attachment(`"type":"file","payload":{"url":"ftp://e.com/x"}`),
			[]string{"! " + payload + ".url: " + noURL},
		},
		{
			"media without host",
			attachment(`"type":"file","payload":{"url":"https:///x"}`),
			[]string{"! " + payload + ".url: " + noURL},
		},
		{"template of tomorrow", template(`"hologram"`), nil},
		{
			"template without a type",
			attachment(`"type":"template","payload":{}`),
			[]string{"! " + payload + ".template_type: required"},
		},
		{
			"template that is no object",
			attachment(`"type":"template","payload":[]`),
			[]string{"! " + payload + ": must be an object, not an array"},
		},
	})
}

func TestCheckURLs(t *testing.T) {
	t.Parallel()
	const percent = "has a percent sign that begins no escape; it is written %25"
	for url, want := range map[string][]string{
		"https://e.com/a%20b.png?x=%26#%C3%BC": nil,
		"HTTP://user@müller.example:8080":      nil,
		"https://e.com/100%.png":               {payload + ".url: " + percent},
		"https://e.com/50%off.png?a=1":         {payload + ".url: " + percent},
		"ftp://e.com/50%off.png":               {payload + ".url: " + percent, "! " + payload + ".url: " + noURL},
		"https:///a.png":                       {"! " + payload + ".url: " + noURL},
		"https://e.com:port/":                  {"! " + payload + ".url: " + noURL},
		"e.com":                                {"! " + payload + ".url: " + noURL},
		"://e.com":                             {"! " + payload + ".url: " + noURL},
		"javascript:alert(1)":                  {"! " + payload + ".url: " + noURL},
	} {
		assert.Equal(t, want, marked(sendapi.MediaURL(ann, sendapi.Image, url).Check()), url)
	}
}

// Values that JSON cannot have made.
func TestCheckPayloadsOfGo(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]sendapi.Attachment{
		"type: does not fit the payload":           {Type: sendapi.Template, Payload: &sendapi.Media{AttachmentID: "1"}},
		"type: does not fit the payload ":          {Type: sendapi.Image, Payload: &sendapi.GenericTemplate{}},
		"payload: required":                        {Type: sendapi.Image, Payload: (*sendapi.Media)(nil)},
		"payload: required ":                       {Type: sendapi.Template, Payload: sendapi.RawPayload(nil)},
		"payload: must be an object, not an array": {Type: sendapi.Template, Payload: sendapi.RawPayload(` []`)},
		"payload: invalid JSON at byte 1: unexpected end of JSON input": {
			Type: sendapi.Template, Payload: sendapi.RawPayload("{"),
		},
		"payload.address_overrides: invalid JSON at byte 1: unexpected end of JSON input": {
			Type: sendapi.Template, Payload: &sendapi.CustomerInformationTemplate{
				BusinessPrivacy: sendapi.BusinessPrivacy{URL: "https://e.com"}, AddressOverrides: []byte("{"),
			},
		},
		"payload.tax: must be a number with a dot before the decimals, such as 12.50": {
			Type: sendapi.Template, Payload: &sendapi.ItineraryTemplate{
				IntroMessage: "i", Locale: "l", PNRNumber: "p", TotalPrice: "1", Currency: "USD", Tax: "1,50",
				PassengerInfo: make([]sendapi.PassengerInfo, 1), FlightInfo: make([]sendapi.FlightInfo, 1),
				PassengerSegmentInfo: make([]sendapi.PassengerSegmentInfo, 1),
			},
		},
	} {
		err := content(sendapi.Message{Attachment: &a}).Validate()
		assert.EqualError(t, err, "message.attachment."+strings.TrimSpace(want))
	}
}

func TestCheckButtons(t *testing.T) {
	t.Parallel()
	const link = `{"type":"web_url","title":"t","url":"https://e.com"}`
	checkRules(t, []rule{
		{
			"no text, no buttons",
			template(`"button"`),
			[]string{
				"! " + payload + ".text: required",
				"! " + payload + ".buttons: needs at least 1 [0/1]",
			},
		},
		{
			"text over the limit",
			template(`"button","text":"` + x(641) + `","buttons":[` + link + `]`),
			[]string{"! " + payload + ".text: 641 characters; the limit is 640 [641/640]"},
		},
		{
			"4 buttons",
			buttons(some(4, link)),
			[]string{"! " + payload + ".buttons: 4 entries; the limit is 3 [4/3]"},
		},
		{
			"unknown type",
			buttons(`{"type":"zap"}`),
			[]string{"! " + payload + ".buttons[0].type: unknown value \"zap\"; it must be one of web_url, postback, " +
				"phone_number, account_link, account_unlink, game_play"},
		},
		{
			"link without members",
			buttons(`{"type":"web_url"}`),
			[]string{
				"! " + payload + ".buttons[0].title: required",
				"! " + payload + ".buttons[0].url: required",
			},
		},
		{
			"postback without members",
			buttons(`{"type":"postback"}`),
			[]string{
				"! " + payload + ".buttons[0].title: required",
				"! " + payload + ".buttons[0].payload: required",
			},
		},
		{"postback of a number", buttons(`{"type":"postback","title":"t","payload":5}`), nil},
		{
			"call without members",
			buttons(`{"type":"phone_number"}`),
			[]string{
				"! " + payload + ".buttons[0].title: required",
				"! " + payload + ".buttons[0].payload: required",
			},
		},
		{
			"log in without URL",
			buttons(`{"type":"account_link"}`),
			[]string{"! " + payload + ".buttons[0].url: required"},
		},
		{
			"game without title",
			buttons(`{"type":"game_play"}`),
			[]string{
				"! " + payload + ".buttons[0].title: required",
			},
		},
		{
			"long title",
			buttons(`{"type":"postback","title":"` + x(21) + `","payload":"p"}`),
			[]string{payload + ".buttons[0].title: 21 characters; the platform cuts it off after 20 [21/20]"},
		},
		{
			"long payload",
			buttons(`{"type":"postback","title":"t","payload":"` + x(1001) + `"}`),
			[]string{"! " + payload + ".buttons[0].payload: 1,001 characters; the limit is 1,000 [1001/1000]"},
		},
		{
			"number without country",
			buttons(`{"type":"phone_number","title":"t","payload":"(212) 555"}`),
			[]string{payload + ".buttons[0].payload: does not look like a phone number with plus and country code"},
		},
		{
			"no URL",
			buttons(`{"type":"web_url","title":"t","url":"e.com"}`),
			[]string{"! " + payload + ".buttons[0].url: " + noURL},
		},
		{
			"extensions without https",
			buttons(`{"type":"web_url","title":"t","url":"http://e.com","messenger_extensions":true}`),
			[]string{"! " + payload + ".buttons[0].url: must be https with messenger_extensions"},
		},
		{
			"webview",
			buttons(`{"type":"web_url","title":"t","url":"https://e.com","webview_height_ratio":"huge",` +
				`"webview_share_button":"show","fallback_url":"ftp://e.com"}`),
			[]string{
				"! " + payload + ".buttons[0].fallback_url: " + noURL,
				"! " + payload + ".buttons[0].fallback_url: allowed with messenger_extensions only",
				"! " + payload + ".buttons[0].webview_height_ratio: unknown value \"huge\"; it must be one of compact, " +
					"tall, full",
				"! " + payload + ".buttons[0].webview_share_button: unknown value \"show\"; it must be hide",
			},
		},
		{
			"game with both",
			buttons(`{"type":"game_play","title":"t","game_metadata":{"player_id":"1","context_id":"2"}}`),
			[]string{
				payload + ".buttons[0].game_metadata: player_id and context_id: the samples of 2018 have one of them",
			},
		},
		{
			"fields of other buttons",
			buttons(`{"type":"account_unlink","url":"https://e.com","payload":"p","webview_height_ratio":"full",` +
				`"messenger_extensions":true,"webview_share_button":"hide","game_metadata":{},"share_contents":` +
				`{"attachment":{"type":"image","payload":{"attachment_id":"1"}}}}`),
			[]string{
				payload + ".buttons[0].url: not a field of buttons of type account_unlink",
				payload + ".buttons[0].payload: not a field of buttons of type account_unlink",
				payload + ".buttons[0].webview_height_ratio: not a field of buttons of type account_unlink",
				payload + ".buttons[0].messenger_extensions: not a field of buttons of type account_unlink",
				payload + ".buttons[0].webview_share_button: not a field of buttons of type account_unlink",
				payload + ".buttons[0].game_metadata: not a field of buttons of type account_unlink",
				payload + ".buttons[0].share_contents: not a field of buttons of type account_unlink",
			},
		},
		{
			"share of nothing",
			buttons(`{"type":"element_share","share_contents":{}}`),
			[]string{
				"! " + payload + ".buttons[0].type: element_share was removed in 2020; set sharable on the template instead",
				"! " + payload + ".buttons[0].share_contents.attachment: required",
			},
		},
	})
}
