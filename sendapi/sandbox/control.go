package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// maxControlBody is far above any fault.
const maxControlBody = 64 << 10

// maxDelay keeps a slow answer within the time that Serve gives a connection.
const maxDelay = 5 * time.Minute

const help = `Sendpace sandbox: a Send API to try things on. Nothing is sent to anybody.

POST   /{version}/{page-id}/messages   the Send API
GET    /sandbox/calls                  calls by page: accepted, refused, dropped, pace
POST   /sandbox/faults                 make calls fail
DELETE /sandbox/faults[?page=1001]     end the faults of a page, or all

A fault is JSON; every member is optional, an absent page means all pages:
{"page":"1001","code":613,"subcode":0,"status":400,"message":"...","retry_after":"5m",
 "delay":"2s","drop":"before or after","for":"5s","times":3}
`

// newControl returns what answers below /sandbox/.
func (s *Server) newControl() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sandbox/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, help) // the caller may be gone
	})
	mux.HandleFunc("GET /sandbox/calls", s.serveCalls)
	mux.HandleFunc("POST /sandbox/faults", s.serveFail)
	mux.HandleFunc("DELETE /sandbox/faults", func(w http.ResponseWriter, r *http.Request) {
		s.Clear(r.URL.Query().Get("page"))
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// PageCalls sums up the calls of one page.
type PageCalls struct {
	// Count is the number of calls: Accepted, Refused and those whose connection was dropped unaccepted.
	Count int `json:"count"`
	// Accepted is the number of messages and sender actions that were accepted.
	Accepted int `json:"accepted"`
	// Refused is the number of calls that got an error.
	Refused int `json:"refused"`
	// Dropped is the number of calls without an answer, accepted or not.
	Dropped int `json:"dropped"`
	// Pace is how all of the calls came.
	Pace Pace `json:"pace"`
}

// Summary returns the remembered calls by page.
func (s *Server) Summary() map[string]PageCalls {
	pages := make(map[string]PageCalls)
	times := make(map[string][]time.Time)
	s.log.all(func(c *Call) bool {
		p := pages[c.PageID]
		p.Count++
		switch {
		case c.Accepted:
			p.Accepted++
		case c.Status != 0:
			p.Refused++
		}
		if c.Status == 0 {
			p.Dropped++
		}
		pages[c.PageID] = p
		times[c.PageID] = append(times[c.PageID], c.At)
		return false
	})
	for id, p := range pages {
		p.Pace = Measure(times[id])
		pages[id] = p
	}
	return pages
}

func (s *Server) serveCalls(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // the caller may be gone
		"pages":     s.Summary(),
		"forgotten": s.Dropped(),
	})
}

func (s *Server) serveFail(w http.ResponseWriter, r *http.Request) {
	// A browser cannot send this type to another site without asking first, so no web page can set faults.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		http.Error(w, "the Content-Type must be application/json", http.StatusUnsupportedMediaType)
		return
	}
	page, fault, err := readFault(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.Fail(page, fault)
	w.WriteHeader(http.StatusNoContent)
}

// duration reads "1m30s".
type duration time.Duration

// UnmarshalText makes encoding/json read it from a string.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

func readFault(r io.Reader) (page string, f Fault, err error) {
	var body struct {
		Page       string   `json:"page"`
		Code       int      `json:"code"`
		Subcode    int      `json:"subcode"`
		Status     int      `json:"status"`
		Message    string   `json:"message"`
		RetryAfter duration `json:"retry_after"`
		Delay      duration `json:"delay"`
		Drop       Drop     `json:"drop"`
		For        duration `json:"for"`
		Times      int      `json:"times"`
	}
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		return "", Fault{}, fmt.Errorf("not a fault: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return "", Fault{}, fmt.Errorf("not a fault: data after the object")
	}
	f = Fault{
		Code: body.Code, Subcode: body.Subcode, Status: body.Status, Message: body.Message,
		RetryAfter: time.Duration(body.RetryAfter), Delay: time.Duration(body.Delay), Drop: body.Drop,
		For: time.Duration(body.For), Times: body.Times,
	}
	if ps := f.problems(body.Page); len(ps) > 0 {
		return "", Fault{}, ps
	}
	return body.Page, f, nil
}

func (f Fault) problems(page string) sendapi.Problems {
	var ps sendapi.Problems
	check := func(ok bool, path, message string) {
		if !ok {
			ps = append(ps, sendapi.Problem{Path: path, Message: message})
		}
	}
	check(page == AllPages || numeric(page), "page", "must be decimal digits")
	check(f.Status == 0 || 200 <= f.Status && f.Status < 600, "status", "must be 200 to 599")
	check(f.Code != 0 || f.Subcode == 0, "subcode", "needs a code")
	check(f.Code >= 0 && f.Subcode >= 0, "code", "must not be negative")
	check(f.refuses() || f.Drop != "" || f.Delay > 0, "code", "needs one of code, status, drop and delay")
	check(f.Drop == "" || f.Drop == DropBefore || f.Drop == DropAfter, "drop", "must be before or after")
	check(0 <= f.Delay && f.Delay <= maxDelay, "delay", "must be 0 to "+strings.TrimSuffix(maxDelay.String(), "0s"))
	check(f.RetryAfter >= 0, "retry_after", "must not be negative")
	check(f.For >= 0, "for", "must not be negative")
	check(f.Times >= 0, "times", "must not be negative")
	return ps
}
