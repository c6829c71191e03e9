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
	quotes []quote  // of the texts and the credentials
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
	s = r.hide(s)
	s = strings.Map(printable, strings.ToValidUTF8(s, "\uFFFD"))
	if runes := []rune(s); len(runes) > maxMessage {
		s = string(runes[:maxMessage-1]) + "…"
	}
	return s
}

// carries reports whether a text of the request has a word.
func (r *redactor) carries(word string) bool {
	r.read()
	return slices.ContainsFunc(r.texts, func(text string) bool { return strings.Contains(text, word) })
}

// read finds the credentials, and all strings that the request carries, but for the platform's own words in it.
func (r *redactor) read() {
	if r.ready {
		return
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
	for _, text := range r.texts {
		r.quotes = appendQuotes(r.quotes, strings.TrimSpace(text))
	}
	for _, page := range r.pages {
		for _, secret := range [...]string{page.proof(), page.Token.Reveal(), page.AppSecret.Reveal()} {
			r.quotes = appendQuotes(r.quotes, secret)
		}
	}
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

// maxSearched bounds what of a message is searched, in bytes: far more than is kept of it.
const maxSearched = 16 << 10

// hide replaces what s quotes of the request. All quotes are found before one is replaced: a text may begin like another,
// or be a part of it, and what is left of a quote would not be found any more.
func (r *redactor) hide(s string) string {
	cutOff := len(s) > maxSearched
	s = s[:min(len(s), maxSearched)]
	hidden := make([]bool, len(s))
	if cutOff { // a quote that only begins here cannot be told from other words
		mark(hidden[len(s)-quotedRunes*utf8.UTFMax:])
	}
	r.read()
	for _, q := range r.quotes {
		q.mark(s, hidden)
	}
	var b strings.Builder
	for from, to := 0, 0; from < len(s); from = to {
		for to < len(s) && hidden[to] == hidden[from] {
			to++
		}
		if hidden[from] {
			b.WriteString(redacted)
		} else {
			b.WriteString(s[from:to])
		}
	}
	return b.String()
}

func mark(hidden []bool) {
	for i := range hidden {
		hidden[i] = true
	}
}

// quote is a text as the platform may quote it.
type quote struct {
	text, beginning string
	short           bool
}

// appendQuotes adds a text in the forms in which the platform gets it: as it is, JSON-escaped, and URL-encoded.
func appendQuotes(quotes []quote, text string) []quote {
	if text == "" {
		return quotes
	}
	forms := []string{text}
	if escaped, err := json.Marshal(text); err == nil {
		forms = append(forms, string(escaped[1:len(escaped)-1]))
	}
	for _, form := range forms[:len(forms):len(forms)] {
		forms = append(forms, url.QueryEscape(form), url.PathEscape(form))
	}
	slices.Sort(forms)
	short := utf8.RuneCountInString(text) < wordRunes
	for _, form := range slices.Compact(forms) {
		quotes = append(quotes, quote{form, prefix(form, quotedRunes), short})
	}
	return quotes
}

// mark marks every place of s where the quote stands, as far as it goes.
func (q quote) mark(s string, hidden []bool) {
	for from, to := 0, 0; ; {
		next := strings.Index(s[to:], q.beginning)
		if next < 0 {
			return
		}
		from = to + next
		to = from + common(s[from:], q.text)
		if !q.short || alone(s, from, to) {
			mark(hidden[from:to])
		}
	}
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
