package sandbox_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// A test scripts what the platform would do, and reads what it accepted.
func Example() {
	box, err := sandbox.New(sandbox.Config{})
	if err != nil {
		panic(err)
	}
	defer box.Close()
	client, err := sendapi.NewClient(sendapi.Config{HTTPClient: box.Client()})
	if err != nil {
		panic(err)
	}
	page := sendapi.Page{ID: "1001", Token: "EAAB"}
	send := func(person string) {
		_, err := client.Send(context.Background(), page, sendapi.Text(sendapi.ID(person), "Hello"))
		fmt.Println(person+":", err)
	}

	_ = box.SetPerson("1001", "7", sandbox.Person{WroteAt: time.Now().Add(-25 * time.Hour)})
	_ = box.SetPerson("1001", "8", sandbox.Person{Reach: sandbox.ReachBlocked})
	send("7")
	send("8")
	box.Fail("1001", sandbox.Fault{Code: 80006, RetryAfter: 5 * time.Minute, Times: 1})
	send("9")
	send("9")
	_ = box.SetPage("1001", sandbox.Page{Access: sandbox.AccessExpired})
	send("9")
	for call := range box.Log(sandbox.Query{PageID: "1001"}) {
		fmt.Println("accepted:", call.Seq, call.Recipient)
	}
	// Output:
	// 7: window: code 10/2018278: (#10) this message is sent outside of the allowed window
	// 8: recipient: code 551/1545041: (#551) this person is not available right now
	// 9: rate limit (page): code 80006: (#80006) refused by the sandbox
	// 9: <nil>
	// 9: auth (page): code 190/463: (#190) the access token has expired
	// accepted: 4 id:9
}
