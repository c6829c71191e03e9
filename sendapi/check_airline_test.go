package sendapi_test

import "testing"

func TestCheckAirline(t *testing.T) {
	t.Parallel()
	const route = `"flight_number":"K1","departure_airport":{"airport_code":"A","city":"C"},` +
		`"arrival_airport":{"airport_code":"A","city":"C"},"flight_schedule":{"departure_time":"2026-11-24T10:30:00Z"}`
	const flight = `"flight_info":{` + route + `}`
	pass := func(members string) string {
		return template(`"airline_boardingpass","intro_message":"i","locale":"en_US","boarding_pass":[{` +
			`"passenger_name":"A","pnr_number":"P",` + members + `}]`)
	}
	checkRules(t, []rule{
		{
			"boarding pass empty",
			template(`"airline_boardingpass"`),
			[]string{
				payload + ".template_type: airline_boardingpass" + of2018,
				"! " + payload + ".intro_message: required",
				"! " + payload + ".locale: required",
				"! " + payload + ".boarding_pass: needs at least 1 [0/1]",
			},
		},
		{
			"boarding pass without members",
			template(`"airline_boardingpass","intro_message":"i","locale":"l","boarding_pass":[{}]`),
			[]string{
				payload + ".template_type: airline_boardingpass" + of2018,
				payload + ".boarding_pass[0].passenger_name: " + notInSamples,
				payload + ".boarding_pass[0].pnr_number: " + notInSamples,
				"! " + payload + ".boarding_pass[0]: needs qr_code or barcode_image_url",
				"! " + payload + ".boarding_pass[0].flight_info: required",
			},
		},
		{
			"boarding pass with two codes",
			pass(flight + `,"qr_code":"q","barcode_image_url":"https://e.com"`),
			[]string{
				payload + ".template_type: airline_boardingpass" + of2018,
				"! " + payload + ".boarding_pass[0]: qr_code and barcode_image_url: only one is allowed",
			},
		},
		{
			"boarding pass with 6 fields",
			pass(flight + `,"qr_code":"q","travel_class":"cargo","auxiliary_fields":[` + some(6, `{"label":"l","value":"v"}`) +
				`],"secondary_fields":[` + some(6, `{"label":"l","value":"v"}`) + `]`),
			[]string{
				payload + ".template_type: airline_boardingpass" + of2018,
				"! " + payload + ".boarding_pass[0].travel_class: unknown value \"cargo\"; it must be one of economy, " +
					"business, first_class",
				payload + ".boarding_pass[0].auxiliary_fields: 6 entries; the limit is 5, which no current page " +
					"confirms [6/5]",
				payload + ".boarding_pass[0].secondary_fields: 6 entries; the limit is 5, which no current page " +
					"confirms [6/5]",
			},
		},
		{
			"pictures",
			pass(flight + `,"logo_image_url":"a","header_image_url":"b","barcode_image_url":"c","above_bar_code_image_url":"d"`),
			[]string{
				payload + ".template_type: airline_boardingpass" + of2018,
				"! " + payload + ".boarding_pass[0].logo_image_url: " + noURL,
				"! " + payload + ".boarding_pass[0].header_image_url: " + noURL,
				"! " + payload + ".boarding_pass[0].barcode_image_url: " + noURL,
				"! " + payload + ".boarding_pass[0].above_bar_code_image_url: " + noURL,
			},
		},
		{
			"flight without members",
			pass(`"qr_code":"q","flight_info":{}`),
			[]string{
				payload + ".template_type: airline_boardingpass" + of2018,
				payload + ".boarding_pass[0].flight_info.flight_number: " + notInSamples,
				payload + ".boarding_pass[0].flight_info.departure_airport: " + notInSamples,
				payload + ".boarding_pass[0].flight_info.arrival_airport: " + notInSamples,
				payload + ".boarding_pass[0].flight_info.flight_schedule: " + notInSamples,
			},
		},
		{
			"flight of empty parts",
			pass(`"qr_code":"q","flight_info":{"flight_number":"K1","departure_airport":{},"arrival_airport":{},` +
				`"flight_schedule":{"boarding_time":"now","arrival_time":"10:30"}}`),
			[]string{
				payload + ".template_type: airline_boardingpass" + of2018,
				payload + ".boarding_pass[0].flight_info.departure_airport.airport_code: " + notInSamples,
				payload + ".boarding_pass[0].flight_info.departure_airport.city: " + notInSamples,
				payload + ".boarding_pass[0].flight_info.arrival_airport.airport_code: " + notInSamples,
				payload + ".boarding_pass[0].flight_info.arrival_airport.city: " + notInSamples,
				payload + ".boarding_pass[0].flight_info.flight_schedule.boarding_time: does not look like a time " +
					"of ISO 8601, such as 2026-11-24T10:30",
				payload + ".boarding_pass[0].flight_info.flight_schedule.departure_time: " + notInSamples,
				payload + ".boarding_pass[0].flight_info.flight_schedule.arrival_time: does not look like a time of " +
					"ISO 8601, such as 2026-11-24T10:30",
			},
		},
		{
			"check-in empty",
			template(`"airline_checkin"`),
			[]string{
				payload + ".template_type: airline_checkin" + of2018,
				"! " + payload + ".intro_message: required",
				"! " + payload + ".locale: required",
				"! " + payload + ".pnr_number: required",
				"! " + payload + ".checkin_url: required",
				"! " + payload + ".flight_info: needs at least 1 [0/1]",
			},
		},
		{
			"check-in",
			template(`"airline_checkin","intro_message":"i","locale":"l","pnr_number":"p","checkin_url":"e.com",` +
				`"flight_info":[{"flight_number":"K1","travel_class":"cargo"}]`),
			[]string{
				payload + ".template_type: airline_checkin" + of2018,
				"! " + payload + ".checkin_url: " + noURL,
				"! " + payload + ".flight_info[0].travel_class: unknown value \"cargo\"; it must be one of economy, " +
					"business, first_class",
				payload + ".flight_info[0].departure_airport: " + notInSamples,
				payload + ".flight_info[0].arrival_airport: " + notInSamples,
				payload + ".flight_info[0].flight_schedule: " + notInSamples,
			},
		},
		{
			"itinerary empty",
			template(`"airline_itinerary"`),
			[]string{
				payload + ".template_type: airline_itinerary" + of2018,
				"! " + payload + ".intro_message: required",
				"! " + payload + ".locale: required",
				"! " + payload + ".pnr_number: required",
				"! " + payload + ".passenger_info: needs at least 1 [0/1]",
				"! " + payload + ".flight_info: needs at least 1 [0/1]",
				"! " + payload + ".passenger_segment_info: needs at least 1 [0/1]",
				"! " + payload + ".total_price: required",
				"! " + payload + ".currency: required",
			},
		},
		{
			"itinerary",
			template(`"airline_itinerary","intro_message":"i","locale":"l","pnr_number":"p","total_price":"12",` +
				`"currency":"euro","passenger_info":[{}],"flight_info":[{` + route + `}],"passenger_segment_info":[{` +
				`"product_info":[` + some(5, `{}`) + `]}],"price_info":[` + some(5, `{"title":"t","amount":"1"}`) + `]`),
			[]string{
				payload + ".template_type: airline_itinerary" + of2018,
				payload + ".passenger_info[0].passenger_id: " + notInSamples,
				payload + ".passenger_info[0].name: " + notInSamples,
				payload + ".flight_info[0].connection_id: " + notInSamples,
				payload + ".flight_info[0].segment_id: " + notInSamples,
				payload + ".flight_info[0].travel_class: " + notInSamples,
				payload + ".passenger_segment_info[0].segment_id: " + notInSamples,
				payload + ".passenger_segment_info[0].passenger_id: " + notInSamples,
				payload + ".passenger_segment_info[0].product_info: 5 entries; the limit is 4, which no current " +
					"page confirms [5/4]",
				payload + ".price_info: 5 entries; the limit is 4, which no current page confirms [5/4]",
				payload + ".currency: does not look like a currency code of ISO 4217, such as USD",
			},
		},
		{
			"update empty",
			template(`"airline_update"`),
			[]string{
				payload + ".template_type: airline_update" + of2018,
				payload + ".intro_message: " + notInSamples,
				"! " + payload + ".update_type: required: one of delay, gate_change, cancellation",
				"! " + payload + ".locale: required",
				"! " + payload + ".update_flight_info: required",
			},
		},
	})
}
