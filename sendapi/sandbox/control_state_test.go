package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func set(t *testing.T, srv http.Handler, path, body string) {
	t.Helper()
	w := control(srv, http.MethodPost, path, body)
	require.Equal(t, 204, w.Code, w.Body)
}

func TestControlPages(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{Tokens: map[string]string{"1001": "t"}})
	set(t, srv, "/sandbox/pages", `{"page":"1001","access":"expired"}`)
	assert.Contains(t, send(srv).Body.String(), `"error_subcode":463,`)
	set(t, srv, "/sandbox/pages", `{"page":"1001","token":"new","window":"closed","rate":5,"media_rate":1,"usage":97}`)
	assert.Equal(t, 403, post(srv, "/1001/messages", "new", hello).Code, "outside the window")
	w := control(srv, http.MethodGet, "/sandbox/pages?page=1001", "")
	assert.JSONEq(t, `{"pages":{"1001":{"window":"closed","rate":5,"media_rate":1,"usage":97,"high_volume":false,`+
		`"usage_percent":97}}}`, w.Body.String())
	for _, query := range []string{"?page=1001", ""} {
		assert.Equal(t, 204, control(srv, http.MethodDelete, "/sandbox/pages"+query, "").Code)
		assert.Equal(t, 200, send(srv).Code, "with the first token")
		set(t, srv, "/sandbox/pages", `{"page":"1001","token":"new"}`)
	}
}

func TestControlShowsHighVolumeAndBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{Rate: 41, Block: 90 * time.Second})
		for range 42 {
			send(srv)
		}
		post(srv, "/1002/messages", "t", hello)
		assert.JSONEq(t, `{"pages":{
			"1001":{"high_volume":true,"usage_percent":100,"blocked_for":"1m30s"},
			"1002":{"high_volume":false,"usage_percent":2.4390243902439024}
		}}`, control(srv, http.MethodGet, "/sandbox/pages", "").Body.String())
	})
}

func TestControlPeople(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{})
		set(t, srv, "/sandbox/people", `{"page":"1001","person":"7","wrote_ago":"25h"}`)
		assert.Contains(t, send(srv).Body.String(), "2018278")
		time.Sleep(time.Hour)
		w := control(srv, http.MethodGet, "/sandbox/people?page=1001&person=7", "")
		assert.JSONEq(t, `{"page":"1001","person":"7","wrote_ago":"26h0m0s"}`, w.Body.String())

		set(t, srv, "/sandbox/people", `{"page":"1001","person":"7","wrote_ago":"0s"}`)
		assert.Equal(t, 200, send(srv).Code)
		set(t, srv, "/sandbox/people", `{"page":"1001","person":"7","reach":"blocked","thread":"other_app"}`)
		assert.Contains(t, send(srv).Body.String(), "1545041")
		w = control(srv, http.MethodGet, "/sandbox/people?page=1001&person=id:7", "")
		assert.JSONEq(t, `{"page":"1001","person":"id:7","reach":"blocked","thread":"other_app"}`, w.Body.String())
		assert.Equal(t, 204, control(srv, http.MethodDelete, "/sandbox/people?page=1001&person=7", "").Code)
		assert.Equal(t, 200, send(srv).Code)
	})
}

func TestControlShowsFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{})
		assert.JSONEq(t, `{"faults":[]}`, control(srv, http.MethodGet, "/sandbox/faults", "").Body.String())
		const all = `{"page":"1001","code":613,"subcode":2018338,"status":400,"message":"slow","transient":true,` +
			`"retry_after":"5m0s","delay":"1s","delay_up_to":"2s","drop":"after","chance":1,"person":"id:7",` +
			`"media_url":"https://x/","for":"1m0s","times":3}`
		set(t, srv, "/sandbox/faults", all)
		assert.JSONEq(t, `{"faults":[`+all+`]}`, control(srv, http.MethodGet, "/sandbox/faults", "").Body.String())
		set(t, srv, "/sandbox/faults", `{"code":2,"for":"2m","times":2}`)
		send(srv)
		time.Sleep(time.Minute)
		assert.JSONEq(t, `{"faults":[{"code":2,"for":"1m0s","times":1}]}`,
			control(srv, http.MethodGet, "/sandbox/faults", "").Body.String())
	})
}

