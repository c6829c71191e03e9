package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// sendTo sends through the client of sendapi and returns the error's code, subcode and kind.
func sendTo(t *testing.T, srv *sandbox.Server, page sendapi.Page, req *sendapi.Request) *sendapi.Error {
	t.Helper()
	c, err := sendapi.NewClient(sendapi.Config{HTTPClient: srv.Client()})
	require.NoError(t, err)
	_, err = c.Send(t.Context(), page, req)
	if err == nil {
		return nil
	}
	var e *sendapi.Error
	require.ErrorAs(t, err, &e)
	return e
}

func codesOf(e *sendapi.Error) string {
	if e == nil {
		return "sent"
	}
	return fmt.Sprintf("%d/%d %s", e.Code, e.Subcode, string(e.Kind))
}

var page = sendapi.Page{ID: "1001", Token: "t"}

func text(person string) *sendapi.Request { return sendapi.Text(sendapi.ID(person), "hello") }

// Each state of a page, as the client of sendapi understands it.
func TestAccess(t *testing.T) {
	t.Parallel()
	for access, want := range map[sandbox.Access]string{
		sandbox.AccessExpired:         "190/463 auth",
		sandbox.AccessInvalid:         "190/467 auth",
		sandbox.AccessPasswordChanged: "190/460 auth",
		sandbox.AccessRoleLost:        "190/492 auth",
		sandbox.AccessNotGranted:      "10/0 auth",
		sandbox.AccessNoPermission:    "200/0 auth",
		sandbox.AccessNoMessaging:     "230/0 auth",
		sandbox.AccessBlocked:         "368/0 policy",
		sandbox.AccessRestricted:      "10/1893063 policy",
		"":                            "sent",
	} {
		t.Run(string(access), func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, sandbox.Config{})
			require.NoError(t, srv.SetPage("1001", sandbox.Page{Access: access}))
			assert.Equal(t, want, codesOf(sendTo(t, srv, page, text("7"))))
			assert.Equal(t, access, srv.PageStatus("1001").Access)
			other := sendapi.Page{ID: "1002", Token: "t"}
			assert.Equal(t, "sent", codesOf(sendTo(t, srv, other, text("7"))), "another page")
			srv.ResetPage("1001")
			assert.Equal(t, "sent", codesOf(sendTo(t, srv, page, text("7"))))
		})
	}
}

// A new token releases a page whose token expired; the old one stays invalid.
func TestTokenRotation(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sandbox.Config{
		"known tokens": {Tokens: map[string]string{"1001": "t", "1002": "t2"}},
		"any token":    {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, cfg)
			require.NoError(t, srv.SetPage("1001", sandbox.Page{Access: sandbox.AccessExpired}))
			assert.Equal(t, "190/463 auth", codesOf(sendTo(t, srv, page, text("7"))))
			require.NoError(t, srv.SetPage("1001", sandbox.Page{Token: "new"}))
			assert.Equal(t, "190/0 auth", codesOf(sendTo(t, srv, page, text("7"))))
			assert.Equal(t, "sent", codesOf(sendTo(t, srv, sendapi.Page{ID: "1001", Token: "new"}, text("7"))))
			assert.Equal(t, "sent", codesOf(sendTo(t, srv, sendapi.Page{ID: "1002", Token: "t2"}, text("7"))))
			assert.Equal(t, 200, post(srv, "/me/messages", "new", hello).Code, "me is the page of the new token")
			assert.Empty(t, srv.PageStatus("1001").Token, "is not shown")

			require.NoError(t, srv.SetPage("1001", sandbox.Page{Window: sandbox.WindowOpen}))
			assert.Equal(t, "190/0 auth", codesOf(sendTo(t, srv, page, text("7"))), "the new token stays")
			srv.ResetPage(sandbox.AllPages)
			assert.Equal(t, "sent", codesOf(sendTo(t, srv, page, text("7"))), "back to the start")
		})
	}
}

