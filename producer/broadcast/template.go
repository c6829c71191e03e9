package broadcast

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template/parse"
	"unicode/utf8"
)

const (
	// maxTemplate bounds a template, in bytes, and maxSteps its requests.
	maxTemplate = 64 << 10
	maxSteps    = 50
)

// template is a message with places for the fields of a row, taken apart once so that a row costs no parsing.
type template struct {
	bodies [][]segment // of each request
	fields []string    // the fields of a row that are used, in the order in which values are handed to render
	given  []string    // their defaults; empty for those that have none
}

// segment is a piece of a request's JSON, and what is put behind it.
type segment struct {
	json string
	hole *hole
}

// hole takes a value inside a JSON string: that of the first field that has one, or else the literal.
type hole struct {
	fields  []int // in template.fields
	literal string
	// recipient is set where the row's recipient goes, and nothing else.
	recipient bool
}

// compileTemplate reads a template: a request of the Send API, or a list of 1 to 50 of them, without recipient.
func compileTemplate(text []byte, defaults map[string]string) (*template, error) {
	switch {
	case len(text) == 0:
		return nil, errors.New("template: missing; it is the body of a Send API call, without its recipient")
	case len(text) > maxTemplate:
		return nil, fmt.Errorf("template: %d bytes; the limit is %d", len(text), maxTemplate)
	case !utf8.Valid(text):
		return nil, errors.New("template: not UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, fmt.Errorf("template: invalid JSON: %w", err)
	}
	requests := []json.RawMessage{whole}
	if bytes.TrimSpace(text)[0] == '[' {
		_ = json.Unmarshal(whole, &requests) // it is a list
	}
	if len(requests) == 0 || len(requests) > maxSteps {
		return nil, fmt.Errorf("template: %d requests; there may be 1 to %d", len(requests), maxSteps)
	}
	t := &template{}
	for i, request := range requests {
		c := compiler{t: t, defaults: defaults, dec: json.NewDecoder(bytes.NewReader(request))}
		c.dec.UseNumber()
		path := "template"
		if len(requests) > 1 {
			path = fmt.Sprintf("template[%d]", i)
		}
		if err := c.request(path); err != nil {
			return nil, err
		}
		t.bodies = append(t.bodies, c.segments)
	}
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if !slices.Contains(t.fields, name) {
			return nil, fmt.Errorf("default %s: the template has no {{.%s}}", name, name)
		}
	}
	return t, nil
}

// compiler takes one request apart.
type compiler struct {
	t        *template
	defaults map[string]string
	dec      *json.Decoder
	out      strings.Builder // JSON since the last hole
	segments []segment
}

// cut ends the JSON so far with a hole, or with none at the end.
func (c *compiler) cut(h *hole) {
	c.segments = append(c.segments, segment{json: c.out.String(), hole: h})
	c.out.Reset()
}

func (c *compiler) request(path string) error {
	if first, err := c.dec.Token(); err != nil || first != json.Delim('{') {
		return fmt.Errorf("%s: must be an object, the body of a Send API call", path)
	}
	c.out.WriteString(`{"recipient":{"id":"`)
	c.cut(&hole{recipient: true})
	c.out.WriteString(`"}`)
	if err := c.members(path, true); err != nil {
		return err
	}
	c.cut(nil)
	return nil
}

// members writes what stands in an object, behind its brace, with the closing one.
func (c *compiler) members(path string, top bool) error {
	for comma := top; c.dec.More(); comma = true {
		key, err := c.dec.Token()
		name, _ := key.(string)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		case top && name == "recipient":
			return fmt.Errorf("%s.recipient: leave it out; each row's is put in", path)
		case strings.Contains(name, "{{"):
			return fmt.Errorf("%s: a name has a placeholder; they may stand in values alone", path)
		case comma:
			c.out.WriteByte(',')
		}
		c.out.Write(appendString(nil, name))
		c.out.WriteByte(':')
		if err := c.value(path + "." + name); err != nil {
			return err
		}
	}
	_, err := c.dec.Token()
	c.out.WriteByte('}')
	return err
}

func (c *compiler) list(path string) error {
	for i := 0; c.dec.More(); i++ {
		if i > 0 {
			c.out.WriteByte(',')
		}
		if err := c.value(fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	_, err := c.dec.Token()
	c.out.WriteByte(']')
	return err
}

func (c *compiler) value(path string) error {
	token, err := c.dec.Token()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch v := token.(type) {
	case json.Delim:
		c.out.WriteString(v.String())
		if v == '{' {
			return c.members(path, false)
		}
		return c.list(path)
	case string:
		return c.text(path, v)
	default: // a number, true, false or null: these are written as they are read
		word, err := json.Marshal(v)
		c.out.Write(word)
		return err
	}
}

// text writes a string with its holes.
func (c *compiler) text(path, s string) error {
	c.out.WriteByte('"')
	defer c.out.WriteByte('"')
	if !strings.Contains(s, "{{") {
		c.out.Write(appendEscaped(nil, s))
		return nil
	}
	bad := fmt.Errorf("%s: a placeholder cannot be read; they look like {{.first_name}} or {{or .first_name \"friend\"}}", path)
	trees := map[string]*parse.Tree{}
	tree, err := parse.New("t").Parse(s, "", "", trees, map[string]any{"or": true})
	if err != nil || len(trees) > 1 {
		return bad
	}
	for _, node := range tree.Root.Nodes {
		switch n := node.(type) {
		case *parse.TextNode:
			c.out.Write(appendEscaped(nil, string(n.Text)))
		case *parse.ActionNode:
			h, ok := c.hole(n.Pipe)
			if !ok {
				return bad
			}
			c.cut(h)
		default:
			return bad
		}
	}
	return nil
}

// hole reads what stands in a pair of braces: one field, or "or" and what to choose from. Everything else of text/template is
// refused.
func (c *compiler) hole(p *parse.PipeNode) (*hole, bool) {
	if len(p.Decl) > 0 || len(p.Cmds) != 1 {
		return nil, false
	}
	args := p.Cmds[0].Args
	if or, ok := args[0].(*parse.IdentifierNode); ok && or.Ident == "or" {
		args = args[1:]
	} else if len(args) != 1 {
		return nil, false
	}
	h := &hole{}
	for i, arg := range args {
		switch a := arg.(type) {
		case *parse.FieldNode:
			if len(a.Ident) != 1 {
				return nil, false
			}
			h.fields = append(h.fields, c.field(a.Ident[0]))
		case *parse.StringNode:
			if i != len(args)-1 { // the rest could never be chosen
				return nil, false
			}
			h.literal = a.Text
		default:
			return nil, false
		}
	}
	return h, len(h.fields) > 0
}

// field returns the place of a field's value.
func (c *compiler) field(name string) int {
	if i := slices.Index(c.t.fields, name); i >= 0 {
		return i
	}
	c.t.fields, c.t.given = append(c.t.fields, name), append(c.t.given, c.defaults[name])
	return len(c.t.fields) - 1
}
