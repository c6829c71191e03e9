package sandbox_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// line is a line of the log as an outside test would read it.
type line struct {
	Seq                             uint64
	Page, Edge, Recipient, At, Done string
	Accepted                        bool
	Status, Code, Subcode           int
	MessageID                       string `json:"message_id"`
	Metadata                        string
	Body                            json.RawMessage
}

func readLog(t *testing.T, srv http.Handler, query string) []line {
	t.Helper()
	w := control(srv, http.MethodGet, "/sandbox/log"+query, "")
	require.Equal(t, 200, w.Code, w.Body)
	assert.Equal(t, "application/x-ndjson", w.Header().Get("Content-Type"))
	var lines []line
	for scanner := bufio.NewScanner(w.Body); scanner.Scan(); {
		var l line
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &l), scanner.Text())
		lines = append(lines, l)
	}
	return lines
}

// logged is a server with calls of every sort: 1 to 4 accepted, of two people and two pages, 5 refused, 6 dropped, 7 no JSON,
// 8 another edge.
func logged(t *testing.T) *sandbox.Server {
	srv := newServer(t, sandbox.Config{})
	for i, path := range []string{"/1001/messages", "/1001/messages", "/1002/messages", "/1001/messages"} {
		body := fmt.Sprintf(`{"recipient":{"id":"%d"},"message":{"text":"x","metadata":"job-%d"}}`, 7+i%2, i+1)
		require.Equal(t, 200, post(srv, path, "t", body).Code)
	}
	srv.Fail("1001", sandbox.Fault{Code: 10, Subcode: 2018278, Times: 1})
	send(srv)
	srv.Fail("1001", sandbox.Fault{Drop: sandbox.DropBefore, Times: 1})
	assert.Panics(t, func() { send(srv) })
	post(srv, "/1001/messages", "t", `{"broken`)
	post(srv, "/1001/personas", "t", `{"name":"Ada","profile_picture_url":"https://example.com/a.png"}`)
	return srv
}

func TestLogFilters(t *testing.T) {
	t.Parallel()
	srv := logged(t)
	for query, want := range map[string][]uint64{
		"":                            {1, 2, 3, 4},
		"?all=true":                   {1, 2, 3, 4, 5, 6, 7, 8},
		"?all=false":                  {1, 2, 3, 4},
		"?page=1001":                  {1, 2, 4},
		"?page=1003":                  nil,
		"?recipient=7":                {1, 3},
		"?recipient=id:8":             {2, 4},
		"?recipient=7&page=1001":      {1},
		"?since=2":                    {3, 4},
		"?since=99":                   nil,
		"?limit=2":                    {1, 2},
		"?limit=2&since=1":            {2, 3},
		"?limit=1&page=1002":          {3},
		"?all=true&since=4&page=1001": {5, 6, 7, 8},
	} {
		var got []uint64
		for _, l := range readLog(t, srv, query) {
			got = append(got, l.Seq)
		}
		assert.Equal(t, want, got, "%q", query)
	}
}

func TestLogLines(t *testing.T) {
	t.Parallel()
	lines := readLog(t, logged(t), "?all=true")
	first := lines[0]
	assert.Equal(t, []any{"1001", "messages", "id:7", true, 200, "job-1"},
		[]any{first.Page, first.Edge, first.Recipient, first.Accepted, first.Status, first.Metadata})
	assert.NotEmpty(t, first.MessageID)
	assert.NotEmpty(t, first.At)
	assert.NotEmpty(t, first.Done)
	assert.JSONEq(t, `{"recipient":{"id":"7"},"message":{"text":"x","metadata":"job-1"}}`, string(first.Body))
	assert.Equal(t, []int{403, 10, 2018278}, []int{lines[4].Status, lines[4].Code, lines[4].Subcode})
	assert.Zero(t, lines[5].Status, "dropped")
	assert.Nil(t, lines[6].Body, "no JSON, so not shown as such")
	assert.Equal(t, "personas", lines[7].Edge)
}

func TestLogRefusesQueries(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{})
	for query, want := range map[string]string{
		"?page=shop":    "page: must be decimal digits",
		"?recipient=x":  "recipient: must be a page-scoped id",
		"?since=-1":     "since: must be the seq of a call",
		"?limit=0":      "limit: must be 1 to 100,000",
		"?limit=100001": "limit: must be 1 to 100,000",
		"?all=perhaps":  "all: must be true or false",
		"?reciepient=7": "query: knows page, recipient,",
	} {
		w := control(srv, http.MethodGet, "/sandbox/log"+query, "")
		assert.Equal(t, 400, w.Code, query)
		assert.Contains(t, w.Body.String(), want)
	}
}

// The log is read in pieces, over the place where the record goes round, and while calls go on.
func TestLogOfManyCalls(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{Rate: -1, MaxCalls: 1500})
	for range 2200 {
		send(srv)
	}
	want := uint64(701)
	for c := range srv.Log(sandbox.Query{}) {
		require.Equal(t, want, c.Seq)
		if want == 1000 {
			send(srv)
		}
		want++
	}
	assert.Equal(t, uint64(2202), want, "with the one that was made meanwhile")
	var seqs []uint64
	for c := range srv.Log(sandbox.Query{Since: 2198, PageID: "1001", Recipient: "7"}) {
		if seqs = append(seqs, c.Seq); len(seqs) == 2 {
			break
		}
	}
	assert.Equal(t, []uint64{2199, 2200}, seqs)
	assert.Len(t, readLog(t, srv, ""), 1000, "unless a limit is given")
	assert.Len(t, readLog(t, srv, "?limit=100000"), 1500)
	assert.Len(t, strings.Split(strings.TrimSpace(control(srv, http.MethodGet, "/sandbox/log?limit=3", "").Body.String()), "\n"), 3)
}
