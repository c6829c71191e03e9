package sendapi_test

import (
	"context"
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
