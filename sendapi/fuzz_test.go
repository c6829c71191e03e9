package sendapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

// What ParseRequest takes, it gives back with the same content; Check and the rest never panic on it.
func FuzzParseRequest(f *testing.F) {
	files, err := filepath.Glob(goldenFile("*"))
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		var compact bytes.Buffer
		require.NoError(f, json.Compact(&compact, data))
		f.Add(compact.Bytes())
	}
	f.Add([]byte(`{"recipient":{"id":"1","x":null},"message":{"text":"","sticker_id":0},"reply_to":"m"}`))
	f.Add([]byte(template(`"generic","elements":[{}]`)))
	f.Add([]byte(template(`"receipt","elements":[{"price":"1","quantity":1e1}],"summary":{"total_cost":-0.50}`)))
	f.Fuzz(func(t *testing.T, data []byte) { survives(t, data) })
}

// survives tries all that a request from outside goes through. It reports whether ParseRequest took it.
func survives(t *testing.T, data []byte) bool {
	t.Helper()
	req, err := sendapi.ParseRequest(data)
	if err != nil {
		problems, ok := errors.AsType[sendapi.Problems](err)
		require.True(t, ok)
		require.NotEmpty(t, problems)
		return false
	}
	strict, lenient := req.Check(), req.Check(sendapi.AllowRemoved(), sendapi.WithFile())
	for _, p := range append(strict, lenient...) {
		require.NotEmpty(t, p.Message)
	}
	_, _, _, _ = req.Media(), req.FetchesMedia(), req.Answer(), req.Recipient.Address()
	out, err := req.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, plainJSON(t, data), plainJSON(t, out))
	again, err := sendapi.ParseRequest(out)
	require.NoError(t, err)
	require.Equal(t, strict, again.Check(), string(data))
	return true
}

// plainJSON reads JSON with each number as it is written.
func plainJSON(t *testing.T, data []byte) (value any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	require.NoError(t, d.Decode(&value), string(data))
	return value
}

// Whatever a form field holds, the body that is made of it is JSON, and a value that is JSON already is left as it is.
func FuzzJoinFields(f *testing.F) {
	for _, value := range []string{`{'id':'7'}`, `{id:7}`, `{"text":"it's"}`, `{'a\'b':["x",'\\']}`, `[`, `{'`, `{'\`, "7"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		body := sendapi.JoinFields(map[string][]string{"message": {value}})
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(body, &members), "%q gave %s", value, body)
		if want := strings.TrimSpace(value); strings.HasPrefix(want, "{") && json.Valid([]byte(want)) {
			require.JSONEq(t, want, string(members["message"]), "%q", value)
		}
	})
}
