package sendapi

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"
)

// The checks here are about the form of a single value. None of the problems repeats it: a URL may carry a signature,
// a number may be somebody's.

// url checks an optional address.
func (c *checker) url(key, value string) {
	if value == "" {
		return
	}
	if u := c.parseURL(key, value); u != nil && u.Host == "" {
		c.fail(key, mustBeURL)
	}
}

const mustBeURL = "must be an http or https URL"

// parseURL returns nil for what it reports. A percent sign that begins no escape is a warning: browsers take it, and no page
// says that the platform does not.
func (c *checker) parseURL(key, value string) *url.URL {
	u, err := url.Parse(value)
	if _, ok := errors.AsType[url.EscapeError](err); ok {
		u, err = url.Parse(strings.ReplaceAll(value, "%", "%25"))
		if err == nil {
			c.warn(key, "has a percent sign that begins no escape; it is written %25")
		}
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		c.fail(key, mustBeURL)
		return nil
	}
	return u
}

// facebookURL checks an optional address of media on Facebook.
func (c *checker) facebookURL(key, value string) {
	if value == "" {
		return
	}
	u := c.parseURL(key, value)
	if u == nil {
		return
	}
	host := strings.ToLower(u.Hostname())
	if host != "facebook.com" && !strings.HasSuffix(host, ".facebook.com") {
		c.fail(key, "must be a URL of facebook.com; other media goes in an attachment of its own type")
	}
}

// decimal checks an optional amount.
func (c *checker) decimal(key string, value Decimal) {
	if value != "" && !value.valid() {
		c.fail(key, "must be a number with a dot before the decimals, such as 12.50")
	}
}

// currency checks the optional ISO 4217 code of an object. The platform's pages do not say what it does with another.
func (c *checker) currency(value string) {
	if value != "" && !letters(value, 3) {
		c.warn("currency", "does not look like a currency code of ISO 4217, such as USD")
	}
}

// country checks an optional country code.
func (c *checker) country(key, value string) {
	if value != "" && !letters(value, 2) {
		c.fail(key, mustBeCountry)
	}
}

const mustBeCountry = "must be a country code of two letters, such as US"

// localTime checks an optional time of an airport. Its form is the one of the 2018 samples.
func (c *checker) localTime(key, value string) {
	if value == "" {
		return
	}
	for _, layout := range [...]string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if _, err := time.Parse(layout, value); err == nil {
			return
		}
	}
	c.warn(key, "does not look like a time of ISO 8601, such as 2026-11-24T10:30")
}

// jsonObject checks an optional value that has no type here. No page says that another kind of value is refused.
func (c *checker) jsonObject(key string, value json.RawMessage) {
	if len(value) == 0 {
		return
	}
	if wrong := wellFormed(value); wrong != "" {
		c.fail(key, wrong)
	} else if kind := kindOf(value); kind != "an object" {
		c.warn(key, "should be an object, not "+kind)
	}
}

// phoneNumber takes what people write: digits with an optional plus, grouped by blanks and punctuation.
func phoneNumber(s string) bool {
	return strings.ContainsAny(s, "0123456789") && strings.Trim(s, "+0123456789 ().-/") == ""
}

// letters reports whether s is n letters of the Latin alphabet.
func letters(s string, n int) bool {
	return len(s) == n && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'A' || 'Z' < r) && (r < 'a' || 'z' < r) })
}
