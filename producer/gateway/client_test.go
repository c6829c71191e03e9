package gateway_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/redistest"
)

var (
	page1 = sendapi.Page{ID: "1001", Token: first}
	page2 = sendapi.Page{ID: "1002", Token: second, AppSecret: "hushhush"} // its calls carry a proof
)

// client is sendapi's own, with another base URL.
func (s *setup) client(t testing.TB) *sendapi.Client {
	t.Helper()
	c, err := sendapi.NewClient(sendapi.Config{BaseURL: s.server.URL, HTTPClient: s.http})
	require.NoError(t, err)
	return c
}

func text(psid string) *sendapi.Request { return sendapi.Text(sendapi.ID(psid), words) }

func TestSendapiSendsThroughIt(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	c := s.client(t)
	for _, page := range []sendapi.Page{page1, page2} {
		res, err := c.Send(t.Context(), page, text("7"))
		require.NoError(t, err)
		assert.Equal(t, "7", res.RecipientID)
		job := s.job(t, res.MessageID)
		assert.Equal(t, page.ID, job.PageID)
		sent, err := sendapi.ParseRequest(job.Request)
		require.NoError(t, err)
		assert.Equal(t, text("7"), sent)
	}
	res, err := c.Send(t.Context(), page1, sendapi.Action(sendapi.ID("7"), sendapi.TypingOn))
	require.NoError(t, err)
	assert.Equal(t, "7", res.RecipientID)
	assert.Empty(t, res.MessageID)
}

func TestSendapiUnderstandsItsErrors(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Mini(t), producer.Config{MaxWaiting: 1}, gateway.Config{})
	c := s.client(t)
	long := strings.Replace(hello, words, strings.Repeat("x", 2001), 1)
	_, err := c.Send(t.Context(), page2, text("7"))
	require.NoError(t, err)
	for _, row := range []struct {
		page    sendapi.Page
		body    string
		kind    sendapi.Kind
		code    int
		scope   sendapi.Scope
		advises time.Duration
	}{
		{page1, long, sendapi.KindInvalid, 100, "", 0},
		{sendapi.Page{ID: "1001", Token: "stranger"}, hello, sendapi.KindAuth, 190, sendapi.ScopePage, 0},
		{sendapi.Page{ID: "1001", Token: second}, hello, sendapi.KindAuth, 190, sendapi.ScopePage, 0},
		{page2, hello, sendapi.KindRateLimit, 613, sendapi.ScopePage, time.Minute},
	} {
		_, err := c.SendRaw(t.Context(), row.page, []byte(row.body))
		var e *sendapi.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, []any{row.kind, row.code, row.scope, row.advises}, []any{e.Kind, e.Code, e.Scope, e.RetryAfter}, err)
		assert.NotEmpty(t, e.TraceID)
	}
}

func TestSendapiBatchesThroughIt(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Mini(t), producer.Config{MaxWaiting: 3}, gateway.Config{})
	results, err := s.client(t).Batch(t.Context(), page1, []sendapi.BatchSend{
		{Request: text("1")}, {Request: text("2")}, {Page: page2, Request: text("1")},
		{Page: sendapi.Page{ID: "1002", Token: first}, Request: text("4")}, {Request: text("5")}, {Request: text("6")},
		{Request: sendapi.Action(sendapi.ID("8"), sendapi.TypingOn)},
	})
	require.NoError(t, err)
	var got []string
	for _, r := range results {
		if r.Err != nil {
			got = append(got, r.Err.(*sendapi.Error).Kind.Error()) //nolint:errorlint // documented
			continue
		}
		got = append(got, r.Response.RecipientID)
		if id := r.Response.MessageID; id != "" {
			got[len(got)-1] += " of " + s.job(t, id).PageID
		}
	}
	assert.Equal(t, []string{"1 of 1001", "2 of 1001", "1 of 1002", "auth", "5 of 1001", "rate limit", "8"}, got)
	waiting, err := s.redis.ZRange(t.Context(), "asynq:{messenger}:g:1001:bulk", 0, -1).Result()
	require.NoError(t, err)
	assert.Equal(t, []string{results[0].Response.MessageID, results[1].Response.MessageID, results[4].Response.MessageID}, waiting,
		"their order is kept")
}

