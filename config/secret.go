package config

import (
	"fmt"
	"io"
)

const redacted = "[secret]"

// Secret is a value that must not be shown, such as an access token. However it is printed or encoded, it
// comes out as [secret]; Reveal is the only way to the value. The zero Secret is empty.
type Secret struct {
	// A pointer, so that even a printer that bypasses methods (fmt does, for unexported fields) shows an address.
	value *string
}

// NewSecret makes a Secret of s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{value: &s}
}

// Reveal returns the value itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero tells whether there is no value.
func (s Secret) IsZero() bool { return s.value == nil }

// String returns [secret].
func (s Secret) String() string { return redacted }

// Format prints [secret] for every verb; String alone would leave %d and others open.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns [secret]. encoding/json uses it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML returns [secret].
func (s Secret) MarshalYAML() (any, error) { return redacted, nil }
