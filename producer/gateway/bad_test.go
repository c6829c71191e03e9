package gateway_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestBadCalls(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Mini(t), producer.Config{}, gateway.Config{MaxBody: 8 << 10})
	const send = "/v26.0/1001/messages"
	with := func(header string) []string { return []string{bearer, header} }
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status, code, subcode    int
		says                     string
	}{
		{"no token", "POST", send, hello, nil, 401, 190, 0, "an access token is required"},
		{"an empty token", "POST", send, hello, []string{"Authorization: Bearer "}, 401, 190, 0, "is required"},
		{"a wrong token", "POST", send, hello, []string{bearer + "x"}, 401, 190, 0, "not that of a configured page"},
		{"a password", "POST", send, hello, []string{"Authorization: Basic eDp5"}, 401, 190, 0, "is required"},
		{"another page's token", "POST", "/v26.0/1002/messages", hello, []string{bearer}, 401, 190, 0, "another page"},
		{"an unknown page", "POST", "/v26.0/77/messages", hello, []string{bearer}, 400, 100, 33, "no such page"},
		{"a page by its name", "POST", "/v26.0/mypage/messages", hello, []string{bearer}, 400, 100, 33, "no such page"},
		{"me for an API key", "POST", "/me/messages", hello, []string{"Authorization: Bearer " + apiKey}, 400, 100, 0, "several pages"},
		{"a wrong method", "GET", send, "", []string{bearer}, 405, 100, 0, "use POST"},
		{"a wrong method of a job", "PUT", "/jobs/x", "", []string{bearer}, 405, 100, 0, "use DELETE, GET"},
		{"a wrong path", "POST", "/v26.0/1001/photos", hello, []string{bearer}, 404, 100, 33, "unsupported request"},
		{"no version", "POST", "/26/1001/messages", hello, []string{bearer}, 404, 100, 33, "unsupported request"},
		{"no body", "POST", send, "", []string{bearer}, 400, 100, 0, "recipient"},
		{"JSON that is cut off", "POST", send, hello[:40], []string{bearer}, 400, 100, 0, "must be a JSON object"},
		{"a JSON list", "POST", send, "[]", with("Content-Type: application/json"), 400, 100, 0, "must be a JSON object"},
		{"JSON null", "POST", send, "null", with("Content-Type: application/json"), 400, 100, 0, "must be a JSON object"},
		{"two values", "POST", send, hello + hello, []string{bearer}, 400, 100, 0, "must be a JSON object"},
		{"a broken form", "POST", send, "message=%zz", []string{bearer}, 400, 100, 0, "form fields cannot be read"},
		{"a broken multipart", "POST", send, "x", with("Content-Type: multipart/form-data; boundary=b"), 400, 100, 0, "cannot be read"},
		{"a body over the limit", "POST", send, strings.Repeat(" ", 8<<10) + hello, []string{bearer}, 413, 100, 0, "larger than 8192 bytes"},
		{"parts over the limit", "POST", send, "--b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\n" + strings.Repeat(" ", 8<<10) +
			"{}\r\n--b--\r\n", with("Content-Type: multipart/form-data; boundary=b"), 413, 100, 0, "larger than 8192 bytes"},
		{"a text over the limit", "POST", send, strings.Replace(hello, words, strings.Repeat("x", 2001), 1), []string{bearer},
			400, 100, 0, "(#100) message.text: "},
		{"no recipient", "POST", send, `{"message":{"text":"x"}}`, []string{bearer}, 400, 100, 0, "(#100) recipient: "},
		{"a member twice", "POST", send, `{"message":{"text":"x","text":"y"},"recipient":{"id":"1"}}`, []string{bearer}, 400, 100, 0, "twice"},
		{"message and action", "POST", send, strings.Replace(hello, "{", `{"sender_action":"typing_on",`, 1), []string{bearer},
			400, 100, 2018014, "sender_action: "},
		{"an empty message", "POST", send, `{"recipient":{"id":"1"},"message":{}}`, []string{bearer}, 400, 100, 2018034, "message: "},
		{"a sticker with something else wrong", "POST", send, `{"recipient":{"id":"x"},"message":{"sticker_id":1}}`, []string{bearer},
			400, 100, 0, "recipient.id: "},
		{"an unknown lane", "POST", send, hello, with("X-Sendpace-Lane: fast"), 400, 100, 0, "(#100) X-Sendpace-Lane: must be"},
		{"a time that is none", "POST", send, hello, with("X-Sendpace-Send-At: tomorrow"), 400, 100, 0, "X-Sendpace-Send-At: must be a time"},
		{"a time that is nothing", "POST", send, hello, with("X-Sendpace-Expires-At: 0001-01-01T00:00:00Z"), 400, 100, 0, "Expires-At: must be a time"},
		{"a query that cannot be read", "POST", send + "?message={text:'50%25+off;now'}", hello, []string{bearer}, 400, 100, 0, "query cannot be read"},
		{"a time that has passed", "POST", send, hello, with("X-Sendpace-Expires-At: 2020-01-01T00:00:00Z"), 400, 100, 0,
			"X-Sendpace-Expires-At: has passed"},
		{"no attempts", "POST", send, hello, with("X-Sendpace-Max-Attempts: 0"), 400, 100, 0, "X-Sendpace-Max-Attempts: must be"},
		{"too many attempts", "POST", send, hello, with("X-Sendpace-Max-Attempts: 101"), 400, 100, 0, "X-Sendpace-Max-Attempts: must be"},
		{"an unknown policy", "POST", send, hello, with("X-Sendpace-On-Unknown: maybe"), 400, 100, 0, "X-Sendpace-On-Unknown: must be"},
		{"a retention without unit", "POST", send, hello, with("X-Sendpace-Retention: 5"), 400, 100, 0, "X-Sendpace-Retention: must be"},
		{"a bad broadcast", "POST", send, hello, with("X-Sendpace-Broadcast: a:b"), 400, 100, 0, "X-Sendpace-Broadcast: must be"},
		{"a key that is too long", "POST", send, hello, with("X-Sendpace-Key: " + strings.Repeat("k", 257)), 400, 100, 0, "X-Sendpace-Key: "},
		{"an empty key", "POST", send, hello, with("X-Sendpace-Key: "), 400, 100, 0, "X-Sendpace-Key: is empty"},
		{"a key that is not UTF-8", "POST", send, hello, with("X-Sendpace-Key: \xff"), 400, 100, 0, "X-Sendpace-Key: must be UTF-8"},
		{"two keys", "POST", send, hello, []string{bearer, "X-Sendpace-Key: a", "X-Sendpace-Key: b"}, 400, 100, 0, "more than once"},
		{"an option that is none", "POST", send, hello, with("X-Sendpace-Expire: x"), 400, 100, 0, "X-Sendpace-Expire: there is no such option"},
		{"a batch that is none", "POST", "/", hello, []string{bearer}, 400, 100, 0, "batch must be"},
		{"a batch without token", "POST", "/", `{"batch":[]}`, nil, 401, 190, 0, "is required"},
		{"an empty batch", "POST", "/v26.0/", `{"batch":[]}`, []string{bearer}, 400, 100, 0, "batch must be"},
		{"an upload without a file", "POST", "/me/message_attachments", `{"message":{"attachment":{"type":"image","payload":{}}}}`,
			[]string{bearer}, 400, 100, 0, "payload.url: missing"},
		{"an upload of nothing", "POST", "/me/message_attachments", `{"message":{"text":"x"}}`, []string{bearer}, 400, 100, 0, "must have an attachment"},
		{"a job that is not there", "GET", "/jobs/none", "", []string{bearer}, 404, 100, 33, "no such job"},
		{"a job without token", "GET", "/jobs/none", "", nil, 401, 190, 0, "is required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := s.do(t, c.method, c.path, c.body, c.header...)
			assert.Equal(t, []int{c.status, c.code, c.subcode}, []int{a.status, a.Error.Code, a.Error.Subcode}, a.body)
			assert.Contains(t, a.Error.Message, c.says)
			assert.NotContains(t, a.body, words)
			assert.NotEmpty(t, a.Error.Trace)
			assert.Equal(t, "OAuthException", a.Error.Type)
			assert.Equal(t, "application/json", a.header.Get("Content-Type"))
		})
	}
	t.Cleanup(func() {
		assert.NotContains(t, s.log.String(), `"warn"`)
		assert.NotContains(t, s.log.String(), `"error"`)
	})
}

