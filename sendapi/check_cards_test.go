package sendapi_test

import "testing"

func TestCheckCards(t *testing.T) {
	t.Parallel()
	const card = `{"title":"t","subtitle":"s"}`
	cards := func(list string) string { return template(`"generic","elements":[` + list + `]`) }
	list := func(members string) string { return template(`"list","top_element_style":"compact",` + members) }
	checkRules(t, []rule{
		{
			"no cards",
			cards(``),
			[]string{"! " + payload + ".elements: needs at least 1 [0/1]"},
		},
		{"10 cards", cards(some(10, card)), nil},
		{
			"11 cards",
			cards(some(11, card)),
			[]string{"! " + payload + ".elements: 11 entries; the limit is 10 [11/10]"},
		},
		{
			"bare card",
			cards(card + `,{}`),
			[]string{
				"! " + payload + ".elements[1].title: required",
				"! " + payload + ".elements[1]: needs one more of subtitle, image_url, default_action and buttons",
			},
		},
		{
			"long texts",
			cards(`{"title":"` + x(81) + `","subtitle":"` + x(81) + `"}`),
			[]string{
				payload + ".elements[0].title: 81 characters; the platform cuts it off after 80 [81/80]",
				payload + ".elements[0].subtitle: 81 characters; the platform cuts it off after 80 [81/80]",
			},
		},
		{
			"image by ftp",
			cards(`{"title":"t","image_url":"ftp://e.com"}`),
			[]string{"! " + payload + ".elements[0].image_url: " + noURL},
		},
		{
			"4 buttons",
			cards(`{"title":"t","buttons":[` + some(4, `{"type":"account_unlink"}`) + `]}`),
			[]string{"! " + payload + ".elements[0].buttons: 4 entries; the limit is 3 [4/3]"},
		},
		{
			"default action",
			cards(`{"title":"t","default_action":{"type":"postback","title":"t"}}`),
			[]string{
				"! " + payload + ".elements[0].default_action.type: must be web_url",
				"! " + payload + ".elements[0].default_action.title: not allowed in a default action",
				"! " + payload + ".elements[0].default_action.url: required",
			},
		},
		{
			"aspect ratio",
			template(`"generic","elements":[` + card + `],"image_aspect_ratio":"round"`),
			[]string{
				"! " + payload + ".image_aspect_ratio: unknown value \"round\"; it must be one of horizontal, square",
				payload + ".image_aspect_ratio: image_aspect_ratio" + of2018,
			},
		},
		{
			"list of 1",
			list(`"elements":[` + card + `]`),
			[]string{
				"! " + payload + ".template_type: the list template" + noList,
				"! " + payload + ".elements: needs at least 2 [1/2]",
			},
		},
		{
			"list of 5",
			list(`"elements":[` + some(5, card) + `]`),
			[]string{
				"! " + payload + ".template_type: the list template" + noList,
				"! " + payload + ".elements: 5 entries; the limit is 4 [5/4]",
			},
		},
		{
			"list with buttons",
			list(`"elements":[` + card + `,{"title":"t","buttons":[` + some(2, `{"type":"account_unlink"}`) + `]}],` +
				`"buttons":[` + some(2, `{"type":"account_unlink"}`) + `]`),
			[]string{
				"! " + payload + ".template_type: the list template" + noList,
				"! " + payload + ".elements[1].buttons: 2 entries; the limit is 1 [2/1]",
				"! " + payload + ".buttons: 2 entries; the limit is 1 [2/1]",
			},
		},
		{
			"list without cover",
			template(`"list","elements":[` + some(2, card) + `]`),
			[]string{
				"! " + payload + ".template_type: the list template" + noList,
				"! " + payload + ".elements[0].image_url: required",
			},
		},
		{
			"list style",
			template(`"list","top_element_style":"flat","elements":[` +
				some(2, `{"title":"t","image_url":"https://e.com"}`) + `]`),
			[]string{
				"! " + payload + ".template_type: the list template" + noList,
				"! " + payload + ".top_element_style: unknown value \"flat\"; it must be one of large, compact",
			},
		},
		{
			"open graph of nothing",
			template(`"open_graph","elements":[]`),
			[]string{
				"! " + payload + ".template_type: the open_graph template was removed with v4.0, of Jul 29 2019; use a " +
					"generic template with a button that opens the URL instead",
				"! " + payload + ".elements: needs at least 1 [0/1]",
			},
		},
		{
			"open graph of 2",
			template(`"open_graph","elements":[{},{"url":"e.com","buttons":[` +
				some(4, `{"type":"account_unlink"}`) + `]}]`),
			[]string{
				"! " + payload + ".template_type: the open_graph template was removed with v4.0, of Jul 29 2019; use a " +
					"generic template with a button that opens the URL instead",
				payload + ".elements: 2 entries; the limit is 1, which no current page confirms [2/1]",
				"! " + payload + ".elements[0].url: required",
				"! " + payload + ".elements[1].url: " + noURL,
				payload + ".elements[1].buttons: 4 entries; the limit is 3, which no current page confirms [4/3]",
			},
		},
	})
}

