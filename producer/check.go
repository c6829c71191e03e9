package producer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sendpace/sendpace/sendapi"
)

const (
	// maxSteps bounds a sequence.
	maxSteps = 50
	// maxAttempts bounds Job.MaxAttempts.
	maxAttempts = 100
	// maxRetention bounds Job.Retention. asynq keeps archived tasks as long.
	maxRetention = 90 * 24 * time.Hour
)

var (
	broadcastID = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	pageProblem = sendapi.Problem{Path: "page_id", Message: "must be the page's number, at most 32 digits"}
	// cancelledProblem is found when the job is about to be stored.
	cancelledProblem = sendapi.Problem{Path: "broadcast", Message: "was cancelled, which is for good; use another name, or none"}
)

// checked is a job that passed validation, with what was found out on the way.
type checked struct {
	job  Job
	line Line
	id   string
	body []byte
}

// problems collects what is wrong with a job.
type problems struct{ found sendapi.Problems }

func (p *problems) add(path, format string, args ...any) {
	p.found = append(p.found, sendapi.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Validate reports every problem of the job at now as [sendapi.Problems], each with its JSON path, or nil. A job that
// has expired is a problem.
func (j Job) Validate(now time.Time) error {
	if _, found := j.validate(now); len(found) > 0 {
		return found
	}
	return nil
}

func (j Job) validate(now time.Time) ([]*sendapi.Request, sendapi.Problems) {
	var ps problems
	j.checkPlace(&ps)
	j.checkTimes(&ps, now)
	j.checkPolicy(&ps)
	reqs := j.requests(&ps)
	j.checkCredentials(&ps)
	return reqs, ps.found
}

// checkPlace checks where the job belongs.
func (j Job) checkPlace(ps *problems) {
	switch {
	case j.PageID == "":
		ps.add("page_id", "missing; it is the page that the message is sent from")
	case !IsPageID(j.PageID):
		ps.found = append(ps.found, pageProblem)
	}
	if j.Lane != "" && j.Lane != LaneRealtime && j.Lane != LaneBulk {
		ps.add("lane", "must be %q or %q, or left out", LaneRealtime, LaneBulk)
	}
	if j.Broadcast != "" && !broadcastID.MatchString(j.Broadcast) {
		ps.add("broadcast", "must be 1 to 64 letters, digits, '_', '.' or '-'")
	}
}

func (j Job) checkTimes(ps *problems, now time.Time) {
	if j.ExpiresAt.IsZero() {
		return
	}
	switch {
	case !j.ExpiresAt.After(now):
		ps.add("expires_at", "has passed: it was %s", j.ExpiresAt.Format(time.RFC3339))
	case !j.SendAt.IsZero() && !j.ExpiresAt.After(wholeSecond(j.SendAt)):
		ps.add("expires_at", "must be after send_at, which is taken as the next whole second")
	}
}

func (j Job) checkPolicy(ps *problems) {
	if len(j.Key) > maxKeyBytes {
		ps.add("key", "%d bytes; the limit is %d", len(j.Key), maxKeyBytes)
	}
	if !utf8.ValidString(j.Key) { // JSON would change it, and the outcome would have another one
		ps.add("key", "must be UTF-8")
	}
	if j.MaxAttempts < 0 || j.MaxAttempts > maxAttempts {
		ps.add("max_attempts", "must be from 1 to %d, or left out", maxAttempts)
	}
	if j.OnUnknown != "" && j.OnUnknown != Resend && j.OnUnknown != NeverResend {
		ps.add("on_unknown", "must be %q or %q, or left out", Resend, NeverResend)
	}
	if j.Retention < 0 || time.Duration(j.Retention) > maxRetention {
		ps.add("retention", "must be from 0 to %dh", maxRetention/time.Hour)
	}
}

// requests parses and checks the bodies of the job's calls. Problem paths start with "request" or "requests[i]".
func (j Job) requests(ps *problems) []*sendapi.Request {
	single := len(j.Request) > 0 && string(j.Request) != "null"
	switch n := len(j.Requests); {
	case n == 0 && !single:
		ps.add("request", "missing; it is the body of the Send API call")
		return nil
	case n == 0:
		return []*sendapi.Request{parseRequest(ps, "request", j.Request)}
	case single:
		ps.add("requests", "not allowed together with request")
		return nil
	case n < 2 || n > maxSteps:
		ps.add("requests", "%d; a sequence has 2 to %d, a single call is written as request", n, maxSteps)
		return nil
	}
	reqs := make([]*sendapi.Request, len(j.Requests))
	for i, body := range j.Requests {
		path := fmt.Sprintf("requests[%d]", i)
		reqs[i] = parseRequest(ps, path, body)
		if reqs[0] != nil && reqs[i] != nil && reqs[i].Recipient.Address() != reqs[0].Recipient.Address() {
			ps.add(path+".recipient", "must be that of requests[0]: a job has one recipient")
		}
	}
	return reqs
}

func parseRequest(ps *problems, path string, body json.RawMessage) *sendapi.Request {
	req, err := sendapi.ParseRequest(body)
	if err == nil {
		err = req.Validate()
	}
	found, _ := errors.AsType[sendapi.Problems](err) // neither has another kind
	for _, f := range found {
		f.Path = strings.TrimSuffix(path+"."+f.Path, ".")
		ps.found = append(ps.found, f)
	}
	return req
}

// checkCredentials refuses what the platform would take beside a message: the queue must hold no token. A job that is in the queue
// is not asked: older versions let one in, and its message must not be lost for it.
func (j Job) checkCredentials(ps *problems) {
	for i, body := range j.Steps() {
		path := "request"
		if len(j.Requests) > 0 {
			path = fmt.Sprintf("requests[%d]", i)
		}
		for _, name := range []string{"access_token", "appsecret_proof"} {
			if !bytes.Contains(body, []byte(`"`+name+`"`)) { // spares nearly all a second look
				continue
			}
			var members map[string]json.RawMessage
			if json.Unmarshal(body, &members) == nil && members[name] != nil {
				ps.add(path+"."+name, "leave it out: it would stand in Redis, and a worker sends with the page's own")
			}
		}
	}
}

// check validates the job and works out where it belongs.
func (j Job) check(now time.Time) (checked, error) {
	reqs, found := j.validate(now)
	if len(found) > 0 {
		return checked{}, found
	}
	r := j.route(reqs)
	j.Lane = r.Line.Lane
	body, err := json.Marshal(j)
	if err != nil {
		return checked{}, sendapi.Problems{{Path: "meta", Message: err.Error()}}
	}
	if len(body) > MaxJobBytes {
		var ps problems
		ps.add("request", "the job has %d bytes; the limit is %d", len(body), MaxJobBytes)
		return checked{}, ps.found
	}
	return checked{job: j, line: r.Line, id: newID(r), body: body}, nil
}

// IsPageID tells whether s can be the id of a page: 1 to 32 digits.
func IsPageID(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "0123456789") == ""
}
