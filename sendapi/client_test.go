package sendapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

const (
	token  = "EAAGtokenThatNobodySees"
	secret = "appsecretThatNobodySees"
	// echo -n token | openssl dgst -sha256 -hmac secret
	proofOfToken = "89fa47dced77c013fc70e0c1b869bf5585a134ebef53116909b0cd1a7a50ce36"
)

var page = sendapi.Page{ID: "1001", Token: token}

// start runs a sandbox with one page on loopback, and a client for it.
func start(t *testing.T, cfg sandbox.Config) (*sandbox.Server, *sendapi.Client) {
	t.Helper()
	if cfg.Tokens == nil {
		cfg.Tokens = map[string]string{"1001": token}
	}
	srv, err := sandbox.New(cfg)
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return srv, clientFor(t, srv, sendapi.Config{})
}

func clientFor(t *testing.T, h http.Handler, cfg sendapi.Config) *sendapi.Client {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	cfg.BaseURL = web.URL
	c, err := sendapi.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// answering is a server that always gives the same answer.
func answering(status int, body string, pairs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Set(pairs[i], pairs[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func errorOf(t *testing.T, err error) *sendapi.Error {
	t.Helper()
	e, ok := errors.AsType[*sendapi.Error](err)
	require.True(t, ok, "%T: %v", err, err)
	return e
}

func TestNewClientReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := sendapi.NewClient(sendapi.Config{
		BaseURL: "graph.facebook.com", Version: "26", Timeout: -1, MediaTimeout: -1, MaxResponseBytes: -1,
	})
	assert.EqualError(t, err, "BaseURL: must be an http or https URL, such as https://graph.facebook.com; "+
		"Version: must look like v26.0; Timeout: must not be negative; MediaTimeout: must not be negative; "+
		"MaxResponseBytes: must not be negative")
	_, err = sendapi.NewClient(sendapi.Config{BaseURL: "https://u:p@example.com/?x#y"})
	assert.EqualError(t, err, "BaseURL: must have no user, query or fragment")
	_, err = sendapi.NewClient(sendapi.Config{})
	assert.NoError(t, err)
}

func TestSendEveryMessage(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	for name, row := range golden() {
		res, err := c.Send(t.Context(), page, row.req)
		if !assert.NoError(t, err, name) {
			continue
		}
		anonymous := row.req.Recipient.UserRef != "" || row.req.Recipient.PhoneNumber != ""
		assert.Equal(t, row.req.Message != nil, res.MessageID != "", "%s: message id %q", name, res.MessageID)
		assert.Equal(t, anonymous, res.RecipientID == "", "%s: recipient id %q", name, res.RecipientID)
		assert.Equal(t, name == "reusable_file", res.AttachmentID != "", "%s: attachment id", name)
		calls := srv.Accepted()
		assert.Equal(t, row.json, string(calls[len(calls)-1].Body), name)
	}
}

func TestWhatGoesOverTheWire(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	c := clientFor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		got = r
		answering(200, `{"message_id":"m_1"}`, "X-FB-Trace-ID", "T1", "X-App-Usage", `{"call_count":5}`)(w, r)
	}), sendapi.Config{Version: "v21.0"})

	raw := json.RawMessage(`{ "future": [1.0], "recipient":{"id":1}, "message":{"text":"<a>"} }`)
	res, err := c.SendRaw(t.Context(), sendapi.Page{ID: "1001", Token: token, AppSecret: secret}, raw)
	require.NoError(t, err)
	assert.Equal(t, "m_1", res.MessageID)
	assert.Equal(t, "T1", res.TraceID)
	assert.Equal(t, 5.0, res.Usage.App.Calls)

	assert.Equal(t, string(raw), string(body), "byte for byte")
	assert.Equal(t, "/v21.0/1001/messages", got.URL.Path)
	assert.Equal(t, "Bearer "+token, got.Header.Get("Authorization"))
	assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
	assert.NotContains(t, got.RequestURI, token)
	assert.Equal(t, "appsecret_proof="+proofOfToken, got.URL.RawQuery)
}

func TestSecretsAndProof(t *testing.T) {
	t.Parallel()
	_, c := start(t, sandbox.Config{AppSecret: secret})
	_, err := c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	assert.ErrorIs(t, err, sendapi.KindAuth, "no message is at fault: %v", err)
	_, err = c.Send(t.Context(), sendapi.Page{ID: "1001", Token: token, AppSecret: secret}, sendapi.Text(ann, "x"))
	assert.NoError(t, err)
}

