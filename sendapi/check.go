package sendapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// checker collects the problems of one request.
type checker struct {
	path     path
	problems Problems
}

func (c *checker) enter(s step) { c.path = append(c.path, s) }
func (c *checker) leave()       { c.path = c.path[:len(c.path)-1] }

func (c *checker) fail(key, message string) {
	c.problems = append(c.problems, Problem{Path: c.path.to(key), Message: message})
}

func (c *checker) required(key, value string) {
	if value == "" {
		c.fail(key, "required")
	}
}

// limit counts UTF-16 code units: the platform says characters, without saying which, and of the usual
// readings this one is on the safe side for text outside the basic plane.
func (c *checker) limit(key, value string, most int) {
	if len(value) <= most { // never more units than bytes
		return
	}
	if n := units(value); n > most {
		c.fail(key, fmt.Sprintf("%s characters; the limit is %s", thousands(n), thousands(most)))
	}
}

func (c *checker) count(key string, n, least, most int) {
	switch {
	case n > most:
		c.fail(key, fmt.Sprintf("%s entries; the limit is %s", thousands(n), thousands(most)))
	case n < least:
		c.fail(key, fmt.Sprintf("needs at least %d", least))
	}
}

// url checks an optional address. The problem does not repeat it: a URL may carry a signature.
func (c *checker) url(key, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		c.fail(key, "must be an http or https URL")
	}
}

// known checks an enumeration and reports whether the value is one of it.
func known[T ~string](c *checker, key string, value T, values []T) bool {
	if slices.Contains(values, value) {
		return true
	}
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	if value == "" {
		c.fail(key, "required: one of "+strings.Join(names, ", "))
	} else {
		c.fail(key, fmt.Sprintf("unknown value %.40q; it must be one of %s", value, strings.Join(names, ", ")))
	}
	return false
}

// units returns the length of s in UTF-16 code units.
func units(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n
}

// thousands writes 2001 as 2,001.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
