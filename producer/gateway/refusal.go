package gateway

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

// reply is the answer to a call, or to one send of a batch.
type reply struct {
	status int
	header http.Header
	body   []byte
	trace  string // of a failure: what it is found by in the log
	code   int
}

// answerWith is a reply of a value that has a JSON form.
func answerWith(status int, value any) reply {
	body, err := json.Marshal(value)
	if err != nil { // the types are ours: only a test would meet it
		return internalError.reply()
	}
	return reply{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

func (a reply) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller may be gone
}

// failure is a reason not to do what a call asks for. Its code is the platform's, so that what its SDKs make of it fits.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
type failure struct {
	status        int
	code, subcode int
	message       string
	kind          string // empty: OAuthException, as the platform says of nearly everything
	retryAfter    time.Duration
	usage         string // X-Business-Use-Case-Usage
	allow         string // the methods that would do
}

var (
	internalError = &failure{status: http.StatusInternalServerError, code: 1, message: "the gateway failed; its log says where"}
	unknownPath   = &failure{
		status: http.StatusNotFound, code: 100, subcode: 33,
		message: "unsupported request: the gateway knows messages, message_attachments, batches and /jobs; see /openapi.json",
	}
	// Whether Redis stored a job before it stopped answering cannot be known here.
	queueAway = &failure{
		status: http.StatusServiceUnavailable, code: 2, retryAfter: 5 * time.Second,
		message: "the queue does not answer; send it again, with an X-Sendpace-Key if it must not be sent twice",
	}
	overloaded = &failure{
		status: http.StatusServiceUnavailable, code: 2, retryAfter: time.Second, message: "too many calls at once; send it again",
	}
	noToken      = &failure{status: http.StatusUnauthorized, code: 190, message: "an access token is required"}
	wrongToken   = &failure{status: http.StatusUnauthorized, code: 190, message: "the access token is not that of a configured page"}
	foreignToken = &failure{status: http.StatusUnauthorized, code: 190, message: "the access token is that of another page"}
	unknownPage  = &failure{
		status: http.StatusBadRequest, code: 100, subcode: 33, message: "there is no such page in the gateway's configuration",
	}
	whichPage = &failure{
		status: http.StatusBadRequest, code: 100, message: "me stands for several pages here; put the page's id into the path",
	}
	noJob = &failure{
		status: http.StatusNotFound, code: 100, subcode: 33, message: producer.ErrNotFound.Error(),
	}
)

func wrongMethod(allowed string) *failure {
	return &failure{
		status: http.StatusMethodNotAllowed, code: 100, message: "unsupported method; use " + allowed, allow: allowed,
	}
}

// invalid is about what the caller sent.
func invalid(format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, code: 100, message: fmt.Sprintf(format, args...)}
}

// fileTooLarge is the platform's for a file that is over its limit.
func fileTooLarge(size int64) *failure {
	f := invalid("filedata: %d bytes; the limit is %d", size, sendapi.MaxFileBytes)
	f.subcode = 2018109
	return f
}

// tooFast is for a credential that is over its rate.
func tooFast(limit int) *failure {
	return &failure{
		status: http.StatusTooManyRequests, code: 613, retryAfter: time.Second,
		message: fmt.Sprintf("more than %d calls a second", limit),
	}
}

// queueRefuses is for a Redis that answers, and takes nothing. What it says itself is not for everyone: reason may be empty.
func queueRefuses(reason string) *failure {
	f := *queueAway
	f.message = "Redis takes no writes"
	if reason != "" {
		f.message += ": " + reason
	}
	return &f
}

// lineFull tells the caller to wait, in the words in which the platform says it of a page that is over its limit.
// https://developers.facebook.com/docs/graph-api/overview/rate-limiting
func lineFull(full *producer.LineFullError) *failure {
	usage, _ := json.Marshal(map[string][]map[string]any{full.Line.PageID: {{ // strings and numbers
		"type": "messenger", "call_count": 100, "total_cputime": 0, "total_time": 0, "estimated_time_to_regain_access": 1,
	}}})
	return &failure{
		status: http.StatusTooManyRequests, code: 613, retryAfter: time.Minute, usage: string(usage), message: full.Error(),
	}
}

