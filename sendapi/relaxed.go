package sendapi

import (
	"encoding/json"
	"strings"
)

// relaxed reads the JSON of the platform's own samples for form fields and query parameters: strings between single quotes, and
// names without any. ok is false if the text is not JSON by these rules either.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func relaxed(text string) (strict json.RawMessage, ok bool) {
	var out strings.Builder
	for rest := text; rest != ""; {
		n := tokenLength(rest)
		token := rest[:n]
		rest = rest[n:]
		switch {
		case token[0] == '\'':
			out.WriteString(doubleQuoted(token))
		case isWord(rune(token[0])) && strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), ":"):
			out.WriteString(`"` + token + `"`)
		default:
			out.WriteString(token)
		}
	}
	strict = json.RawMessage(out.String())
	return strict, json.Valid(strict)
}

// tokenLength is how many bytes the string or the word at the beginning of text has; any other character stands by itself.
func tokenLength(text string) int {
	switch quote := text[0]; {
	case quote == '"' || quote == '\'':
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case quote:
				return i + 1
			}
		}
		return len(text)
	case isWord(rune(quote)):
		return len(text) - len(strings.TrimLeftFunc(text, isWord))
	}
	return 1
}

func isWord(c rune) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// doubleQuoted writes a string between single quotes as JSON has it. One that does not end stays as wrong as it is.
func doubleQuoted(token string) string {
	inner, ended := strings.CutSuffix(token[1:], "'")
	if !ended {
		return token
	}
	return `"` + strings.NewReplacer(`\\`, `\\`, `\'`, `'`, `\"`, `\"`, `"`, `\"`).Replace(inner) + `"`
}
