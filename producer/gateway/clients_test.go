//go:build clients

package gateway_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// said is what a client library made of the gateway's answers; see clienttest/send.mjs.
type said struct {
	Text     string         `json:"text"`
	Buttons  string         `json:"buttons"`
	Action   map[string]any `json:"action"`
	File     string         `json:"file"`
	Upload   string         `json:"upload"`
	Batch    []any          `json:"batch"`
	BadText  map[string]any `json:"badText"`
	BadToken map[string]any `json:"badToken"`
}

// through runs clienttest/send.mjs. It needs node, and what npm installs there: see `make clients`.
func (s *setup) through(t *testing.T, library string) said {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "send.mjs", library, s.server.URL, first)
	cmd.Dir = "clienttest"
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	require.NoError(t, err, "%.3000s", errors.String())
	var made said
	require.NoError(t, json.Unmarshal(out, &made), "%s", out)
	return made
}

func TestClientMessagingAPIMessenger(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	made := s.through(t, "messaging-api-messenger")
	for id, want := range map[string]string{
		made.Text: `{"messaging_type":"UPDATE","recipient":{"id":"7"},"message":{"text":"Hello"}}`,
		made.Buttons: `{"messaging_type":"UPDATE","recipient":{"id":"7"},"message":{"attachment":{"type":"template","payload":{
			"template_type":"button","text":"Choose","buttons":[{"type":"postback","title":"This & that","payload":"A<B"}]}}}}`,
	} {
		assert.JSONEq(t, want, string(s.job(t, id).Request))
	}
	assert.Equal(t, map[string]any{"recipientId": "7"}, made.Action)
	assert.Contains(t, string(s.job(t, made.File).Request), `"attachment_id":"`)
	assert.NotEmpty(t, made.Upload)
	require.Len(t, made.Batch, 3)
	for i, text := range []string{"one", "two"} {
		assert.Contains(t, string(s.job(t, made.Batch[i].(string)).Request), `"text":"`+text+`"`)
	}
	assert.EqualValues(t, 400, made.Batch[2])
	assert.EqualValues(t, 100, made.BadText["code"])
	assert.EqualValues(t, 190, made.BadToken["code"])
}

func TestClientMessengerSDK(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	made := s.through(t, "@warriorteam/messenger-sdk")
	assert.JSONEq(t, `{"messaging_type":"UPDATE","recipient":{"id":"7"},"message":{"text":"Hello"}}`, string(s.job(t, made.Text).Request))
	assert.Equal(t, "7", made.Action["recipient_id"])
	assert.NotEmpty(t, made.Upload)
	assert.EqualValues(t, 100, made.BadText["code"])
	assert.EqualValues(t, 190, made.BadToken["code"])
}
