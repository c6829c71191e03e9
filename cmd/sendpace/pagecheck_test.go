package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
)

func TestPageCheck(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	box, err := sandbox.New(sandbox.Config{Tokens: map[string]string{"1001": "EAABfirst", "1002": "EAABsecond", "1003": "EAABthird"}})
	require.NoError(t, err)
	defer box.Close()
	server := httptest.NewServer(box)
	defer server.Close()
	env := []string{"SENDPACE_REDIS_URL=" + url, "SENDPACE_GRAPH_BASE_URL=" + server.URL}
	path := writeFile(t, "c.yaml", "pages:\n- {id: 1001, access_token: EAABfirst}\n- {id: 1002, access_token: EAABsecond}\n"+
		"- {id: 1003, access_token: EAABfirst}\n")
	check := func(args ...string) ran {
		return sendpace("", env, append([]string{"page", "check", "--config", path}, args...)...)
	}

	got := check("1001")
	assert.Equal(t, 0, got.code, got.err)
	assert.Regexp(t, `(?m)^1001 .* works$`, got.out)

	require.NoError(t, box.SetPage("1002", sandbox.Page{Access: sandbox.AccessExpired}))
	got = check()
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.err, "2 of 3 pages cannot send")
	assert.Regexp(t, `(?m)^1002 .* does not work$`, got.out)
	assert.Contains(t, got.out, "page 1002: auth (page): code 190/463")
	assert.Contains(t, got.out, "\n  the token has expired: make a new Page access token")
	assert.Contains(t, got.out, "page 1003: auth (page): the access token belongs to 1001, not to page 1003")
	assert.NotContains(t, got.out+got.err, "EAAB")

	pacer, err := pace.New(rdb, pace.Config{})
	require.NoError(t, err)
	require.NoError(t, pacer.Hold(context.Background(), "1001",
		pace.Reason{Text: "auth (page): code 230: requires the pages_messaging permission", Code: 230, Since: time.Now()}))
	got = check("1001", "--json")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.out, `"ok":false,"problem":"on hold: auth (page): code 230: requires the pages_messaging permission","code":230`)
	assert.Contains(t, got.out, `the token needs pages_messaging`)
	assert.Contains(t, got.out, `then: sendpace page release 1001`)

	_, err = pacer.Release(context.Background(), "1001")
	require.NoError(t, err)
	require.NoError(t, pacer.Hold(context.Background(), "1001", pace.Reason{Text: "expired", Code: 190, Subcode: 463, Since: time.Now()}))
	got = check("1001")
	assert.Contains(t, got.out, "page 1001: on hold: expired\n  its token works now: sendpace page release 1001")
	assert.NotContains(t, got.out, "make a new")

	got = check("1001", "--redis", "redis://127.0.0.1:1")
	assert.Equal(t, 0, got.code, "a token is checked without Redis: %s", got.err)
	assert.Contains(t, got.err, "holds are not shown: Redis at redis://127.0.0.1:1 does not answer")
	got = check("77")
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "page 77 is not configured")
	server.Close()
	got = check("1001")
	assert.Equal(t, 1, got.code)
	assert.Regexp(t, `(?m)^1001 .* not known$`, got.out)
	assert.Contains(t, got.err, "sendpace: of 1 of 1 pages it is not known whether they can send\n", "which is not that it cannot")
	assert.Contains(t, got.out, "this says nothing about the token; check graph.base_url")
}

// Every error for which a page is held, or that a check can meet, has advice.
func TestAdvice(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, c := range [][2]int{{190, 0}, {190, 458}, {190, 460}, {190, 463}, {190, 492}, {10, 0}, {10, 1893063}, {100, 0}, {100, 33}, {368, 0}, {36103, 0}, {10904, 0}} {
		said[adviceOnCode(c[0], c[1])] = true
	}
	assert.Len(t, said, 11, "the platform's restrictions share one, all others differ")
	for _, hold := range []pace.Reason{{Code: 190}, {Code: 33}, {Code: 100, Subcode: 33}, {MissingToken: true}} {
		assert.Equal(t, "its token works now: ", adviceOnHold(hold), "%+v: the check has shown that it is this page's", hold)
	}
	assert.Equal(t, adviceOnCode(100, 0)+"; then: ", adviceOnHold(pace.Reason{Code: 100}))
	for _, kind := range sendapi.Kinds() {
		assert.NotEmpty(t, strings.TrimSpace(adviceOn(&sendapi.Error{Kind: kind})), kind)
	}
}
