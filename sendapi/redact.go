package sendapi

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds what an error repeats of a platform message, in characters.
const maxMessage = 300

const redacted = "[redacted]"

// redactor cleans what the platform sends back before it becomes part of an error: the platform may quote
// what it got. It is for one call, by one goroutine.
type redactor struct {
	pages  []Page
	bodies []json.RawMessage
	texts  []string // of the bodies, once they are needed
	ready  bool
}

// newRedactor hides the credentials of pages and all strings in bodies, each of which is JSON.
func newRedactor(pages []Page, bodies ...json.RawMessage) *redactor {
	return &redactor{pages: pages, bodies: bodies}
}

// clean replaces credentials and the request's texts, makes the rest one printable line, and cuts it.
func (r *redactor) clean(s string) string {
	if s == "" {
		return ""
	}
	for _, page := range r.pages {
		for _, secret := range [...]string{page.proof(), page.Token.Reveal(), page.AppSecret.Reveal()} {
			if secret != "" {
				s = strings.ReplaceAll(s, secret, redacted)
			}
		}
	}
	for _, content := range r.contents() {
		s = hide(s, content)
	}
	s = strings.Map(printable, strings.ToValidUTF8(s, "\uFFFD"))
	if runes := []rune(s); len(runes) > maxMessage {
		s = string(runes[:maxMessage-1]) + "…"
	}
	return s
}

// carries reports whether a text of the request has a word.
func (r *redactor) carries(word string) bool {
	return slices.ContainsFunc(r.contents(), func(text string) bool { return strings.Contains(text, word) })
}

// contents are all strings that the request carries, but for the platform's own words in it.
func (r *redactor) contents() []string {
	if r.ready {
		return r.texts
	}
	r.ready = true
	for _, body := range r.bodies {
		var request map[string]any
		_ = json.Unmarshal(body, &request) // it is an object, or there is nothing to hide
		for key, value := range request {
			switch key {
			case "messaging_type", "sender_action", "notification_type", "tag":
			default:
				r.texts = appendStrings(r.texts, key, value)
			}
		}
	}
	return r.texts
}

func appendStrings(found []string, key string, value any) []string {
	switch v := value.(type) {
	case string:
		switch key {
		case "type", "template_type", "content_type", "media_type", "webview_height_ratio":
			return found
		}
		return append(found, v)
	case []any:
		for _, item := range v {
			found = appendStrings(found, key, item)
		}
	case map[string]any:
		for k, item := range v {
			found = appendStrings(found, k, item)
		}
	}
	return found
}

// Quotes may be cut off, so the first quotedRunes characters of a text are enough to find one. A text of
// fewer than wordRunes is replaced only where it stands alone: hiding each "a" would leave nothing to read.
const (
	quotedRunes = 12
	wordRunes   = 4
)

// hide replaces every occurrence of content in s, also one that was cut off, and in the forms in which the platform gets
// it: as it is, JSON-escaped, and URL-encoded.
func hide(s, content string) string {
	content = strings.TrimSpace(content)
	if content == "" {
		return s
	}
	forms := formsOf(content)
	short := utf8.RuneCountInString(content) < wordRunes
	var b strings.Builder
	for {
		from, to := find(s, forms)
		if from < 0 {
			return b.String() + s
		}
		if short && !alone(s, from, to) {
			b.WriteString(s[:to])
		} else {
			b.WriteString(s[:from] + redacted)
		}
		s = s[to:]
	}
}

func formsOf(content string) []string {
	forms := []string{content}
	if escaped, err := json.Marshal(content); err == nil {
		forms = append(forms, string(escaped[1:len(escaped)-1]))
	}
	for _, form := range forms[:len(forms):len(forms)] {
		forms = append(forms, url.QueryEscape(form), url.PathEscape(form))
	}
	return forms
}

// find returns the first place where the beginning of any form stands, and the end of the form that goes furthest from
// there: forms may differ only behind their beginning. from is -1 when there is none.
func find(s string, forms []string) (from, to int) {
	from = -1
	for _, form := range forms {
		i := strings.Index(s, prefix(form, quotedRunes))
		if i < 0 || from >= 0 && i > from {
			continue
		}
		if end := i + common(s[i:], form); i != from || end > to {
			from, to = i, end
		}
	}
	return from, to
}

func prefix(s string, runes int) string {
	for i := range s {
		if runes == 0 {
			return s[:i]
		}
		runes--
	}
	return s
}

// common returns the length of the longest common prefix.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func alone(s string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:from])
	after, _ := utf8.DecodeRuneInString(s[to:])
	return !wordRune(before) && !wordRune(after)
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func printable(r rune) rune {
	if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
		return ' '
	}
	return r
}
