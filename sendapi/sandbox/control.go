package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// maxControlBody is far above any fault.
const maxControlBody = 64 << 10

// maxDelay keeps a slow answer within the time that Serve gives a connection.
const (
	maxDelay     = 5 * time.Minute
	maxDelayText = "5m"
)

const help = `Sendpace sandbox: a Send API to try things on. Nothing is sent to anybody.

POST   /{version}/{page-id}/messages   the Send API; also message_attachments, personas, batches

GET    /sandbox/calls                  calls by page: accepted, refused, dropped, pace
GET    /sandbox/log                    the accepted sends, one line of JSON each, oldest first
         ?page=1001 ?recipient=4321    of one page, to one recipient
         ?since=17                     after the call with that seq
         ?limit=1000                   at most so many, 1 to 100000
         ?all=true                     the refused and dropped ones too, and other edges

GET    /sandbox/pages[?page=1001]      how each page stands: access, high-volume mode, usage
POST   /sandbox/pages                  replace the state of a page
DELETE /sandbox/pages[?page=1001]      back to the start: one page, or all
         {"page":"1001","access":"expired","token":"a new one","window":"closed",
          "rate":5,"media_rate":1,"usage":97}
       window, for people of whom it is not known when they wrote: open or closed.
       access: expired, invalid, password_changed, role_lost, not_granted, no_permission,
       no_messaging, blocked, restricted. A token replaces the old one and stays.

GET    /sandbox/people?page=1001&person=4321
POST   /sandbox/people                 replace the state of a person at a page
DELETE /sandbox/people[?page=1001[&person=4321]]
         {"page":"1001","person":"4321","wrote_ago":"25h","reach":"blocked","thread":"other_app"}
       A person is a page-scoped id or another address: comment_id:1_2, one_time_notif_token:t.
       reach: blocked, gone, unavailable. thread: other_app, automation.

GET    /sandbox/faults                 what fails
POST   /sandbox/faults                 make calls fail
DELETE /sandbox/faults[?page=1001]     end the faults of a page, or all
         {"page":"1001","code":613,"subcode":0,"status":400,"message":"...","transient":true,
          "retry_after":"5m","delay":"2s","delay_up_to":"4s","drop":"before or after",
          "chance":0.02,"person":"4321","media_url":"https://example.com/","for":"5s","times":3}

Every member but page and person is optional; a fault without a page is for all of them. What is
posted must be of Content-Type application/json.
`

// newControl returns what answers below /sandbox/.
func (s *Server) newControl() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sandbox/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, help) // the caller may be gone
	})
	mux.HandleFunc("GET /sandbox/calls", s.serveCalls)
	mux.HandleFunc("GET /sandbox/log", s.serveLog)
	mux.HandleFunc("GET /sandbox/pages", s.servePages)
	mux.HandleFunc("POST /sandbox/pages", posted(s.setPage))
	mux.HandleFunc("DELETE /sandbox/pages", deleted(func(page, _ string) { s.ResetPage(page) }))
	mux.HandleFunc("GET /sandbox/people", s.servePerson)
	mux.HandleFunc("POST /sandbox/people", posted(s.setPerson))
	mux.HandleFunc("DELETE /sandbox/people", deleted(s.ResetPerson))
	mux.HandleFunc("GET /sandbox/faults", s.serveFaults)
	mux.HandleFunc("POST /sandbox/faults", posted(s.setFault))
	mux.HandleFunc("DELETE /sandbox/faults", deleted(func(page, _ string) { s.Clear(page) }))
	return mux
}

// posted reads a body of type T and hands it to set.
func posted[T any](set func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// A browser cannot send this type to another site without asking first, so no web page can change anything.
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
			http.Error(w, "the Content-Type must be application/json", http.StatusUnsupportedMediaType)
			return
		}
		var body T
		err := readStrictly(http.MaxBytesReader(w, r.Body, maxControlBody), &body)
		if err == nil {
			err = set(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func readStrictly(r io.Reader, body any) error {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(body); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			if wrong.Field == "" {
				return fmt.Errorf("must be a JSON object, not a JSON %s", wrong.Value)
			}
			return fmt.Errorf("%s: must not be a JSON %s", wrong.Field, wrong.Value)
		}
		return fmt.Errorf("not understood: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("not understood: data after the object")
	}
	return nil
}

// deleted hands the page and the person of the query to reset. A misspelt name must not reset everything.
func deleted(reset func(page, person string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		page, person, ps := readTarget(r.URL.Query())
		if len(ps) > 0 {
			http.Error(w, ps.Error(), http.StatusBadRequest)
			return
		}
		reset(page, person)
		w.WriteHeader(http.StatusNoContent)
	}
}

func readTarget(query url.Values) (page, person string, ps sendapi.Problems) {
	var c checker
	for name := range query {
		value := query.Get(name)
		switch name {
		case "page":
			page = value
			c.check(isPage(value), name, "must be decimal digits")
		case "person":
			person = value
			c.check(isAddress(value), name, notAddress)
		default:
			c.check(false, "query", "knows page and person only")
		}
	}
	c.check(person == "" || page != "", "page", "required with a person")
	return page, person, c.problems
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the caller may be gone
}