func TestBatchForms(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	send := url.QueryEscape(`{"id":"7"}`)
	ops := `[{"method":"POST","relative_url":"v26.0/me/messages?access_token=` + second + `","body":"recipient=` + send + `&message=` +
		url.QueryEscape(`{"text":"x"}`) + `"},
		{"method":"POST","relative_url":"me/messages","body":"recipient=` + send + `&sender_action=typing_on","depends_on":null,"attached_files":null},
		{"method":"GET","relative_url":"me/messages","body":"recipient=1"},
		{"method":"POST","relative_url":"me/photos","body":"recipient=1"},
		{"method":"POST","relative_url":"me/messages","body":"recipient=%zz"},
		{"method":"POST","relative_url":"me/messages","body":"","depends_on":"first"}]`
	form := url.Values{"batch": {ops}, "include_headers": {"false"}, "access_token": {first}}.Encode()
	for _, path := range []string{"/", "/v26.0", "/v26.0/me", "/me/"} {
		a := s.do(t, "POST", path, form, "Content-Type: application/x-www-form-urlencoded", "X-Sendpace-Key: k")
		require.Equal(t, 200, a.status, a.body)
		assert.Regexp(t, `^\[\{"code":200,"body":"\{\\"recipient_id\\":\\"7\\",\\"message_id\\":\\"\S{35}\\"\}"\},`+
			`\{"code":200,"body":"\{\\"recipient_id\\":\\"7\\"\}"\},(\{"code":400,"body":"[^}]+\(#100\)[^}]+\}\}"\},?){4}\]$`, a.body)
	}
	assert.Equal(t, 2, s.stored(t), "each of the two has a key of its own, which stood for it three times more")

	tooMany := `{"batch":[` + strings.Repeat(`{},`, 50) + `{}]}`
	a := s.do(t, "POST", "/", tooMany, bearer)
	assert.Equal(t, []any{400, "GraphBatchException"}, []any{a.status, a.Error.Type}, a.body)
	a = s.do(t, "POST", "/", `{"batch":[{}]}`, bearer)
	assert.Contains(t, a.body, `"headers":[{"name":"Content-Type","value":"application/json"}]`)
}

func file(size int) sendapi.LocalFile {
	return sendapi.LocalFile{
		Name: "a.png", ContentType: "image/png", Size: int64(size), Reader: bytes.NewReader(bytes.Repeat([]byte("x"), size)),
	}
}

func TestFilesGoToThePlatformAndMessagesIntoTheQueue(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	c := s.client(t)
	up, err := c.UploadFile(t.Context(), page1, sendapi.Image, file(1<<20))
	require.NoError(t, err)
	byURL, err := c.UploadURL(t.Context(), page2, sendapi.Video, "https://media.example/a.mp4")
	require.NoError(t, err)
	assert.NotEqual(t, up.AttachmentID, byURL.AttachmentID)

	for _, reusable := range []bool{true, false} {
		req := text("7")
		req.Message = &sendapi.Message{Attachment: &sendapi.Attachment{Type: sendapi.Image, Payload: &sendapi.Media{Reusable: reusable}}}
		res, err := c.SendFile(t.Context(), page1, req, file(100))
		require.NoError(t, err)
		assert.Equal(t, reusable, res.AttachmentID != "")
		job := s.job(t, res.MessageID)
		assert.Regexp(t, `"message":\{"attachment":\{"type":"image","payload":\{"attachment_id":"\d+"\}\}\}`, string(job.Request))
	}
	var edges []string
	for _, call := range s.box.Calls() {
		edges = append(edges, fmt.Sprint(call.PageID, " ", call.Edge, " ", call.Status))
	}
	assert.Equal(t, []string{
		"1001 message_attachments 200", "1002 message_attachments 200", "1001 message_attachments 200", "1001 message_attachments 200",
	}, edges, "no message goes out beside the queue")
	assert.Equal(t, 2, s.stored(t))
}

