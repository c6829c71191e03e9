package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func message(content string) string { return `{"recipient":{"id":"7"},"message":{` + content + `}}` }

func template(payload string) string {
	return message(`"attachment":{"type":"template","payload":{` + payload + `}}`)
}

// The platform's number for each way to get a message wrong.
func TestContentCodes(t *testing.T) {
	t.Parallel()
	const product = `"template_type":"product","elements":[{"id":"17"}]`
	for name, row := range map[string]struct {
		version, body string
		want          string // of a server of today
		old           string // of an older one, where AllowRemoved lets pass; empty: the same
	}{
		"fine":          {"v26.0", hello, "sent", ""},
		"two things":    {"v26.0", `{"recipient":{"id":"7"},"message":{"text":"x"},"sender_action":"mark_seen"}`, "100/2018014", ""},
		"nothing":       {"v26.0", message(``), "100/2018034", ""},
		"empty text":    {"v26.0", message(`"text":""`), "100/2018032", ""},
		"no recipient":  {"v26.0", `{"recipient":{},"message":{"text":"x"}}`, "100/0", ""},
		"not a PSID":    {"v26.0", `{"recipient":{"id":"me"},"message":{"text":"x"}}`, "100/0", ""},
		"no JSON":       {"v26.0", `{`, "100/0", ""},
		"product":       {"v26.0", template(product), "sent", ""},
		"product, v7.0": {"v7.0", template(product), "sent", "100/2018328"}, // an expired version is served as a newer one
		"product, v8.0": {"v8.0", template(product), "sent", ""},
		"removed tag": {
			"v26.0", `{"recipient":{"id":"7"},"messaging_type":"MESSAGE_TAG","tag":"ACCOUNT_UPDATE","message":{"text":"x"}}`,
			"100/0", "sent",
		},
		"product without an id":    {"v26.0", template(`"template_type":"product","elements":[{}]`), "100/2018320", ""},
		"instant form without one": {"v26.0", template(`"template_type":"instant_form"`), "1/2018382", ""},
		"media template, no media": {
			"v26.0", template(`"template_type":"media","elements":[{"media_type":"image"}]`), "100/2018187", "",
		},
		"media template, audio": {
			"v26.0", template(`"template_type":"media","elements":[{"media_type":"audio","attachment_id":"1"}]`), "100/2018182", "",
		},
		"media template, foreign URL": {
			"v26.0", template(`"template_type":"media","elements":[{"media_type":"image","url":"https://example.com/x"}]`),
			"100/2018185", "",
		},
		"generic without a title": {"v26.0", template(`"template_type":"generic","elements":[{}]`), "100/0", ""},
		"list template": {
			"v26.0", template(`"template_type":"list","top_element_style":"compact","elements":[` +
				`{"title":"a","subtitle":"x"},{"title":"b","subtitle":"x"}]`), "100/0", "sent",
		},
		"recurring token": {
			"v26.0", `{"recipient":{"notification_messages_token":"t"},"message":{"text":"x"}}`, "100/0", "sent",
		},
		"subscription": {
			"v26.0", `{"recipient":{"id":"7"},"messaging_type":"NON_PROMOTIONAL_SUBSCRIPTION","message":{"text":"x"}}`,
			"100/0", "sent",
		},
		"only cut off":     {"v26.0", template(`"template_type":"button","text":"x","buttons":[{"type":"postback","title":"` + strings.Repeat("x", 30) + `","payload":"p"}]`), "sent", ""},
		"2018, a warning":  {"v26.0", `{"recipient":{"phone_number":"+12125552368"},"message":{"text":"x"}}`, "sent", ""},
		"unknown template": {"v26.0", template(`"template_type":"of_tomorrow"`), "sent", ""},
		"feedback tag without its template": {
			"v26.0", `{"recipient":{"id":"7"},"messaging_type":"MESSAGE_TAG","tag":"CUSTOMER_FEEDBACK","message":{"text":"x"}}`,
			"100/0", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, old := range []bool{false, true} {
				srv := newServer(t, sandbox.Config{AllowRemoved: old})
				w := post(srv, "/"+row.version+"/1001/messages", "t", row.body)
				want := row.want
				if old && row.old != "" {
					want = row.old
				}
				c := srv.Calls()[0]
				got := fmt.Sprintf("%d/%d", c.Code, c.Subcode)
				if c.Accepted {
					got = "sent"
				}
				assert.Equal(t, want, got, "older server %v: %s", old, w.Body)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for path, want := range map[string][2]string{ // of a server of today, of an older one
		"/v26.0/1001/messages":   {"v26.0", "v26.0"},
		"/v22.0/1001/messages":   {"v22.0", "v22.0"},
		"/v2.6/1001/messages":    {"v21.0", "v2.6"},
		"/1001/messages":         {"v21.0", "v21.0"},
		"/v26.1/1001/messages":   {"", ""},
		"/v99.0/1001/messages":   {"", ""},
		"/version/1001/messages": {"", ""},
	} {
		for i, old := range []bool{false, true} {
			srv := newServer(t, sandbox.Config{AllowRemoved: old})
			w := post(srv, path, "t", hello)
			assert.Equal(t, want[i], w.Header().Get("facebook-api-version"), path)
			assert.Equal(t, want[i] != "", w.Code == 200, "%s: %s", path, w.Body)
		}
	}
}

func TestAttachmentIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const byURL = `"attachment":{"type":"image","payload":{"url":"https://example.com/x.png","is_reusable":true}}`
		byID := func(id string) string {
			return message(`"attachment":{"type":"image","payload":{"attachment_id":"` + id + `"}}`)
		}
		for _, strict := range []bool{false, true} {
			srv := newServer(t, sandbox.Config{KnownIDs: strict})
			var sent struct {
				ID string `json:"attachment_id"`
			}
			require.NoError(t, json.Unmarshal(post(srv, "/1001/messages", "t", message(byURL)).Body.Bytes(), &sent))
			assert.Equal(t, 200, post(srv, "/1001/messages", "t", byID(sent.ID)).Code)
			assert.Contains(t, post(srv, "/1002/messages", "t", byID(sent.ID)).Body.String(), "2018074", "of another page")
			unknown := post(srv, "/1001/messages", "t", byID("17"))
			assert.Equal(t, strict, unknown.Code == 400, unknown.Body)
			time.Sleep(90*24*time.Hour - time.Second)
			assert.Equal(t, 200, post(srv, "/1001/messages", "t", byID(sent.ID)).Code)
			time.Sleep(time.Second)
			assert.Contains(t, post(srv, "/1001/messages", "t", byID(sent.ID)).Body.String(), "2018074", "too old")
		}
	})
}

