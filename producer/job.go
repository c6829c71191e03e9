package producer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

const (
	// TaskType is the asynq task type of every job.
	TaskType = "sendpace:send"
	// DefaultQueue is the asynq queue that holds the jobs of a fleet.
	DefaultQueue = "messenger"
	// MaxJobBytes bounds a job's JSON form. It is far above what the Send API takes, and keeps one bad input from
	// filling Redis.
	MaxJobBytes = 256 << 10
	// maxKeyBytes bounds a job's key.
	maxKeyBytes = 256
)

// Lane says how soon a job is wanted.
type Lane string

const (
	// LaneRealtime is for an answer that somebody waits for. It goes before bulk at the same page.
	LaneRealtime Lane = "realtime"
	// LaneBulk is for what is not time-sensitive. It is spread out at the page's bulk rate.
	LaneBulk Lane = "bulk"
)

// Job is one unit of work: one send to one recipient. Its JSON form is the task payload and one line of an enqueue file.
type Job struct {
	// PageID is the page that the message is sent from: digits. Required.
	PageID string `json:"page_id"`
	// Lane may be empty: the message decides then.
	Lane Lane `json:"lane,omitempty"`
	// Request is the body of the Send API call. It is sent as it is, with the fields that Sendpace does not know. Required.
	Request json.RawMessage `json:"request"`
	// Key makes enqueueing idempotent: for 24 hours a second job of the same page with the same key is not stored, and
	// the first one's id is returned. Empty means no such check. At most 256 bytes.
	Key string `json:"key,omitempty"`
	// SendAt is the earliest time of sending; zero means at once. A job that comes due joins the end of its line.
	SendAt time.Time `json:"send_at,omitzero"`
	// ExpiresAt is the time after which the message must not be sent any more; zero means never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Meta is the application's own data. It travels with the job and is never sent.
	Meta map[string]any `json:"meta,omitempty"`
}

// ParseJob reads a job from its JSON form. A field that a job does not have is an error; inside request every field is
// kept. The job is not validated yet: see [Job.Validate].
func ParseJob(data []byte) (Job, error) {
	if len(data) > MaxJobBytes {
		return Job{}, fmt.Errorf("job: %d bytes; the limit is %d", len(data), MaxJobBytes)
	}
	var j Job
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(&j); err != nil {
		return Job{}, jsonError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Job{}, errors.New("job: more than one JSON value; write one job a line")
	}
	return j, nil
}

// jsonError says what is wrong with a job's JSON in the words of the job, not of the decoder.
func jsonError(err error) error {
	var typ *json.UnmarshalTypeError
	var syn *json.SyntaxError
	var tim *time.ParseError
	switch {
	case errors.As(err, &typ) && typ.Field == "":
		return fmt.Errorf("job: %s where a JSON object is expected", typ.Value)
	case errors.As(err, &typ):
		return fmt.Errorf("%s: %s where %s is expected", typ.Field, typ.Value, typ.Type)
	case errors.As(err, &tim):
		return errors.New("send_at, expires_at: a time looks like 2026-12-01T09:00:00Z")
	case errors.As(err, &syn):
		return fmt.Errorf("job: invalid JSON at byte %d: %w", syn.Offset, syn)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("job: invalid JSON: it ends too early")
	}
	return fmt.Errorf("job: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// checked is a job that passed validation, with what was found out on the way.
type checked struct {
	job  Job
	line Line
	id   string
	body []byte
}

// Validate reports every problem of the job at now as [sendapi.Problems], each with its JSON path, or nil. A job that
// has expired is a problem.
func (j Job) Validate(now time.Time) error {
	_, problems := j.validate(now)
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func (j Job) validate(now time.Time) (*sendapi.Request, sendapi.Problems) {
	var ps sendapi.Problems
	add := func(path, format string, args ...any) {
		ps = append(ps, sendapi.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case j.PageID == "":
		add("page_id", "missing; it is the page that the message is sent from")
	case !validPageID(j.PageID):
		add("page_id", "must be the page's number, at most 32 digits")
	}
	if j.Lane != "" && j.Lane != LaneRealtime && j.Lane != LaneBulk {
		add("lane", "must be %q or %q, or left out", LaneRealtime, LaneBulk)
	}
	if len(j.Key) > maxKeyBytes {
		add("key", "%d bytes; the limit is %d", len(j.Key), maxKeyBytes)
	}
	if !j.ExpiresAt.IsZero() {
		switch {
		case !j.ExpiresAt.After(now):
			add("expires_at", "has passed: it was %s", j.ExpiresAt.Format(time.RFC3339))
		case !j.SendAt.IsZero() && !j.ExpiresAt.After(j.SendAt):
			add("expires_at", "must be after send_at")
		}
	}
	req, reqProblems := j.request()
	return req, append(ps, reqProblems...)
}

// request parses and checks the Send API body; problem paths start with "request".
func (j Job) request() (*sendapi.Request, sendapi.Problems) {
	if len(j.Request) == 0 || string(j.Request) == "null" {
		return nil, sendapi.Problems{{Path: "request", Message: "missing; it is the body of the Send API call"}}
	}
	req, err := sendapi.ParseRequest(j.Request)
	if err != nil {
		return nil, sendapi.Problems{{Path: "request", Message: err.Error()}}
	}
	var ps sendapi.Problems
	if errors.As(req.Validate(), &ps) {
		for i := range ps {
			ps[i].Path = strings.TrimSuffix("request."+ps[i].Path, ".")
		}
	}
	return req, ps
}

// check validates the job and works out where it belongs.
func (j Job) check(now time.Time) (checked, error) {
	req, problems := j.validate(now)
	if len(problems) > 0 {
		return checked{}, problems
	}
	if j.Lane == "" {
		j.Lane = laneOf(req)
	}
	body, err := json.Marshal(j)
	if err != nil {
		return checked{}, sendapi.Problems{{Path: "meta", Message: err.Error()}}
	}
	if len(body) > MaxJobBytes {
		return checked{}, sendapi.Problems{{
			Path: "request", Message: fmt.Sprintf("the job has %d bytes; the limit is %d", len(body), MaxJobBytes),
		}}
	}
	return checked{
		job:  j,
		line: Line{PageID: j.PageID, Lane: j.Lane, Media: req.Media()},
		id:   newID(RecipientHash(j.PageID, req.Recipient.Address())),
		body: body,
	}, nil
}

// laneOf is the lane of a job that names none.
func laneOf(req *sendapi.Request) Lane {
	if req.Answer() {
		return LaneRealtime
	}
	return LaneBulk
}

func validPageID(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}
