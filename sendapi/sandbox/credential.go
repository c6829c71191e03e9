package sandbox

import (
	"maps"
	"sync/atomic"
)

// maxToken is far above the length of any access token.
const maxToken = 1000

// credentials says which token belongs to which page. Calls read it without a lock; it is replaced as a whole.
type credentials struct{ now atomic.Pointer[tokens] }

type tokens struct {
	open   bool              // a page without a token takes any
	byPage map[string]string // page id to token
	pages  map[string]string // token to page id, for /me/
}

// reset makes the tokens those of Config: nil takes any page with any token.
func (c *credentials) reset(byPage map[string]string) {
	c.replace(byPage == nil, maps.Clone(byPage))
}

// set gives a page another token, so that the former one is invalid; an empty one takes its token away. Calls of
// set and reset must not run at the same time.
func (c *credentials) set(pageID, token string) {
	old := c.now.Load()
	if old.byPage[pageID] == token {
		return
	}
	byPage := maps.Clone(old.byPage)
	if byPage == nil {
		byPage = make(map[string]string)
	}
	if byPage[pageID] = token; token == "" {
		delete(byPage, pageID)
	}
	c.replace(old.open, byPage)
}

func (c *credentials) replace(open bool, byPage map[string]string) {
	t := &tokens{open: open, byPage: byPage, pages: make(map[string]string, len(byPage))}
	for page, token := range byPage {
		t.pages[token] = page
	}
	c.now.Store(t)
}

// pageOf returns the page of a token.
func (c *credentials) pageOf(token string) (pageID string, ok bool) {
	pageID, ok = c.now.Load().pages[token]
	return pageID, ok
}

// check says what is wrong with the token of a call, if anything.
func (c *credentials) check(pageID, given string) refusal {
	t := c.now.Load()
	want, known := t.byPage[pageID]
	_, valid := t.pages[given]
	switch {
	case given == "":
		return refusal{codes: codes{190, 0}, why: "an access token is required"}
	case known && given == want || !known && t.open:
		return refusal{}
	case !known && valid && pageID != "me": // the platform looks at the token first
		return refusal{codes: codes{100, 33}, why: "Unsupported post request. Object with ID '" + pageID + "' does not exist, " +
			"cannot be loaded due to missing permissions, or does not support this operation"}
	}
	return refusal{codes: codes{190, 0}, why: "the access token is invalid"}
}