func TestReachAndThread(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		person sandbox.Person
		want   string
	}{
		{sandbox.Person{Reach: sandbox.ReachBlocked}, "551/1545041 recipient"},
		{sandbox.Person{Reach: sandbox.ReachGone}, "100/2018001 recipient"},
		{sandbox.Person{Reach: sandbox.ReachUnavailable}, "10/2018108 recipient"},
		{sandbox.Person{Thread: sandbox.ThreadOtherApp}, "100/2018300 thread_control"},
		{sandbox.Person{Thread: sandbox.ThreadAutomation}, "100/2018321 thread_control"},
		{sandbox.Person{}, "sent"},
	} {
		t.Run(string(row.person.Reach+sandbox.Reach(row.person.Thread)), func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, sandbox.Config{})
			require.NoError(t, srv.SetPerson("1001", "7", row.person))
			assert.Equal(t, row.want, codesOf(sendTo(t, srv, page, text("7"))))
			assert.Equal(t, "sent", codesOf(sendTo(t, srv, page, text("8"))), "another person")
			other := sendapi.Page{ID: "1002", Token: "t"}
			assert.Equal(t, "sent", codesOf(sendTo(t, srv, other, text("7"))), "at another page")
			assert.Equal(t, row.person, srv.Person("1001", "7"))
			srv.ResetPerson("1001", "7")
			assert.Equal(t, "sent", codesOf(sendTo(t, srv, page, text("7"))))
		})
	}
}

func TestResetPeople(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	blocked := sandbox.Person{Reach: sandbox.ReachBlocked}
	set := func() {
		for _, id := range []string{"1001", "1002"} {
			require.NoError(t, srv.SetPerson(id, "7", blocked))
			require.NoError(t, srv.SetPerson(id, "comment_id:1_2", blocked))
		}
	}
	left := func() (n int) {
		for _, id := range []string{"1001", "1002"} {
			for _, person := range []string{"7", "comment_id:1_2"} {
				if srv.Person(id, person) == blocked {
					n++
				}
			}
		}
		return n
	}
	for _, row := range []struct {
		page, person string
		left         int
	}{{"1001", "7", 3}, {"1001", "comment_id:1_2", 3}, {"1001", "", 2}, {"", "7", 2}, {"", "", 0}} {
		set()
		srv.ResetPerson(row.page, row.person)
		assert.Equal(t, row.left, left(), "page %q, person %q", row.page, row.person)
	}
}

func TestStateIsChecked(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	err := srv.SetPage("shop", sandbox.Page{
		Access: "odd", Window: "ajar", Rate: 1e9, MediaRate: 1e-9, Usage: -1, Token: strings.Repeat("x", 1001),
	})
	for _, want := range []string{
		"page: must be decimal digits", "access: must be one of blocked, expired,", "window: must be open or closed",
		"rate: must be 0.0001 to 100,000", "media_rate: must be 0.0001", "usage: must be 0 to 1,000",
		"token: must not be longer",
	} {
		assert.ErrorContains(t, err, want)
	}
	err = srv.SetPerson("", "nobody", sandbox.Person{Reach: "odd", Thread: "mine"})
	for _, want := range []string{
		"page: must be decimal digits", "person: must be a page-scoped id", "reach: must be one of blocked, gone,",
		"thread: must be one of automation, other_app",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	human := text("7")
	human.MessagingType, human.Tag = sendapi.TypeMessageTag, sendapi.TagHumanAgent
	typing := &sendapi.Request{Recipient: sendapi.ID("7"), SenderAction: sendapi.TypingOn}
	refOnly := sendapi.Text(sendapi.UserRef("r"), "hello")
	const outside = "10/2018278 window"
	for name, row := range map[string]struct {
		cfg  sandbox.Config
		page sandbox.Page
		ago  time.Duration // since the person wrote; 0: unknown
		req  *sendapi.Request
		want string
	}{
		"open unless known":          {req: text("7"), want: "sent"},
		"wrote just now":             {ago: 1, req: text("7"), want: "sent"},
		"in time":                    {ago: day - 1, req: text("7"), want: "sent"},
		"too late":                   {ago: day, req: text("7"), want: outside},
		"too late to type":           {ago: day, req: typing, want: outside},
		"human agent":                {ago: 7*day - 1, req: human, want: "sent"},
		"human agent, too late":      {ago: 7 * day, req: human, want: outside},
		"closed":                     {cfg: sandbox.Config{Window: sandbox.WindowClosed}, req: text("7"), want: outside},
		"closed for human agents":    {cfg: sandbox.Config{Window: sandbox.WindowClosed}, req: human, want: outside},
		"closed, but wrote":          {cfg: sandbox.Config{Window: sandbox.WindowClosed}, ago: 1, req: text("7"), want: "sent"},
		"closed at the page":         {page: sandbox.Page{Window: sandbox.WindowClosed}, req: text("7"), want: outside},
		"open at the page":           {cfg: sandbox.Config{Window: sandbox.WindowClosed}, page: sandbox.Page{Window: sandbox.WindowOpen}, req: text("7"), want: "sent"},
		"a shorter one":              {cfg: sandbox.Config{WindowLength: time.Minute}, ago: time.Minute, req: text("7"), want: outside},
		"an opt-in is its own right": {cfg: sandbox.Config{Window: sandbox.WindowClosed}, req: refOnly, want: "sent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, row.cfg)
				require.NoError(t, srv.SetPage("1001", row.page))
				if row.ago != 0 {
					require.NoError(t, srv.SetPerson("1001", "7", sandbox.Person{WroteAt: time.Now()}))
					time.Sleep(row.ago)
				}
				assert.Equal(t, row.want, codesOf(sendTo(t, srv, page, row.req)))
				srv.Close()
			})
		})
	}
}

