package sandbox

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// checker collects what is wrong with a value from outside.
type checker struct{ problems sendapi.Problems }

func (c *checker) check(ok bool, path, message string) {
	if !ok {
		c.problems = append(c.problems, sendapi.Problem{Path: path, Message: message})
	}
}

// maxPageID is above the length of any page id.
const maxPageID = 32

func isPage(id string) bool { return numeric(id) && len(id) <= maxPageID }

// A rate of 0 or below has a meaning of its own. The bounds keep what is remembered of it, one time a call, small.
const (
	minRate = 0.0001
	maxRate = 100_000
)

func (c *checker) rate(path string, rate float64) {
	c.check(rate <= 0 || minRate <= rate && rate <= maxRate, path, "must be 0.0001 to 100,000 a second, or negative")
}

func (c *checker) atLeastZero(path string, n int64) { c.check(n >= 0, path, "must not be negative") }

// duration reads "1m30s"; an empty text is 0.
func (c *checker) duration(path, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	c.check(err == nil, path, "invalid duration: it must look like 1m30s")
	return d
}

// oneOf lists the keys of a table.
func oneOf[K ~string, V any](table map[K]V) string {
	keys := slices.Sorted(maps.Keys(table))
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(k))
	}
	return b.String()
}

func numeric(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
