package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{}) // it prints each failed dial
	goleak.VerifyTestMain(m)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

const (
	first  = "EAABfirst-token"
	second = "EAABsecond-token"
	apiKey = "an-api-key-of-the-app"
	words  = "private words"
	hello  = `{"recipient":{"id":"7"},"messaging_type":"UPDATE","message":{"text":"` + words + `"}}`
)

// setup is a gateway of a test's own: a server over real HTTP, with a Redis behind it, and a sandbox where it uploads to.
type setup struct {
	redis  redis.UniversalClient
	queue  *producer.Producer
	server *httptest.Server
	box    *sandbox.Server
	log    *lines
	http   *http.Client
}

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newSetup(t testing.TB, addr string, pc producer.Config, gc gateway.Config) *setup {
	t.Helper()
	s := &setup{redis: redistest.Client(t, addr), log: &lines{}}
	var err error
	s.queue, err = producer.New(s.redis, pc)
	require.NoError(t, err)
	s.box, err = sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": first, "1002": second}})
	require.NoError(t, err)
	t.Cleanup(s.box.Close)
	graph, err := sendapi.NewClient(sendapi.Config{BaseURL: "https://graph.example", HTTPClient: s.box.Client()})
	require.NoError(t, err)
	gc.Pages = []sendapi.Page{{ID: "1001", Token: first}, {ID: "1002", Token: second, AppSecret: "hushhush"}}
	gc.APIKeys = []sendapi.Secret{apiKey}
	gc.Log = zerolog.New(s.log)
	handler, err := gateway.New(s.queue, graph, gc)
	require.NoError(t, err)
	s.server = httptest.NewServer(handler)
	t.Cleanup(s.server.Close)
	s.http = s.server.Client()
	return s
}

func newGateway(t testing.TB) *setup {
	t.Helper()
	return newSetup(t, redistest.Mini(t), producer.Config{}, gateway.Config{})
}

// answer is what came back, with what is read of its body.
type answer struct {
	status int
	header http.Header
	body   string

	RecipientID  string `json:"recipient_id"`
	MessageID    string `json:"message_id"`
	AttachmentID string `json:"attachment_id"`
	Error        struct {
		Message   string `json:"message"`
		Type      string `json:"type"`
		Code      int    `json:"code"`
		Subcode   int    `json:"error_subcode"`
		Transient bool   `json:"is_transient"`
		Trace     string `json:"fbtrace_id"`
	} `json:"error"`
}

// do makes a call; header lines look like "Name: value".
func (s *setup) do(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	res, err := s.http.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	a := answer{status: res.StatusCode, header: res.Header, body: string(text)}
	if len(text) > 0 && text[0] == '{' {
		require.NoError(t, json.Unmarshal(text, &a), a.body)
	}
	return a
}

// read gets a path and reads its answer.
func (s *setup) read(t testing.TB, path string, into any) {
	t.Helper()
	a := s.do(t, "GET", path, "", bearer)
	require.Equal(t, 200, a.status, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), into), a.body)
}

const bearer = "Authorization: Bearer " + first

// job returns a job that is in the queue.
func (s *setup) job(t testing.TB, id string) producer.Job {
	t.Helper()
	info, err := s.queue.Get(t.Context(), id)
	require.NoError(t, err)
	return info.Job
}

// stored is how many jobs were accepted, of all pages.
func (s *setup) stored(t testing.TB) int {
	t.Helper()
	ids, err := s.redis.Keys(t.Context(), "asynq:{messenger}:t:*").Result()
	require.NoError(t, err)
	return len(ids)
}

func TestASendIsQueuedAndAnsweredAsThePlatformDoes(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	a := s.do(t, "POST", "/v26.0/me/messages", hello, bearer)
	require.Equal(t, 200, a.status, a.body)
	assert.JSONEq(t, `{"recipient_id":"7","message_id":"`+a.MessageID+`"}`, a.body)
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	assert.Equal(t, a.MessageID, a.header.Get("X-Sendpace-Job"))
	job := s.job(t, a.MessageID)
	assert.Equal(t, "1001", job.PageID)
	assert.Equal(t, hello, string(job.Request), "byte for byte")

	a = s.do(t, "POST", "/1002/messages", `{"recipient":{"id":"7"},"sender_action":"typing_on"}`, "Authorization: OAuth "+second)
	assert.Equal(t, 200, a.status)
	assert.JSONEq(t, `{"recipient_id":"7"}`, a.body, "a sender action has no message_id")
	assert.Equal(t, "1002", s.job(t, a.header.Get("X-Sendpace-Job")).PageID)

	a = s.do(t, "POST", "/v26.0/1001/messages", strings.Replace(hello, `"id"`, `"user_ref"`, 1), bearer)
	assert.Equal(t, 200, a.status)
	assert.NotEmpty(t, a.MessageID)
	assert.NotContains(t, a.body, "recipient_id", "the platform has none for a user_ref")
}

