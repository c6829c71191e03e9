package broadcast

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// renderAll renders for a row whose fields have these values.
func renderAll(t *template, to string, values map[string]string) (bodies []json.RawMessage, missing string, defaulted []string) {
	r := row{recipient: to, values: make([]string, len(t.fields))}
	for i, f := range t.fields {
		r.values[i] = values[f]
	}
	bodies, missing = t.requests(r, func(f int) { defaulted = append(defaulted, t.fields[f]) })
	return bodies, missing, defaulted
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	type fields = map[string]string
	for name, row := range map[string]struct {
		template  string
		defaults  fields
		values    fields
		want      string // of the first request
		missing   string
		defaulted []string
	}{
		"without placeholders": {template: `{"message":{"text":"Hi"}}`, want: `{"recipient":{"id":"7"},"message":{"text":"Hi"}}`},
		"empty":                {template: `{}`, want: `{"recipient":{"id":"7"}}`},
		"a value": {template: `{"t":"Hi {{.name}}!"}`, values: fields{"name": "Ann"},
			want: `{"recipient":{"id":"7"},"t":"Hi Ann!"}`},
		"everywhere": {template: `{"a":["{{.x}}",{"b":"{{.x}}{{.y}}"},1.50,true,null,{},[]],"c":"{{ .y -}}  z"}`,
			values: fields{"x": "1", "y": "2"},
			want:   `{"recipient":{"id":"7"},"a":["1",{"b":"12"},1.50,true,null,{},[]],"c":"2z"}`},
		"signs that JSON and templates use": {template: `{"t":"{{.name}}"}`,
			values: fields{"name": "\"}, {{.secret}} \\ \n\u2028</script>\x00"},
			want:   `{"recipient":{"id":"7"},"t":"\"}, {{.secret}} \\ \n\u2028</script>\u0000"}`},
		"signs in the template": {template: `{"a\"b":"\u00e9\n\"{{.name}}\""}`, values: fields{"name": "x"},
			want: `{"recipient":{"id":"7"},"a\"b":"é\n\"x\""}`},
		"a default": {template: `{"t":"{{.name}}"}`, defaults: fields{"name": "friend"},
			want: `{"recipient":{"id":"7"},"t":"friend"}`, defaulted: []string{"name"}},
		"a value goes before the default": {template: `{"t":"{{.name}}"}`, defaults: fields{"name": "friend"}, values: fields{"name": "Ann"},
			want: `{"recipient":{"id":"7"},"t":"Ann"}`},
		"or with a literal": {template: `{"t":"{{or .name \"friend\"}}"}`,
			want: `{"recipient":{"id":"7"},"t":"friend"}`, defaulted: []string{"name"}},
		"or with fields": {template: `{"t":"{{or .nick .name \"friend\"}}"}`, values: fields{"name": "Ann"},
			want: `{"recipient":{"id":"7"},"t":"Ann"}`},
		"no value at all": {template: `{"t":"{{.name}}"}`, missing: "name"},
		"or without any":  {template: `{"t":"{{or .nick .name}}"}`, missing: "nick"},
		"a list of one":   {template: `[{"t":"x"}]`, want: `{"recipient":{"id":"7"},"t":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmpl, err := compileTemplate([]byte(row.template), row.defaults)
			require.NoError(t, err)
			bodies, missing, defaulted := renderAll(tmpl, "7", row.values)
			assert.Equal(t, row.missing, missing)
			assert.Equal(t, row.defaulted, defaulted)
			if missing == "" {
				assert.JSONEq(t, row.want, string(bodies[0]))
				assert.True(t, strings.HasPrefix(string(bodies[0]), `{"recipient":{"id":"7"}`), "%s", bodies[0])
			}
		})
	}
}

func TestTemplateOfASequence(t *testing.T) {
	t.Parallel()
	tmpl, err := compileTemplate([]byte(` [{"sender_action":"typing_on"},{"message":{"text":"{{.a}}"}}]`), nil)
	require.NoError(t, err)
	bodies, missing, _ := renderAll(tmpl, "7", map[string]string{"a": "x"})
	assert.Empty(t, missing)
	require.Len(t, bodies, 2)
	assert.JSONEq(t, `{"recipient":{"id":"7"},"sender_action":"typing_on"}`, string(bodies[0]))
	assert.JSONEq(t, `{"recipient":{"id":"7"},"message":{"text":"x"}}`, string(bodies[1]))
}

func TestBadTemplatesAreRefused(t *testing.T) {
	t.Parallel()
	const unreadable = `template.t: a placeholder cannot be read; they look like {{.first_name}} or {{or .first_name "friend"}}`
	for text, want := range map[string]string{
		``:                                    "template: missing; it is the body of a Send API call, without its recipient",
		`{"t":`:                               "template: invalid JSON: unexpected end of JSON input",
		`7`:                                   "template: must be an object, the body of a Send API call",
		`[]`:                                  "template: 0 requests; there may be 1 to 50",
		`[{},7]`:                              "template[1]: must be an object, the body of a Send API call",
		`{"recipient":{"id":"1"}}`:            "template.recipient: leave it out; each row's is put in",
		`{"{{.x}}":"1"}`:                      "template: a name has a placeholder; they may stand in values alone",
		`{"a":[{"t":"{{.x"}]}`:                strings.Replace(unreadable, "template.t", "template.a[0].t", 1),
		`{"t":"{{.x.y}}"}`:                    unreadable,
		`{"t":"{{x}}"}`:                       unreadable,
		`{"t":"{{.}}"}`:                       unreadable,
		`{"t":"{{\"x\"}}"}`:                   unreadable,
		`{"t":"{{or \"x\" .y}}"}`:             unreadable,
		`{"t":"{{or}}"}`:                      unreadable,
		`{"t":"{{or (or .x) \"y\"}}"}`:        unreadable,
		`{"t":"{{.x | or .y}}"}`:              unreadable,
		`{"t":"{{$x := .y}}"}`:                unreadable,
		`{"t":"{{printf .x}}"}`:               unreadable,
		`{"t":"{{if .x}}a{{end}}"}`:           unreadable,
		`{"t":"{{range .x}}a{{end}}"}`:        unreadable,
		`{"t":"{{define \"y\"}}a{{end}}"}`:    unreadable,
		`{"t":"{{template \"t\"}}"}`:          unreadable,
		`{"t":"{{.x}}","u":"{{.y}}"}`:         "default z: the template has no {{.z}}",
		"{\"t\":\"\xff\"}":                    "template: not UTF-8",
		`{"t":"` + strings.Repeat("x", 65536): "template: 65542 bytes; the limit is 65536",
	} {
		defaults := map[string]string{}
		if strings.HasPrefix(want, "default z") {
			defaults["z"] = "1"
		}
		_, err := compileTemplate([]byte(text), defaults)
		assert.EqualError(t, err, want, "%.60s", text)
	}
}

// Whatever a template and a value are: what comes out is JSON of the template's form, and the value changes its own string alone.
func FuzzTemplate(f *testing.F) {
	f.Add(`{"message":{"text":"Hi {{.a}}, {{or .b \"x\"}}"}}`, `"},{"`)
	f.Add(`[{"t":"{{.a}}"},{"t":["{{.a}}",1e5]}]`, `{{.a}}`)
	f.Add(`{"t":"{{define \"t\"}}{{.a}}{{end}}"}`, "\x00\xff")
	f.Add(`{"t":"a {{- /* c */ -}} {{.a}}"}`, "")
	f.Fuzz(func(t *testing.T, text, value string) {
		tmpl, err := compileTemplate([]byte(text), nil)
		if err != nil {
			return
		}
		plain, missing, _ := renderAll(tmpl, "7", valuesOf(tmpl, "x"))
		require.Empty(t, missing)
		bodies, missing, _ := renderAll(tmpl, "7", valuesOf(tmpl, value))
		if missing != "" {
			require.Empty(t, value)
			return
		}
		for i := range bodies {
			require.True(t, utf8.Valid(bodies[i]))
			assert.Equal(t, shape(t, plain[i]), shape(t, bodies[i]), "template %s, value %q", text, value)
		}
	})
}

func valuesOf(t *template, v string) map[string]string {
	values := map[string]string{}
	for _, f := range t.fields {
		values[f] = v
	}
	return values
}

// shape is JSON with all of its strings' contents left out.
func shape(t *testing.T, body []byte) any {
	var v any
	require.NoError(t, json.Unmarshal(body, &v), "%s", body)
	return strip(v)
}

func strip(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = strip(x[k])
		}
	case []any:
		for i := range x {
			x[i] = strip(x[i])
		}
	case string:
		return ""
	}
	return v
}
