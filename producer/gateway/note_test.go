package gateway_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/redistest"
)

// Each call is one line, by which its job and the error that the caller saw can be found.
func TestEachCallIsALineInTheLog(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	sent := s.do(t, "POST", "/me/messages", hello, bearer, "X-Request-Id: from-the-caller.1")
	assert.Equal(t, "from-the-caller.1", sent.header.Get("X-Request-Id"))
	assert.Regexp(t, fmt.Sprintf(`{"level":"info","request":"from-the-caller.1","route":"POST /{version}/{page}/messages",`+
		`"status":200,"took_ms":[0-9.]+,"job":"%s","message":"call"}\n`, sent.MessageID), s.log)

	refused := s.do(t, "POST", "/me/messages", hello, "Authorization: Bearer stranger", "X-Request-Id: with a space, as no id has")
	id := refused.header.Get("X-Request-Id")
	assert.Regexp(t, `^[A-Z2-7]{26}$`, id)
	assert.Regexp(t, fmt.Sprintf(`"request":"%s".*"status":401,.*"trace":"%s","code":190,`, id, refused.Error.Trace), s.log)
	s.do(t, "GET", "/readyz", "")
	assert.Contains(t, s.log.String(), `{"level":"debug","request":`, "of a probe")
	for _, hidden := range []string{first, "stranger", words, "with a space", "/me/"} {
		assert.NotContains(t, s.log.String(), hidden)
	}
}

func TestCallsAreObserved(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	s := newSetup(t, redistest.Mini(t), producer.Config{}, gateway.Config{Called: func(route string, status int, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(route, " ", status, " ", took > 0))
		assert.Contains(t, gateway.Routes(), route)
	}})
	s.do(t, "POST", "/me/messages", hello, bearer)
	s.do(t, "GET", "/nowhere/at/all", "")
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []string{"POST /{version}/{page}/messages 200 true", "none 404 true"}, seen)
}

func TestNewTokensReplaceTheOld(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	handler, ok := s.server.Config.Handler.(*gateway.Handler)
	require.True(t, ok)
	status := func(path, token string) int {
		return s.do(t, "POST", path, hello, "Authorization: Bearer "+token).status
	}
	require.Equal(t, 200, status("/me/messages", first))
	require.NoError(t, handler.SetPages([]sendapi.Page{{ID: "1001", Token: "EAABnew-token"}, {ID: "1003", Token: "EAABthird"}}))
	for token, want := range map[string]int{first: 401, second: 401, "EAABnew-token": 200, "EAABthird": 200} {
		assert.Equal(t, want, status("/me/messages", token), token)
	}
	assert.Equal(t, 200, status("/1003/messages", apiKey), "a key is for the new page too")

	require.ErrorContains(t, handler.SetPages([]sendapi.Page{{ID: "1001"}}), "Pages[0].Token: missing")
	assert.Equal(t, 200, status("/me/messages", "EAABnew-token"), "what is wrong changes nothing")
}