func TestNothingIsSentThatCannotWork(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	_, err := c.Send(t.Context(), page, sendapi.Text(ann, strings.Repeat("x", 2001)))
	assert.ErrorIs(t, err, sendapi.KindInvalid)
	assert.EqualError(t, err, "invalid: message.text: 2,001 characters; the limit is 2,000")
	problems, ok := errors.AsType[sendapi.Problems](err)
	require.True(t, ok)
	assert.Equal(t, "message.text", problems[0].Path)

	for body, want := range map[string]string{
		`{"recipient"`: "invalid: invalid JSON at byte 12: unexpected end of JSON input",
		`[]`:           "invalid: must be an object, not an array",
	} {
		_, err = c.SendRaw(t.Context(), page, json.RawMessage(body))
		assert.EqualError(t, err, want)
	}
	for want, bad := range map[string]sendapi.Page{
		"auth (page): page 1001 has no access token": {ID: "1001"},
		"auth (page): the access token of page 1001 has a character that no token has; look for a space or line end": {
			ID: "1001", Token: token + "\n",
		},
		"invalid: the page id must be decimal digits or me": {ID: "1001/../2", Token: token},
	} {
		_, err = c.Send(t.Context(), bad, sendapi.Text(ann, "x"))
		assert.EqualError(t, err, want)
	}
	assert.Empty(t, srv.Calls())
}

func TestMeIsThePageOfTheToken(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	_, err := c.Send(t.Context(), sendapi.Page{ID: "me", Token: token}, sendapi.Text(ann, "x"))
	require.NoError(t, err)
	assert.Equal(t, "1001", srv.Calls()[0].PageID)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault sandbox.Fault
		want  sendapi.Error
		text  string
	}{
		"page limit": {
			sandbox.Fault{Code: 613, RetryAfter: 90 * time.Second},
			sendapi.Error{
				Kind: sendapi.KindRateLimit, Scope: sendapi.ScopePage, Status: 400, Code: 613,
				RetryAfter: 2 * time.Minute,
			},
			"rate limit (page): code 613: (#613) refused by the sandbox",
		},
		"messenger limit": {
			sandbox.Fault{Code: 80006},
			sendapi.Error{Kind: sendapi.KindRateLimit, Scope: sendapi.ScopePage, Status: 400, Code: 80006},
			"rate limit (page): code 80006: (#80006) refused by the sandbox",
		},
		"app limit": {
			sandbox.Fault{Code: 4, Message: "slow down"},
			sendapi.Error{Kind: sendapi.KindRateLimit, Scope: sendapi.ScopeApp, Status: 400, Code: 4},
			"rate limit (app): code 4: (#4) slow down",
		},
		"window": {
			sandbox.Fault{Code: 10, Subcode: 2018278},
			sendapi.Error{Kind: sendapi.KindWindow, Status: 403, Code: 10, Subcode: 2018278},
			"window: code 10/2018278: (#10) refused by the sandbox",
		},
		"token": {
			sandbox.Fault{Code: 190, Subcode: 463},
			sendapi.Error{Kind: sendapi.KindAuth, Scope: sendapi.ScopePage, Status: 400, Code: 190, Subcode: 463},
			"auth (page): code 190/463: (#190) refused by the sandbox",
		},
		"temporary": {
			sandbox.Fault{Code: 2},
			sendapi.Error{Kind: sendapi.KindTransient, Status: 500, Code: 2},
			"transient: code 2: (#2) refused by the sandbox",
		},
		"edge failure": {
			sandbox.Fault{Status: 502},
			sendapi.Error{Kind: sendapi.KindUnknownOutcome, Status: 502},
			"unknown outcome: HTTP 502: the answer is not one of the platform",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, c := start(t, sandbox.Config{})
			row.fault.Times = 1
			srv.Fail("1001", row.fault)
			_, err := c.Send(t.Context(), page, sendapi.Text(ann, "x"))
			e := *errorOf(t, err)
			assert.EqualError(t, err, row.text)
			assert.ErrorIs(t, err, e.Kind)
			assert.Equal(t, row.fault.Code != 0, e.TraceID != "", "trace id")
			e.Message, e.Type, e.TraceID, e.Usage = "", "", "", sendapi.Usage{}
			assert.Equal(t, row.want, e)

			_, err = c.Send(t.Context(), page, sendapi.Text(ann, "x"))
			assert.NoError(t, err, "the fault was for one call")
		})
	}
}

func TestUsageOnARefusal(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	srv.Fail(sandbox.AllPages, sandbox.Fault{Code: 80006, RetryAfter: time.Minute})
	_, err := c.Send(t.Context(), page, sendapi.Text(ann, "x"))
	usage := errorOf(t, err).Usage
	assert.Equal(t, 100.0, usage.Messaging("1001").Max())
	assert.Equal(t, time.Minute, usage.Wait("1001"))
	assert.False(t, usage.App.Known)
}

func TestRemovedThingsGoToAnOlderServer(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answering(200, `[{"code":200,"body":"{\"message_id\":\"m_1\"}"}]`)(w, r)
	})
	req := sendapi.Text(ann, "x").Tagged("ACCOUNT_UPDATE")
	strict, older := clientFor(t, server, sendapi.Config{}), clientFor(t, server, sendapi.Config{AllowRemoved: true})
	_, err := strict.Send(t.Context(), page, req)
	assert.ErrorIs(t, err, sendapi.KindInvalid)
	assert.ErrorContains(t, err, "tag: ")
	assert.Zero(t, calls.Load())
	results, err := older.Batch(t.Context(), page, []sendapi.BatchSend{{Request: req}})
	require.NoError(t, err)
	assert.NoError(t, results[0].Err)
	assert.EqualValues(t, 1, calls.Load())
}
