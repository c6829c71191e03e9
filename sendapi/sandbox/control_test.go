package sandbox_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func control(srv http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	return w
}

func TestControlHelp(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	w := control(srv, http.MethodGet, "/sandbox/", "")
	assert.Equal(t, 200, w.Code)
	for _, path := range []string{"/sandbox/calls", "/sandbox/faults", "/{version}/{page-id}/messages"} {
		assert.Contains(t, w.Body.String(), path)
	}
	assert.Equal(t, 404, control(srv, http.MethodGet, "/sandbox/other", "").Code)
	assert.Equal(t, 405, control(srv, http.MethodPut, "/sandbox/faults", "").Code)
	assert.Empty(t, srv.Calls(), "control is not recorded")
}

func TestControlFaults(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	w := control(srv, http.MethodPost, "/sandbox/faults", `{"page":"1001","code":613,"retry_after":"5m","times":1}`)
	require.Equal(t, 204, w.Code, w.Body)
	refused := send(srv)
	assert.Equal(t, 400, refused.Code)
	assert.Contains(t, refused.Header().Get("X-Business-Use-Case-Usage"), `"estimated_time_to_regain_access":5`)
	assert.Equal(t, 200, send(srv).Code)

	require.Equal(t, 204, control(srv, http.MethodPost, "/sandbox/faults", `{"code":190,"for":"1h"}`).Code)
	assert.Equal(t, 400, send(srv).Code)
	require.Equal(t, 204, control(srv, http.MethodDelete, "/sandbox/faults", "").Code)
	assert.Equal(t, 200, send(srv).Code)
}

func TestControlRefusesWhatIsNoFault(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	for body, want := range map[string]string{
		``:                                  "not understood: EOF",
		`{"code":1} x`:                      "not understood: data after the object",
		`{"kode":1}`:                        `unknown field "kode"`,
		`{"code":1,"for":"soon"}`:           "for: invalid duration: it must look like 1m30s",
		`{}`:                                "code: needs one of code, status, drop and delay",
		`{"page":"shop","code":1}`:          "page: must be decimal digits",
		`{"status":99}`:                     "status: must be 200 to 599",
		`{"subcode":1,"drop":"maybe"}`:      "subcode: needs a code; drop: must be before or after",
		`{"delay":"6m"}`:                    "delay: must be 0 to 5m",
		`{"code":1,"retry_after":"-1s"}`:    "retry_after: must not be negative",
		`{"code":1,"for":"-1s","times":-1}`: "for: must not be negative; times: must not be negative",
		`{"message":"` + strings.Repeat("x", 100_000) + `"}`: "too large",
	} {
		w := control(srv, http.MethodPost, "/sandbox/faults", body)
		assert.Equal(t, 400, w.Code, body)
		assert.Contains(t, w.Body.String(), want)
	}
	assert.Equal(t, 200, send(srv).Code)
}

func TestControlCalls(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	send(srv)
	srv.Fail("1001", sandbox.Fault{Code: 613, Times: 1})
	send(srv)
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropAfter, Times: 1})
	assert.Panics(t, func() { send(srv) })
	post(srv, "/1002/messages", "t", hello)

	var got struct {
		Pages     map[string]sandbox.PageCalls `json:"pages"`
		Forgotten int                          `json:"forgotten"`
	}
	w := control(srv, http.MethodGet, "/sandbox/calls", "")
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	assert.Equal(t, srv.Summary(), got.Pages)
	one := got.Pages["1001"]
	assert.Equal(t, []int{3, 2, 1, 1, 3}, []int{one.Count, one.Accepted, one.Refused, one.Dropped, one.Pace.Count})
	assert.Equal(t, 1, got.Pages["1002"].Accepted)
	assert.Zero(t, got.Forgotten)
}

func TestServe(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error)
	go func() { served <- srv.Serve(ctx, l) }()

	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		"http://"+l.Addr().String()+"/v26.0/1001/messages?access_token=t", strings.NewReader(hello))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	res, err := web.Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, 200, res.StatusCode, string(body))

	cancel()
	assert.NoError(t, <-served)
	assert.Error(t, srv.Serve(t.Context(), l), "the listener is closed")
}
