package sendapi

import (
	"context"
	"encoding/json"
	"net/url"
)

// PageInfo is what CheckPage found out.
type PageInfo struct {
	// ID is the id of the Page.
	ID string
	// Name is its name; empty when the token may not read it.
	Name string
	// Usage is what the answer said of the limits.
	Usage Usage
}

// CheckPage asks the platform whose token a page has. An error is an *Error: KindAuth when the token is wrong, has expired,
// belongs to another page or needs an appsecret_proof. It sends nothing.
//
// Whether the token may send, only a send tells: the permissions of a token can be read with a token of the app alone
// (debug_token), which a sender has no other use for. A permission that is missing is KindAuth as well then.
// https://developers.facebook.com/docs/graph-api/reference/page
func (c *Client) CheckPage(ctx context.Context, page Page) (*PageInfo, error) {
	// Not the page's own path: some pages can be read with the token of another.
	k := c.read(page, "me")
	k.query = url.Values{"fields": {"id,name"}}
	k.accepts = func(members map[string]json.RawMessage) bool { return digits(textOf(members["id"])) }
	res, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	info := &PageInfo{ID: textOf(res.members["id"]), Name: textOf(res.members["name"]), Usage: res.usage}
	if page.ID != "me" && info.ID != page.ID {
		return nil, &Error{
			Kind: KindAuth, Scope: ScopePage, Usage: res.usage, TraceID: res.trace,
			Message: "the access token belongs to " + info.ID + ", not to page " + page.ID +
				"; take the Page access token of this page",
		}
	}
	return info, nil
}
