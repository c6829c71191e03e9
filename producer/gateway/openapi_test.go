package gateway

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// description is what is read of openapi.json.
type description struct {
	Version string                                `json:"openapi"`
	Paths   map[string]map[string]json.RawMessage `json:"paths"`
}

// The description has each route and no other, and each option where it counts.
func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	t.Parallel()
	var doc description
	require.NoError(t, json.Unmarshal(openAPI, &doc))
	assert.Equal(t, "3.1.0", doc.Version)
	var described, actual []string
	for path, item := range doc.Paths {
		for method := range item {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, r := range routes {
		actual = append(actual, r.method+" "+r.pattern)
	}
	assert.ElementsMatch(t, actual, described)
}

func TestOpenAPIDescribesTheOptions(t *testing.T) {
	t.Parallel()
	var doc map[string]any
	require.NoError(t, json.Unmarshal(openAPI, &doc))
	var want []string
	for _, o := range options {
		want = append(want, o.header)
	}
	for _, path := range []string{"/{version}/{page}/messages", "/{version}", "/{version}/me"} {
		var got []string
		refs, ok := at(doc, "paths", path, "post", "parameters").([]any)
		require.True(t, ok, path)
		for _, ref := range refs {
			parameter := resolve(doc, at(ref, "$ref"))
			require.Equal(t, "header", at(parameter, "in"))
			name, _ := at(parameter, "name").(string)
			got = append(got, name)
		}
		assert.Equal(t, want, got, path)
	}
}

func TestOpenAPIReferencesLead(t *testing.T) {
	t.Parallel()
	var doc map[string]any
	require.NoError(t, json.Unmarshal(openAPI, &doc))
	refs := references(doc)
	require.NotEmpty(t, refs)
	for _, ref := range refs {
		assert.NotNil(t, resolve(doc, ref), ref)
	}
	used := func(ref string) bool { return slices.Contains(refs, ref) }
	for _, kind := range []string{"parameters", "responses", "schemas"} {
		components, ok := at(doc, "components", kind).(map[string]any)
		require.True(t, ok, kind)
		for name := range components {
			assert.True(t, used("#/components/"+kind+"/"+name), "%s is used nowhere", name)
		}
	}
}

// at follows keys into nested objects.
func at(value any, keys ...string) any {
	for _, key := range keys {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	return value
}

func resolve(doc map[string]any, ref any) any {
	path, _ := ref.(string)
	return at(doc, strings.Split(strings.TrimPrefix(path, "#/"), "/")...)
}

func references(value any) (refs []string) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if ref, ok := inner.(string); ok && key == "$ref" {
				refs = append(refs, ref)
			}
			refs = append(refs, references(inner)...)
		}
	case []any:
		for _, inner := range v {
			refs = append(refs, references(inner)...)
		}
	}
	return refs
}
