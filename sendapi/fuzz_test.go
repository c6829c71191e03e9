package sendapi_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

// What ParseRequest takes, it gives back with the same meaning; Validate and the rest never panic on it.
func FuzzParseRequest(f *testing.F) {
	for _, row := range golden() {
		f.Add([]byte(row.json))
	}
	f.Add([]byte(`{"recipient":{"id":"1","x":null},"message":{"text":"","sticker_id":1},"reply_to":"m"}`))
	f.Add([]byte(`{"message":{"attachment":{"type":"template",` +
		`"payload":{"template_type":"generic","elements":[{}]}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := sendapi.ParseRequest(data)
		if err != nil {
			problems, ok := errors.AsType[sendapi.Problems](err)
			require.True(t, ok)
			require.NotEmpty(t, problems)
			return
		}
		if err := req.Validate(); err != nil {
			require.NotEmpty(t, err.Error())
		}
		_, _, _, _ = req.Media(), req.FetchesMedia(), req.Answer(), req.Recipient.Address()
		out, err := req.MarshalJSON()
		require.NoError(t, err)
		var before, after any
		require.NoError(t, json.Unmarshal(data, &before))
		require.NoError(t, json.Unmarshal(out, &after), string(out))
		require.Equal(t, before, after)
	})
}
