package sendapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(status int, body string, action bool) (*Response, *Error) {
	a := answer{status: status, header: make(http.Header), body: []byte(body), whole: true}
	return a.sent(action, newRedactor(nil))
}

// sent reads the answer to a send.
func (a answer) sent(action bool, hide *redactor) (*Response, *Error) {
	req := Text(ID("7"), "x")
	if action {
		req = Action(ID("7"), TypingOn)
	}
	var res Response
	if _, e := a.interpret(res.reading("1001", req, hide)); e != nil {
		return nil, e
	}
	return &res, nil
}

func TestSuccessShapes(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]Response{
		`{"recipient_id":"1","message_id":"m_1"}`: {RecipientID: "1", MessageID: "m_1"},
		`{"message_id":"mid.$x"}`:                 {MessageID: "mid.$x"},
		`{"recipient_id":1,"message_id":"m_1","attachment_id":15}`: {
			RecipientID: "1", MessageID: "m_1", AttachmentID: "15",
		},
		`{"recipient":{"id":"1","message_id":"m_1"}}`:                    {RecipientID: "1", MessageID: "m_1"},
		`{"message_id":"m_1","error":{"code":100}}`:                      {MessageID: "m_1"},
		`{"recipient_id":[],"message_id":"m_1","thread_key":{},"x":[1]}`: {MessageID: "m_1"},
	} {
		res, e := read(200, body, false)
		if assert.Nil(t, e, body) {
			assert.Equal(t, want, *res, body)
		}
	}
	res, e := read(200, `{"recipient_id":"1"}`, true)
	require.Nil(t, e)
	assert.Equal(t, Response{RecipientID: "1"}, *res, "a sender action has no message id")
	_, e = read(200, `{}`, true)
	assert.Nil(t, e)
}

func TestSuccessThatIsNone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `{}`, `[]`, `null`, `"m_1"`, `{"recipient_id":"1"}`, `{"message_id":""}`, `{"message_id":null}`,
		`{"message_id":{}}`, `<html>`, `{"message_id":"m_1"`, `{"recipient":"m_1"}`, `{"error":"x"}`,
	} {
		_, e := read(200, body, false)
		if assert.NotNil(t, e, body) {
			assert.Equal(t, KindUnknownOutcome, e.Kind, body)
		}
	}
	_, e := read(200, `<html>`, true)
	assert.Equal(t, KindUnknownOutcome, e.Kind, "a sender action too")
	_, e = read(200, `{"error":{"code":613}}`, true)
	assert.Equal(t, KindRateLimit, e.Kind)
}

func TestErrorEnvelope(t *testing.T) {
	t.Parallel()
	_, e := read(400, `{"error":{"message":"(#10) too late","type":"OAuthException","code":10,`+
		`"error_subcode":2018278,"error_data":{"x":1},"fbtrace_id":"Abc"}}`, false)
	assert.Equal(t, &Error{
		Kind: KindWindow, Status: 400, Code: 10, Subcode: 2018278,
		Message: "(#10) too late", Type: "OAuthException", TraceID: "Abc",
	}, e)
	assert.EqualError(t, e, "window: code 10/2018278: (#10) too late")

	_, e = read(400, `{"error":{"message":7,"type":[],"code":"613",`+
		`"error_subcode":"1996","is_transient":"yes"}}`, false)
	assert.EqualError(t, e, "rate limit (app): code 613/1996", "one odd member does not cost the others")
	_, e = read(502, "<html>", false)
	assert.EqualError(t, e, "unknown outcome: HTTP 502: the answer is not one of the platform")
}

func TestBrokenOffAnswer(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]Kind{200: KindUnknownOutcome, 400: KindTransient, 500: KindUnknownOutcome} {
		a := answer{status: status, header: make(http.Header), body: []byte(`{"message_id":"m_1"}`)}
		_, e := a.sent(false, newRedactor(nil))
		assert.ErrorIs(t, e, want, "%d", status)
	}
}

// A wrong proof must not cost the messages of a backlog, and no message may pass for a wrong proof.
func TestWrongProofIsNoFaultOfTheMessage(t *testing.T) {
	t.Parallel()
	const proof = `(#100) Invalid appsecret_proof provided in the API argument`
	for name, row := range map[string]struct {
		body, text string
		want       Kind
	}{
		"wrong":               {`{"error":{"code":100,"message":"` + proof + `"}}`, "Hello", KindAuth},
		"missing":             {`{"error":{"code":100,"message":"API calls require an appsecret_proof"}}`, "Hello", KindAuth},
		"in another language": {`{"error":{"code":100,"message":"appsecret_proof non valide"}}`, "Hello", KindAuth},
		"another 100":         {`{"error":{"code":100,"message":"Invalid parameter"}}`, "Hello", KindInvalid},
		"with a subcode":      {`{"error":{"code":100,"error_subcode":2018001,"message":"` + proof + `"}}`, "x", KindRecipient},
		"another code":        {`{"error":{"code":551,"message":"` + proof + `"}}`, "Hello", KindRecipient},
		"quoted from a text": {
			`{"error":{"code":100,"message":"bad text: what is an appsecret_proof?"}}`, "what is an appsecret_proof?", KindInvalid,
		},
		"a part of a text": {
			`{"error":{"code":100,"message":"bad word: appsecret_proof"}}`, "what is an appsecret_proof?", KindInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assertBlamed(t, row.body, row.text, row.want)
		})
	}
}

