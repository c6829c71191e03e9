package sendapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

const hidden = "[secret]"

// Secret is a credential that no print, log or encoder shows: each of them gets "[secret]", whether
// it is empty or not. Reveal is the only way to its text.
type Secret string

// Reveal returns the credential itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "[secret]".
func (s Secret) String() string { return hidden }

// GoString returns "[secret]", so that %#v of a struct is safe as well.
func (s Secret) GoString() string { return hidden }

// Format prints "[secret]" for every verb: %x or %q would otherwise reach the bytes.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalJSON returns the JSON string "[secret]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText returns "[secret]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Page is a Facebook Page that messages are sent from, with the credentials for it.
type Page struct {
	// ID is the Page's id, decimal digits, or "me" for the Page that the token belongs to. Required.
	ID string
	// Token is the Page access token. Required. It travels in the Authorization header; in the body where a batch sends
	// for several pages, see BatchSend.Page.
	Token Secret
	// AppSecret, when set, adds an appsecret_proof to each call. Needed when the app's setting
	// "Require App Secret" is on.
	// https://developers.facebook.com/docs/graph-api/guides/secure-requests
	AppSecret Secret
}

// proof is the lower-case hexadecimal HMAC-SHA256 of the token under the app secret, or "" without one.
// https://developers.facebook.com/docs/graph-api/guides/secure-requests
func (p Page) proof() string {
	if p.AppSecret == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(p.AppSecret.Reveal()))
	mac.Write([]byte(p.Token.Reveal()))
	return hex.EncodeToString(mac.Sum(nil))
}

// check reports what makes a call with p impossible, before anything is sent.
func (p Page) check() *Error {
	if p.ID != "me" && !digits(p.ID) {
		return &Error{Kind: KindInvalid, Message: "the page id must be decimal digits or me"}
	}
	if p.Token == "" {
		return &Error{Kind: KindAuth, Scope: ScopePage, Message: "page " + p.ID + " has no access token"}
	}
	if strings.ContainsFunc(p.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return &Error{
			Kind: KindAuth, Scope: ScopePage,
			Message: "the access token of page " + p.ID + " has a character that no token has; look for a space or line end",
		}
	}
	return nil
}

// digits reports whether s is an id in decimal digits.
func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
