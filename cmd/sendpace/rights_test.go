package main

import (
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/redistest"
)

// readmeRule is the rule that the README gives to the user, without the password.
func readmeRule(t *testing.T) []any {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^ +user sendpace on (.*)$`).FindSubmatch(readme)
	require.NotNil(t, line)
	var rule []any
	for _, word := range strings.Fields(string(line[1])) {
		if !strings.HasPrefix(word, "#") {
			rule = append(rule, word)
		}
	}
	return rule
}

// asUser makes a user of a Redis that may do what the words say, and returns its URL.
func asUser(t *testing.T, rdb redis.UniversalClient, addr string, rule ...any) string {
	t.Helper()
	require.NoError(t, rdb.Do(t.Context(), append([]any{"ACL", "SETUSER", "sendpace", "on", ">secret"}, rule...)...).Err())
	return "redis://sendpace:secret@" + addr
}

func allRights() []string { return slices.Concat(callRights, scriptRights) }

func TestTheREADMEsRuleIsTheRights(t *testing.T) {
	t.Parallel()
	want := []any{"resetkeys", "~asynq:*", "~sendpace:*", "resetchannels", "&asynq:cancel", "&sendpace:*", "-@all"}
	for _, r := range allRights() {
		want = append(want, "+"+r)
	}
	assert.Equal(t, want, readmeRule(t))
}

// All that an installation does is done as the README's user. Redis keeps a log of what it refused.
func TestTheREADMEsRuleIsEnough(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	rdb := redistest.Client(t, addr)
	url := asUser(t, rdb, addr, readmeRule(t)...)
	require.NoError(t, rdb.ConfigResetStat(t.Context()).Err())
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABfirst", "1002": "EAABsecond"}})
	require.NoError(t, err)
	defer box.Close()
	server := httptest.NewServer(box)
	defer server.Close()
	env := []string{
		"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL, "SENDPACE_WORKER_SUPPRESS_FOR=1h",
		"SENDPACE_CONFIG=" + writeFile(t, "c.yaml", pagesFile), "SENDPACE_WORKER_HTTP_ADDR=127.0.0.1:0",
	}
	type flow struct{ args, stdin string }
	flows := func(list ...flow) {
		for _, f := range list {
			got := sendpace(f.stdin, env, strings.Fields(f.args)...)
			assert.Equal(t, 0, got.code, "%s: %s%s", f.args, got.out, got.err)
		}
	}
	audience, template := writeFile(t, "a.csv", "recipient\n4321\n4322\n"), writeFile(t, "t.json", `{"messaging_type":"UPDATE","message":{"text":"Hello"}}`)
	later := `{"page_id":"1002","key":"k","send_at":"2100-01-01T00:00:00Z","request":{"recipient":{"id":"9"},"message":{"text":"x"},"messaging_type":"UPDATE"}}`
	flows(
		flow{"page pause 1002 --for 1h --why x", ""},
		flow{"broadcast start sale --yes --page 1002 --test 50 --audience " + audience + " --template " + template, ""},
		flow{"enqueue --file -", later + "\n" + job("1002", "8", "x")},
		flow{"job cancel --page 1002 --key k --yes", ""},
		flow{"page hold 1001 --why x", ""}, flow{"page release 1001", ""},
	)

	worker := start(t, nil, env, "worker", "--log-format", "json")
	metrics := "http://" + worker.err.wait(t, `"addr":"([^"]+)","key":"worker.http_addr"`)
	flows(flow{"enqueue --file -", job("1001", "1", "x") + job("1001", "551", "x")})
	worker.err.wait(t, `(?s)(.*"message":"sent"){2}`)
	for _, path := range []string{"/metrics", "/readyz"} {
		scraped, body := get(t, metrics+path)
		require.Equal(t, http.StatusOK, scraped, body)
	}
	failed := bury(t, rdb, producer.Outcome{PageID: "1002", Kind: producer.Failed, Code: 100, EndedAt: time.Now()}) // a page that is paused
	flows(
		flow{"page rate 1001 --bulk 20 --for 1h", ""}, flow{"status", ""}, flow{"audit --deep", ""}, flow{"page list", ""}, flow{"page show 1001", ""}, flow{"why page 1002", ""},
		flow{"broadcast pause sale", ""}, flow{"broadcast resume sale", ""}, flow{"broadcast list", ""}, flow{"broadcast status sale", ""},
		flow{"broadcast report sale", ""}, flow{"broadcast cancel sale --yes", ""}, flow{"outcomes", ""}, flow{"suppressed list --page 1001", ""},
		flow{"suppressed remove --page 1001 --recipient 7", ""}, flow{"job show " + failed, ""}, flow{"why job " + failed, ""},
		flow{"dead list", ""}, flow{"dead show " + failed, ""}, flow{"dead export", ""}, flow{"dead replay " + failed + " --yes", ""},
		flow{"job resend --failed --yes", ""},
	)
	followAsGroup(t, url)
	monitor := start(t, nil, env, "monitor", "--addr", "127.0.0.1:0")
	address := strings.TrimSuffix(monitor.out.wait(t, `seen at (\S+);`), "/")
	for _, at := range []string{"/asynqmon/api/queues", "/api/fleet", "/api/history", "/api/broadcasts"} {
		seen, body := get(t, address+at)
		assert.Equal(t, http.StatusOK, seen, body)
	}
	assert.Equal(t, 0, monitor.stop(), monitor.err)
	assert.Equal(t, 0, worker.stop(), worker.err)

	refused, err := rdb.Do(t.Context(), "ACL", "LOG").Slice()
	require.NoError(t, err)
	assert.Empty(t, refused)
	stats, err := rdb.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	scripts := allScripts(t)
	for _, r := range allRights() {
		// What only a rare moment needs is at least in a script: a takeover, a daily budget.
		needed := strings.Contains(stats, "cmdstat_"+r+":") || strings.Contains(scripts, "'"+strings.ToUpper(r)+"'")
		assert.True(t, needed, "nothing needs %s", r)
	}
}

