package gateway_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestAJobIsShownAndCancelled(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	s.do(t, "POST", "/me/messages", hello, bearer)
	id := s.do(t, "POST", "/me/messages", hello, bearer, "X-Sendpace-Retention: 1h").MessageID
	job := "/jobs/" + id
	a := s.do(t, "GET", job, "", bearer)
	assert.Equal(t, 200, a.status)
	assert.JSONEq(t, `{"id":"`+id+`","page_id":"1001","state":"waiting","lane":"bulk","place":2,"attempts":0}`, a.body)

	for _, method := range []string{"GET", "DELETE"} {
		other := s.do(t, method, job, "", "Authorization: Bearer "+second)
		assert.Equal(t, []int{404, 100, 33}, []int{other.status, other.Error.Code, other.Error.Subcode}, "another page's job")
	}
	a = s.do(t, "DELETE", job+"?access_token="+first, "")
	assert.Equal(t, 200, a.status)
	assert.JSONEq(t, `{"id":"`+id+`","result":"cancelled"}`, a.body)
	a = s.do(t, "DELETE", job, "", bearer)
	assert.Equal(t, 409, a.status)
	assert.JSONEq(t, `{"id":"`+id+`","result":"ended"}`, a.body)

	a = s.do(t, "GET", job, "", "Authorization: Bearer "+apiKey)
	var ended struct {
		State   string           `json:"state"`
		Outcome producer.Outcome `json:"outcome"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &ended), a.body)
	assert.Equal(t, []any{"ended", producer.Cancelled}, []any{ended.State, ended.Outcome.Kind})
	assert.NotContains(t, a.body, words)

	s.redis.HSet(t.Context(), "asynq:{messenger}:t:foreign", "state", "pending", "msg", "")
	assert.Equal(t, 404, s.do(t, "GET", "/jobs/foreign", "", bearer).status, "what names no page is no page's")
	assert.Equal(t, 200, s.do(t, "GET", "/jobs/foreign", "", "Authorization: Bearer "+apiKey).status)
}

// Nothing is acknowledged while Redis is away, each call says when to come back, and the log says it once.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.NewDurable(t, "--appendfsync", "always") // else the last second may be lost
	s := newSetup(t, server.Addr, producer.Config{}, gateway.Config{})
	id := s.do(t, "POST", "/me/messages", hello, bearer).MessageID
	require.NotEmpty(t, id)
	assert.Equal(t, 200, s.do(t, "GET", "/readyz", "").status)

	server.Kill()
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/me/messages", hello}, {"GET", "/jobs/" + id, ""}, {"DELETE", "/jobs/" + id, ""}, {"GET", "/readyz", ""},
	} {
		a := s.do(t, c.method, c.path, c.body, bearer)
		assert.Equal(t, []any{503, 2, true, "5"}, []any{a.status, a.Error.Code, a.Error.Transient, a.header.Get("Retry-After")}, a.body)
	}
	a := s.do(t, "POST", "/", `{"batch":[{"method":"POST","relative_url":"me/messages","body":"recipient=%7B%22id%22:%227%22%7D&sender_action=typing_on"}]}`, bearer)
	assert.Equal(t, 200, a.status)
	assert.Contains(t, a.body, `{"code":503,"headers":[{"name":"Content-Type","value":"application/json"},{"name":"Retry-After","value":"5"}]`)
	assert.Equal(t, 200, s.do(t, "GET", "/livez", "").status)

	require.NoError(t, server.Start())
	assert.Equal(t, 200, s.do(t, "POST", "/me/messages", hello, bearer).status)
	assert.Equal(t, 2, s.stored(t), "only what was acknowledged")
	assert.Equal(t, 200, s.do(t, "GET", "/readyz", "").status)
	for _, said := range []string{`{"level":"warn"`, `"message":"Redis does not answer`, `"message":"Redis answers again"`} {
		assert.Equal(t, 1, strings.Count(s.log.String(), said), "%s\n%s", said, s.log)
	}
}

// A Redis that answers and takes nothing is as good as none, and the gateway itself lives on.
func TestWhileRedisTakesNoWrites(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Server(t), producer.Config{}, gateway.Config{})
	for _, tt := range []struct {
		on, off []any
		why     string
	}{
		{[]any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"}, "its memory is full"},
		{[]any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}, "it is a replica"},
	} {
		require.Equal(t, 200, s.do(t, "GET", "/readyz", "").status)
		require.NoError(t, s.redis.Do(t.Context(), tt.on...).Err())
		a := s.do(t, "GET", "/readyz", "")
		assert.Equal(t, []any{503, 2, true, "5", "(#2) Redis takes no writes: " + tt.why},
			[]any{a.status, a.Error.Code, a.Error.Transient, a.header.Get("Retry-After"), a.Error.Message})
		assert.Equal(t, 200, s.do(t, "GET", "/livez", "").status)
		require.NoError(t, s.redis.Do(t.Context(), tt.off...).Err())
	}
	require.NoError(t, s.redis.Do(t.Context(), "ACL", "SETUSER", "default", "-set").Err())
	a := s.do(t, "GET", "/readyz", "")
	assert.Equal(t, []any{503, "(#2) Redis takes no writes"}, []any{a.status, a.Error.Message}, "Redis's own words are not for everyone")
}

// Where Redis does not answer in time nobody knows whether it stored the job: the caller gets an error, and with a key may ask
// again as often as it likes.
func TestACallThatTimedOutCanBeRepeatedWithAKey(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Server(t), producer.Config{}, gateway.Config{StoreTimeout: 100 * time.Millisecond})
	const key = "X-Sendpace-Key: order-17"
	require.NoError(t, s.redis.Do(t.Context(), "CLIENT", "PAUSE", 60_000, "WRITE").Err())
	for range 2 {
		a := s.do(t, "POST", "/me/messages", hello, bearer, key)
		assert.Equal(t, []any{503, 2, true}, []any{a.status, a.Error.Code, a.Error.Transient}, a.body)
	}
	require.NoError(t, s.redis.Do(t.Context(), "CLIENT", "UNPAUSE").Err())
	stored := false
	for tries := 0; !stored && tries < 100; tries++ { // a slow machine may need longer than the time-out
		stored = s.do(t, "POST", "/me/messages", hello, bearer, key).status == 200
	}
	assert.True(t, stored)
	assert.Equal(t, 1, s.stored(t))
}
