package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// do calls the handler itself with any kind of body.
func do(srv http.Handler, method, path, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("Authorization", "Bearer t1")
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	return w
}

// withFile is a multipart body of fields and a file of some size.
func withFile(t *testing.T, fields map[string]string, contentType string, size int) (kind, body string) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for name, value := range fields {
		require.NoError(t, w.WriteField(name, value))
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="filedata"; filename="x"`}, "Content-Type": {contentType},
	})
	require.NoError(t, err)
	_, err = part.Write(make([]byte, size))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return w.FormDataContentType(), buf.String()
}

const formType = "application/x-www-form-urlencoded"

func TestFormsOfABody(t *testing.T) {
	t.Parallel()
	form := url.Values{
		"recipient": {`{"id":"7"}`}, "message": {`{"text":"hello"}`}, "messaging_type": {"RESPONSE"},
		"access_token": {"t1"}, "appsecret_proof": {"x"},
	}
	fields := map[string]string{}
	for name := range form {
		fields[name] = form.Get(name)
	}
	var multi bytes.Buffer
	w := multipart.NewWriter(&multi)
	for name, value := range fields {
		require.NoError(t, w.WriteField(name, value))
	}
	require.NoError(t, w.Close())
	const proof = `,"appsecret_proof":"x"}`
	const asJSON = `{"recipient":{"id":"7"},"message":{"text":"hello"},"messaging_type":"RESPONSE"}`
	for name, row := range map[string]struct{ kind, body string }{
		"JSON":              {"application/json; charset=utf-8", asJSON},
		"JSON and a proof":  {"application/json", asJSON[:len(asJSON)-1] + proof},
		"JSON and a token":  {"application/json", asJSON[:len(asJSON)-1] + `,"access_token":"t1"` + proof},
		"JSON with a token": {"application/json", asJSON[:len(asJSON)-1] + `,"access_token":"t1"` + proof},
		"form":              {formType, form.Encode()},
		"multipart":         {w.FormDataContentType(), multi.String()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, sandbox.Config{Tokens: map[string]string{"1001": "t1"}})
			r := httptest.NewRequest(http.MethodPost, "/v26.0/me/messages", strings.NewReader(row.body))
			r.Header.Set("Content-Type", row.kind)
			if name == "JSON" || strings.HasPrefix(name, "JSON and") {
				r.Header.Set("Authorization", "Bearer t1")
			}
			w := httptest.NewRecorder()
			srv.ServeHTTP(w, r)
			require.Equal(t, 200, w.Code, w.Body)
			require.Len(t, srv.Accepted(), 1)
			assert.JSONEq(t, asJSON, string(srv.Accepted()[0].Body), "without the credentials")
			assert.Equal(t, "1001", srv.Accepted()[0].PageID)
		})
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	const path = "/1001/messages"
	for name, row := range map[string]struct{ kind, body string }{
		"form":                 {formType, "message=%zz"},
		"multipart, cut off":   {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\n{"},
		"multipart, no bounds": {"multipart/form-data", "x"},
		"no type at all":       {"", "x"},
		"file, cut off":        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"filedata\"\r\n\r\n{"},
	} {
		srv := newServer(t, sandbox.Config{})
		w := do(srv, http.MethodPost, path, row.kind, row.body)
		assert.Equal(t, 400, w.Code, name)
		assert.Contains(t, w.Body.String(), `"code":100,`, name)
		assert.Empty(t, srv.Accepted(), name)
		assert.Len(t, srv.Calls(), 1, name)
	}
}

func TestUploads(t *testing.T) {
	t.Parallel()
	const path, jsonType = "/1001/message_attachments", "application/json"
	message := func(kind, payload string) string {
		return fmt.Sprintf(`{"attachment":{"type":%q,"payload":{%s}}}`, kind, payload)
	}
	whole := func(kind, payload string) string { return `{"message":` + message(kind, payload) + `}` }
	file := func(kind, payload, contentType string, size int) (string, string) {
		return withFile(t, map[string]string{"message": message(kind, payload)}, contentType, size)
	}
	type upload struct {
		kind, body string
		want       string
	}
	rows := map[string]upload{
		"by URL":      {jsonType, whole("video", `"url":"https://example.com/a.mp4","is_reusable":true`), `"attachment_id":"`},
		"no file":     {jsonType, whole("image", ``), "must be a file"},
		"by id":       {jsonType, whole("image", `"attachment_id":"1"`), "must be a file"},
		"a template":  {jsonType, whole("template", `"template_type":"button"`), "must be a file"},
		"no message":  {jsonType, `{}`, "must be a file"},
		"not JSON":    {jsonType, `{`, `"code":100,`},
		"odd message": {jsonType, `{"message":7}`, `"code":100,`},
		"odd URL":     {jsonType, whole("image", `"url":"e.com"`), "must be an http or https URL"},
		"and a text":  {jsonType, `{"message":{"text":"x",` + message("image", `"url":"https://e.com"`)[1:] + `}`, "not allowed"},
	}
	add := func(name, want string, kind, body string) { rows[name] = upload{kind, body, want} }
	kind, body := file("image", `"is_reusable":true`, "image/png", 1000)
	add("image", `"attachment_id":"`, kind, body)
	kind, body = file("file", ``, "application/x-any", 1000)
	add("file of any type", `"attachment_id":"`, kind, body)
	kind, body = file("audio", ``, "image/png", 1000)
	add("another type", `"error_subcode":2018047`, kind, body)
	kind, body = file("image", `"url":"https://example.com/x"`, "image/png", 1000)
	add("both", "names no other", kind, body)
	kind, body = file("video", ``, "video/mp4", 25<<20+1)
	add("too large", `"error_subcode":2018109`, kind, body)
	for name, row := range rows {
		srv := newServer(t, sandbox.Config{})
		w := do(srv, http.MethodPost, path, row.kind, row.body)
		assert.Contains(t, w.Body.String(), row.want, name)
		assert.Equal(t, strings.Contains(row.want, "attachment_id"), w.Code == 200, "%s: %s", name, w.Body)
		assert.Empty(t, srv.Accepted(), name)
	}
}

