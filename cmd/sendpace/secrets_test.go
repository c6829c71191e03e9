package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/redistest"
)

// What must never be seen, and what may be seen in a job alone.
var (
	credentials = []string{"EAABtoken", "EAABsecond", "app-secret-of-1001", "an-api-key-of-the-app", "hunter2"}
	usersData   = []string{"private words", "77001234567"}
)

// redisDump is all that Redis holds, by key.
func redisDump(t *testing.T, rdb redis.UniversalClient) map[string]string {
	t.Helper()
	ctx, all := context.Background(), map[string]string{}
	keys, err := rdb.Keys(ctx, "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		var value any
		switch kind := rdb.Type(ctx, key).Val(); kind {
		case "string":
			value = rdb.Get(ctx, key).Val()
		case "hash":
			for field, text := range rdb.HGetAll(ctx, key).Val() {
				all[key+" "+field] = text
			}
		case "list":
			value = rdb.LRange(ctx, key, 0, -1).Val()
		case "set":
			value = rdb.SMembers(ctx, key).Val()
		case "zset":
			value = rdb.ZRange(ctx, key, 0, -1).Val()
		case "stream":
			value = rdb.XRange(ctx, key, "-", "+").Val()
		default:
			require.Contains(t, []string{"none"}, kind, "this kind is not looked at: %s", key)
		}
		all[key] += fmt.Sprint(value)
	}
	return all
}

