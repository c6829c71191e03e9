package gateway

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// credentials knows the tokens and keys by a digest under a key that only this process has. How long a look-up takes depends on
// that digest, of which a caller can learn nothing: it is as good as a comparison in constant time, for any number of pages.
type credentials struct {
	key    []byte
	grants map[digest]*grant
}

type digest [sha256.Size]byte

// grant is what a credential allows.
type grant struct {
	pages   []string
	all     bool // whatever page there is: an API key
	limiter *rate.Limiter
	rate    int
}

func newCredentials(cfg Config) credentials {
	c := credentials{key: make([]byte, sha256.Size), grants: map[digest]*grant{}}
	_, _ = rand.Read(c.key) // never fails
	all := make([]string, len(cfg.Pages))
	for i, p := range cfg.Pages {
		all[i] = p.ID
		g := c.add(p.Token.Reveal(), cfg.Rate)
		g.pages = append(g.pages, p.ID)
	}
	for _, key := range cfg.APIKeys {
		g := c.add(key.Reveal(), cfg.Rate)
		g.pages, g.all = all, true
	}
	return c
}

func (c credentials) add(secret string, perSecond int) *grant {
	d := c.digest(secret)
	if c.grants[d] == nil {
		limit := rate.Limit(perSecond)
		if perSecond == 0 {
			limit = rate.Inf
		}
		c.grants[d] = &grant{limiter: rate.NewLimiter(limit, perSecond), rate: perSecond}
	}
	return c.grants[d]
}

func (c credentials) digest(secret string) (d digest) {
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(secret))
	mac.Sum(d[:0])
	return d
}

// knows tells whether a credential is one, and counts nothing.
func (c credentials) knows(secret string) bool { return c.grants[c.digest(secret)] != nil }

// look returns what a credential allows.
func (c credentials) look(secret string) (*grant, *failure) {
	if secret == "" {
		return nil, noToken
	}
	g := c.grants[c.digest(secret)]
	if g == nil {
		return nil, wrongToken
	}
	return g, nil
}

// find returns what a credential allows, and counts the call.
func (c credentials) find(secret string) (*grant, *failure) {
	g, f := c.look(secret)
	if f == nil && !g.limiter.AllowN(time.Now(), 1) {
		return nil, tooFast(g.rate)
	}
	return g, f
}

// page returns the page that a path means, if the credential is for it.
func (g *grant) page(node string, configured func(string) bool) (string, *failure) {
	switch {
	case node == "me" && len(g.pages) == 1:
		return g.pages[0], nil
	case node == "me":
		return "", whichPage
	case !configured(node):
		return "", unknownPage
	case !g.covers(node):
		return "", foreignToken
	}
	return node, nil
}

// covers tells whether the credential is for a page. Jobs of other programs may have none: they are for API keys.
func (g *grant) covers(page string) bool { return g.all || slices.Contains(g.pages, page) }

// tokenAhead returns the token of a call as far as it is known before its body is read.
func tokenAhead(r *http.Request) string {
	return cmp.Or(authorization(r.Header), r.URL.Query().Get("access_token"))
}

// authorization returns the token of the header of that name. The platform takes either word in front of it.
func authorization(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "OAuth") {
		return strings.TrimSpace(token)
	}
	return ""
}