// assertBlamed sends a text that is answered with an error. Only one that is the page's own fault stops the page.
func assertBlamed(t *testing.T, body, text string, want Kind) {
	t.Helper()
	a := answer{status: 400, header: make(http.Header), body: []byte(body), whole: true}
	_, e := a.sent(false, newRedactor(nil, encode(Text(ID("7"), text))))
	require.NotNil(t, e)
	assert.Equal(t, want, e.Kind)
	assert.Equal(t, want == KindAuth, e.Scope == ScopePage)
}

// A page that the platform does not know must not cost the messages of a backlog either.
func TestAWrongPageIsNoFaultOfThePerson(t *testing.T) {
	t.Parallel()
	const missing = `"message":"Unsupported post request. Object with ID '1001' does not exist, cannot be loaded due to missing permissions"`
	for name, row := range map[string]struct {
		body, text string
		want       Kind
	}{
		"the page":               {`{"error":{"code":100,"error_subcode":33,` + missing + `}}`, "Hello", KindAuth},
		"the page, as code 33":   {`{"error":{"code":33,` + missing + `}}`, "Hello", KindAuth},
		"the person":             {`{"error":{"code":100,"error_subcode":33,"message":"Object with ID '7' does not exist"}}`, "Hello", KindRecipient},
		"nobody named":           {`{"error":{"code":100,"error_subcode":33,"message":"does not exist"}}`, "Hello", KindRecipient},
		"a longer id":            {`{"error":{"code":100,"error_subcode":33,"message":"Object with ID '10012'"}}`, "Hello", KindRecipient},
		"another code":           {`{"error":{"code":551,` + missing + `}}`, "Hello", KindRecipient},
		"the text may be quoted": {`{"error":{"code":100,"error_subcode":33,` + missing + `}}`, "visit '1001'", KindRecipient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assertBlamed(t, row.body, row.text, row.want)
		})
	}
}

func TestRetriesComeFromTheTable(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`{"error":{"code":1,"error_subcode":99}}`:        2,
		`{"error":{"code":100,"error_subcode":2018008}}`: 2,
		`{"error":{"code":100,"error_subcode":2018047}}`: 1,
		`{"error":{"code":100,"error_subcode":2018294}}`: 1,
		`{"error":{"code":100,"error_subcode":2018001}}`: 0,
		`{"error":{"code":190}}`:                         0,
		`{"error":{"code":230}}`:                         0,
	} {
		_, e := read(400, body, false)
		require.NotNil(t, e, body)
		assert.Equal(t, want, e.Retries, body)
	}
}

func TestRetryAfterGoesWithLimitsOnly(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"error":{"code":613}}`: true, `{"error":{"code":2}}`: true, `{"error":{"code":190}}`: false,
	} {
		a := answer{status: 400, header: header("Retry-After", "30"), body: []byte(body), whole: true}
		_, e := a.sent(false, newRedactor(nil))
		require.NotNil(t, e, body)
		assert.Equal(t, want, e.RetryAfter > 0, body)
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	page := Page{ID: "1001", Token: "EAAtoken", AppSecret: "s3cret"}
	for name, row := range map[string]struct{ body, in, want string }{
		"nothing to hide": {`{}`, "(#100) Invalid parameter", "(#100) Invalid parameter"},
		"credentials":     {`{}`, "EAAtoken s3cret " + page.proof(), "[redacted] [redacted] [redacted]"},
		"text":            {`{"message":{"text":"my secret plan"}}`, "bad: my secret plan!", "bad: [redacted]!"},
		"text, cut off": {
			`{"message":{"text":"my secret plan for you"}}`, "bad: my secret plan f...", "bad: [redacted]...",
		},
		"text, twice":   {`{"message":{"text":"abcdef"}}`, "abcdef, abcdefabcdef", "[redacted], [redacted]"},
		"text, escaped": {`{"message":{"text":"say \"boo\" to them"}}`, `bad: say \"boo\" to them`, "bad: [redacted]"},
		"text, encoded": {
			`{"message":{"text":"say \"boo\" & run"}}`, "bad: say+%22boo%22+%26+run say%20%22boo%22%20&%20run",
			"bad: [redacted] [redacted]",
		},
		"text, in encoded JSON": {
			`{"message":{"text":"say \"boo\" to them"}}`, "bad: text%22%3A%22say+%5C%22boo%5C%22+to+them%22", "bad: text%22%3A%22[redacted]%22",
		},
		"short text": {`{"message":{"text":"no"}}`, `"no" is not nothing`, `"[redacted]" is not nothing`},
		"title in template": {
			`{"message":{"attachment":{"payload":{"elements":[{"title":"Blue shoes"}]}}}}`,
			"Blue shoes?", "[redacted]?",
		},
		"recipient": {`{"recipient":{"id":"12345"}}`, "user 12345", "user [redacted]"},
		"enumerations stay": {
			`{"messaging_type":"UPDATE","message":{"attachment":{"type":"image"}}}`,
			"UPDATE image", "UPDATE image",
		},
		"one line": {`{}`, "a\nb\x00c\xff\u2028d", "a b c\uFFFD d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, row.want, newRedactor([]Page{page}, []byte(row.body)).clean(row.in))
		})
	}
	long := newRedactor(nil).clean(strings.Repeat("é", 1000))
	assert.Equal(t, maxMessage, utf8.RuneCountInString(long))
}

