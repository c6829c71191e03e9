package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

// golden returns every example of sendapi, by name.
func golden(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../../sendapi/testdata/golden/*.json")
	require.NoError(t, err)
	require.Greater(t, len(files), 60)
	examples := map[string][]byte{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		examples[strings.TrimSuffix(filepath.Base(file), ".json")] = data
	}
	return examples
}

// Each example that the platform takes is queued as it is, from JSON and from fields; what a worker sends is the job's request.
// The others are refused with the platform's code, and the place.
func TestEveryExampleGoesThroughUnchanged(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	queued, refused := 0, 0
	for name, body := range golden(t) {
		req, err := sendapi.ParseRequest(body)
		require.NoError(t, err, name)
		asJSON := s.do(t, "POST", "/v26.0/1001/messages", string(body), bearer, "Content-Type: application/json")
		asForm := s.do(t, "POST", "/v26.0/1001/messages", fields(t, body), bearer,
			"Content-Type: application/x-www-form-urlencoded")
		if problems := req.Check().Refusals(); len(problems) > 0 {
			refused++
			for _, a := range []answer{asJSON, asForm} {
				assert.Equal(t, []int{400, 100}, []int{a.status, a.Error.Code}, "%s: %s", name, a.body)
				assert.Equal(t, "(#100) "+problems.Error(), a.Error.Message, name)
			}
			continue
		}
		queued++
		for _, a := range []answer{asJSON, asForm} {
			require.Equal(t, 200, a.status, "%s: %s", name, a.body)
			assert.Equal(t, req.Recipient.ID, a.RecipientID, name)
			assert.Equal(t, req.Message != nil, a.MessageID != "", name)
		}
		want := new(bytes.Buffer)
		require.NoError(t, json.Compact(want, body))
		sent := s.job(t, asJSON.header.Get("X-Sendpace-Job")).Request
		assert.Equal(t, unescaped(want.Bytes()), unescaped(sent), "%s: members, their order and their values", name)
		assert.JSONEq(t, want.String(), string(s.job(t, asForm.header.Get("X-Sendpace-Job")).Request), name)
	}
	assert.Greater(t, queued, 35, "%d refused", refused)
	assert.Greater(t, refused, 10)
}

// unescaped takes away how encoding/json writes <, > and & within strings.
func unescaped(data []byte) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(data))
}

// fields writes a body as form fields: strings as they are, anything else as JSON.
func fields(t *testing.T, body []byte) string {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &members))
	form := url.Values{}
	for name, value := range members {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		form.Set(name, text)
	}
	return form.Encode()
}
