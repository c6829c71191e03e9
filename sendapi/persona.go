package sendapi

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Persona is a name and a picture under which a page can write, by Request.PersonaID.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/personas
type Persona struct {
	// ID is the platform's, decimal digits. It is not given when one is created.
	ID string
	// Name is at most 50 characters. Required.
	Name string
	// PictureURL is an image of at most 8 MB, which the platform copies. Required. What is read is the copy's.
	PictureURL string
}

// maxPersonaName is in UTF-16 code units, see checker.limit.
const maxPersonaName = 50

// CreatePersona makes a persona of the page and returns its id. An error is an *Error. KindUnknownOutcome means that it may
// exist; Personas tells.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/personas
func (c *Client) CreatePersona(ctx context.Context, page Page, p Persona) (id string, err error) {
	var check checker
	check.required("Name", p.Name)
	check.limit("Name", p.Name, maxPersonaName)
	check.required("PictureURL", p.PictureURL)
	check.url("PictureURL", p.PictureURL)
	if p.ID != "" {
		check.fail("ID", "the platform gives it")
	}
	if err := check.problems.err(); err != nil {
		return "", &Error{Kind: KindInvalid, Err: err}
	}
	body, _ := json.Marshal(map[string]string{"name": p.Name, "profile_picture_url": p.PictureURL}) // strings
	res, err := c.do(ctx, &call{
		reading: reading{pageID: page.ID, hide: newRedactor([]Page{page}, body), wants: "id"},
		page:    page, method: http.MethodPost, path: page.ID + "/personas", body: jsonPayload(body),
		limit: c.cfg.MediaTimeout, // the platform fetches the picture
	})
	return textOf(res.members["id"]), err
}

// Persona reads one persona. An error is an *Error.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/personas
func (c *Client) Persona(ctx context.Context, page Page, id string) (*Persona, error) {
	if !digits(id) {
		return nil, refused(Problem{Path: "id", Message: "must be decimal digits"})
	}
	k := c.read(page, id)
	k.query = url.Values{"fields": {personaFields}}
	res, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	p := personaOf(res.members)
	return &p, nil
}

// DeletePersona deletes a persona. Its old messages keep it; new ones with it are refused. An error is an *Error.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/personas
func (c *Client) DeletePersona(ctx context.Context, page Page, id string) error {
	if !digits(id) {
		return refused(Problem{Path: "id", Message: "must be decimal digits"})
	}
	k := c.read(page, id)
	k.method, k.wants = http.MethodDelete, "success"
	k.accepts = func(members map[string]json.RawMessage) bool { return string(members["success"]) == "true" }
	_, err := c.do(ctx, k)
	return err
}

const (
	personaFields = "id,name,profile_picture_url"
	personaPage   = 100 // personas a call
	personaPages  = 100 // calls
)

// Personas lists the personas of a page, a hundred with each call, as the loop asks for them. It ends after the first error,
// which is an *Error, or with one after 10,000 personas.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/personas
func (c *Client) Personas(ctx context.Context, page Page) iter.Seq2[Persona, error] {
	return func(yield func(Persona, error) bool) {
		after := ""
		for range personaPages {
			found, next, err := c.personas(ctx, page, after)
			for _, p := range found {
				if !yield(p, nil) {
					return
				}
			}
			if err != nil {
				yield(Persona{}, err)
			}
			if err != nil || next == "" {
				return
			}
			after = next
		}
		yield(Persona{}, &Error{Kind: KindInvalid, Message: "more than 10,000 personas; the rest is not listed"})
	}
}

// personas makes one call. The way to the next is the cursor; the address beside it, which has a token in it, is not used.
func (c *Client) personas(ctx context.Context, page Page, after string) (found []Persona, next string, err error) {
	k := c.read(page, page.ID+"/personas")
	k.query = url.Values{"fields": {personaFields}, "limit": {strconv.Itoa(personaPage)}}
	if after != "" {
		k.query.Set("after", after)
	}
	var list []map[string]json.RawMessage
	k.wants = "data"
	k.accepts = func(members map[string]json.RawMessage) bool {
		return json.Unmarshal(members["data"], &list) == nil && list != nil
	}
	res, err := c.do(ctx, k)
	if err != nil {
		return nil, "", err
	}
	for _, members := range list {
		found = append(found, personaOf(members))
	}
	var paging struct {
		Next    string
		Cursors struct{ After string }
	}
	_ = json.Unmarshal(res.members["paging"], &paging) // what cannot be read is the last page
	if paging.Next == "" {
		return found, "", nil
	}
	return found, paging.Cursors.After, nil
}

func personaOf(members map[string]json.RawMessage) Persona {
	return Persona{
		ID: textOf(members["id"]), Name: textOf(members["name"]), PictureURL: textOf(members["profile_picture_url"]),
	}
}

// read is a call that changes nothing, or nothing more when it is made twice, and whose answer has an id.
func (c *Client) read(page Page, path string) *call {
	return &call{
		reading: reading{pageID: page.ID, hide: newRedactor([]Page{page}), repeatable: true, wants: "id"},
		page:    page, method: http.MethodGet, path: path, limit: c.cfg.Timeout,
	}
}
