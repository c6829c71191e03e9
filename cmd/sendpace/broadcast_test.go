package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/redistest"
)

const saleTemplate = `{"messaging_type":"UPDATE","message":{"text":"Hello {{.first_name}}, private words"}}`

// broadcastFiles writes an audience of n people, a template and a configuration, and returns the flags that name them.
func broadcastFiles(t *testing.T, people string) []string {
	t.Helper()
	return []string{
		"--page", "1001", "--audience", writeFile(t, "people.csv", people), "--template", writeFile(t, "message.json", saleTemplate),
		"--config", writeFile(t, "c.yaml", pagesFile),
	}
}

// people is an audience of n.
func people(n int) string {
	var b strings.Builder
	b.WriteString("recipient,first_name\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,Name%d\n", 5000+i, i)
	}
	return b.String()
}

func broadcastCommand(env []string, command string, args ...string) ran {
	return sendpace("", env, append([]string{"broadcast", command}, args...)...)
}

func TestBroadcastFromStartToReport(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABfirst", "1002": "EAABsecond"}})
	require.NoError(t, err)
	defer box.Close()
	server := httptest.NewServer(box)
	defer server.Close()
	env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL}
	files := broadcastFiles(t, people(40)+"5000,again\n")

	w := start(t, nil, env, "worker", "--config", files[len(files)-1], "--log-format", "json")
	got := broadcastCommand(env, "start", append(files, "sale", "--yes", "--test", "10", "--weight", "2")...)
	require.Equal(t, 0, got.code, got.err)
	assert.Equal(t, "", got.err)
	assert.Contains(t, got.out, "sale: testing\nsendpace broadcast status sale shows how far it is\n")
	w.err.wait(t, `(?s)(.*"message":"sent"){40}`)

	s := waitForBroadcast(t, env, broadcast.StateDone)
	assert.Equal(t, []int{40, 40, 0, 1}, []int{s.People, s.Sent, s.Failed, s.Duplicates})
	assert.Len(t, box.Accepted(), 40)
	to := map[string]bool{}
	for _, c := range box.Accepted() {
		to[c.Recipient] = true
	}
	assert.Len(t, to, 40, "each person once")

	got = broadcastCommand(env, "start", append(files, "sale", "--yes")...)
	assert.Equal(t, 0, got.code, got.err)
	assert.Contains(t, got.err, "it was started before")
	got = broadcastCommand(env, "report", "sale")
	assert.Regexp(t, `(?m)^sent +40\n(.*\n)+Messages sent a second, from .* \(UTC\)\n\n( +\d+\.\d .*\n)+`, got.out)
	html := filepath.Join(t.TempDir(), "report.html")
	got = broadcastCommand(env, "report", "sale", "--html", html)
	assert.Equal(t, html+" is written\n", got.out, got.err)
	page, err := os.ReadFile(html)
	require.NoError(t, err)
	assert.NotRegexp(t, `(?i)https?://|\ssrc=|\shref=|url\(|@import|<script|<link`, string(page))
	assert.Regexp(t, `(?s)<svg.*<rect .*sent</td>|sent</td>.*<svg.*<rect `, string(page))
	assert.NotContains(t, string(page), "private words")
	assert.Equal(t, 0, w.stop())
	assert.NotContains(t, w.err.String(), "private words")
	assert.Regexp(t, `(?m)^sale +1001 .* done +40 +40 +0 +0 +0$`, broadcastCommand(env, "list").out)
}

// waitForBroadcast returns the status once it is of that state.
func waitForBroadcast(t *testing.T, env []string, state broadcast.State) broadcast.Status {
	t.Helper()
	var s broadcast.Status
	require.Eventually(t, func() bool {
		got := broadcastCommand(env, "status", "sale", "--json")
		s = broadcast.Status{}
		return got.code == 0 && json.Unmarshal([]byte(got.out), &s) == nil && s.State == state
	}, 30*time.Second, 20*time.Millisecond, "%v", state)
	return s
}

