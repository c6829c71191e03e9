package sendapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/sendapi"
)

// What the requests of anyCall tell, and what the page proves itself with.
const privateText = "Your diagnosis is ready, Ann"

var fullPage = sendapi.Page{ID: "1001", Token: token, AppSecret: secret}

// anyCall is every call that a client can make, each with the private text where it has room for one.
var anyCall = map[string]func(context.Context, *sendapi.Client) error{
	"Send": func(ctx context.Context, c *sendapi.Client) error {
		_, err := c.Send(ctx, fullPage, sendapi.Text(ann, privateText))
		return err
	},
	"SendRaw": func(ctx context.Context, c *sendapi.Client) error {
		_, err := c.SendRaw(ctx, fullPage, []byte(`{"recipient":{"id":"1"},"message":{"text":"`+privateText+`"}}`))
		return err
	},
	"SendFile": func(ctx context.Context, c *sendapi.Client) error {
		_, err := c.SendFile(ctx, fullPage, withFile(sendapi.Image), textFile("image/png", privateText))
		return err
	},
	"UploadURL": func(ctx context.Context, c *sendapi.Client) error {
		_, err := c.UploadURL(ctx, fullPage, sendapi.Image, "https://example.com/"+privateText)
		return err
	},
	"UploadFile": func(ctx context.Context, c *sendapi.Client) error {
		_, err := c.UploadFile(ctx, fullPage, sendapi.File, textFile("text/plain", privateText))
		return err
	},
	"Batch": func(ctx context.Context, c *sendapi.Client) error {
		return onlyError(c.Batch(ctx, fullPage, []sendapi.BatchSend{{Request: sendapi.Text(ann, privateText)}}))
	},
	"Batch for another page": func(ctx context.Context, c *sendapi.Client) error {
		return onlyError(c.Batch(ctx, sendapi.Page{ID: "1002", Token: "EAAGother"}, []sendapi.BatchSend{
			{Page: fullPage, Request: sendapi.Text(ann, privateText)},
		}))
	},
	"CreatePersona": func(ctx context.Context, c *sendapi.Client) error {
		_, err := c.CreatePersona(ctx, fullPage, sendapi.Persona{Name: privateText, PictureURL: "https://example.com/p"})
		return err
	},
	"Persona": func(ctx context.Context, c *sendapi.Client) error {
		_, err := c.Persona(ctx, fullPage, "77")
		return err
	},
	"Personas": func(ctx context.Context, c *sendapi.Client) error {
		_, err := listed(ctx, c, fullPage)
		return err
	},
	"DeletePersona": func(ctx context.Context, c *sendapi.Client) error {
		return c.DeletePersona(ctx, fullPage, "77")
	},
	"CheckPage": func(ctx context.Context, c *sendapi.Client) error {
		_, err := c.CheckPage(ctx, fullPage)
		return err
	},
}

// sends are those of anyCall whose outcome can be unknown: something may have been made that a second try makes again.
var sends = map[string]bool{
	"Send": true, "SendRaw": true, "SendFile": true, "Batch": true, "Batch for another page": true, "CreatePersona": true,
}

func onlyError(results []sendapi.BatchResult, err error) error {
	if err != nil {
		return err
	}
	return results[0].Err
}

func listed(ctx context.Context, c *sendapi.Client, page sendapi.Page) ([]sendapi.Persona, error) {
	var all []sendapi.Persona
	for p, err := range c.Personas(ctx, page) {
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

func withFile(kind sendapi.AttachmentType) *sendapi.Request {
	req := sendapi.MediaURL(ann, kind, "")
	req.Message.Attachment.Payload = &sendapi.Media{}
	return req
}

func textFile(contentType, content string) sendapi.LocalFile {
	return sendapi.LocalFile{
		Name: content + ".txt", ContentType: contentType, Size: int64(len(content)), Reader: strings.NewReader(content),
	}
}

// assertLeaksNothing prints an error in every way and looks for what must not be in it.
func assertLeaksNothing(t *testing.T, err error, name string) {
	t.Helper()
	e, ok := errors.AsType[*sendapi.Error](err)
	if !assert.True(t, ok, "%s: %T", name, err) {
		return
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q %+v %#v %s %s %s", err, err, err, err, err, *e, *e, e.Message, e.Type, e.TraceID)
	for cause := error(e); cause != nil; cause = errors.Unwrap(cause) {
		shown += fmt.Sprintf("%v %+v %#v", cause, cause, cause)
	}
	for _, hidden := range []string{
		token, secret, proofOfToken, privateText, privateText[:15], url.QueryEscape(privateText), url.PathEscape(privateText),
	} {
		if i := strings.Index(shown, hidden); i >= 0 {
			assert.Fail(t, "leak", "%s: %q in …%s", name, hidden, shown[max(0, i-60):i+len(hidden)])
		}
	}
}
