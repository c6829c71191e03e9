package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	koanfmaps "github.com/knadh/koanf/maps"
)

// known returns the part of the file's content that has a place in a Config, variables replaced. The rest becomes
// problems.
func (l *loader) known(file map[string]any) map[string]any {
	koanfmaps.IntfaceKeysToStrings(file)
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(file)) {
		switch {
		case name == "pages":
			out[name] = l.pageList(file[name])
		case slices.Contains(sections(), name):
			out[name] = l.section(name, names(fields), file[name])
		default:
			top := append(sections(), "pages")
			l.problem(printable(name), "%s", unknown(append(top, names(fields)...), name))
		}
	}
	return out
}

// section checks the keys below prefix against known, which lists full names.
func (l *loader) section(prefix string, known []string, raw any) map[string]any {
	values, ok := raw.(map[string]any)
	if !ok && raw != nil {
		l.problem(prefix, "must hold keys of its own, one a line and indented: %s",
			strings.Join(below(prefix, known), ", "))
		return nil
	}
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		full := prefix + "." + name
		if !slices.Contains(known, full) {
			l.problem(prefix+"."+printable(name), "%s", unknown(below(prefix, known), name))
			continue
		}
		if v, ok := l.value(full, values[name]); ok {
			out[name] = v
		}
	}
	return out
}

func below(prefix string, known []string) []string {
	var list []string
	for _, k := range known {
		if rest, ok := strings.CutPrefix(k, prefix+"."); ok {
			list = append(list, rest)
		}
	}
	return list
}

// value replaces variables in a value, or in each value of a list.
func (l *loader) value(key string, raw any) (any, bool) {
	switch v := raw.(type) {
	case nil:
		l.problem(key, "has no value; type one, or take the line away")
		return nil, false
	case string:
		s, err := expand(v, l.env)
		if err != nil {
			l.problem(key, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
			return nil, false
		}
		return s, true
	case []any:
		list, complete := make([]any, len(v)), true
		for i, entry := range v {
			value, ok := l.value(fmt.Sprintf("%s[%d]", key, i), entry)
			list[i], complete = value, complete && ok
		}
		return list, complete
	}
	return raw, true
}

// pageList keeps a place for every entry, so that pages[2] is the third one in the file whatever is wrong before it.
func (l *loader) pageList(raw any) []any {
	entries, ok := raw.([]any)
	if !ok && raw != nil {
		l.problem("pages", "must be a list; begin each page with - id:")
	}
	out := make([]any, len(entries))
	for i, entry := range entries {
		prefix := fmt.Sprintf("pages[%d]", i)
		known := names(pageFields)
		for j := range known {
			known[j] = prefix + "." + known[j]
		}
		if entry == nil {
			l.problem(prefix, "is empty; give it an id and an access_token, or take it away")
			continue
		}
		out[i] = l.section(prefix, known, entry)
	}
	return out
}
