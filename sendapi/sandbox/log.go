package sandbox

import (
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// Query selects calls of the record. The zero value selects the messages and sender actions that were accepted.
type Query struct {
	// PageID and Recipient, where they are set, select the calls of one page, to one recipient: a page-scoped
	// id, or an address as in sendapi.Recipient.Address.
	PageID, Recipient string
	// Since selects calls with a higher Seq.
	Since uint64
	// All selects the refused ones as well, those that were dropped before they were accepted, and other edges.
	All bool
}

func (q Query) selects(c *Call) bool {
	return (c.sent() || q.All) && (q.PageID == "" || q.PageID == c.PageID) &&
		(q.Recipient == "" || q.Recipient == c.Recipient)
}

// logChunk is how many calls are looked at in one go: calls in hand wait for it.
const logChunk = 1000

// Log returns the calls that a query selects, in the order in which they were decided, up to the newest when it gets
// there. Calls that are made while it goes on may be among them.
func (s *Server) Log(q Query) iter.Seq[Call] {
	if q.Recipient != "" {
		q.Recipient = addressOf(q.Recipient)
	}
	return func(yield func(Call) bool) {
		for since := q.Since; ; {
			looked := 0
			var found []Call
			last := s.log.scan(since, func(c *Call) bool {
				if q.selects(c) {
					found = append(found, *c)
				}
				looked++
				return looked < logChunk
			})
			for _, c := range found {
				if !yield(c) {
					return
				}
			}
			if since = last; looked < logChunk {
				return
			}
		}
	}
}

// The bounds of one answer of the log.
const (
	defaultLogLimit = 1000
	maxLogLimit     = 100_000
)

// logLine is a call as the control interface writes it.
type logLine struct {
	Seq       uint64          `json:"seq"`
	At        time.Time       `json:"at"`
	Done      *time.Time      `json:"done,omitempty"`
	Page      string          `json:"page"`
	Edge      string          `json:"edge"`
	Recipient string          `json:"recipient,omitempty"`
	Accepted  bool            `json:"accepted"`
	Status    int             `json:"status"`
	Code      int             `json:"code,omitempty"`
	Subcode   int             `json:"subcode,omitempty"`
	MessageID string          `json:"message_id,omitempty"`
	Metadata  string          `json:"metadata,omitempty"`
	Body      json.RawMessage `json:"body,omitempty"`
}

func newLogLine(c Call) logLine {
	line := logLine{
		Seq: c.Seq, At: c.At, Page: c.PageID, Edge: c.Edge, Recipient: c.Recipient, Accepted: c.Accepted,
		Status: c.Status, Code: c.Code, Subcode: c.Subcode, MessageID: c.MessageID, Metadata: c.Metadata,
	}
	if !c.Done.IsZero() {
		line.Done = &c.Done
	}
	if json.Valid(c.Body) {
		line.Body = c.Body
	}
	return line
}

// serveLog writes one line of JSON for each call.
func (s *Server) serveLog(w http.ResponseWriter, r *http.Request) {
	q, limit, ps := readQuery(r.URL.Query())
	if len(ps) > 0 {
		http.Error(w, ps.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := json.NewEncoder(w)
	for c := range s.Log(q) {
		if encoder.Encode(newLogLine(c)) != nil { // the caller is gone
			return
		}
		if limit--; limit == 0 {
			return
		}
	}
}

func readQuery(from url.Values) (q Query, limit uint64, ps sendapi.Problems) {
	var c checker
	limit = defaultLogLimit
	for name := range from {
		value := from.Get(name)
		var err error
		switch name {
		case "page":
			q.PageID = value
			c.check(isPage(value), name, "must be decimal digits")
		case "recipient":
			q.Recipient = value
			c.check(isAddress(value), name, notAddress)
		case "since":
			q.Since, err = strconv.ParseUint(value, 10, 63)
			c.check(err == nil, name, "must be the seq of a call")
		case "limit":
			limit, err = strconv.ParseUint(value, 10, 63)
			c.check(err == nil && 0 < limit && limit <= maxLogLimit, name, "must be 1 to 100,000")
		case "all":
			q.All, err = strconv.ParseBool(value)
			c.check(err == nil, name, "must be true or false")
		default:
			c.check(false, "query", "knows page, recipient, since, limit and all only")
		}
	}
	return q, limit, c.problems
}
