package sendapi

import (
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a request or a configuration.
type Problem struct {
	// Path says where: the JSON path inside a request ("message.quick_replies[2].title"), the field's
	// name in a Config. Empty means the whole value.
	Path string
	// Message says what, with the limit and the size that was found. It never repeats message text.
	Message string
	// Limit is the number that was not kept to: the most or the least characters, entries or units there may be.
	// 0 where the problem is not about a number.
	Limit int
	// Found is the number that was found instead, in the unit of Limit.
	Found int
	// Warning is set where the platform takes the request all the same: what it cuts off, what is old but not known
	// to be refused, and what only a source that no longer exists says.
	Warning bool
}

// String returns "path: message".
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Problems is every problem of one value. As an error it is never empty.
type Problems []Problem

// maxShown bounds an error's text, which goes into answers, records and logs: one body can have a hundred thousand problems.
const maxShown = 50

// Error joins the problems with semicolons. Of more than 50 it counts the rest.
func (ps Problems) Error() string {
	var texts []string
	for _, p := range ps[:min(len(ps), maxShown)] {
		texts = append(texts, p.String())
	}
	if more := len(ps) - maxShown; more > 0 {
		texts = append(texts, "and "+strconv.Itoa(more)+" more")
	}
	return strings.Join(texts, "; ")
}

// Refusals returns the problems that the platform refuses the request for; nil when there are none.
func (ps Problems) Refusals() Problems { return ps.only(false) }

// Warnings returns the problems that do not keep the request from being sent; nil when there are none.
func (ps Problems) Warnings() Problems { return ps.only(true) }

func (ps Problems) only(warning bool) (found Problems) {
	for _, p := range ps {
		if p.Warning == warning {
			found = append(found, p)
		}
	}
	return found
}

// err avoids the trap of a non-nil error that holds no problem.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// step is one part of a JSON path: a member's name, or an index where the name is empty.
type step struct {
	key   string
	index int
}

// path is where a walk through a request stands. It becomes text only when there is a problem to
// report, so that a correct request costs no path strings.
type path []step

// to returns the JSON path of a member of the place that p stands at.
func (p path) to(key string) string {
	var b strings.Builder
	for _, s := range p {
		s.write(&b)
	}
	if key != "" {
		step{key: key}.write(&b)
	}
	return b.String()
}

func (s step) write(b *strings.Builder) {
	if s.key == "" {
		b.WriteString("[" + strconv.Itoa(s.index) + "]")
		return
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	b.WriteString(s.key)
}
