package sendapi_test

import "testing"

func TestCheckReceipt(t *testing.T) {
	t.Parallel()
	const paid = `"receipt","recipient_name":"A","order_number":"1","payment_method":"cash","summary":{"total_cost":1}`
	receipt := func(members string) string { return template(paid + `,"currency":"USD",` + members) }
	checkRules(t, []rule{
		{
			"empty",
			template(`"receipt"`),
			[]string{
				"! " + payload + ".recipient_name: required",
				"! " + payload + ".order_number: required",
				"! " + payload + ".currency: required",
				"! " + payload + ".payment_method: required",
				"! " + payload + ".summary.total_cost: required",
			},
		},
		{"amounts as strings", receipt(`"elements":[{"title":"t","price":"1.50"}]`), nil},
		{"100 items", receipt(`"elements":[` + some(100, `{"title":"t","price":0}`) + `]`), nil},
		{
			"101 items",
			receipt(`"elements":[` + some(101, `{"title":"t","price":0}`) + `]`),
			[]string{"! " + payload + ".elements: 101 entries; the limit is 100 [101/100]"},
		},
		{
			"item without members",
			receipt(`"elements":[{"quantity":-1,"currency":"dollars","image_url":"e.com"}]`),
			[]string{
				"! " + payload + ".elements[0].title: required",
				"! " + payload + ".elements[0].quantity: must not be negative",
				"! " + payload + ".elements[0].price: required",
				payload + ".elements[0].currency: does not look like a currency code of ISO 4217, such as USD",
				"! " + payload + ".elements[0].image_url: " + noURL,
			},
		},
		{
			"address without members",
			receipt(`"address":{}`),
			[]string{
				"! " + payload + ".address.street_1: required",
				"! " + payload + ".address.city: required",
				"! " + payload + ".address.postal_code: required",
				"! " + payload + ".address.state: required",
				"! " + payload + ".address.country: required",
			},
		},
		{
			"address abroad",
			receipt(`"address":{"street_1":"s","city":"c","postal_code":"1","state":"s","country":"USA"}`),
			[]string{"! " + payload + ".address.country: must be a country code of two letters, such as US"},
		},
		{
			"formats",
			receipt(`"timestamp":"today","order_url":"e.com"`),
			[]string{
				"! " + payload + ".order_url: " + noURL,
				"! " + payload + ".timestamp: must be seconds since 1970, decimal digits",
			},
		},
		{
			"sign as currency",
			template(paid + `,"currency":"$"`),
			[]string{payload + ".currency: does not look like a currency code of ISO 4217, such as USD"},
		},
	})
}

