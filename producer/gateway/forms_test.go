package gateway_test

import (
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/worker/redistest"
)

const formType = "Content-Type: application/x-www-form-urlencoded"

// The samples of the platform's own pages.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
// https://developers.facebook.com/docs/messenger-platform/get-started
func TestTheSamplesOfThePlatformGoThrough(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	const want = `{"recipient":{"id":"7"},"messaging_type":"RESPONSE","message":{"text":"hello, world"}}`
	fields := url.Values{
		"recipient": {`{'id':'7'}`}, "messaging_type": {"RESPONSE"}, "message": {`{'text':'hello, world'}`}, "access_token": {first},
	}
	query := url.Values{
		"recipient": {`{id:7}`}, "messaging_type": {"RESPONSE"}, "message": {`{text:'hello, world'}`}, "access_token": {first},
	}
	operation := `{"batch":"[{\"method\":\"POST\",\"relative_url\":\"me/messages\",\"body\":\"` + fields.Encode() + `\"}]"}`
	for name, c := range map[string]struct {
		path, body string
		header     []string
	}{
		"fields":                 {"/v25.0/1001/messages", fields.Encode(), []string{formType}},
		"fields, unencoded":      {"/v25.0/1001/messages", `recipient={'id':'7'}&messaging_type=RESPONSE&message={'text':'hello, world'}`, []string{formType, bearer}},
		"query":                  {"/v25.0/1001/messages?" + query.Encode(), "", nil},
		"query and JSON":         {"/me/messages?messaging_type=RESPONSE&access_token=" + first, `{"recipient":{"id":"7"},"message":{"text":"hello, world"}}`, nil},
		"the body goes first":    {"/me/messages?messaging_type=UPDATE&recipient=x", want, []string{bearer}},
		"a number, as of id, in": {"/me/messages", `{"recipient":{"id":7},"messaging_type":"RESPONSE","message":{"text":"hello, world"}}`, []string{bearer}},
	} {
		a := s.do(t, "POST", c.path, c.body, c.header...)
		require.Equal(t, 200, a.status, "%s: %s", name, a.body)
		assert.Equal(t, "7", a.RecipientID, name)
		assert.JSONEq(t, want, string(s.job(t, a.MessageID).Request), name)
	}
	a := s.do(t, "POST", "/", operation, bearer)
	assert.Contains(t, a.body, `\"recipient_id\":\"7\"`)
}

// What would be sent must not depend on where the token is: a member that stands twice is refused either way, and the others keep
// their order.
func TestTakingTheTokenOutChangesNothingElse(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	const rest = `"recipient":{"id":"7"},"messaging_type":"UPDATE","message":{"text":"x"}`
	a := s.do(t, "POST", "/me/messages", `{"recipient":{"id":"8"},"access_token":"`+first+`",`+rest+`}`)
	assert.Equal(t, []int{400, 100}, []int{a.status, a.Error.Code}, a.body)
	assert.Contains(t, a.Error.Message, `"recipient" twice`)
	a = s.do(t, "POST", "/me/messages", `{"z":1,"access_token":"`+first+`",`+rest+`}`)
	require.Equal(t, 200, a.status, a.body)
	assert.Equal(t, `{"z":1,`+rest+`}`, string(s.job(t, a.MessageID).Request))
}

// Only the id of a recipient may be a number; what else has an id stays as it is.
func TestOtherIDsOfTheQueryStayAsTheyAre(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	query := url.Values{"recipient": {`{id:7}`}, "message": {`{text:'x',id:5}`}}
	a := s.do(t, "POST", "/me/messages?"+query.Encode(), "", bearer)
	require.Equal(t, 200, a.status, a.body)
	assert.JSONEq(t, `{"recipient":{"id":"7"},"message":{"text":"x","id":5}}`, string(s.job(t, a.MessageID).Request))
}

// A caller whose token is wrong, and is known before the body, cannot have the gateway read it, or even keep a file.
func TestAWrongTokenIsRefusedBeforeTheBodyIsRead(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	for _, kind := range []string{"application/json", "multipart/form-data; boundary=b"} {
		for target, header := range map[string]string{"/me/messages": "Bearer wrong", "/me/messages?access_token=wrong": ""} {
			r := httptest.NewRequestWithContext(t.Context(), "POST", target, broken{})
			r.Header.Set("Content-Type", kind)
			r.Header.Set("Authorization", header)
			res := httptest.NewRecorder()
			s.server.Config.Handler.ServeHTTP(res, r)
			assert.Equal(t, 401, res.Code, "%s %s", target, kind)
		}
	}
	assert.NotContains(t, s.log.String(), "wrong")
	assert.NotContains(t, s.log.String(), `"level":"error"`)
}

func TestWhenItsTurnComesIsShown(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Mini(t), producer.Config{}, gateway.Config{})
	id := s.do(t, "POST", "/me/messages", hello, bearer).MessageID
	eta := func() (answer struct {
		ETA     time.Time
		Stopped string
	}) {
		s.read(t, "/jobs/"+id, &answer)
		return answer
	}
	assert.Zero(t, eta().ETA, "no worker has set the pace")
	require.NoError(t, s.redis.Set(t.Context(), "sendpace:{messenger}:rates:default", "1000000 60000000 1 1 ", 0).Err())
	assert.WithinDuration(t, time.Now().Add(time.Minute), eta().ETA, 10*time.Second)
	require.NoError(t, s.redis.Set(t.Context(), "sendpace:{messenger}:pause:1001", "x", 0).Err())
	assert.Equal(t, "hold", eta().Stopped)
}