func TestWhereATokenMayBe(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	const form = "application/x-www-form-urlencoded"
	fields := `recipient={"id":"7"}&messaging_type=UPDATE&message={"text":"x"}`
	inJSON := `{"access_token":"` + first + `","appsecret_proof":"abc",` + hello[1:]
	escaped := `{"access\u005ftoken":"` + first + `",` + hello[1:]
	for name, c := range map[string]struct{ path, body, kind, header string }{
		"header":           {"/v26.0/me/messages", hello, "application/json", bearer},
		"an API key":       {"/v26.0/1001/messages", hello, "application/json", "Authorization: Bearer " + apiKey},
		"query":            {"/v26.0/me/messages?access_token=" + first, hello, "application/json", ""},
		"JSON":             {"/v26.0/me/messages", inJSON, "application/json", ""},
		"JSON, escaped":    {"/v26.0/me/messages", escaped, "application/json; charset=utf-8", ""},
		"JSON without one": {"/v26.0/me/messages", inJSON, "", ""},
		"field":            {"/v26.0/me/messages", fields + "&access_token=" + first, form, ""},
		"field and header": {"/v26.0/me/messages", fields + "&access_token=junk", form, bearer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := []string{"Content-Type: " + c.kind}
			if c.header != "" {
				header = append(header, c.header)
			}
			a := s.do(t, "POST", c.path, c.body, header...)
			require.Equal(t, 200, a.status, a.body)
			request := string(s.job(t, a.MessageID).Request)
			for _, hidden := range []string{"token", "proof", first, "junk"} {
				assert.NotContains(t, request, hidden)
			}
		})
	}
}

// What is stored, logged and answered must hold no secret, whatever happens.
func TestNoSecretIsStoredLoggedOrAnswered(t *testing.T) {
	t.Parallel()
	addr := redistest.ServerAt(t, redistest.FreeAddr(t), "--save", "", "--rdbcompression", "no") // DUMP is readable then
	s := newSetup(t, addr, producer.Config{}, gateway.Config{MaxBody: 4000})
	const proof = "appsecret_proof=00ff00ff"
	var said strings.Builder
	for _, path := range []string{"/v26.0/me/messages?", "/v26.0/1002/messages?", "/?", "/v26.0/me/message_attachments?", "/x?"} {
		for _, body := range []string{
			hello, `{"access_token":"` + first + `",` + hello[1:], `{"access_token":["` + first + `"],` + hello[1:], "[]", "{",
			`{"batch":[{"method":"POST","relative_url":"me/messages?access_token=` + first + `","body":"message=%7B%7D"}]}`,
			"access_token=" + first + "&message=" + words, `{"access_token":"` + first + strings.Repeat("x", 5000),
		} {
			for _, token := range []string{first, first + "x", apiKey} {
				said.WriteString(s.do(t, "POST", path+proof+"&access_token="+token, body).body)
			}
		}
	}
	assert.NotZero(t, s.stored(t))
	keys, err := s.redis.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		dump, err := s.redis.Dump(t.Context(), key).Result()
		require.NoError(t, err)
		said.WriteString(key + dump)
	}
	require.Contains(t, said.String(), words, "a message is stored, and can be seen")
	for _, hidden := range []string{first, second, apiKey, "hushhush", "00ff00ff"} {
		assert.NotContains(t, said.String(), hidden)
		assert.NotContains(t, s.log.String(), hidden)
	}
	assert.NotContains(t, s.log.String(), words)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := gateway.New(nil, nil, gateway.Config{})
	require.ErrorContains(t, err, "needs a producer")
	queue, err := producer.New(redistest.Client(t, redistest.FreeAddr(t)), producer.Config{})
	require.NoError(t, err)
	graph, err := sendapi.NewClient(sendapi.Config{})
	require.NoError(t, err)
	_, err = gateway.New(queue, graph, gateway.Config{})
	require.ErrorContains(t, err, "Pages: none")
	_, err = gateway.New(queue, graph, gateway.Config{
		Pages: []sendapi.Page{{ID: "me"}}, APIKeys: []sendapi.Secret{""}, Rate: -1, MaxBody: -1, StoreTimeout: -1,
	})
	for _, field := range []string{"Pages[0].ID", "Pages[0].Token", "APIKeys[0]", "Rate", "MaxBody", "StoreTimeout"} {
		assert.ErrorContains(t, err, field)
	}
}