// enqueueFailure is what the producer's error is to the caller.
func enqueueFailure(err error, body json.RawMessage) *failure {
	var problems sendapi.Problems
	var full *producer.LineFullError
	switch {
	case errors.As(err, &problems):
		f := invalid("%s", inWordsOfACall(problems))
		if req, err := sendapi.ParseRequest(body); err == nil {
			f.subcode = subcodeOf(req, problems)
		}
		return f
	case errors.As(err, &full):
		return lineFull(full)
	}
	return queueAway
}

// inWordsOfACall names the places of problems as the caller wrote them: as members of the body, or as headers.
func inWordsOfACall(problems sendapi.Problems) string {
	renamed := make(sendapi.Problems, len(problems))
	for i, p := range problems {
		p.Path = strings.TrimPrefix(strings.TrimPrefix(p.Path, "request"), ".")
		for _, o := range options {
			if p.Path == o.field {
				p.Path = o.header
			}
		}
		renamed[i] = p
	}
	return renamed.Error()
}

// subcodeOf is the number that the platform gives to what is wrong with the content of a request, 0 if none is known.
func subcodeOf(req *sendapi.Request, problems sendapi.Problems) int {
	empty := func(p sendapi.Problem) bool { return strings.TrimPrefix(p.Path, "request.") == "message" }
	switch {
	case req.Message == nil:
		return 0
	case req.SenderAction != "":
		return 2018014
	case slices.ContainsFunc(problems, empty):
		return 2018034
	}
	return 0
}

// graphFailure passes on what the platform said to an upload.
func graphFailure(err error) *failure {
	var e *sendapi.Error
	if !errors.As(err, &e) {
		return internalError
	}
	var problems sendapi.Problems
	switch {
	case errors.As(err, &problems):
		return invalid("%s", problems)
	case e.Code != 0:
		return &failure{
			status: e.Status, code: e.Code, subcode: e.Subcode, kind: e.Type, retryAfter: e.RetryAfter,
			message: strings.TrimPrefix(e.Message, fmt.Sprintf("(#%d) ", e.Code)),
		}
	case e.Kind == sendapi.KindTransient:
		return &failure{
			status: http.StatusServiceUnavailable, code: 2, retryAfter: max(e.RetryAfter, 5*time.Second),
			message: "the file could not be uploaded for the time being; send it again",
		}
	}
	return invalid("the file could not be uploaded: %s", e.Kind)
}

// reply writes the platform's error object.
// https://developers.facebook.com/docs/graph-api/guides/error-handling
func (f *failure) reply() reply {
	type body struct {
		Message   string `json:"message"`
		Type      string `json:"type"`
		Code      int    `json:"code"`
		Subcode   int    `json:"error_subcode,omitempty"`
		Transient bool   `json:"is_transient"`
		Trace     string `json:"fbtrace_id"`
	}
	kind := f.kind
	if kind == "" {
		kind = "OAuthException"
	}
	trace := rand.Text()
	text, _ := json.Marshal(map[string]body{"error": { // strings and numbers
		Message: fmt.Sprintf("(#%d) %s", f.code, f.message), Type: kind,
		Code: f.code, Subcode: f.subcode, Transient: f.code == 2, Trace: trace,
	}})
	a := reply{
		status: f.status, header: http.Header{"Content-Type": {"application/json"}}, body: text, trace: trace, code: f.code,
	}
	if f.retryAfter > 0 {
		seconds := (f.retryAfter + time.Second - 1) / time.Second
		a.header.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if f.usage != "" {
		a.header.Set("X-Business-Use-Case-Usage", f.usage)
	}
	if f.allow != "" {
		a.header.Set("Allow", f.allow)
	}
	return a
}