func TestSendWithAFile(t *testing.T) {
	t.Parallel()
	fields := func(message string) map[string]string {
		return map[string]string{"recipient": `{"id":"7"}`, "message": message}
	}
	for name, row := range map[string]struct{ message, want string }{
		"image":       {`{"attachment":{"type":"image","payload":{}}}`, `"message_id":"`},
		"reusable":    {`{"attachment":{"type":"image","payload":{"is_reusable":true}}}`, `"attachment_id":"`},
		"another":     {`{"attachment":{"type":"video","payload":{}}}`, `"error_subcode":2018047`},
		"text":        {`{"text":"x"}`, "needs a media attachment"},
		"url as well": {`{"attachment":{"type":"image","payload":{"url":"https://example.com/x"}}}`, "needs a media attachment"},
	} {
		srv := newServer(t, sandbox.Config{})
		kind, body := withFile(t, fields(row.message), "image/png", 10)
		w := do(srv, http.MethodPost, "/1001/messages", kind, body)
		assert.Contains(t, w.Body.String(), row.want, name)
		assert.Equal(t, name == "image" || name == "reusable", len(srv.Accepted()) == 1, "%s: %s", name, w.Body)
		assert.Equal(t, name == "reusable", strings.Contains(w.Body.String(), `"attachment_id":"`), "%s: %s", name, w.Body)
	}
}

// batchAnswer calls with a batch and returns its entries.
func batchAnswer(t *testing.T, srv http.Handler, path, batch string) []*struct {
	Code    int
	Headers []struct{ Name, Value string }
	Body    string
} {
	t.Helper()
	w := do(srv, http.MethodPost, path, formType, url.Values{"batch": {batch}}.Encode())
	require.Equal(t, 200, w.Code, w.Body)
	var entries []*struct {
		Code    int
		Headers []struct{ Name, Value string }
		Body    string
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &entries), w.Body)
	return entries
}

const oneSend = `{"method":"POST","relative_url":"1001/messages","body":"recipient=%7B%22id%22%3A%227%22%7D&` +
	`message=%7B%22text%22%3A%22hello%22%7D"}`

func TestBatchPaths(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/v26.0/", "/v26.0", "/me", "/v26.0/me"} {
		srv := newServer(t, sandbox.Config{Tokens: map[string]string{"1001": "t1"}})
		entries := batchAnswer(t, srv, path, "["+oneSend+"]")
		require.Len(t, entries, 1, path)
		assert.Equal(t, 200, entries[0].Code, path)
		assert.Contains(t, entries[0].Body, srv.Accepted()[0].MessageID)
	}
	srv := newServer(t, sandbox.Config{})
	assert.Equal(t, 400, do(srv, http.MethodPost, "/1001", formType, "batch=[]").Code, "a page is no place for a batch")
}

func TestBatchOfEverything(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{Tokens: map[string]string{"1001": "t1", "1002": "t2"}})
	srv.Fail("1002", sandbox.Fault{Code: 80006, Times: 1})
	entries := batchAnswer(t, srv, "/", `[`+oneSend+`,
		{"method":"GET","relative_url":"v26.0/me?fields=id,name"},
		{"method":"GET","relative_url":"1002?access_token=t2"},
		{"method":"GET","relative_url":"1002?access_token=wrong"},
		{"method":"POST","relative_url":"me/messages","body":"recipient=%zz"},
		{"method":"POST","relative_url":"me/feed"},
		{"method":"POST","relative_url":"me","body":"batch=[]"},
		{"method":"POST","relative_url":"me/messages","depends_on":"first"}
	]`)
	require.Len(t, entries, 8)
	for i, want := range []string{
		"message_id", `"name":"Page 1001"`, `"code":80006`, `"code":190`, "not URL-encoded", "unsupported", "unsupported",
		"depends_on",
	} {
		assert.Contains(t, entries[i].Body, want, "%d", i)
		assert.Equal(t, i < 2, entries[i].Code == 200, "%d", i)
	}
	require.NotEmpty(t, entries[2].Headers)
	assert.Equal(t, "X-Business-Use-Case-Usage", entries[2].Headers[0].Name)
	assert.Contains(t, entries[2].Headers[0].Value, `"messenger"`)
}

