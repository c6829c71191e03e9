package sendapi_test

import (
	"errors"
	"fmt"

	"github.com/sendpace/sendpace/sendapi"
)

func show(request *sendapi.Request) {
	if err := request.Validate(); err != nil {
		fmt.Println(err)
	}
	data, _ := request.MarshalJSON() // never fails
	fmt.Println(string(data))
}

// A text with quick replies, as an answer to what the person did.
func ExampleText() {
	show(sendapi.Text(sendapi.ID("1234"), "Red or blue?").AsResponse().
		Offering(sendapi.Choice("Red", "r"), sendapi.Choice("Blue", "b")))
	// Output:
	// {"recipient":{"id":"1234"},"messaging_type":"RESPONSE","message":{"text":"Red or blue?","quick_replies":[{"content_type":"text","title":"Red","payload":"r"},{"content_type":"text","title":"Blue","payload":"b"}]}}
}

// A picture that the platform fetches.
func ExampleMediaURL() {
	show(sendapi.MediaURL(sendapi.ID("1234"), sendapi.Image, "https://example.com/menu.png"))
	// Output:
	// {"recipient":{"id":"1234"},"messaging_type":"UPDATE","message":{"attachment":{"type":"image","payload":{"url":"https://example.com/menu.png"}}}}
}

// A film that was uploaded before: the send does not wait for it.
func ExampleMediaID() {
	show(sendapi.MediaID(sendapi.ID("1234"), sendapi.Video, "1857777774821032"))
	// Output:
	// {"recipient":{"id":"1234"},"messaging_type":"UPDATE","message":{"attachment":{"type":"video","payload":{"attachment_id":"1857777774821032"}}}}
}

// A text with buttons below it.
func ExampleButtons() {
	show(sendapi.Buttons(
		sendapi.ID("1234"), "Need help?",
		sendapi.Postback("Yes", "HELP"), sendapi.Link("Questions", "https://example.com/faq"),
	))
	// Output:
	// {"recipient":{"id":"1234"},"messaging_type":"UPDATE","message":{"attachment":{"type":"template","payload":{"template_type":"button","text":"Need help?","buttons":[{"type":"postback","title":"Yes","payload":"HELP"},{"type":"web_url","title":"Questions","url":"https://example.com/faq"}]}}}}
}

// Cards side by side.
func ExampleCards() {
	show(sendapi.Cards(
		sendapi.ID("1234"),
		sendapi.Element{Title: "Shoe", Subtitle: "49 €", Buttons: []sendapi.Button{sendapi.Postback("Buy", "buy:1")}},
		sendapi.Element{Title: "Boot", ImageURL: "https://example.com/boot.png"},
	))
	// Output:
	// {"recipient":{"id":"1234"},"messaging_type":"UPDATE","message":{"attachment":{"type":"template","payload":{"template_type":"generic","elements":[{"title":"Shoe","subtitle":"49 €","buttons":[{"type":"postback","title":"Buy","payload":"buy:1"}]},{"title":"Boot","image_url":"https://example.com/boot.png"}]}}}}
}

// A receipt, as an example of the other templates.
func ExampleStructured() {
	show(sendapi.Structured(sendapi.ID("1234"), &sendapi.ReceiptTemplate{
		RecipientName: "Ann Lee", OrderNumber: "4711", Currency: "EUR", PaymentMethod: "Cash",
		Elements: []sendapi.ReceiptElement{{Title: "Shoe", Quantity: 2, Price: "49.00"}},
		Summary:  sendapi.ReceiptSummary{TotalCost: "98.00"},
	}))
	// Output:
	// {"recipient":{"id":"1234"},"messaging_type":"UPDATE","message":{"attachment":{"type":"template","payload":{"template_type":"receipt","recipient_name":"Ann Lee","order_number":"4711","currency":"EUR","payment_method":"Cash","elements":[{"title":"Shoe","quantity":2,"price":49.00}],"summary":{"total_cost":98.00}}}}}
}

// A template that the platform approved; it may go outside the 24 hours.
func ExampleUtility() {
	show(sendapi.Utility(sendapi.ID("1234"), "order_sent", "en_US", sendapi.UtilityComponent{
		Type: "body", Parameters: []sendapi.UtilityParameter{{Type: "text", Text: "4711"}},
	}))
	// Output:
	// {"recipient":{"id":"1234"},"messaging_type":"UTILITY","message":{"template":{"name":"order_sent","language":{"code":"en_US"},"components":[{"type":"body","parameters":[{"type":"text","text":"4711"}]}]}}}
}

// What a person of the business wrote, up to 7 days after the recipient's last message.
func ExampleRequest_Tagged() {
	show(sendapi.Text(sendapi.ID("1234"), "Sorry for the wait: it is fixed.").Tagged(sendapi.TagHumanAgent))
	// Output:
	// {"recipient":{"id":"1234"},"messaging_type":"MESSAGE_TAG","message":{"text":"Sorry for the wait: it is fixed."},"tag":"HUMAN_AGENT"}
}

// A private reply to a comment on a post of the page.
func ExampleComment() {
	show(sendapi.Text(sendapi.Comment("1001_2002"), "Thank you! We have it in blue.").AsResponse())
	// Output:
	// {"recipient":{"comment_id":"1001_2002"},"messaging_type":"RESPONSE","message":{"text":"Thank you! We have it in blue."}}
}

// The three dots while an answer is being prepared.
func ExampleAction() {
	show(sendapi.Action(sendapi.ID("1234"), sendapi.TypingOn))
	// Output:
	// {"recipient":{"id":"1234"},"sender_action":"typing_on"}
}

// A reaction to what the person wrote.
func ExampleReact() {
	show(sendapi.React(sendapi.ID("1234"), "m_Xy", "❤"))
	// Output:
	// {"recipient":{"id":"1234"},"sender_action":"react","payload":{"message_id":"m_Xy","reaction":"❤"}}
}

// All problems at once, each with its place.
func ExampleRequest_Validate() {
	request := sendapi.Buttons(sendapi.ID("ann"), "Which one?", sendapi.Link("Site", "example.com"))
	problems, _ := errors.AsType[sendapi.Problems](request.Validate())
	for _, problem := range problems {
		fmt.Println(problem)
	}
	// Output:
	// recipient.id: not a page-scoped id: it must be decimal digits
	// message.attachment.payload.buttons[0].url: must be an http or https URL
}

// Check has warnings as well: here for what the platform does not refuse, but cuts off.
func ExampleRequest_Check() {
	request := sendapi.Buttons(sendapi.ID("1234"), "Which one?", sendapi.Postback("The one with the red hat", "red"))
	for _, p := range request.Check() {
		fmt.Println(p.Warning, p.Limit, p.Found)
		fmt.Println(p)
	}
	// Output:
	// true 20 24
	// message.attachment.payload.buttons[0].title: 24 characters; the platform cuts it off after 20
}

// A tag of 2018, for a server of an older version of the platform.
func ExampleAllowRemoved() {
	request := sendapi.Text(sendapi.ID("1234"), "Your parcel is on its way.").Tagged(sendapi.TagShippingUpdate)
	fmt.Println(request.Validate())
	fmt.Println(request.Validate(sendapi.AllowRemoved()))
	// Output:
	// tag: SHIPPING_UPDATE was removed on Mar 4 2020; use a message within the 24 hours, a utility message or HUMAN_AGENT instead
	// <nil>
}
