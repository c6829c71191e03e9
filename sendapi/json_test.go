package sendapi_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

// A member of tomorrow in each object of each golden file is kept, and so is each field beside it.
func TestUnknownMembersAtEveryLevel(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(goldenFile("*"))
	require.NoError(t, err)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			value := plainJSON(t, data)
			objects := spread(value)
			require.Positive(t, objects)
			in, err := json.Marshal(value)
			require.NoError(t, err)
			req, err := sendapi.ParseRequest(in)
			require.NoError(t, err)
			out, err := json.Marshal(req)
			require.NoError(t, err)
			assert.Equal(t, value, plainJSON(t, out))
			known, err := sendapi.ParseRequest(data)
			require.NoError(t, err)
			if known.Message != nil { // a message with something unknown in it is not empty
				assert.Equal(t, known.Check(), req.Check(), "unknown members are no problem")
			}
		})
	}
}

// spread adds an unknown member to each object of a value, and returns how many there were.
func spread(value any) (objects int) {
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			objects += spread(member)
		}
		v["of_tomorrow"] = map[string]any{"a": []any{json.Number("1.50"), nil, "x"}}
		return objects + 1
	case []any:
		for _, entry := range v {
			objects += spread(entry)
		}
	}
	return objects
}

// Each value of each golden file in turn becomes something else, as no fuzzer does so thoroughly: it is refused, or it is
// kept.
func TestAnyValueInAnyPlace(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(goldenFile("*"))
	require.NoError(t, err)
	others := []any{
		nil, true, false, "", "x", json.Number("0"), json.Number("-0"), json.Number("7"), json.Number("1.50"),
		json.Number("1e400"), []any{}, []any{nil}, []any{"x", "x"}, map[string]any{}, []any{map[string]any{}},
		map[string]any{"template_type": "list"},
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			root, taken := plainJSON(t, data), 0
			replaceEach(root, others, func() {
				in, err := json.Marshal(root)
				require.NoError(t, err)
				if survives(t, in) {
					taken++
				}
			})
			assert.Positive(t, taken)
		})
	}
}

// replaceEach puts each of others in the place of each value inside of v, and calls try each time.
func replaceEach(v any, others []any, try func()) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			replaceEach(inner, others, try)
			for _, other := range others {
				v[key] = other
				try()
			}
			v[key] = inner
		}
	case []any:
		for i, inner := range v {
			replaceEach(inner, others, try)
			for _, other := range others {
				v[i] = other
				try()
			}
			v[i] = inner
		}
	}
}

// Each type of a request can be a part of other JSON by itself, without loss.
func TestEachTypeIsJSON(t *testing.T) {
	t.Parallel()
	types := map[reflect.Type]bool{}
	collect(reflect.TypeFor[sendapi.Request](), types)
	collect(reflect.TypeFor[sendapi.Media](), types)
	for _, template := range sendapi.Templates() {
		collect(reflect.TypeOf(template).Elem(), types)
	}
	require.Greater(t, len(types), 50)
	for typ := range types {
		value := reflect.New(typ)
		require.NoError(t, json.Unmarshal([]byte(`{"of_tomorrow":[1.50]}`), value.Interface()), typ)
		out, err := json.Marshal(value.Elem().Interface())
		require.NoError(t, err, typ)
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(out, &members), typ)
		assert.Equal(t, "[1.50]", string(members["of_tomorrow"]), typ)
		delete(members, "of_tomorrow")
		delete(members, "template_type")
		assert.Empty(t, members, "an empty %s", typ)

		require.NoError(t, json.Unmarshal([]byte("null"), value.Interface()), typ)
		assert.True(t, value.Elem().IsZero(), "%s from null", typ)
	}
}

// collect finds the structs of the package that a type is made of.
func collect(typ reflect.Type, types map[reflect.Type]bool) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		collect(typ.Elem(), types)
	case reflect.Struct:
		if types[typ] {
			return
		}
		types[typ] = true
		for i := range typ.NumField() {
			if field := typ.Field(i); field.IsExported() {
				collect(field.Type, types)
			}
		}
	}
}

// A share may hold a message with a share in it, and so on: from the second on it is kept as it is.
func TestShareInsideAShare(t *testing.T) {
	t.Parallel()
	const depth = 500
	const open = `{"type":"element_share","share_contents":{"attachment":{"type":"template","payload":` +
		`{"template_type":"button","text":"x","buttons":[`
	in := buttons(strings.Repeat(open, depth) + strings.Repeat(`]}}}}`, depth))
	require.True(t, survives(t, []byte(in)))
	req, err := sendapi.ParseRequest([]byte(in))
	require.NoError(t, err)
	assert.Less(t, len(req.Check()), 10)
}

// A number that is none is refused by Check, and is JSON all the same.
func TestDecimalIsAlwaysJSON(t *testing.T) {
	t.Parallel()
	for value, want := range map[sendapi.Decimal]string{
		"": `{}`, "0": `{"total_cost":0}`, "-12.50": `{"total_cost":-12.50}`, "1e3": `{"total_cost":1e3}`,
		"1,5": `{"total_cost":"1,5"}`, "1.": `{"total_cost":"1."}`, "01": `{"total_cost":"01"}`, "+1": `{"total_cost":"+1"}`,
		"x": `{"total_cost":"x"}`, "1}": `{"total_cost":"1}"}`,
	} {
		out, err := json.Marshal(sendapi.ReceiptSummary{TotalCost: value})
		require.NoError(t, err, value)
		assert.Equal(t, want, string(out), value)
	}
}

func TestATemplateOfAnotherTypeIsNotTaken(t *testing.T) {
	t.Parallel()
	var cards sendapi.GenericTemplate
	err := json.Unmarshal([]byte(`{"template_type":"button"}`), &cards)
	assert.EqualError(t, err, "template_type: must be generic")
}

func TestStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	const format = `{{if not .Standard}}{{.ImportPath}}{{end}}`
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", format, ".").Output()
	require.NoError(t, err)
	assert.Equal(t, "github.com/sendpace/sendpace/sendapi\n", string(out), "packages outside the standard library")
}

// What was read with an unknown member is given JSON that is none.
func TestBrokenJSONIsAnErrorBesideAnUnknownMember(t *testing.T) {
	t.Parallel()
	const read = `{"recipient":{"id":"1"},"message":{"attachment":{"type":"template","payload":{"template_type":"x"},"new":1}}}`
	for _, broken := range []string{"", `"a`, `{`, `{"a`, `{"a":`, `[1,`, `}`, `{}{}`} {
		req, err := sendapi.ParseRequest([]byte(read))
		require.NoError(t, err)
		req.Message.Attachment.Payload = sendapi.RawPayload(broken)
		_, err = json.Marshal(req)
		assert.Error(t, err, broken)
		assert.Error(t, req.Validate(), broken)
	}
}