// What is good for one message only.
func TestOnce(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, row := range map[string]struct {
		to         sendapi.Recipient
		life       time.Duration
		again, old string
	}{
		"comment":        {sendapi.Comment("1_2"), 7 * day, "10900/0 invalid", "10903/0 recipient"},
		"post":           {sendapi.Post("1_2"), 7 * day, "10900/0 invalid", "10903/0 recipient"},
		"one-time token": {sendapi.Recipient{OneTimeNotifToken: "t"}, 365 * day, "100/0 invalid", "100/0 invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, sandbox.Config{})
				defer srv.Close()
				begun := time.Now()
				req := sendapi.Text(row.to, "hello")
				assert.Equal(t, "sent", codesOf(sendTo(t, srv, page, req)))
				assert.Equal(t, row.again, codesOf(sendTo(t, srv, page, req)))
				other := sendapi.Page{ID: "1002", Token: "t"}
				require.NoError(t, srv.SetPerson("1002", row.to.Address(), sandbox.Person{WroteAt: begun}))
				time.Sleep(row.life)
				assert.Equal(t, row.old, codesOf(sendTo(t, srv, other, req)))
			})
		})
	}
}

// Of a server of an older version: two days between two messages to a recurring token.
func TestRecurringToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{AllowRemoved: true})
		const body = `{"recipient":{"notification_messages_token":"t"},"message":{"text":"x"}}`
		for _, want := range []int{200, 400, 200} {
			assert.Equal(t, want, post(srv, "/1001/messages", "t", body).Code)
			time.Sleep(24 * time.Hour)
		}
		assert.Equal(t, 2018354, srv.Calls()[1].Subcode)
	})
}

// A tag or type that an older server still knows is good at any time.
func TestRemovedTagsIgnoreTheWindow(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{AllowRemoved: true, Window: sandbox.WindowClosed})
	for _, kind := range []string{
		`"messaging_type":"MESSAGE_TAG","tag":"ACCOUNT_UPDATE"`, `"messaging_type":"NON_PROMOTIONAL_SUBSCRIPTION"`,
	} {
		w := post(srv, "/1001/messages", "t", `{"recipient":{"id":"7"},`+kind+`,"message":{"text":"x"}}`)
		assert.Equal(t, 200, w.Code, w.Body)
	}
	assert.Equal(t, 403, send(srv).Code)
}

// A utility template is good at any time.
func TestUtilityIgnoresTheWindow(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{Window: sandbox.WindowClosed})
	w := post(srv, "/1001/messages", "t", `{"recipient":{"id":"7"},"messaging_type":"UTILITY",`+
		`"message":{"template":{"name":"order","language":{"code":"en"}}}}`)
	assert.Equal(t, 200, w.Code, w.Body)
}

func TestARefusalDoesNotSpend(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	req := sendapi.Text(sendapi.Comment("1_2"), "hello")
	srv.Fail("1001", sandbox.Fault{Code: 2, Times: 1})
	assert.Equal(t, "2/0 transient", codesOf(sendTo(t, srv, page, req)))
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropBefore, Times: 1})
	assert.Equal(t, "0/0 unknown_outcome", codesOf(sendTo(t, srv, page, req)))
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropAfter, Times: 1})
	assert.Equal(t, "0/0 unknown_outcome", codesOf(sendTo(t, srv, page, req)))
	assert.Equal(t, "10900/0 invalid", codesOf(sendTo(t, srv, page, req)), "the reply whose answer was lost was sent")
}
