package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// Each recipient form has its own success shape.
func TestSuccessShapes(t *testing.T) {
	t.Parallel()
	const text = `"message":{"text":"x"}`
	const file = `"message":{"attachment":{"type":"file","payload":{"url":"https://example.com/x","is_reusable":true}}}`
	for name, row := range map[string]struct {
		to, content                    string
		recipient, message, attachment bool
	}{
		"id":             {`"id":"7"`, text, true, true, false},
		"user_ref":       {`"user_ref":"r"`, text, false, true, false},
		"phone_number":   {`"phone_number":"+12125552368"`, text, false, true, false},
		"comment":        {`"comment_id":"1_2"`, text, true, true, false},
		"post":           {`"post_id":"1_2"`, text, true, true, false},
		"one-time token": {`"one_time_notif_token":"t"`, text, true, true, false},
		"reusable file":  {`"id":"7"`, file, true, true, true},
		"sender action":  {`"id":"7"`, `"sender_action":"typing_on"`, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, sandbox.Config{})
			w := post(srv, "/1001/messages", "t", fmt.Sprintf(`{"recipient":{%s},%s}`, row.to, row.content))
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			var got map[string]string
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
			assert.Equal(t, row.recipient, got["recipient_id"] != "", w.Body)
			assert.Equal(t, row.message, got["message_id"] != "", w.Body)
			assert.Equal(t, row.attachment, got["attachment_id"] != "", w.Body)
			assert.Len(t, srv.Accepted(), 1)
		})
	}
}

func TestAppSecretProof(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{AppSecret: "secret"})
	// echo -n token | openssl dgst -sha256 -hmac secret
	const right = "e941110e3d2bfe82621f0e3e1434730d7305d106c5f68c87165d0b27a4611a4a"
	for proof, want := range map[string]int{right: 200, "": 400, strings.ToUpper(right): 400, "00": 400} {
		r := httptest.NewRequest(http.MethodPost, "/1001/messages?appsecret_proof="+proof, strings.NewReader(hello))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer token")
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		assert.Equal(t, want, w.Code, "%q: %s", proof, w.Body)
	}
}