// Many HTTP libraries do not say what a file is.
func TestTheNameOfAFileTellsItsType(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	for _, c := range []struct {
		kind, name, said string
		status           int
	}{
		{"image", "a.PNG", "", 200},
		{"IMAGE", "a.jpg", "Content-Type: application/octet-stream\r\n", 200},
		{"audio", "a.mp3", "", 200},
		{"video", "a.of_tomorrow", "", 200},
		{"file", "a", "", 200},
		{"image", "a", "", 400},
		{"image", "a.png", "Content-Type: text/plain\r\n", 400},
	} {
		body := "--b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\n" +
			`{"attachment":{"type":"` + c.kind + `","payload":{}}}` + "\r\n--b\r\n" +
			`Content-Disposition: form-data; name="filedata"; filename="` + c.name + "\"\r\n" + c.said + "\r\nx\r\n--b--\r\n"
		a := s.do(t, "POST", "/me/message_attachments", body, bearer, "Content-Type: multipart/form-data; boundary=b")
		assert.Equal(t, c.status, a.status, "%v: %s", c, a.body)
	}
}

func TestWhatThePlatformSaysToAnUploadIsPassedOn(t *testing.T) {
	t.Parallel()
	s := newGateway(t)
	c := s.client(t)
	for _, row := range []struct {
		fault sandbox.Fault
		kind  sendapi.Kind
		code  int
	}{
		{sandbox.Fault{Code: 100, Subcode: 2018008}, sendapi.KindInvalid, 100},
		{sandbox.Fault{Code: 613}, sendapi.KindRateLimit, 613},
		{sandbox.Fault{Code: 190}, sendapi.KindAuth, 190},
		{sandbox.Fault{Status: 502}, sendapi.KindTransient, 2},
		{sandbox.Fault{Drop: sandbox.DropAfter}, sendapi.KindTransient, 2},
	} {
		s.box.Fail("1001", row.fault)
		for _, upload := range []func() error{
			func() error {
				_, err := c.UploadFile(t.Context(), page1, sendapi.Image, file(100))
				return err
			},
			func() error {
				_, err := c.SendFile(t.Context(), page1, sendapi.MediaID(sendapi.ID("7"), sendapi.Image, ""), file(100))
				return err
			},
		} {
			err := upload()
			var e *sendapi.Error
			require.ErrorAs(t, err, &e, fmt.Sprint(row.fault))
			assert.Equal(t, []any{row.kind, row.code}, []any{e.Kind, e.Code}, err)
		}
		s.box.Clear("1001")
	}
	assert.Zero(t, s.stored(t), "a message whose file is not there is not queued")

	parts := "--b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\n" +
		`{"attachment":{"type":"image","payload":{}}}` + "\r\n--b\r\n" +
		"Content-Disposition: form-data; name=\"%s\"; filename=\"a.png\"\r\nContent-Type: %s\r\n\r\nx\r\n--b--\r\n"
	for _, row := range []struct{ path, name, kind, says string }{
		{"/me/messages", "filedata", "image/png", "recipient: "},
		{"/me/message_attachments", "filedata", "text/plain", "ContentType: must be image/*"},
		{"/me/message_attachments", "file", "image/png", "in the part filedata"},
	} {
		a := s.do(t, "POST", row.path, fmt.Sprintf(parts, row.name, row.kind), bearer, "Content-Type: multipart/form-data; boundary=b")
		assert.Equal(t, []int{400, 100}, []int{a.status, a.Error.Code}, a.body)
		assert.Contains(t, a.Error.Message, row.says)
	}
	long := fmt.Sprintf(parts, "filedata", "image/png")
	for size, want := range map[int][]int{sendapi.MaxFileBytes + 1: {400, 100, 2018109}, 27 << 20: {413, 100, 0}} {
		body := strings.Replace(long, "\r\nx\r\n", "\r\n"+strings.Repeat("x", size)+"\r\n", 1)
		a := s.do(t, "POST", "/me/message_attachments", body, bearer, "Content-Type: multipart/form-data; boundary=b")
		assert.Equal(t, want, []int{a.status, a.Error.Code, a.Error.Subcode}, a.body)
	}
}