// A fleet at work, with jobs that are sent, fail, wait and are held, tells nobody a token or a secret, and message texts and
// recipients only where a job is kept or shown as one.
func TestNoSecretIsToldToAnybody(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	rdb := redistest.Client(t, addr)
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABtoken", "1002": "EAABsecond"}})
	require.NoError(t, err)
	server := httptest.NewServer(box)
	t.Cleanup(func() { server.Close(); box.Close() })
	require.NoError(t, box.SetPage("1002", sandbox.Page{Access: sandbox.AccessExpired}))
	to := newSink(t)
	path := writeFile(t, "c.yaml", `
pages:
- {id: 1001, access_token: EAABtoken, app_secret: app-secret-of-1001, rate: 40, bulk_rate: 40}
- {id: 1002, access_token: EAABsecond}
gateway: {api_keys: [an-api-key-of-the-app], metrics_addr: "127.0.0.1:0"}
worker: {http_addr: "127.0.0.1:0", suppress_for: 1h}
log: {format: json, level: trace}
tracing: {endpoint: "`+to.url+`"}
`)
	env := []string{"SENDPACE_REDIS_URL=redis://" + addr, "SENDPACE_GRAPH_BASE_URL=" + server.URL, "UNRELATED=hunter2"}
	gateway := start(t, nil, env, "gateway", "--addr", "127.0.0.1:0", "--config", path)
	base := gateway.out.wait(t, `answers at (http://\S+);`)
	worker := start(t, nil, env, "worker", "--config", path)
	monitor := start(t, nil, env, "monitor", "--addr", "127.0.0.1:0", "--config", path)

	call := func(token, target, body string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+target, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		status, _ := fetch(t, req)
		return status
	}
	request := func(psid string) string {
		return `{"recipient":{"id":"` + psid + `"},"messaging_type":"UPDATE","message":{"text":"private words"}}`
	}
	const psid = "77001234567"
	require.NoError(t, box.SetPerson("1001", psid+"9", sandbox.Person{Reach: sandbox.ReachGone}))
	assert.Equal(t, 200, call("EAABtoken", "/v26.0/me/messages", request(psid)))
	assert.Equal(t, 200, call("an-api-key-of-the-app", "/v26.0/1001/messages", request(psid+"9")))
	assert.Equal(t, 200, call("", "/v26.0/me/messages?access_token=EAABtoken", request(psid+"8")))
	assert.Equal(t, 200, call("EAABsecond", "/v26.0/me/messages", request(psid)))
	assert.Equal(t, 401, call("EAABtoken-of-nobody", "/v26.0/me/messages", request(psid)))
	assert.Equal(t, 400, call("EAABtoken", "/v26.0/me/messages", `{"recipient":{"id":"`+psid+`"},"message":{"text":7}}`))
	put(t, rdb, "1001", producer.At(time.Now().Add(time.Hour)))
	worker.err.wait(t, `(?s)(.*"message":"sent"){2}`)
	worker.err.wait(t, `"message":"failed"`)
	worker.err.wait(t, `"message":"held until a person releases it"`)

	told := map[string]string{}
	for what, where := range map[string]string{
		"metrics of the worker":  "http://" + worker.err.wait(t, `"addr":"([^"]+)","key":"worker.http_addr"`) + "/metrics",
		"metrics of the gateway": "http://" + gateway.err.wait(t, `"addr":"([^"]+)","key":"gateway.metrics_addr"`) + "/metrics",
		"openapi":                base + "/openapi.json",
	} {
		status, body := get(t, where)
		require.Equal(t, 200, status, what)
		told[what] = body
	}
	failed := regexp.MustCompile(`"job":"([^"]+)"[^\n]*"message":"failed"`).FindStringSubmatch(worker.err.String())[1]
	for _, args := range []string{
		"status", "status --json", "why page 1002", "why page 1002 --json", "why job " + failed, "audit --deep", "audit --json",
		"page list", "page list --json", "page show 1002", "page check", "outcomes", "dead list", "dead list --json", "dead show " + failed,
		"job show " + failed, "suppressed list --page 1001", "config check", "status --redis redis://u:hunter2@127.0.0.1:1",
	} {
		got := sendpace("", env, append(strings.Fields(args), "--config", path)...)
		told["sendpace "+args] = got.out + got.err
		assert.NotContains(t, got.err, "unknown flag", args)
	}
	address := strings.TrimSuffix(monitor.out.wait(t, `seen at (http://\S+);`), "/")
	pages := map[string]string{} // those of asynqmon show jobs as a whole
	for _, at := range []string{
		"", "api/queues", "api/servers", "api/redis_info", "api/queues/messenger/archived_tasks", "api/queues/messenger/scheduled_tasks",
		"api/queues/messenger/groups/1002:bulk/aggregating_tasks", "api/queues/messenger/completed_tasks",
	} {
		status, body := get(t, address+"/asynqmon/"+at)
		require.Equal(t, 200, status, at)
		pages["asynqmon/"+at] = body
	}
	for _, at := range []string{"/", "/api/fleet", "/api/history", "/api/broadcasts"} {
		status, body := get(t, address+at)
		require.Equal(t, 200, status, at)
		told["monitor "+at] = body
	}
	for _, p := range []*process{gateway, worker, monitor} {
		require.Equal(t, 0, p.stop(), p.err)
	}
	told["logs of the gateway"], told["logs of the worker"] = gateway.err.String()+gateway.out.String(), worker.err.String()+worker.out.String()
	told["logs of the monitor"] = monitor.err.String() + monitor.out.String()
	told["traces"] = to.text()
	require.NotEmpty(t, to.named("POST messages"))
	assert.Contains(t, told["sendpace why page 1002"], "hold")

	kept := redisDump(t, rdb)
	// A job, and the record of one that was not sent, so that it can be sent again.
	job := regexp.MustCompile(`^asynq:\{messenger\}:t:\S+ msg$|^sendpace:\{messenger\}:stream$`)
	jobs := 0
	for where, text := range kept {
		for _, hidden := range credentials {
			assert.NotContains(t, where+text, hidden, "Redis: %s", where)
		}
		for _, hidden := range usersData {
			if job.MatchString(where) {
				jobs++
				continue
			}
			assert.NotContains(t, where+text, hidden, "Redis: %s", where)
		}
	}
	assert.Greater(t, jobs, 2)
	for where, text := range told {
		assert.NotEmpty(t, text, where)
		for _, hidden := range append(usersData, credentials...) {
			assert.NotContains(t, text, hidden, where)
		}
	}
	for where, text := range pages {
		for _, hidden := range credentials {
			assert.NotContains(t, text, hidden, where)
		}
	}
	assert.Contains(t, pages["asynqmon/api/queues/messenger/archived_tasks"], "private words", "what is looked for can be found")
}
