package sendapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// toMany is a text to n people.
func toMany(n int) []sendapi.BatchSend {
	sends := make([]sendapi.BatchSend, n)
	for i := range sends {
		sends[i].Request = sendapi.Text(sendapi.ID(fmt.Sprint(100+i)), "Hello & \"goodbye\" = ü").AsResponse()
	}
	return sends
}

func TestBatch(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	sends := toMany(sendapi.MaxBatch)
	results, err := c.Batch(t.Context(), page, sends)
	require.NoError(t, err)
	require.Len(t, results, len(sends))
	accepted := srv.Accepted()
	require.Len(t, accepted, len(sends), "each is a call of its own")
	for i, r := range results {
		require.NoError(t, r.Err, "%d", i)
		assert.Equal(t, fmt.Sprint(100+i), r.Response.RecipientID)
		assert.Equal(t, accepted[i].MessageID, r.Response.MessageID)
		want, err := json.Marshal(sends[i].Request)
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(accepted[i].Body))
	}
}

func TestWhatABatchGoesAs(t *testing.T) {
	t.Parallel()
	var request *http.Request
	var body struct {
		Batch   []map[string]string
		Headers bool `json:"include_headers"`
	}
	c := clientFor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request = r
		_ = json.NewDecoder(r.Body).Decode(&body)
		answering(200, `[{"code":200,"body":"{\"message_id\":\"m_1\"}"},null]`)(w, r)
	}), sendapi.Config{})
	sends := toMany(2)
	sends[1].Page = sendapi.Page{ID: "1002", Token: "other", AppSecret: "another"}
	_, err := c.Batch(t.Context(), fullPage, sends)
	require.NoError(t, err)

	assert.Equal(t, "/v26.0/", request.URL.Path)
	assert.Equal(t, "appsecret_proof="+proofOfToken, request.URL.RawQuery)
	assert.Equal(t, "Bearer "+token, request.Header.Get("Authorization"))
	assert.True(t, body.Headers, "the usage of each send is in its headers")
	require.Len(t, body.Batch, 2)
	for i, part := range body.Batch {
		assert.Equal(t, "POST", part["method"])
		form, err := url.ParseQuery(part["body"])
		require.NoError(t, err)
		assert.JSONEq(t, fmt.Sprintf(`{"id":"%d"}`, 100+i), form.Get("recipient"))
		assert.Equal(t, "RESPONSE", form.Get("messaging_type"), "a string stands as it is")
		assert.JSONEq(t, `{"text":"Hello & \"goodbye\" = ü"}`, form.Get("message"))
		assert.Equal(t, i == 1, form.Has("access_token"))
		assert.Equal(t, i == 1, form.Has("appsecret_proof"))
	}
	assert.Equal(t, "1001/messages", body.Batch[0]["relative_url"])
	assert.Equal(t, "1002/messages", body.Batch[1]["relative_url"])
}

func TestBatchOfTwoPages(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{
		Tokens: map[string]string{"1001": token, "1002": "EAAGother"}, AppSecret: secret,
	})
	sends := toMany(3)
	sends[1].Page = sendapi.Page{ID: "1002", Token: "EAAGother", AppSecret: secret}
	sends[2].Page = sendapi.Page{ID: "1002", Token: "wrong", AppSecret: secret}
	results, err := c.Batch(t.Context(), fullPage, sends)
	require.NoError(t, err)
	assert.NoError(t, results[0].Err)
	assert.NoError(t, results[1].Err)
	assert.ErrorIs(t, results[2].Err, sendapi.KindAuth)
	assert.Equal(t, "1001", srv.Accepted()[0].PageID)
	assert.Equal(t, "1002", srv.Accepted()[1].PageID)
}