func TestBatchesThatFailAsAWhole(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ body, want string }{
		"51":            {`{"batch":[` + strings.Repeat(oneSend+",", 50) + oneSend + `]}`, `size is 50","type":"GraphBatchException"`},
		"none":          {`{"batch":[]}`, "must be a JSON array"},
		"no batch":      {`{}`, "must be a JSON array"},
		"not an object": {`[]`, "no JSON object"},
	} {
		srv := newServer(t, sandbox.Config{})
		w := do(srv, http.MethodPost, "/", "application/json", row.body)
		assert.Equal(t, 400, w.Code, name)
		assert.Contains(t, w.Body.String(), row.want, name)
		assert.Empty(t, srv.Accepted(), name)
	}
	srv := newServer(t, sandbox.Config{Tokens: map[string]string{"1001": "other"}})
	w := do(srv, http.MethodPost, "/", "application/json", `{"batch":[`+oneSend+`]}`)
	assert.Contains(t, w.Body.String(), `"code":190`)
}

func TestBatchIsDroppedWhenAllOfItIs(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropAfter, Times: 3})
	two := "[" + oneSend + "," + oneSend + "]"
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { batchAnswer(t, srv, "/", two) })
	entries := batchAnswer(t, srv, "/", two)
	assert.Nil(t, entries[0])
	assert.Equal(t, 200, entries[1].Code)
	assert.Len(t, srv.Accepted(), 4)
	for _, c := range srv.Calls() {
		assert.False(t, c.Done.IsZero())
	}
}

func TestBatchWithoutHeaders(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	srv.Fail("1001", sandbox.Fault{Code: 80006})
	for _, no := range []string{"false", `"false"`} {
		w := do(srv, http.MethodPost, "/", "application/json", `{"batch":[`+oneSend+`],"include_headers":`+no+`}`)
		assert.NotContains(t, w.Body.String(), "headers", no)
	}
}

func TestPersonaEdges(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{Tokens: map[string]string{"1001": "t1", "1002": "t2"}})
	create := func(name string) string {
		w := do(srv, http.MethodPost, "/me/personas", formType, url.Values{
			"name": {name}, "profile_picture_url": {"https://example.com/a"},
		}.Encode())
		var made struct{ ID string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &made), w.Body)
		require.NotEmpty(t, made.ID)
		return made.ID
	}
	ann, bob := create("Ann"), create("7")
	w := do(srv, http.MethodGet, "/1001/personas?limit=1", "", "")
	assert.Contains(t, w.Body.String(), `"data":[{"id":"`+ann)
	assert.Contains(t, w.Body.String(), `"next":"`)
	w = do(srv, http.MethodGet, "/1001/personas?limit=1&after="+ann, "", "")
	assert.Contains(t, w.Body.String(), `"data":[{"id":"`+bob)
	assert.NotContains(t, w.Body.String(), `"next":"`)

	r := httptest.NewRequest(http.MethodGet, "/1002/personas?access_token=t2", nil)
	w = httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	assert.JSONEq(t, `{"data":[],"paging":{}}`, w.Body.String(), "those of another page")
	r = httptest.NewRequest(http.MethodGet, "/"+ann+"?access_token=t2", nil)
	w = httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	assert.Contains(t, w.Body.String(), `"code":190`, "with the token of another page")

	assert.Contains(t, do(srv, http.MethodGet, "/v26.0/"+ann, "", "").Body.String(), `"name":"Ann"`)
	assert.JSONEq(t, `{"success":true}`, do(srv, http.MethodDelete, "/"+ann, "", "").Body.String())
	assert.Contains(t, do(srv, http.MethodGet, "/"+ann, "", "").Body.String(), "no such persona")
	assert.Contains(t, do(srv, http.MethodDelete, "/"+ann, "", "").Body.String(), "no such persona")
	assert.Contains(t, do(srv, http.MethodDelete, "/1001", "", "").Body.String(), "no such persona")
	w = do(srv, http.MethodPost, "/me/personas", formType, "name=Ann")
	assert.Contains(t, w.Body.String(), "profile_picture_url are required")
	w = do(srv, http.MethodPost, "/me/personas", formType, "profile_picture_url=x&name="+strings.Repeat("x", 51))
	assert.Contains(t, w.Body.String(), "longer than 50")
}
