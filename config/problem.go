package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that must be put right before the configuration can be used.
type Problem struct {
	// Key names the setting, such as pages[1].access_token; empty for the file as a whole.
	Key string
	// Text says what is wrong and what to type instead. It never repeats a value.
	Text string
	// From is the variable or flag that the value came from; empty if it was the file.
	From string
}

// String returns the problem as one line.
func (p Problem) String() string {
	line := p.Text
	if p.Key != "" {
		line = p.Key + ": " + line
	}
	if p.From != "" {
		line += " (set by " + p.From + ")"
	}
	return line
}

// Error is what Load returns for a configuration that cannot be used. It holds every problem.
type Error struct {
	// Path is the file, empty if there is none.
	Path string
	// Problems is never empty.
	Problems []Problem
}

// Error lists the problems, one a line if there are several.
func (e *Error) Error() string {
	where := "configuration"
	if e.Path != "" {
		where = e.Path
	}
	if len(e.Problems) == 1 {
		return where + ": " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d problems", where, len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// Warning is something that works but that the operator should know.
type Warning struct {
	// Key names the setting.
	Key string
	// Text says what will happen.
	Text string
}

// String returns the warning as one line.
func (w Warning) String() string { return w.Key + ": " + w.Text }