func TestBroadcastWhoseTestFailsIsPaused(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABfirst", "1002": "EAABsecond"}})
	require.NoError(t, err)
	defer box.Close()
	for i := range 20 {
		require.NoError(t, box.SetPerson("1001", fmt.Sprint(5000+i), sandbox.Person{Reach: sandbox.ReachBlocked}))
	}
	server := httptest.NewServer(box)
	defer server.Close()
	env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL}
	files := broadcastFiles(t, people(20))
	w := start(t, nil, env, "worker", "--config", files[len(files)-1])
	require.Equal(t, 0, broadcastCommand(env, "start", append(files, "sale", "--yes", "--test", "20", "--test-limit", "50")...).code)
	s := waitForBroadcast(t, env, broadcast.StatePaused)
	assert.Equal(t, []int{4, 0, 16}, []int{s.Failed, s.Sent, s.Left()})
	assert.Contains(t, s.Why, "4 of the first 4 jobs, its test share, failed")
	assert.Regexp(t, `Why messages failed\n\npeople +code +reason\n─+\n +4 +551/1545041 `, broadcastCommand(env, "report", "sale").out)
	assert.Equal(t, ran{0, "sale: running\n", ""}, broadcastCommand(env, "resume", "sale"))
	s = waitForBroadcast(t, env, broadcast.StateDone)
	assert.Equal(t, 20, s.Failed)
	assert.Equal(t, 0, w.stop(), w.err)
}

func TestBroadcastDryRun(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	require.NoError(t, rdb.Set(t.Context(), "sendpace:{messenger}:rates:default", "33501 1005026 100503 0 250000 0 0 0.005", 0).Err())
	env := []string{"SENDPACE_REDIS_URL=" + url}
	files := broadcastFiles(t, people(3600))
	got := broadcastCommand(env, "start", append(files, "sale", "--dry-run", "--finish-by", "2126-01-01T00:00:00Z")...)
	assert.Equal(t, 0, got.code, got.err)
	assert.Regexp(t, `^broadcast +sale\n─+\npeople +3600\nduplicates, passed over +0\nrows with problems +0\nbegins \(UTC\) .*\npace +one person each 11h48m, to finish by 2126`, got.out)
	got = broadcastCommand(env, "start", append(files, "sale", "--dry-run")...)
	assert.Regexp(t, `(?m)^pace +the page's: 0\.995/s\nends \(UTC\) +20.*, after 1h$`, got.out)
	assert.NotContains(t, got.out, "private words")
	got = broadcastCommand(env, "start", append(files, "sale", "--dry-run", "--expires", time.Now().Add(30*time.Minute).Format(time.RFC3339))...)
	assert.Regexp(t, `(?m)^NOT REACHED IN TIME +18\d\d people$`, got.out)
	got = broadcastCommand(env, "start", append(files, "sale", "--dry-run", "--json")...)
	var plan broadcast.Plan
	require.NoError(t, json.Unmarshal([]byte(got.out), &plan), got.out)
	assert.Equal(t, 3600, plan.People)
	assert.Contains(t, string(plan.Sample[0]), "Hello Name0, private words")
	keys, err := rdb.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	assert.Len(t, keys, 1, "nothing was written")
}

