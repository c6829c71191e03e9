package sendapi_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

// rule is a request and all that Check says about it: a refusal begins with an exclamation mark, and what is about a
// number ends with [found/limit].
type rule struct {
	name, json string
	want       []string
}

func checkRules(t *testing.T, rules []rule, opts ...sendapi.CheckOption) {
	t.Helper()
	for _, row := range rules {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			req, err := sendapi.ParseRequest([]byte(row.json))
			require.NoError(t, err, row.json)
			problems := req.Check(opts...)
			assert.Equal(t, row.want, numbered(problems), row.json)
			assert.Len(t, problems, len(problems.Refusals())+len(problems.Warnings()))
			if refusals := problems.Refusals(); len(refusals) > 0 {
				assert.Equal(t, refusals, req.Validate(opts...), row.json)
			} else {
				assert.NoError(t, req.Validate(opts...), row.json)
			}
		})
	}
}

func numbered(problems sendapi.Problems) []string {
	lines := marked(problems)
	for i, p := range problems {
		if p.Limit != 0 {
			lines[i] += fmt.Sprintf(" [%d/%d]", p.Found, p.Limit)
		}
	}
	return lines
}

// body is a request to somebody, with these members.
func body(members string) string { return `{"recipient":{"id":"1"},` + members + `}` }

// update is an update with this message.
func message(object string) string { return body(`"messaging_type":"UPDATE","message":` + object) }

// template is a message with a template of these members.
func template(members string) string {
	return message(`{"attachment":{"type":"template","payload":{"template_type":` + members + `}}}`)
}

// buttons is a button template with these buttons.
func buttons(list string) string { return template(`"button","text":"x","buttons":[` + list + `]`) }

// answers is a text with these quick replies.
func answers(list string) string { return message(`{"text":"x","quick_replies":[` + list + `]}`) }

// x is a text of n characters.
func x(n int) string { return strings.Repeat("x", n) }

// some is a list of n equal entries.
func some(n int, entry string) string { return strings.TrimSuffix(strings.Repeat(entry+",", n), ",") }

// A file that goes with the call takes the place of a URL or an attachment id.
func TestCheckWithFile(t *testing.T) {
	t.Parallel()
	image := func(payload string) string {
		return message(`{"attachment":{"type":"image","payload":` + payload + `}}`)
	}
	checkRules(t, []rule{
		{"file", image(`{}`), nil},
		{"reusable file", image(`{"is_reusable":true}`), nil},
		{
			"file and URL",
			image(`{"url":"https://e.com/x"}`),
			[]string{"! " + payload + ": neither url nor attachment_id is allowed beside a file in the same call"},
		},
		{
			"file and id",
			image(`{"attachment_id":1}`),
			[]string{"! " + payload + ": neither url nor attachment_id is allowed beside a file in the same call"},
		},
		{
			"file with a text",
			message(`{"text":"x"}`),
			[]string{"! message.attachment: must be an image, audio, video or file, as a file goes with the call"},
		},
		{
			"file with an action",
			body(`"sender_action":"typing_on"`),
			[]string{"! message.attachment: must be an image, audio, video or file, as a file goes with the call"},
		},
	}, sendapi.WithFile())
}

// What the platform has removed passes with a warning where a server of an older version is at the other end.
func TestAllowRemoved(t *testing.T) {
	t.Parallel()
	for name, row := range goldenRows() {
		if name == "file_sent_along" || name == "tag_customer_feedback" {
			continue // refused for another reason than age
		}
		assert.NoError(t, row.req.Validate(sendapi.AllowRemoved()), name)
		assert.Len(t, row.req.Check(sendapi.AllowRemoved()), len(row.problems), name)
	}
}

func TestProblemsAsAnError(t *testing.T) {
	t.Parallel()
	err := sendapi.Text(sendapi.ID("a"), x(2001)).Validate()
	problems, ok := errors.AsType[sendapi.Problems](err)
	require.True(t, ok, "%T", err)
	assert.Equal(t, sendapi.Problem{
		Path: "message.text", Message: "2,001 characters; the limit is 2,000", Limit: 2000, Found: 2001,
	}, problems[1])
	assert.EqualError(t, err, "recipient.id: not a page-scoped id: it must be decimal digits; "+
		"message.text: 2,001 characters; the limit is 2,000")
	assert.Nil(t, sendapi.Text(ann, "x").Check())
}

// No problem repeats a text, a token or an address.
func TestProblemsRepeatNoContent(t *testing.T) {
	t.Parallel()
	const secret = "SECRET"
	for _, name := range []string{
		message(`{"text":"` + strings.Repeat(secret, 500) + `"}`),
		`{"recipient":{"id":"SECRET","phone_number":"SECRET","one_time_notif_token":"SECRET"},"message":{}}`,
		message(`{"attachment":{"type":"image","payload":{"url":"SECRET://x"}}}`),
		buttons(`{"type":"phone_number","title":"SECRETSECRETSECRETSECRET","payload":"SECRET"}`),
		template(`"receipt","currency":"SECRET","timestamp":"SECRET","address":{"country":"SECRET"}`),
		template(`"customer_information","countries":["SECRET"],"address_overrides":["SECRET"]`),
	} {
		req, err := sendapi.ParseRequest([]byte(name))
		require.NoError(t, err)
		problems := req.Check()
		require.NotEmpty(t, problems, name)
		assert.NotContains(t, problems.Error(), secret)
	}
}

func TestTheErrorOfAHundredThousandProblemsIsShort(t *testing.T) {
	t.Parallel()
	req := sendapi.Text(sendapi.ID("1"), "x").Offering(make([]sendapi.QuickReply, 100_000)...)
	err := req.Validate()
	require.Len(t, err, 100_001, "each, and their number")
	assert.Less(t, len(err.Error()), 10_000)
	assert.Regexp(t, `; and 99951 more$`, err.Error())
}
