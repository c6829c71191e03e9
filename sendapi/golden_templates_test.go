package sendapi_test

import (
	"encoding/json"

	"github.com/sendpace/sendpace/sendapi"
)

// structured is a template as an update.
func structured(p sendapi.Payload) *sendapi.Request { return sendapi.Structured(ann, p) }

func goldenButtons() map[string]goldenRow {
	buttons := func(b ...sendapi.Button) *sendapi.Request { return sendapi.Buttons(ann, "Need help?", b...) }
	return map[string]goldenRow{
		"buttons": {req: buttons(
			sendapi.Link("Site", "https://example.com"), sendapi.Postback("Yes", "HELP"),
			sendapi.Call("Call us", "+15105551234"),
		)},
		"buttons_account": {req: buttons(sendapi.LogIn("https://example.com/in"), sendapi.LogOut())},
		"buttons_webview": {req: buttons(sendapi.Button{
			Type: sendapi.ButtonURL, Title: "Shop", URL: "https://example.com", WebviewHeightRatio: "tall",
			MessengerExtensions: true, FallbackURL: "https://example.com/f", WebviewShareButton: "hide",
		})},
		"buttons_game": {
			req: buttons(sendapi.Button{
				Type: sendapi.ButtonGame, Title: "Play", Payload: "p",
				GameMetadata: &sendapi.GameMetadata{PlayerID: "7"},
			}, sendapi.Button{
				Type: sendapi.ButtonGame, Title: "Again", GameMetadata: &sendapi.GameMetadata{ContextID: "8"},
			}),
		},
		"buttons_removed": {
			req: buttons(
				sendapi.Button{Type: sendapi.ButtonShare, ShareContents: &sendapi.ShareContents{
					Attachment: &sendapi.Attachment{Type: sendapi.Template, Payload: &sendapi.GenericTemplate{
						Elements: []sendapi.Element{{Title: "Shared", Buttons: []sendapi.Button{sendapi.Postback("Yes", "y")}}},
					}},
				}},
				sendapi.Button{Type: sendapi.ButtonBuy, Title: "Buy"},
			),
			problems: []string{
				"! " + payload + ".buttons[0].type: element_share was removed in 2020; set sharable on the template instead",
				"! " + payload + ".buttons[1].type: payment was removed after a beta of 2018 in the USA; " +
					"use a button that opens a page for payment instead",
			},
		},
	}
}

func goldenTemplates() map[string]goldenRow {
	return map[string]goldenRow{
		"generic": {
			req: structured(&sendapi.GenericTemplate{
				Sharable: true, ImageAspectRatio: "square",
				Elements: []sendapi.Element{{
					Title: "Shoe", Subtitle: "Red", ImageURL: "https://example.com/s.png",
					DefaultAction: &sendapi.Button{Type: sendapi.ButtonURL, URL: "https://example.com/s"},
					Buttons:       []sendapi.Button{sendapi.Postback("Buy", "buy:1")},
				}, {Title: "Boot", ItemURL: "https://example.com/b", Subtitle: "Black"}},
			}),
			problems: []string{
				payload + ".elements[1].item_url: is a leftover of 2016; default_action replaces it",
				payload + ".image_aspect_ratio: image_aspect_ratio" + of2018,
			},
		},
		"media": {req: structured(&sendapi.MediaTemplate{Sharable: true, Elements: []sendapi.MediaElement{{
			MediaType: sendapi.Image, URL: "https://www.facebook.com/page/photos/1",
			Buttons: []sendapi.Button{sendapi.Link("More", "https://example.com")},
		}}})},
		"media_id": {req: structured(&sendapi.MediaTemplate{Elements: []sendapi.MediaElement{{
			MediaType: sendapi.Video, AttachmentID: "99",
		}}})},
		"receipt": {req: structured(&sendapi.ReceiptTemplate{
			RecipientName: "Ann Lee", OrderNumber: "4711", Currency: "USD", PaymentMethod: "Visa 1234",
			MerchantName: "Shoes", Timestamp: "1732444200", OrderURL: "https://example.com/o/4711", Sharable: true,
			Elements: []sendapi.ReceiptElement{
				{Title: "Shoe", Price: "50.00", Subtitle: "Red", Quantity: 2, Currency: "USD", ImageURL: "https://e.com/s.png"},
				{Title: "Bag", Price: "0"},
			},
			Address: &sendapi.ReceiptAddress{
				Street1: "1 Hacker Way", Street2: "Hall 2", City: "Menlo Park", PostalCode: "94025", State: "CA", Country: "US",
			},
			Summary: sendapi.ReceiptSummary{
				Subtotal: "100.00", ShippingCost: "4.95", TotalTax: "6.19", TotalCost: "91.14",
			},
			Adjustments: []sendapi.ReceiptAdjustment{{Name: "New customer", Amount: "20"}},
		})},
		"list": {
			req: structured(&sendapi.ListTemplate{
				TopElementStyle: "compact", Sharable: true,
				Elements: []sendapi.Element{
					{Title: "A", Subtitle: "a", Buttons: []sendapi.Button{sendapi.Postback("Go", "a")}}, {Title: "B", Subtitle: "b"},
				},
				Buttons: []sendapi.Button{sendapi.Postback("More", "more")},
			}),
			problems: []string{"! " + payload + ".template_type: the list template was removed with v4.0, of Jul 29 2019; " +
				"use the generic template instead"},
		},
		"open_graph": {
			req: structured(&sendapi.OpenGraphTemplate{Sharable: true, Elements: []sendapi.OpenGraphElement{{
				URL: "https://example.com/song", Buttons: []sendapi.Button{sendapi.Postback("More", "more")},
			}}}),
			problems: []string{"! " + payload + ".template_type: the open_graph template was removed with v4.0, " +
				"of Jul 29 2019; use a generic template with a button that opens the URL instead"},
		},
	}
}