func TestBroadcastsThatCannotStart(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	env := []string{"SENDPACE_REDIS_URL=" + url}
	const bad = "recipient,first_name\n1,Ann\n2,\nx,Bob\n"
	got := broadcastCommand(env, "start", append(broadcastFiles(t, bad), "sale", "--yes")...)
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.out, "row 3: first_name: empty, and it has no default\nrow 4: recipient: must be a PSID")
	assert.Equal(t, "sendpace: there are problems in 2 rows\n  correct the rows, or leave them out with --skip-bad; nothing was stored\n", got.err)
	for people, want := range map[string]string{
		"recipient,name\n1,Ann\n":         "broadcast: audience: the template has {{.first_name}}, but there is no column first_name; ",
		"id,first_name\n1,Ann\n":          "broadcast: audience: there is no column recipient (or psid); the columns are \"id, first_name\"",
		"recipient,first_name\n":          "sendpace: nobody is left in the audience",
		"recipient,first_name\n1,\"Ann\n": "broadcast: audience: row 2: a quoted value does not end",
	} {
		got := broadcastCommand(env, "start", append(broadcastFiles(t, people), "sale", "--yes")...)
		assert.Equal(t, 1, got.code, people)
		assert.Contains(t, got.err, want, people)
	}
	keys, err := rdb.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	assert.Empty(t, keys)

	got = broadcastCommand(env, "start", append(broadcastFiles(t, bad), "sale", "--skip-bad")...)
	assert.Equal(t, 2, got.code, "it asks first")
	assert.Contains(t, got.err, "send broadcast sale to 1 people of page 1001: there is no terminal to ask at\n  add --yes")
	require.Equal(t, 0, broadcastCommand(env, "start", append(broadcastFiles(t, bad), "sale", "--skip-bad", "--yes")...).code)
	got = broadcastCommand(env, "start", append(broadcastFiles(t, people(2)), "sale", "--yes")...)
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "there is a broadcast of that name with another audience")
	got = broadcastCommand(env, "start", "sale", "--page", "1001", "--audience", "absent.csv", "--template", "absent.json")
	assert.Equal(t, "sendpace: absent.json: no such file or directory\n  check --template\n", got.err)
}

func TestBroadcastPauseResumeCancel(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	env := []string{"SENDPACE_REDIS_URL=" + url}
	require.Equal(t, 0, broadcastCommand(env, "start", append(broadcastFiles(t, people(30)), "sale", "--yes")...).code)
	assert.Equal(t, ran{0, "sale: paused\n", ""}, broadcastCommand(env, "pause", "sale", "--why", "a\x1btypo"))
	assert.Regexp(t, `(?m)^state +paused\nwhy +a typo\npeople +30\nsent +0\n`, broadcastCommand(env, "status", "sale").out)
	assert.Equal(t, ran{0, "sale: running\n", ""}, broadcastCommand(env, "resume", "sale"))
	assert.Equal(t, ran{0, "30 cancelled, 0 in hand were asked not to be sent\n", ""}, broadcastCommand(env, "cancel", "sale", "--yes"))
	assert.Regexp(t, `(?m)^sale +1001 .* cancelled +30 +0 +0 +30 +0$`, broadcastCommand(env, "list").out)
	got := broadcastCommand(env, "resume", "sale")
	assert.Equal(t, "sendpace: broadcast sale: it has come to its end before\n", got.err)
	for _, command := range []string{"status", "report", "pause", "resume"} {
		got := broadcastCommand(env, command, "nobody")
		assert.Equal(t, ran{1, "", "sendpace: broadcast nobody: there is no such broadcast\n  sendpace broadcast list shows those that there are\n"}, got)
	}
}

func TestBroadcastInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t) // the other kind is too slow for so many
	rdb := redistest.Client(t, addr)
	env := []string{"SENDPACE_REDIS_URL=redis://" + addr}
	const n = 60_000
	args := append([]string{"broadcast", "start", "sale", "--yes"}, broadcastFiles(t, people(n))...)
	p := start(t, nil, env, args...)
	require.Eventually(t, func() bool {
		loaded, _ := rdb.HGet(t.Context(), "sendpace:{messenger}:broadcast:sale", "loaded").Int()
		return loaded > 1
	}, 30*time.Second, time.Millisecond, p.err)
	assert.Equal(t, 1, p.stop())
	assert.Contains(t, p.err.String(), "sendpace: interrupted\n  nothing is sent yet; the same command goes on where it stopped")
	got := broadcastCommand(env, "status", "sale")
	assert.Regexp(t, `(?m)^state +loading\npeople +60000\nstored +\d+\n`, got.out)
	got = sendpace("", env, args...)
	assert.Equal(t, 0, got.code, got.err)
	assert.Contains(t, got.out, "sale: running\n")
	assert.Contains(t, got.err, "it was started before")
	assert.EqualValues(t, n, rdb.ZCard(t.Context(), "asynq:{messenger}:g:1001:bulk:@sale").Val())
}