func TestASendThatIsTooLargeIsNotRead(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	body := strings.Replace(hello, words, strings.Repeat("x", producer.MaxJobBytes), 1)
	a := s.do(t, "POST", "/me/messages", body, bearer)
	assert.Equal(t, []int{400, 100}, []int{a.status, a.Error.Code}, a.body)
	assert.Equal(t, fmt.Sprintf("(#100) a send has at most 262144 bytes, and this one has %d", len(body)), a.Error.Message)
}

func TestSpacesMakeNoSendTooLarge(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	body := "{" + strings.Repeat(" \n", producer.MaxJobBytes) + hello[1:]
	a := s.do(t, "POST", "/me/messages", body, bearer)
	require.Equal(t, 200, a.status, a.body)
	assert.Equal(t, hello, string(s.job(t, a.MessageID).Request))
	body = strings.Replace(body, words, strings.Repeat("x", producer.MaxJobBytes), 1)
	a = s.do(t, "POST", "/me/messages", body, bearer)
	assert.Equal(t, fmt.Sprintf("(#100) a send has at most 262144 bytes, and this one has %d", len(hello)-len(words)+producer.MaxJobBytes), a.Error.Message)
}

func TestWrongMethodsSayWhichAreRight(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	assert.Equal(t, "POST", s.do(t, "GET", "/me/messages", "").header.Get("Allow"))
	assert.Equal(t, "DELETE, GET", s.do(t, "POST", "/jobs/1", "").header.Get("Allow"))
}