// A batch has the tokens of other pages in its encoded body.
func TestCredentialsInEachForm(t *testing.T) {
	t.Parallel()
	r := newRedactor([]Page{{Token: "EAAtoken|of+the/page"}})
	for in, want := range map[string]string{
		"malformed token EAAtoken|of+the/page!":   "malformed token [redacted]!",
		"malformed token EAAtoken|of+t...":        "malformed token [redacted]...",
		"access_token=EAAtoken%7Cof%2Bthe%2Fpage": "access_token=[redacted]",
	} {
		assert.Equal(t, want, r.clean(in))
	}
}

// Several texts of a request, or of a batch, may have something in common. What one of them hides must not keep the rest of
// another from being found.
func TestQuotesOfSeveralTexts(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ in, want string }{
		"the same beginning":   {"bad: Hello Ann, your table is booked!", "bad: [redacted]!"},
		"and of the other":     {"bad: Hello Ann, your order is ready now!", "bad: [redacted]!"},
		"one inside of it":     {"bad: my secret plan for you!", "bad: [redacted]!"},
		"that one alone":       {"bad: a plan!", "bad: a [redacted]!"},
		"one over the end":     {"bad: my secret plan for you and me!", "bad: [redacted]!"},
		"a short one, not one": {"nono no", "nono [redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := []string{
				"Hello Ann, your order is ready now", "Hello Ann, your table is booked", "plan", "my secret plan for you",
				"plan for you and me", "no",
			}
			for range texts { // whichever comes first
				texts = append(texts[1:], texts[0])
				body, err := json.Marshal(map[string]any{"x": texts})
				require.NoError(t, err)
				assert.Equal(t, row.want, newRedactor(nil, body).clean(row.in), texts)
			}
		})
	}
}

// However long a message is, cleaning it takes no time worth speaking of, and no part of a text is left at the cut.
func TestOnlyTheBeginningOfAMessageIsSearched(t *testing.T) {
	t.Parallel()
	const text = "é is my secret text"
	r := newRedactor(nil, []byte(`{"a":"é","b":"`+text+`"}`))
	for cut := range len(text) {
		fill := strings.Repeat(text, maxSearched/len(text)+1)[:maxSearched-cut]
		got := r.clean(fill[:strings.LastIndex(fill, "é")] + text + strings.Repeat("é ", 1<<19))
		assert.NotContains(t, got, "secret")
		assert.NotContains(t, got, "is my")
	}
}

func FuzzResponse(f *testing.F) {
	f.Add(200, `{"recipient_id":"1","message_id":"m_1"}`)
	f.Add(400, `{"error":{"message":"(#100) x secret text y","code":100,"error_subcode":2018001}}`)
	f.Add(500, `<html>`)
	f.Add(200, `{"recipient":{"id":1,"message_id":2}}`)
	body := []byte(`{"message":{"text":"secret text"}}`)
	f.Fuzz(func(t *testing.T, status int, data string) {
		a := answer{status: status, header: make(http.Header), body: []byte(data), whole: true}
		res, e := a.sent(false, newRedactor([]Page{{Token: "EAAtoken"}}, body))
		if e == nil {
			require.NotEmpty(t, res.MessageID)
			return
		}
		require.Contains(t, Kinds(), e.Kind)
		require.NotContains(t, e.Error(), "secret text")
		require.NotContains(t, e.Error(), "EAAtoken")
	})
}