// A message with a file of its own needs no id, whatever ids are known.
func TestFileOfAMessage(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{KnownIDs: true})
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(t, form.WriteField("recipient", `{"id":"7"}`))
	require.NoError(t, form.WriteField("message", `{"attachment":{"type":"image","payload":{"is_reusable":true}}}`))
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="filedata"; filename="x.png"`}, "Content-Type": {"image/png"},
	})
	require.NoError(t, err)
	_, err = part.Write([]byte("png"))
	require.NoError(t, err)
	require.NoError(t, form.Close())
	r := httptest.NewRequest(http.MethodPost, "/1001/messages?access_token=t", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	assert.Equal(t, 200, w.Code, w.Body)
	assert.Contains(t, w.Body.String(), "attachment_id")
}

func TestPersonas(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		srv := newServer(t, sandbox.Config{KnownIDs: strict})
		var made struct{ ID string }
		w := post(srv, "/1001/personas", "t", `{"name":"Ada","profile_picture_url":"https://example.com/a.png"}`)
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &made))
		as := func(page, id string) int {
			body := `{"recipient":{"id":"7"},"persona_id":"` + id + `","message":{"text":"x"}}`
			return post(srv, "/"+page+"/messages", "t", body).Code
		}
		assert.Equal(t, 200, as("1001", made.ID))
		assert.Equal(t, 400, as("1002", made.ID), "of another page")
		assert.Equal(t, strict, as("1001", "17") == 400)
		r := httptest.NewRequest(http.MethodDelete, "/"+made.ID+"?access_token=t", nil)
		srv.ServeHTTP(httptest.NewRecorder(), r)
		assert.Equal(t, 400, as("1001", made.ID), "deleted")
	}
}
