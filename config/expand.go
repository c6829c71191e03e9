package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${VAR} by the variable's value and $${ by ${. What comes out of a variable is not expanded again:
// a token with a $ in it stays as it is.
func expand(s string, env map[string]string) (string, error) {
	var b strings.Builder
	var problems []error
	for {
		before, after, found := strings.Cut(s, "${")
		if !found {
			b.WriteString(s)
			return b.String(), errors.Join(problems...)
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(escaped + "${")
			s = after
			continue
		}
		name, rest, closed := strings.Cut(after, "}")
		value, set := env[name]
		switch {
		case !closed || !variableName.MatchString(name):
			// The name is not repeated: unclosed, it may be the rest of a secret.
			return "", errors.Join(append(problems,
				errors.New("has a ${ without a variable's name and a }; type ${VAR}, or $${ for a plain ${"))...)
		case !set:
			problems = append(problems,
				fmt.Errorf("the variable %s is not set; set it, or type $${ for a plain ${", name))
		}
		b.WriteString(before + value)
		s = rest
	}
}