func TestAFullLineIsSaidAsThePlatformSaysIt(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Mini(t), producer.Config{MaxWaiting: 1}, gateway.Config{})
	require.Equal(t, 200, s.do(t, "POST", "/me/messages", hello, bearer).status)
	a := s.do(t, "POST", "/me/messages", hello, bearer)
	assert.Equal(t, []int{429, 613}, []int{a.status, a.Error.Code}, a.body)
	assert.Equal(t, "60", a.header.Get("Retry-After"))
	assert.JSONEq(t, `{"1001":[{"type":"messenger","call_count":100,"total_cputime":0,"total_time":0,
		"estimated_time_to_regain_access":1}]}`, a.header.Get("X-Business-Use-Case-Usage"))
	assert.Equal(t, 200, s.do(t, "POST", "/1002/messages", hello, "Authorization: Bearer "+second).status, "another page's line")
	assert.Equal(t, 2, s.stored(t))
}

func TestEachCredentialHasItsOwnRate(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Mini(t), producer.Config{}, gateway.Config{Rate: 2})
	statuses := map[int]int{}
	for range 20 { // faster than two a second, or the machine is very slow
		a := s.do(t, "POST", "/me/messages", hello, bearer)
		statuses[a.status]++
		if a.status != 200 {
			assert.Equal(t, []int{429, 613}, []int{a.status, a.Error.Code}, a.body)
			assert.Equal(t, "1", a.header.Get("Retry-After"))
		}
	}
	assert.GreaterOrEqual(t, statuses[200], 2)
	assert.Greater(t, statuses[429], 0)
	assert.Equal(t, statuses[200], s.stored(t), "what is refused is not stored")
	assert.Equal(t, 200, s.do(t, "POST", "/1001/messages", hello, "Authorization: Bearer "+apiKey).status)
	assert.Equal(t, 200, s.do(t, "POST", "/me/messages", hello, "Authorization: Bearer "+second).status)
}

// As many sends as a credential may make at once may be one batch.
func TestABatchCountsAsItsSends(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Mini(t), producer.Config{}, gateway.Config{Rate: 3})
	form := url.Values{"recipient": {`{"id":"7"}`}, "sender_action": {"typing_on"}}.Encode()
	one := `{"method":"POST","relative_url":"me/messages","body":"` + form + `"}`
	a := s.do(t, "POST", "/", `{"batch":[`+one+","+one+","+one+`]}`, bearer)
	assert.Equal(t, 3, strings.Count(a.body, `"code":200`), a.body)
}

