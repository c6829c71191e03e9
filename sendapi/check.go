package sendapi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CheckOption changes what Check and Validate refuse.
type CheckOption func(*checker)

// AllowRemoved lets pass, with a warning, what the platform has removed: a server of an older version may take it.
func AllowRemoved() CheckOption { return func(c *checker) { c.allowRemoved = true } }

// WithFile says that the file of the message travels in the same call, as a part of its own. The payload then has
// neither a URL nor an attachment id.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
func WithFile() CheckOption { return func(c *checker) { c.withFile = true } }

// Check reports everything that is wrong with the request, one part after the other as they stand in its JSON: refusals,
// and warnings for what the platform takes all the same. nil means that nothing is. Unknown members and unknown template
// types pass.
func (r *Request) Check(opts ...CheckOption) Problems {
	var c checker
	c.path = c.steps[:0]
	for _, opt := range opts {
		opt(&c)
	}
	r.check(&c)
	return c.problems
}

// Validate returns the refusals of Check as an error of type Problems, or nil.
func (r *Request) Validate(opts ...CheckOption) error {
	return r.Check(opts...).Refusals().err()
}

// checker collects the problems of one request.
type checker struct {
	allowRemoved, withFile bool

	path     path
	steps    [12]step // room for the path of most requests
	problems Problems
}

// checked is a part of a request that knows its rules.
type checked interface{ check(c *checker) }

func (c *checker) enter(s step) { c.path = append(c.path, s) }
func (c *checker) leave()       { c.path = c.path[:len(c.path)-1] }

// part checks what lies at key.
func (c *checker) part(key string, p checked) {
	c.enter(step{key: key})
	p.check(c)
	c.leave()
}

// entry constrains P to be *T with a check method.
type entry[T any] interface {
	*T
	checked
}

// each checks the entries of the list at key, which may be from least to most.
func each[T any, P entry[T]](c *checker, key string, entries []T, least, most int) {
	c.count(key, len(entries), least, most)
	entriesOf[T, P](c, key, entries)
}

// entriesOf checks the entries of a list whose length has no limit that is certain.
func entriesOf[T any, P entry[T]](c *checker, key string, entries []T) {
	c.enter(step{key: key})
	for i := range entries {
		c.enter(step{index: i})
		P(&entries[i]).check(c)
		c.leave()
	}
	c.leave()
}

func (c *checker) report(key string, p Problem) {
	p.Path = c.path.to(key)
	c.problems = append(c.problems, p)
}

func (c *checker) fail(key, message string) { c.report(key, Problem{Message: message}) }
func (c *checker) warn(key, message string) { c.report(key, Problem{Message: message, Warning: true}) }

func (c *checker) required(key, value string) {
	if value == "" {
		c.fail(key, "required")
	}
}

// expected is for what the platform's samples always have, while no page says that it refuses a request without.
func (c *checker) expected(key string, present bool) {
	if !present {
		c.warn(key, "missing, while the platform's samples have it")
	}
}

// old is for the surface of 2018 that no source calls removed.
func (c *checker) old(key, what string) {
	c.warn(key, what+" belongs to the surface of 2018; it is not known to be refused today")
}

// limit counts UTF-16 code units: the platform says characters, without saying which, and of the usual
// readings this one is on the safe side for text outside the basic plane.
func (c *checker) limit(key, value string, most int) {
	if n := over(value, most); n > 0 {
		c.report(key, Problem{Message: sizes(n, "characters", most), Limit: most, Found: n})
	}
}

// below is limit for what was documented as at most so many characters in 2018, and is now as less than that.
func (c *checker) below(key, value string, bound int) {
	if over(value, bound-1) == bound {
		c.report(key, Problem{
			Message: thousands(bound) + " characters; the reference of 2018 allows that, the current one asks for less",
			Limit:   bound, Found: bound, Warning: true,
		})
		return
	}
	c.limit(key, value, bound)
}

// cutOff is limit for what the platform shortens instead of refusing it.
func (c *checker) cutOff(key, value string, most int) {
	if n := over(value, most); n > 0 {
		c.report(key, Problem{
			Message: fmt.Sprintf("%s characters; the platform cuts it off after %s", thousands(n), thousands(most)),
			Limit:   most, Found: n, Warning: true,
		})
	}
}

func (c *checker) count(key string, n, least, most int) {
	switch {
	case n > most:
		c.report(key, Problem{Message: sizes(n, "entries", most), Limit: most, Found: n})
	case n < least:
		c.report(key, Problem{Message: fmt.Sprintf("needs at least %d", least), Limit: least, Found: n})
	}
}

// doubtfulCount is count for a limit that no page confirms today.
func (c *checker) doubtfulCount(key string, n, most int) {
	if n > most {
		message := sizes(n, "entries", most) + ", which no current page confirms"
		c.report(key, Problem{Message: message, Limit: most, Found: n, Warning: true})
	}
}

// between checks a number.
func (c *checker) between(key string, n, least, most int) {
	bound := most
	switch {
	case least <= n && n <= most:
		return
	case n < least:
		bound = least
	}
	c.report(key, Problem{Message: fmt.Sprintf("%d; it must be %d to %d", n, least, most), Limit: bound, Found: n})
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
	allowed := strings.Join(names, ", ")
	if len(names) > 1 {
		allowed = "one of " + allowed
	}
	if value == "" {
		c.fail(key, "required: "+allowed)
	} else {
		c.fail(key, fmt.Sprintf("unknown value %.40q; it must be %s", value, allowed))
	}
	return false
}

// optionalOf is known for a field that may be left out.
func optionalOf[T ~string](c *checker, key string, value T, values ...T) {
	if value != "" {
		known(c, key, value, values)
	}
}

// over returns the length of s in UTF-16 code units if it is more than most, else 0.
func over(s string, most int) int {
	if len(s) <= most { // never more units than bytes
		return 0
	}
	if n := units(s); n > most {
		return n
	}
	return 0
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

func sizes(n int, unit string, most int) string {
	return thousands(n) + " " + unit + "; the limit is " + thousands(most)
}

// thousands writes 2001 as 2,001.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