// allScripts is the text of our Lua.
func allScripts(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".lua" {
			return err
		}
		lua, err := os.ReadFile(path)
		text.Write(lua)
		return err
	}))
	return text.String()
}

// followAsGroup reads outcomes as an application does that shares the work among processes.
func followAsGroup(t *testing.T, url string) {
	t.Helper()
	cfg, _, err := config.Load(config.Source{Env: []string{"SENDPACE_REDIS_URL=" + url}})
	require.NoError(t, err)
	rdb, closeRedis, err := openRedis(t.Context(), cfg.Redis)
	require.NoError(t, err)
	defer func() { require.NoError(t, closeRedis()) }()
	p, err := producer.New(rdb, producer.Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = p.LastOutcomeID(ctx)
	require.NoError(t, err)
	err = p.Outcomes(ctx, producer.Follow{Group: "app", Consumer: "one"}, func(context.Context, producer.Record) error {
		cancel()
		return nil
	})
	require.NoError(t, err)
}

func TestAUserThatLacksARightIsToldWhich(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", pagesFile)
	for _, args := range []string{"worker", "gateway --addr 127.0.0.1:0", "monitor --addr 127.0.0.1:0", "enqueue --file -", "status"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			addr := redistest.Server(t)
			rdb := redistest.Client(t, addr)
			url := asUser(t, rdb, addr, append(readmeRule(t), "-sadd", "-hset", "-time", "-zcard")...)
			p := start(t, strings.NewReader(job("1001", "1", "x")), nil,
				append(strings.Fields(args), "--config", path, "--redis", url)...)
			p.err.wait(t, "Redis does not let the user of redis.url run hset, sadd, time, zcard\\n  "+rightsHint)
			assert.Equal(t, 1, p.stop())
		})
	}
}

// Where a user may see no key of ours, Redis itself says so.
func TestAUserWithoutTheKeysIsTold(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	rdb := redistest.Client(t, addr)
	url := asUser(t, rdb, addr, "~other:*", "+@all")
	got := sendpace(job("1001", "1", "x"), nil, "enqueue", "--file", "-", "--redis", url, "--config", writeFile(t, "c.yaml", pagesFile))
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "keys")
	assert.Contains(t, got.err, rightsHint)
}