func TestCheckForms(t *testing.T) {
	t.Parallel()
	const privacy = `"business_privacy":{"url":"https://e.com"}`
	question := func(members string) string {
		return template(`"customer_feedback",` + privacy + `,"feedback_screens":[{"questions":[{` + members + `}]}]`)
	}
	checkRules(t, []rule{
		{
			"feedback empty",
			template(`"customer_feedback"`),
			[]string{
				"! " + payload + ".feedback_screens: needs at least 1 [0/1]",
				"! " + payload + ".business_privacy.url: required",
			},
		},
		{
			"feedback",
			template(`"customer_feedback","title":"` + x(66) + `","subtitle":"` + x(81) + `","expires_in_days":8,` +
				`"button_title":"see www.example.com now","business_privacy":{"url":"e.com"},` +
				`"feedback_screens":[{},{"questions":[{},{}]}]`),
			[]string{
				payload + ".title: 66 characters; the platform cuts it off after 65 [66/65]",
				payload + ".subtitle: 81 characters; the platform cuts it off after 80 [81/80]",
				payload + ".button_title: 23 characters; the platform cuts it off after 20 [23/20]",
				"! " + payload + ".button_title: must not have a URL",
				"! " + payload + ".feedback_screens: 2 entries; the limit is 1 [2/1]",
				"! " + payload + ".feedback_screens[0].questions: needs at least 1 [0/1]",
				"! " + payload + ".feedback_screens[1].questions: 2 entries; the limit is 1 [2/1]",
				"! " + payload + ".feedback_screens[1].questions[0].id: required",
				"! " + payload + ".feedback_screens[1].questions[0].type: required: one of csat, nps, ces, free_form",
				"! " + payload + ".feedback_screens[1].questions[1].id: required",
				"! " + payload + ".feedback_screens[1].questions[1].type: required: one of csat, nps, ces, free_form",
				"! " + payload + ".business_privacy.url: " + noURL,
				"! " + payload + ".expires_in_days: 8; it must be 1 to 7 [8/7]",
			},
		},
		{
			"question of nps",
			question(`"id":"q_1","type":"nps","score_option":"five_stars"`),
			[]string{"! " + payload + ".feedback_screens[0].questions[0].score_option: unknown value \"five_stars\"; it must be " +
				"zero_to_ten"},
		},
		{
			"question of ces",
			question(`"id":"q_1","type":"ces","score_option":"one_to_five"`),
			[]string{"! " + payload + ".feedback_screens[0].questions[0].score_option: unknown value \"one_to_five\"; it must " +
				"be one_to_seven"},
		},
		{
			"question of csat",
			question(`"id":"q_1","type":"csat","score_option":"zero_to_ten"`),
			[]string{"! " + payload + ".feedback_screens[0].questions[0].score_option: unknown value \"zero_to_ten\"; it must " +
				"be one of one_to_five, five_stars, five_emojis"},
		},
		{
			"question of text",
			question(`"id":"q_1","type":"free_form","score_option":"one_to_five"`),
			[]string{payload + ".feedback_screens[0].questions[0].score_option: has no meaning with type free_form"},
		},
		{
			"question with the sign of kelvin",
			question(`"id":"\u212a","type":"csat"`),
			[]string{"! " + payload + ".feedback_screens[0].questions[0].id: must be letters, digits and underscores"},
		},
		{
			"question, short",
			question(`"id":"a-b","type":"csat","title":"why?","score_label":"good"`),
			[]string{
				"! " + payload + ".feedback_screens[0].questions[0].id: must be letters, digits and underscores",
				"! " + payload + ".feedback_screens[0].questions[0].title: needs at least 5 characters [4/5]",
				"! " + payload + ".feedback_screens[0].questions[0].score_label: unknown value \"good\"; it must be one of " +
					"neg_pos, hard_easy, dis_sat, unlike_like, poor_great, none",
			},
		},
		{
			"question, long",
			question(`"id":"` + x(81) + `","type":"csat","title":"` + x(86) + `"`),
			[]string{
				"! " + payload + ".feedback_screens[0].questions[0].id: 81 characters; the limit is 80 [81/80]",
				"! " + payload + ".feedback_screens[0].questions[0].title: 86 characters; the limit is 85 [86/85]",
			},
		},
		{
			"follow-up",
			question(`"id":"q","type":"csat","follow_up":{"type":"csat","placeholder":"` + x(66) + `"}`),
			[]string{
				"! " + payload + ".feedback_screens[0].questions[0].follow_up.type: unknown value \"csat\"; it must be " +
					"free_form",
				"! " + payload + ".feedback_screens[0].questions[0].follow_up.placeholder: 66 characters; the limit is 65 " +
					"[66/65]",
			},
		},
		{
			"customer information empty",
			template(`"customer_information"`),
			[]string{"! " + payload + ".business_privacy.url: required"},
		},
		{
			"customer information",
			template(`"customer_information",` + privacy + `,"countries":["US","USA","","U1","ı"],"expires_in_days":-1,` +
				`"address_overrides":[],"contact_overrides":"x","purpose":"FUN"`),
			[]string{
				"! " + payload + ".countries[1]: must be a country code of two letters, such as US",
				"! " + payload + ".countries[2]: must be a country code of two letters, such as US",
				"! " + payload + ".countries[3]: must be a country code of two letters, such as US",
				"! " + payload + ".countries[4]: must be a country code of two letters, such as US",
				"! " + payload + ".expires_in_days: -1; it must be 1 to 7 [-1/1]",
				payload + ".address_overrides: should be an object, not an array",
				payload + ".contact_overrides: should be an object, not a string",
				"! " + payload + ".purpose: unknown value \"FUN\"; it must be SHIPPING",
			},
		},
		{
			"a form that expires at once",
			template(`"customer_information",` + privacy + `,"expires_in_days":0`),
			[]string{"! " + payload + ".expires_in_days: 0; it must be 1 to 7 [0/1]"},
		},
		{
			"instant form empty",
			template(`"instant_form"`),
			[]string{"! " + payload + ".form_id: required"},
		},
		{"instant form of a number", template(`"instant_form","form_id":5`), nil},
		{
			"one-time notification empty",
			template(`"one_time_notif_req"`),
			[]string{
				payload + ".template_type: " + otn,
				payload + ".title: " + notInSamples,
				payload + ".payload: " + notInSamples,
			},
		},
		{
			"one-time notification",
			template(`"one_time_notif_req","payload":"p","title":"` + x(66) + `"`),
			[]string{
				payload + ".template_type: " + otn,
				payload + ".title: 66 characters; the platform cuts it off after 65 [66/65]",
			},
		},
		{
			"recurring notification",
			template(`"notification_messages","image_url":"e.com","notification_messages_frequency":"HOURLY"`),
			[]string{
				"! " + payload + ".template_type: the template of recurring notifications was removed on Feb 10 2026; use " +
					"the Marketing Messages API instead",
				"! " + payload + ".image_url: " + noURL,
				"! " + payload + ".notification_messages_frequency: unknown value \"HOURLY\"; it must be one of DAILY, " +
					"WEEKLY, MONTHLY",
			},
		},
	})
}
