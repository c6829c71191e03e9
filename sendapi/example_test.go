package sendapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// The sandbox stands in for the platform; without the two fields of the Config, this is the real thing.
func Example() {
	srv, err := sandbox.New(sandbox.Config{})
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	client, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://sandbox", HTTPClient: srv.Client()})
	if err != nil {
		panic(err)
	}

	page := sendapi.Page{ID: "1001", Token: "EAAG..."}
	res, err := client.Send(context.Background(), page, sendapi.Text(sendapi.ID("1234"), "Your table is ready."))
	if err != nil {
		panic(err)
	}
	fmt.Println(res.RecipientID, res.MessageID != "")
	// Output: 1234 true
}

func ExampleClient_Send_errors() {
	srv, _ := sandbox.New(sandbox.Config{})
	defer srv.Close()
	srv.Fail("1001", sandbox.Fault{Code: 613, RetryAfter: 5 * time.Minute})
	client, _ := sendapi.NewClient(sendapi.Config{BaseURL: "http://sandbox", HTTPClient: srv.Client()})

	page := sendapi.Page{ID: "1001", Token: "EAAG..."}
	_, err := client.Send(context.Background(), page, sendapi.Text(sendapi.ID("1234"), "Hello"))
	if limit, ok := errors.AsType[*sendapi.Error](err); ok && errors.Is(err, sendapi.KindRateLimit) {
		fmt.Println(limit.Scope, limit.RetryAfter)
	}
	fmt.Println(err)
	// Output:
	// page 5m0s
	// rate limit (page): code 613: (#613) refused by the sandbox
}

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

func ExampleText() {
	show(sendapi.Text(sendapi.ID("1234"), "Red or blue?").AsResponse().
		Offering(sendapi.Choice("Red", "r"), sendapi.Choice("Blue", "b")))
	// Output:
	// {
	//   "recipient": {
	//     "id": "1234"
	//   },
	//   "messaging_type": "RESPONSE",
	//   "message": {
	//     "text": "Red or blue?",
	//     "quick_replies": [
	//       {
	//         "content_type": "text",
	//         "title": "Red",
	//         "payload": "r"
	//       },
	//       {
	//         "content_type": "text",
	//         "title": "Blue",
	//         "payload": "b"
	//       }
	//     ]
	//   }
	// }
}

func ExampleMediaURL() {
	show(sendapi.MediaURL(sendapi.ID("1234"), sendapi.Image, "https://example.com/menu.png"))
	// Output:
	// {
	//   "recipient": {
	//     "id": "1234"
	//   },
	//   "messaging_type": "UPDATE",
	//   "message": {
	//     "attachment": {
	//       "type": "image",
	//       "payload": {
	//         "url": "https://example.com/menu.png"
	//       }
	//     }
	//   }
	// }
}

func ExampleButtons() {
	show(sendapi.Buttons(sendapi.ID("1234"), "Need help?", sendapi.Postback("Yes", "HELP")))
	// Output:
	// {
	//   "recipient": {
	//     "id": "1234"
	//   },
	//   "messaging_type": "UPDATE",
	//   "message": {
	//     "attachment": {
	//       "type": "template",
	//       "payload": {
	//         "template_type": "button",
	//         "text": "Need help?",
	//         "buttons": [
	//           {
	//             "type": "postback",
	//             "title": "Yes",
	//             "payload": "HELP"
	//           }
	//         ]
	//       }
	//     }
	//   }
	// }
}

func ExampleAction() {
	show(sendapi.Action(sendapi.ID("1234"), sendapi.TypingOn))
	// Output:
	// {
	//   "recipient": {
	//     "id": "1234"
	//   },
	//   "sender_action": "typing_on"
	// }
}

func show(request *sendapi.Request) {
	data, err := json.MarshalIndent(request, "", "  ")
	if err != nil {
		panic(err)
	}
	fmt.Println(string(data))
}