// One bad send costs no other.
func TestBatchWithPartialResults(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	sends := toMany(8)
	sends[1].Request = nil
	sends[2].Request = sendapi.Text(sendapi.ID("7"), "")
	sends[3].Page = sendapi.Page{ID: "1002"}
	srv.Fail("1001", sandbox.Fault{Delay: 1, Times: 1})
	srv.Fail("1001", sandbox.Fault{Code: 613, RetryAfter: time.Minute, Times: 1})
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropBefore, Times: 1})
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropAfter, Times: 1})
	results, err := c.Batch(t.Context(), page, sends)
	require.NoError(t, err)
	want := []sendapi.Kind{
		"", sendapi.KindInvalid, sendapi.KindInvalid, sendapi.KindAuth, sendapi.KindRateLimit,
		sendapi.KindUnknownOutcome, sendapi.KindUnknownOutcome, "",
	}
	require.Len(t, results, len(want))
	for i, r := range results {
		if want[i] == "" {
			assert.NoError(t, r.Err, "%d", i)
			assert.Equal(t, fmt.Sprint(100+i), r.Response.RecipientID)
			continue
		}
		assert.ErrorIs(t, r.Err, want[i], "%d: %v", i, r.Err)
		assert.Nil(t, r.Response, "%d", i)
	}
	limit := errorOf(t, results[4].Err)
	assert.Equal(t, time.Minute, limit.RetryAfter, "from the headers within the batch")
	assert.Equal(t, 100.0, limit.Usage.Messaging("1001").Max())
	assert.Len(t, srv.Calls(), 5, "what is not valid stayed behind")
}

func TestBatchCountsAgainstTheLimits(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{Rate: 3})
	results, err := c.Batch(t.Context(), page, toMany(5))
	require.NoError(t, err)
	for i, r := range results {
		if i < 3 {
			assert.NoError(t, r.Err)
		} else {
			assert.ErrorIs(t, r.Err, sendapi.KindRateLimit)
		}
	}
	assert.Len(t, srv.Calls(), 5)
}

func TestBatchesThatAreRefusedHere(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	twice := append(toMany(2), sendapi.BatchSend{Request: sendapi.Action(sendapi.ID("100"), sendapi.TypingOn)})
	for name, row := range map[string]struct {
		page  sendapi.Page
		sends []sendapi.BatchSend
		want  string
	}{
		"too many":             {page, toMany(51), "invalid: 51 sends; the limit is 50"},
		"one recipient, twice": {page, twice, "invalid: [2].Request.recipient: the same as that of [0]"},
		"no token":             {sendapi.Page{ID: "1001"}, toMany(1), "auth (page): page 1001 has no access token"},
	} {
		results, err := c.Batch(t.Context(), row.page, row.sends)
		assert.EqualError(t, err, row.want, name)
		assert.Nil(t, results, name)
	}
	results, err := c.Batch(t.Context(), page, nil)
	assert.NoError(t, err)
	assert.Empty(t, results)
	results, err = c.Batch(t.Context(), page, []sendapi.BatchSend{{}})
	require.NoError(t, err)
	assert.ErrorIs(t, results[0].Err, sendapi.KindInvalid)
	assert.Empty(t, srv.Calls())

	other := sendapi.Page{ID: "1002", Token: "EAAGother"}
	_, err = c.Batch(t.Context(), page, append(toMany(1), sendapi.BatchSend{Page: other, Request: toMany(1)[0].Request}))
	assert.NoError(t, err, "the same number is another person for another page")
}