// held is a body that blocks its reader from the first byte on.
type held struct {
	reading chan<- struct{}
	end     <-chan struct{}
}

func (h held) Read([]byte) (int, error) {
	h.reading <- struct{}{}
	<-h.end
	return 0, http.ErrBodyReadAfterClose
}

// Strangers, whose token is not known before their body is read, cannot take all the places.
func TestCallsInHandAreBounded(t *testing.T) {
	t.Parallel()
	for kind, limit := range map[string]int{"application/json": 1000, "multipart/form-data; boundary=b": 16} {
		s := newGateway(t)
		reading, end, done := make(chan struct{}), make(chan struct{}), make(chan int)
		call := func(authorization string) int {
			req := httptest.NewRequestWithContext(t.Context(), "POST", "/me/messages", held{reading, end})
			req.Header.Set("Content-Type", kind)
			req.Header.Set("Authorization", authorization)
			res := httptest.NewRecorder()
			s.server.Config.Handler.ServeHTTP(res, req)
			return res.Code
		}
		fill := func(authorization string) {
			for range limit / 2 {
				go func() { done <- call(authorization) }()
				<-reading
			}
		}
		fill("")
		assert.Equal(t, 503, call(""), kind)
		fill("Bearer " + first)
		assert.Equal(t, 503, call("Bearer "+first), kind)
		assert.Equal(t, 200, s.do(t, "GET", "/livez", "").status, kind)
		close(end)
		for range limit {
			assert.Equal(t, 400, <-done, kind)
		}
		assert.Equal(t, 200, s.do(t, "POST", "/me/messages", hello, bearer).status, "there is room again")
	}
}

func TestOptionsByHeader(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	a := s.do(t, "POST", "/me/messages", hello, bearer,
		"X-Sendpace-Lane: realtime", "X-Sendpace-Key: order-17", "X-Sendpace-Send-At: 2126-12-01T09:00:00+01:00",
		"X-Sendpace-Expires-At: 2126-12-01T20:00:00Z", "X-Sendpace-Broadcast: sale", "X-Sendpace-Max-Attempts: 3",
		"X-Sendpace-On-Unknown: never", "X-Sendpace-Retention: 36h")
	require.Equal(t, 200, a.status, a.body)
	job := s.job(t, a.MessageID)
	job.SendAt, job.ExpiresAt = job.SendAt.UTC(), job.ExpiresAt.UTC()
	assert.Equal(t, producer.Job{
		PageID: "1001", Lane: producer.LaneRealtime, Request: []byte(hello), Key: "order-17", Broadcast: "sale",
		SendAt: time.Date(2126, 12, 1, 8, 0, 0, 0, time.UTC), ExpiresAt: time.Date(2126, 12, 1, 20, 0, 0, 0, time.UTC),
		MaxAttempts: 3, OnUnknown: producer.NeverResend, Retention: producer.Duration(36 * time.Hour),
	}, job)
	again := s.do(t, "POST", "/me/messages", hello, bearer, "X-Sendpace-Key: order-17")
	assert.Equal(t, []any{200, a.MessageID, "true"}, []any{again.status, again.MessageID, again.header.Get("X-Sendpace-Repeat")})
	assert.Equal(t, 1, s.stored(t))
}

type broken struct{}

func (broken) Read([]byte) (int, error) { panic(words) }

func TestAPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	res := httptest.NewRecorder()
	s.server.Config.Handler.ServeHTTP(res, httptest.NewRequestWithContext(t.Context(), "POST", "/me/messages", broken{}))
	assert.Equal(t, 500, res.Code)
	assert.Contains(t, res.Body.String(), `"code":1,`)
	assert.Regexp(t, `^{"level":"error","request":"\w+","type":"string","message":"a call to the gateway panicked"}\n`+
		`{"level":"info","request":"\w+","route":"POST /{version}/{page}/messages","status":500,[^\n]*,"message":"call"}\n$`, s.log.String())
}
