package sendapi

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds what an error repeats of a platform message, in characters.
const maxMessage = 300

const redacted = "[redacted]"

// redactor cleans what the platform sends back before it becomes part of an error: the platform may quote
// what it got.
type redactor struct {
	page Page
	body json.RawMessage
}

// clean replaces credentials and the request's texts, makes the rest one printable line, and cuts it.
func (r redactor) clean(s string) string {
	if s == "" {
		return ""
	}
	for _, secret := range [...]string{r.page.proof(), r.page.Token.Reveal(), r.page.AppSecret.Reveal()} {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, redacted)
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

// contents are all strings that the request carries, but for the platform's own words in it.
func (r redactor) contents() []string {
	var request map[string]any
	if json.Unmarshal(r.body, &request) != nil {
		return nil
	}
	var found []string
	for key, value := range request {
		switch key {
		case "messaging_type", "sender_action", "notification_type", "tag":
		default:
			found = appendStrings(found, key, value)
		}
	}
	return found
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

// hide replaces every occurrence of content in s, also one that was cut off or JSON-escaped.
func hide(s, content string) string {
	content = strings.TrimSpace(content)
	if content == "" {
		return s
	}
	s = hideForm(s, content)
	if escaped, err := json.Marshal(content); err == nil && string(escaped[1:len(escaped)-1]) != content {
		s = hideForm(s, string(escaped[1:len(escaped)-1]))
	}
	return s
}

func hideForm(s, content string) string {
	head := prefix(content, quotedRunes)
	short := utf8.RuneCountInString(content) < wordRunes
	var b strings.Builder
	for {
		i := strings.Index(s, head)
		if i < 0 {
			break
		}
		end := i + common(s[i:], content)
		if short && !alone(s, i, end) {
			b.WriteString(s[:end])
		} else {
			b.WriteString(s[:i] + redacted)
		}
		s = s[end:]
	}
	return b.String() + s
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
