package sendapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func TestCheckPage(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{
		Tokens: map[string]string{"1001": token, "1002": "EAAGother"}, AppSecret: secret,
	})
	for _, id := range []string{"1001", "me"} {
		info, err := c.CheckPage(t.Context(), sendapi.Page{ID: id, Token: token, AppSecret: secret})
		require.NoError(t, err)
		assert.Equal(t, &sendapi.PageInfo{ID: "1001", Name: "Page 1001"}, info)
	}
	for want, bad := range map[string]sendapi.Page{
		"auth (page): code 190: (#190) the access token is invalid": {ID: "1001", Token: "old", AppSecret: secret},
		"auth (page): the access token belongs to 1002, not to page 1001; take the Page access token of this page": {
			ID: "1001", Token: "EAAGother", AppSecret: secret,
		},
		"auth (page): code 100: (#100) Invalid appsecret_proof provided in the API argument": {
			ID: "1001", Token: token, AppSecret: "wrong",
		},
		"auth (page): page 1001 has no access token": {ID: "1001"},
	} {
		_, err := c.CheckPage(t.Context(), bad)
		assert.EqualError(t, err, want)
		assert.ErrorIs(t, err, sendapi.KindAuth)
	}
	open, err := sandbox.New(sandbox.Config{})
	require.NoError(t, err)
	_, err = clientFor(t, open, sendapi.Config{}).CheckPage(t.Context(), page)
	assert.ErrorContains(t, err, "cannot tell whose this one is", "a sandbox that takes any token")

	srv.Fail("1001", sandbox.Fault{Code: 190, Subcode: 463})
	_, err = c.CheckPage(t.Context(), fullPage)
	assert.Equal(t, 463, errorOf(t, err).Subcode)
	assert.Empty(t, srv.Accepted())

	for _, body := range []string{`{}`, `{"id":"EAAG"}`, `{"name":"x"}`} {
		_, err := clientFor(t, answering(200, body), sendapi.Config{}).CheckPage(t.Context(), page)
		assert.EqualError(t, err, "transient: HTTP 200: the answer has no id", body)
	}
}
