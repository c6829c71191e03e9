package sendapi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// tryOut returns a client for a sandbox, in place of the platform.
func tryOut() (*sandbox.Server, *sendapi.Client) {
	srv, err := sandbox.New(sandbox.Config{})
	if err != nil {
		panic(err)
	}
	client, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://sandbox", HTTPClient: srv.Client()})
	if err != nil {
		panic(err)
	}
	return srv, client
}

// Uploaded once, a file is sent to any number of people without being fetched again. Keep the time with the id.
func ExampleClient_UploadURL() {
	srv, client := tryOut()
	defer srv.Close()
	ctx, page := context.Background(), sendapi.Page{ID: "1001", Token: "EAAG..."}

	menu, err := client.UploadURL(ctx, page, sendapi.Image, "https://example.com/menu.png")
	if err != nil {
		panic(err)
	}
	for _, person := range []string{"1234", "5678"} {
		if time.Now().After(menu.Expires) {
			break // upload it again
		}
		res, err := client.Send(ctx, page, sendapi.MediaID(sendapi.ID(person), sendapi.Image, menu.AttachmentID))
		if err != nil {
			panic(err)
		}
		fmt.Println(res.RecipientID, res.MessageID != "")
	}
	// Output:
	// 1234 true
	// 5678 true
}

// With an *os.File, Size is what its Stat says.
func ExampleClient_UploadFile() {
	srv, client := tryOut()
	defer srv.Close()
	page := sendapi.Page{ID: "1001", Token: "EAAG..."}

	content := "%PDF-1.7 ..."
	terms := sendapi.LocalFile{
		Name: "terms.pdf", ContentType: "application/pdf", Size: int64(len(content)), Reader: strings.NewReader(content),
	}
	up, err := client.UploadFile(context.Background(), page, sendapi.File, terms)
	if err != nil {
		panic(err)
	}
	fmt.Println(up.AttachmentID != "")
	// Output: true
}

func ExampleClient_Batch() {
	srv, client := tryOut()
	defer srv.Close()
	srv.Fail("1001", sandbox.Fault{Code: 551, Subcode: 1545041, Times: 1}) // what happens to the first

	page := sendapi.Page{ID: "1001", Token: "EAAG..."}
	results, err := client.Batch(context.Background(), page, []sendapi.BatchSend{
		{Request: sendapi.Text(sendapi.ID("1234"), "We open at nine.").AsResponse()},
		{Request: sendapi.Text(sendapi.ID("5678"), "We open at nine.").AsResponse()},
	})
	if err != nil {
		panic(err) // nothing was sent
	}
	for _, r := range results {
		if r.Err != nil {
			fmt.Println(r.Err)
		} else {
			fmt.Println("sent to", r.Response.RecipientID)
		}
	}
	// Output:
	// recipient: code 551/1545041: (#551) refused by the sandbox
	// sent to 5678
}

// What an error asks for is its kind; a program that sends decides by that alone.
func ExampleError() {
	srv, client := tryOut()
	defer srv.Close()
	page := sendapi.Page{ID: "1001", Token: "EAAG..."}

	for _, fault := range []sandbox.Fault{
		{Code: 4, RetryAfter: time.Minute}, {Code: 10, Subcode: 2018278}, {Code: 190, Subcode: 463}, {Drop: sandbox.DropAfter},
	} {
		fault.Times = 1
		srv.Fail("1001", fault)
		_, err := client.Send(context.Background(), page, sendapi.Text(sendapi.ID("1234"), "Hello"))
		e, ok := errors.AsType[*sendapi.Error](err)
		if !ok {
			continue // it was sent
		}
		switch e.Kind {
		case sendapi.KindRateLimit:
			fmt.Println("pause the", e.Scope, "for", max(e.RetryAfter, 30*time.Second))
		case sendapi.KindTransient:
			fmt.Println("send it again later")
		case sendapi.KindUnknownOutcome:
			fmt.Println("it may have been sent: a second try may be a second message")
		case sendapi.KindAuth, sendapi.KindPolicy:
			fmt.Println("stop the", e.Scope, "and tell somebody")
		case sendapi.KindThreadControl:
			fmt.Println("wait until the other app is done")
		case sendapi.KindAttachment:
			fmt.Println("upload the file again")
		case sendapi.KindRecipient, sendapi.KindWindow, sendapi.KindInvalid:
			fmt.Println("give up on this message:", e.Kind)
		}
	}
	// Output:
	// pause the app for 1m0s
	// give up on this message: window
	// stop the page and tell somebody
	// it may have been sent: a second try may be a second message
}