func TestControlBoundsFaults(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	for i := range 1000 {
		set(t, srv, "/sandbox/faults", fmt.Sprintf(`{"page":"%d","code":2}`, i))
	}
	w := control(srv, http.MethodPost, "/sandbox/faults", `{"code":2}`)
	assert.Equal(t, 400, w.Code)
	assert.Contains(t, w.Body.String(), "too many faults")
}

// Every mistake is told with the name of its member.
func TestControlNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	for _, row := range []struct{ path, body, want string }{
		{"pages", `{}`, "page: must be decimal digits"},
		{"pages", `{"page":"1001","access":"gone"}`, "access: must be one of blocked, expired,"},
		{"pages", `{"page":1001}`, "page: must not be a JSON number"},
		{"pages", `{"page":"1001","usage":1001}`, "usage: must be 0 to 1,000"},
		{"pages", `{"page":"1001","rates":1}`, `unknown field "rates"`},
		{"pages", `[]`, "must be a JSON object, not a JSON array"},
		{"people", `{"page":"1001"}`, "person: must be a page-scoped id"},
		{"people", `{"page":"1001","person":"7","wrote_ago":"yesterday"}`, "wrote_ago: invalid duration"},
		{"people", `{"page":"1001","person":"7","wrote_ago":"-1s"}`, "wrote_ago: must not be negative"},
		{"people", `{"page":"1001","person":"7","reach":"x","thread":"y"}`, "reach: must be one of blocked, gone, unavailable; thread:"},
		{"faults", `{"code":"613"}`, "code: must not be a JSON string"},
		{"faults", `{"code":1,"chance":2}`, "chance: must be 0 to 1"},
		{"faults", `{"delay":"2s","delay_up_to":"1s"}`, "delay_up_to: must be from delay to 5m"},
		{"faults", `{"code":1,"person":"x"}`, "person: must be a page-scoped id"},
		{"faults", `{"code":1,"retry_after":"soon","for":"x"}`, "retry_after: invalid duration: it must look like 1m30s; for: inv"},
	} {
		w := control(srv, http.MethodPost, "/sandbox/"+row.path, row.body)
		assert.Equal(t, 400, w.Code, "%s %s", row.path, row.body)
		assert.Contains(t, w.Body.String(), row.want, "%s %s", row.path, row.body)
	}
	for _, row := range []struct{ method, path, want string }{
		{"GET", "pages?page=x", "page: must be decimal digits"},
		{"GET", "people?page=1001", "person: required"},
		{"GET", "people?person=7", "page: required with a person"},
		{"DELETE", "people?person=7", "page: required with a person"},
		{"DELETE", "people?pag=1001", "query: knows page and person only"},
		{"DELETE", "pages?page=x", "page: must be decimal digits"},
		{"DELETE", "faults?person=x", "person: must be a page-scoped id"},
	} {
		w := control(srv, row.method, "/sandbox/"+row.path, "")
		assert.Equal(t, 400, w.Code, row.path)
		assert.Contains(t, w.Body.String(), row.want, row.path)
	}
}

// What a browser may send from another site changes nothing.
func TestControlRefusesForms(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	for _, path := range []string{"pages", "people", "faults"} {
		w := postAs(srv, "/sandbox/"+path, "text/plain", `{"page":"1001","person":"7","code":1}`)
		assert.Equal(t, 415, w.Code, path)
	}
	assert.Equal(t, 200, send(srv).Code)
}

// The help names every path, member and value that the interface knows.
func TestHelpIsComplete(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	help := control(srv, http.MethodGet, "/sandbox/", "").Body.String()
	for _, path := range []string{"calls", "log", "pages", "people", "faults"} {
		assert.Contains(t, help, " /sandbox/"+path)
	}
	for _, parameter := range []string{"page", "recipient", "since", "limit", "all", "person"} {
		assert.Regexp(t, `[?&]`+parameter+`=`, help)
	}
	for _, member := range strings.Fields(`page access token window rate media_rate usage person wrote_ago reach thread
		code subcode status message transient retry_after delay delay_up_to drop chance media_url for times`) {
		assert.Contains(t, help, `"`+member+`":`)
	}
	for _, value := range strings.Fields(`expired invalid password_changed role_lost not_granted no_permission no_messaging
		blocked restricted gone unavailable other_app automation open closed before after`) {
		assert.Regexp(t, `\b`+value+`\b`, help)
	}
}