// When the call as a whole fails, every send fails the same way.
func TestBatchThatFailsAsAWhole(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.Handler { return answering(status, body) }
	dropped := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	for name, row := range map[string]struct {
		server http.Handler
		want   sendapi.Kind
	}{
		"token":             {answer(400, `{"error":{"code":190,"message":"x"}}`), sendapi.KindAuth},
		"token, status 200": {answer(200, `{"error":{"code":190,"message":"x"}}`), sendapi.KindAuth},
		"app limit":         {answer(400, `{"error":{"code":4}}`), sendapi.KindRateLimit},
		"proxy":             {answer(502, `<html>`), sendapi.KindUnknownOutcome},
		"not of a batch":    {answer(200, `{"message_id":"m_1"}`), sendapi.KindUnknownOutcome},
		"a string":          {answer(200, `"x"`), sendapi.KindUnknownOutcome},
		"null":              {answer(200, `null`), sendapi.KindUnknownOutcome},
		"cut off":           {answer(200, `[{"code":200,"body":"{\"message_id\":\"m_1\"}"},`), sendapi.KindUnknownOutcome},
		"too few":           {answer(200, `[{"code":200,"body":"{\"message_id\":\"m_1\"}"}]`), sendapi.KindUnknownOutcome},
		"too many":          {answer(200, `[null,null,null]`), sendapi.KindUnknownOutcome},
		"array of a proxy":  {answer(500, `[null,null]`), sendapi.KindUnknownOutcome},
		"dropped":           {dropped, sendapi.KindUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results, err := clientFor(t, row.server, sendapi.Config{}).Batch(t.Context(), page, toMany(2))
			require.NoError(t, err)
			require.Len(t, results, 2)
			for _, r := range results {
				assert.ErrorIs(t, r.Err, row.want, "%v", r.Err)
			}
			assert.NotSame(t, errorOf(t, results[0].Err), errorOf(t, results[1].Err))
		})
	}
	web := httptest.NewServer(dropped)
	web.Close()
	c, err := sendapi.NewClient(sendapi.Config{BaseURL: web.URL})
	require.NoError(t, err)
	results, err := c.Batch(t.Context(), page, toMany(2))
	require.NoError(t, err)
	assert.ErrorIs(t, results[1].Err, sendapi.KindTransient, "nothing was sent")
}

func TestEntriesOfABatch(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]sendapi.Kind{
		`{"code":200,"body":"{\"message_id\":\"m_1\"}"}`:                            "",
		`{"code":"200","body":"{\"message_id\":\"m_1\"}","headers":null}`:           "",
		`{"code":200,"body":"{}"}`:                                                  sendapi.KindUnknownOutcome,
		`{"code":200}`:                                                              sendapi.KindUnknownOutcome,
		`{"body":"{\"message_id\":\"m_1\"}"}`:                                       sendapi.KindUnknownOutcome,
		`{"code":500,"body":""}`:                                                    sendapi.KindUnknownOutcome,
		`{"code":400,"body":"{\"error\":{\"code\":551}}"}`:                          sendapi.KindRecipient,
		`{"code":400,"body":"{\"error\":{\"code\":10,\"error_subcode\":2018278}}"}`: sendapi.KindWindow,
		`{"code":429,"body":null}`:                                                  sendapi.KindRateLimit,
		`null`:                                                                      sendapi.KindUnknownOutcome,
		`7`:                                                                         sendapi.KindUnknownOutcome,
		`[]`:                                                                        sendapi.KindUnknownOutcome,
		`{}`:                                                                        sendapi.KindUnknownOutcome,
		`{"code":200,"headers":[{"name":7},{}],"body":"{\"message_id\":\"m_1\"}"}`:      "",
		`{"code":200,"headers":{"X-App-Usage":"{}"},"body":"{\"message_id\":\"m_1\"}"}`: "",
	} {
		c := clientFor(t, answering(200, "["+entry+"]"), sendapi.Config{})
		results, err := c.Batch(t.Context(), page, toMany(1))
		require.NoError(t, err)
		if want == "" {
			assert.NoError(t, results[0].Err, entry)
		} else {
			assert.ErrorIs(t, results[0].Err, want, entry)
		}
	}
}