func goldenLaterTemplates() map[string]goldenRow {
	return map[string]goldenRow{
		"product": {req: structured(&sendapi.ProductTemplate{Elements: []sendapi.Product{{ID: "1"}, {ID: "2"}}})},
		"coupon": {req: structured(&sendapi.CouponTemplate{
			Title: "10 % off", Subtitle: "Until Sunday", CouponCode: "TEN", CouponURL: "https://example.com/ten",
			CouponURLButtonTitle: "Use it", CouponPreMessage: "For you:", ImageURL: "https://example.com/ten.png", Payload: "ten",
		})},
		"image_grid": {req: structured(&sendapi.ImageGridTemplate{Elements: []sendapi.ImageGrid{{
			Title: "New", Subtitle: "This week",
			Images: []sendapi.GridImage{
				{
					URL: "https://example.com/1.png", IsHeroImage: true,
					Action: &sendapi.GridAction{Type: sendapi.ButtonURL, URL: "https://example.com/1"},
				},
				{
					URL:    "https://example.com/2.png",
					Action: &sendapi.GridAction{Type: sendapi.ButtonPostback, Payload: "2", Text: "The second"},
				},
			},
			Buttons: []sendapi.Button{sendapi.Postback("All", "all")},
		}}})},
		"customer_feedback": {req: structured(&sendapi.CustomerFeedbackTemplate{
			Title: "How was it?", Subtitle: "Tell us", ButtonTitle: "Rate", ExpiresInDays: 3,
			FeedbackScreens: []sendapi.FeedbackScreen{{Questions: []sendapi.FeedbackQuestion{{
				ID: "order_4711", Type: "csat", Title: "Your order?", ScoreLabel: "neg_pos", ScoreOption: "five_stars",
				FollowUp: &sendapi.FollowUp{Type: "free_form", Placeholder: "Say more"},
			}}}},
			BusinessPrivacy: sendapi.BusinessPrivacy{URL: "https://example.com/privacy"},
		}).Tagged(sendapi.TagCustomerFeedback)},
		"customer_information": {req: structured(&sendapi.CustomerInformationTemplate{
			Countries: []string{"US", "CA"}, ExpiresInDays: 1, Purpose: "SHIPPING",
			BusinessPrivacy:  sendapi.BusinessPrivacy{URL: "https://example.com/privacy"},
			AddressOverrides: json.RawMessage("{}"),
			ContactOverrides: json.RawMessage("{}"),
		})},
		"instant_form": {req: structured(&sendapi.InstantFormTemplate{FormID: "123"})},
		"one_time_notif_req": {
			req:      structured(&sendapi.OneTimeNotifTemplate{Title: "When it is back in stock", Payload: "stock"}),
			problems: []string{payload + ".template_type: " + otn},
		},
		"notification_messages": {
			req: structured(&sendapi.NotificationMessagesTemplate{
				Title: "News", ImageURL: "https://example.com/n.png", Payload: "news",
				Timezone: "Europe/Berlin", Frequency: "WEEKLY", CTAText: "GET",
			}),
			problems: []string{"! " + payload + ".template_type: the template" + recurring},
		},
	}
}