func TestCheckShowcases(t *testing.T) {
	t.Parallel()
	media := func(members string) string { return template(`"media","elements":[{` + members + `}]`) }
	grid := func(members string) string { return template(`"image_grid","elements":[{` + members + `}]`) }
	const image = `{"url":"https://e.com/i"}`
	checkRules(t, []rule{
		{
			"media of nothing",
			template(`"media"`),
			[]string{"! " + payload + ".elements: needs at least 1 [0/1]"},
		},
		{
			"2 media",
			template(`"media","elements":[` + some(2, `{"media_type":"image","attachment_id":"1"}`) + `]`),
			[]string{"! " + payload + ".elements: 2 entries; the limit is 1 [2/1]"},
		},
		{
			"media without members",
			media(``),
			[]string{
				"! " + payload + ".elements[0].media_type: required: one of image, video",
				"! " + payload + ".elements[0]: needs url or attachment_id",
			},
		},
		{
			"media of audio with both",
			media(`"media_type":"audio","attachment_id":5,"url":"https://facebook.com/1"`),
			[]string{
				"! " + payload + ".elements[0].media_type: unknown value \"audio\"; it must be one of image, video",
				"! " + payload + ".elements[0]: url and attachment_id: only one is allowed",
			},
		},
		{
			"media elsewhere",
			media(`"media_type":"image","url":"https://notfacebook.com/1"`),
			[]string{"! " + payload + ".elements[0].url: must be a URL of facebook.com; other media goes in an attachment of " +
				"its own type"},
		},
		{
			"media by ftp",
			media(`"media_type":"image","url":"ftp://facebook.com/1"`),
			[]string{"! " + payload + ".elements[0].url: " + noURL},
		},
		{
			"media with 4 buttons",
			media(`"media_type":"image","attachment_id":"1","buttons":[` + some(4, `{"type":"account_unlink"}`) + `]`),
			[]string{"! " + payload + ".elements[0].buttons: 4 entries; the limit is 3 [4/3]"},
		},
		{
			"no products",
			template(`"product","elements":[]`),
			[]string{"! " + payload + ".elements: needs at least 1 [0/1]"},
		},
		{
			"11 products",
			template(`"product","elements":[` + some(11, `{"id":"1"}`) + `]`),
			[]string{"! " + payload + ".elements: 11 entries; the limit is 10 [11/10]"},
		},
		{
			"product without id",
			template(`"product","elements":[{},{"id":7}]`),
			[]string{"! " + payload + ".elements[0].id: required"},
		},
		{
			"coupon empty",
			template(`"coupon"`),
			[]string{
				"! " + payload + ".title: required",
				"! " + payload + ": needs coupon_code or coupon_url",
			},
		},
		{
			"coupon",
			template(`"coupon","title":"` + x(81) + `","subtitle":"` + x(81) + `","coupon_code":"A B","image_url":"e.com"`),
			[]string{
				payload + ".title: 81 characters; the platform cuts it off after 80 [81/80]",
				payload + ".subtitle: 81 characters; the platform cuts it off after 80 [81/80]",
				"! " + payload + ".coupon_code: must not have blanks",
				"! " + payload + ".image_url: " + noURL,
			},
		},
		{
			"coupon URL",
			template(`"coupon","title":"t","coupon_url":"e.com"`),
			[]string{"! " + payload + ".coupon_url: " + noURL},
		},
		{
			"grid of nothing",
			template(`"image_grid"`),
			[]string{"! " + payload + ".elements: needs at least 1 [0/1]"},
		},
		{
			"grid of 1 image",
			grid(`"images":[` + image + `]`),
			[]string{"! " + payload + ".elements[0].images: needs at least 2 [1/2]"},
		},
		{
			"grid of 7 images",
			grid(`"images":[` + some(7, image) + `]`),
			[]string{"! " + payload + ".elements[0].images: 7 entries; the limit is 6 [7/6]"},
		},
		{
			"grid without URLs",
			grid(`"images":[{},{"url":"e.com"}]`),
			[]string{
				"! " + payload + ".elements[0].images[0].url: required",
				"! " + payload + ".elements[0].images[1].url: " + noURL,
			},
		},
		{
			"two heroes",
			grid(`"images":[` + some(2, `{"url":"https://e.com/i","is_hero_image":true}`) + `]`),
			[]string{"! " + payload + ".elements[0].images: only one is_hero_image is allowed [2/1]"},
		},
		{
			"grid texts and buttons",
			grid(`"images":[` + some(2, image) + `],"title":"` + x(46) + `","subtitle":"` + x(81) + `","buttons":[` +
				`{"type":"account_unlink"},{"type":"zap"},` + some(2, `{"type":"postback","title":"t","payload":"p"}`) + `]`),
			[]string{
				payload + ".elements[0].title: 46 characters; the platform cuts it off after 45 [46/45]",
				payload + ".elements[0].subtitle: 81 characters; the platform cuts it off after 80 [81/80]",
				"! " + payload + ".elements[0].buttons: 4 entries; the limit is 3 [4/3]",
				"! " + payload + ".elements[0].buttons[1].type: unknown value \"zap\"; it must be one of web_url, " +
					"postback, phone_number, account_link, account_unlink, game_play",
				"! " + payload + ".elements[0].buttons[0].type: must be web_url or postback in an image grid",
			},
		},
		{
			"grid actions",
			grid(`"images":[{"url":"https://e.com/i","action":{"type":"web_url","payload":"p","text":"t"}},` +
				`{"url":"https://e.com/i","action":{"type":"postback","url":"e.com"}},` +
				`{"url":"https://e.com/i","action":{}}]`),
			[]string{
				"! " + payload + ".elements[0].images[0].action.url: required",
				"! " + payload + ".elements[0].images[0].action.payload: allowed with type postback only",
				"! " + payload + ".elements[0].images[0].action.text: allowed with type postback only",
				"! " + payload + ".elements[0].images[1].action.url: allowed with type web_url only",
				"! " + payload + ".elements[0].images[1].action.payload: required",
				"! " + payload + ".elements[0].images[1].action.text: required",
				"! " + payload + ".elements[0].images[1].action.url: " + noURL,
				"! " + payload + ".elements[0].images[2].action.type: required: one of web_url, postback",
			},
		},
	})
}