func TestUsageOfEachSend(t *testing.T) {
	t.Parallel()
	c := clientFor(t, answering(200, `[{"code":200,"body":"{\"message_id\":\"m_1\"}","headers":`+
		`[{"name":"x-app-usage","value":"{\"call_count\":28}"},{"name":"X-FB-Trace-ID","value":"T1"}]},`+
		`{"code":200,"body":"{\"message_id\":\"m_2\"}"}]`, "X-App-Usage", `{"call_count":99}`), sendapi.Config{})
	results, err := c.Batch(t.Context(), page, toMany(2))
	require.NoError(t, err)
	assert.Equal(t, 28.0, results[0].Response.Usage.App.Calls)
	assert.Equal(t, "T1", results[0].Response.TraceID)
	assert.False(t, results[1].Response.Usage.App.Known)
}

func TestBatchTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, err := sandbox.New(sandbox.Config{Latency: 86 * time.Second})
		require.NoError(t, err)
		defer srv.Close()
		c, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://sandbox", HTTPClient: srv.Client()})
		require.NoError(t, err)
		begun := time.Now()
		results, err := c.Batch(t.Context(), page, toMany(2))
		require.NoError(t, err)
		assert.Equal(t, 85*time.Second, time.Since(begun))
		assert.ErrorIs(t, results[0].Err, sendapi.KindUnknownOutcome)
	})
}

func FuzzBatchAnswer(f *testing.F) {
	f.Add(200, `[{"code":200,"body":"{\"message_id\":\"m_1\"}"},null]`)
	f.Add(200, `[{"code":400,"headers":[{"name":"X-App-Usage","value":"{}"}],"body":"{\"error\":{\"code\":100,`+
		`\"message\":\"Your diagnosis is ready, Ann\"}}"},{}]`)
	f.Add(400, `{"error":{"message":"Your diagnosis","code":190}}`)
	f.Add(200, `[[],{"code":"","body":{}}]`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		c, err := sendapi.NewClient(sendapi.Config{HTTPClient: &http.Client{Transport: canned{status, body}}})
		require.NoError(t, err)
		results, err := c.Batch(t.Context(), fullPage, []sendapi.BatchSend{
			{Request: sendapi.Text(ann, privateText)}, {Request: sendapi.Text(sendapi.ID("2"), privateText)},
		})
		require.NoError(t, err)
		require.Len(t, results, 2)
		for _, r := range results {
			if r.Err == nil {
				require.NotEmpty(t, r.Response.MessageID)
				continue
			}
			e, ok := errors.AsType[*sendapi.Error](r.Err)
			require.True(t, ok)
			require.Contains(t, sendapi.Kinds(), e.Kind)
			assertLeaksNothing(t, e, body)
		}
	})
}

// canned is a transport that answers without a network.
type canned struct {
	status int
	body   string
}

func (a canned) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, _ = w.WriteString(a.body) // into memory
	res := w.Result()
	res.StatusCode = a.status
	return res, nil
}

func TestABatchOfBodiesAsTheyAre(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	const known = `{"recipient":{"id":"100"},"messaging_type":"RESPONSE","message":{"text":"a"},"of_tomorrow":{"x":[1]}}`
	sends := []sendapi.BatchSend{{Body: json.RawMessage(known)}, {Body: json.RawMessage(`[1]`)}, toMany(3)[2]}
	results, err := c.Batch(t.Context(), page, sends)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	assert.Equal(t, "100", results[0].Response.RecipientID)
	require.ErrorIs(t, results[1].Err, sendapi.KindInvalid)
	assert.ErrorContains(t, results[1].Err, "must be an object, not an array")
	require.NoError(t, results[2].Err)
	accepted := srv.Accepted()
	require.Len(t, accepted, 2)
	assert.JSONEq(t, known, string(accepted[0].Body), "also what this package has no type for")

	_, err = c.Batch(t.Context(), page, []sendapi.BatchSend{{Body: json.RawMessage(known)}, {Body: json.RawMessage(known)}})
	assert.ErrorContains(t, err, "the same as that of [0]", "one recipient")
}
