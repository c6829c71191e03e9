package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// asProgram makes a run of this test binary the program itself.
const asProgram = "TEST_AS_PROGRAM"

// spawn starts the program in a process of its own, and ends it when the test does.
func spawn(t *testing.T, env []string, args ...string) (p *exec.Cmd, out *output) {
	t.Helper()
	out = newOutput()
	p = exec.Command(os.Args[0], args...)
	p.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	p.Stdout, p.Stderr = out, out
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		_ = p.Process.Signal(syscall.SIGTERM)
		assert.NoError(t, p.Wait(), out)
	})
	return p, out
}

// expired is a fleet of one page whose token has expired, with a job that waits for that to be put right.
type expired struct {
	box  *sandbox.Server
	env  []string
	path string // of the configuration
	dir  string // of the file with the token
}

func newExpired(t *testing.T) *expired {
	t.Helper()
	url, _ := startRedis(t)
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABold"}})
	require.NoError(t, err)
	server := httptest.NewServer(box)
	t.Cleanup(func() { server.Close(); box.Close() })
	require.NoError(t, box.SetPage("1001", sandbox.Page{Access: sandbox.AccessExpired}))
	e := &expired{box: box, env: []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL}}
	e.path = writeFile(t, "c.yaml", "pages: [{id: 1001, access_token_file: token}]\nlog: {format: json}\n")
	e.dir = filepath.Dir(e.path)
	e.token(t, "EAABold")
	require.Equal(t, 0, sendpace(job("1001", "7", "private words"), e.env, "enqueue", "--config", e.path, "--file", "-").code)
	return e
}

func (e *expired) token(t *testing.T, token string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "token"), []byte(token+"\n"), 0o600))
}

// renew makes the platform take another token.
func (e *expired) renew(t *testing.T) {
	t.Helper()
	require.NoError(t, e.box.SetPage("1001", sandbox.Page{Token: "EAABnew"}))
}

func TestSIGHUPReadsANewTokenAndReleasesThePage(t *testing.T) {
	t.Parallel()
	e := newExpired(t)
	p, out := spawn(t, e.env, "worker", "--config", e.path)
	out.wait(t, `"message":"held until a person releases it"`)

	require.NoError(t, os.WriteFile(e.path, []byte("pages: [{id: 1001, access_token: "), 0o600))
	require.NoError(t, p.Process.Signal(syscall.SIGHUP))
	out.wait(t, `"level":"error",.*"message":"the configuration was not reloaded; the former one goes on"`)

	e.renew(t)
	text := "pages: [{id: 1001, access_token: EAABother}]\nlog: {format: json}\n"
	require.NoError(t, os.WriteFile(e.path, []byte(text), 0o600))
	require.NoError(t, p.Process.Signal(syscall.SIGHUP))
	out.wait(t, `"message":"still on hold: its new token does not work either"`)
	assert.Empty(t, e.box.Accepted())

	require.NoError(t, os.WriteFile(e.path, []byte(strings.Replace(text, "EAABother", "EAABnew", 1)), 0o600))
	require.NoError(t, p.Process.Signal(syscall.SIGHUP))
	out.wait(t, `"page":"1001",.*"message":"released: its new token works"`)
	out.wait(t, `"message":"sent"`)
	assert.NotRegexp(t, "EAAB|private words", out)
}

// A token in a file of its own is found by itself.
func TestAChangedFileIsEnough(t *testing.T) {
	t.Parallel()
	e := newExpired(t)
	_, out := spawn(t, e.env, "worker", "--config", e.path)
	out.wait(t, `"message":"held until a person releases it"`)
	e.renew(t)
	e.token(t, "EAABnew")
	out.wait(t, `"message":"released: its new token works"`)
	out.wait(t, `"message":"sent"`)
}

// A worker that is started with a new token need not be told that it is one.
func TestAWorkerThatStartsWithANewTokenReleasesThePage(t *testing.T) {
	t.Parallel()
	e := newExpired(t)
	first := start(t, nil, e.env, "worker", "--config", e.path)
	first.err.wait(t, `"message":"held until a person releases it"`)
	require.Equal(t, 0, first.stop())
	again := start(t, nil, e.env, "worker", "--config", e.path)
	again.err.wait(t, `"message":"worker started"`)
	require.Equal(t, 0, again.stop())
	assert.NotContains(t, again.err.String(), "released", "the same token is not tried again")

	e.renew(t)
	e.token(t, "EAABnew")
	last := start(t, nil, e.env, "worker", "--config", e.path)
	last.err.wait(t, `"message":"released: its new token works"`)
	last.err.wait(t, `"message":"sent"`)
}

func TestTheGatewayTakesANewToken(t *testing.T) {
	t.Parallel()
	e := newExpired(t)
	p, out := spawn(t, e.env, "gateway", "--config", e.path, "--addr", "127.0.0.1:0")
	base := out.wait(t, `answers at (http://\S+);`)
	assert.Equal(t, []int{200, 401}, []int{post(t, base+"/me/messages", "EAABold"), post(t, base+"/me/messages", "EAABnew")})
	e.token(t, "EAABnew")
	require.NoError(t, p.Process.Signal(syscall.SIGHUP))
	out.wait(t, `"message":"the configuration was reloaded`)
	assert.Equal(t, []int{401, 200}, []int{post(t, base+"/me/messages", "EAABold"), post(t, base+"/me/messages", "EAABnew")})
}

func TestWhatIsTriedAgain(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	applied, away := 0, errors.New("Redis is away")
	cfg := config.Default()
	r := &reloader{
		log: zerolog.New(&log), load: func() (*config.Config, error) { return cfg, nil },
		apply: func(context.Context, *config.Config) error { applied++; return away },
	}
	assert.True(t, r.reload(t.Context()), "no page is left: that is tried when it has changed")
	assert.Zero(t, applied)
	assert.Contains(t, log.String(), "no page is configured")
	cfg.Pages, cfg.Files = []config.Page{{ID: "1"}}, []string{"c.yaml", "a-new-file"}
	assert.False(t, r.reload(t.Context()), "without Redis: it is tried again")
	assert.Contains(t, log.String(), "Redis is away")
	assert.Equal(t, cfg.Files, r.files, "new files are watched")
	away = nil
	assert.True(t, r.reload(t.Context()))
	assert.Equal(t, 2, applied)
}

// A SIGHUP that comes while Redis is still being reached does not end the process, and is done once it has started.
func TestSIGHUPWhileStarting(t *testing.T) {
	t.Parallel()
	for command, ready := range map[string]string{"worker": `"message":"worker started"`, "gateway": "the gateway answers at"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			e := newExpired(t)
			behind := strings.TrimPrefix(strings.TrimPrefix(e.env[0], "SENDPACE_REDIS_URL="), "redis://")
			reached, goOn := make(chan struct{}), make(chan struct{})
			slow, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = slow.Close() }) // when the program has ended
			go relay(slow, behind, func() { close(reached); <-goOn })
			env := []string{"SENDPACE_REDIS_URL=redis://" + slow.Addr().String(), e.env[1], "SENDPACE_GATEWAY_ADDR=127.0.0.1:0"}
			p, out := spawn(t, env, command, "--config", e.path)
			<-reached
			require.NoError(t, p.Process.Signal(syscall.SIGHUP))
			close(goOn)
			out.wait(t, `"message":"the configuration was reloaded`)
			out.wait(t, ready)
		})
	}
}

// relay passes connections on to another address, the first one once before returns.
func relay(l net.Listener, to string, before func()) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		if before != nil {
			before()
			before = nil
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			_ = from.Close()
			continue
		}
		go func() { defer out.Close(); _, _ = io.Copy(out, from) }()
		go func() { defer from.Close(); _, _ = io.Copy(from, out) }()
	}
}
