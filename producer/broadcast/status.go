package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// State is what a broadcast does.
type State string

const (
	// StateLoading is for one whose audience is not stored whole; nothing is sent.
	StateLoading State = "loading"
	// StateTesting is for one of which the test share is sent.
	StateTesting State = "testing"
	// StateRunning is for one that is sent, or waits for its time.
	StateRunning State = "running"
	// StatePaused is for one that a person has paused, or that was paused because too many of the test share failed.
	StatePaused State = "paused"
	// StateCancelled is for one that is not sent any more. It stays so.
	StateCancelled State = "cancelled"
	// StateDone is for one all of whose people were dealt with.
	StateDone State = "done"
)

// Status is how far a broadcast has come.
type Status struct {
	Name   string `json:"name"`
	PageID string `json:"page_id"`
	State  State  `json:"state"`
	// Why is why it is paused; empty if it is not.
	Why string `json:"why,omitempty"`
	// Created is when it was started first, Start the earliest time of sending that was asked for, Ended when the last person was
	// dealt with; zero if there is none.
	Created time.Time `json:"created"`
	Start   time.Time `json:"start_at,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	// Window, FinishBy and ExpiresAt are the settings; empty and zero for none. Weight is its part of the page's pace.
	Window    string    `json:"window,omitempty"`
	FinishBy  time.Time `json:"finish_by,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Weight    int       `json:"weight"`
	// People are who get the message. Duplicates and Bad are the rows that were passed over.
	People     int `json:"people"`
	Duplicates int `json:"duplicates"`
	Bad        int `json:"bad"`
	// Test is how many people the test share has.
	Test int `json:"test,omitempty"`
	// Stored jobs are in the queue or have ended: Sent, Failed, Expired, Cancelled or Unknown. A job that is sent again after it
	// failed counts once more.
	Stored    int `json:"stored"`
	Sent      int `json:"sent"`
	Failed    int `json:"failed"`
	Expired   int `json:"expired"`
	Cancelled int `json:"cancelled"`
	Unknown   int `json:"unknown"`
	// Rate is how many were sent a second lately: over the last minute or, where the counts are coarser, the last two of them.
	Rate float64 `json:"rate"`
	// WaitsUntil is when it may send next, if that is not now: when its time comes or its window opens.
	WaitsUntil time.Time `json:"waits_until,omitzero"`
	// ETA is when it comes to its end if it goes on from now as [Forecast] says; zero where that is unknown.
	ETA time.Time `json:"eta,omitzero"`
	// Late is how many cannot be messaged before FinishBy or ExpiresAt.
	Late int `json:"late,omitempty"`
}

// Left is how many people were not dealt with yet. Of a broadcast that was cancelled, those that were not stored do not count.
func (s *Status) Left() int {
	all := max(s.People, s.Stored)
	if s.State == StateCancelled {
		all = s.Stored
	}
	return max(0, all-s.dealtWith())
}

func (s *Status) dealtWith() int { return s.Sent + s.Failed + s.Expired + s.Cancelled + s.Unknown }

// Over is true for a broadcast of which nothing will be sent any more, unless a job of it is sent again.
func (s *Status) Over() bool { return !s.Ended.IsZero() && s.Left() == 0 }

// record is the hash of a broadcast.
type record struct {
	name    string
	created time.Time // zero as long as nobody has asked
	fields  map[string]string
	spec    settings
}

// find reads a broadcast in whichever shard it is, and returns the client for that.
func (c *Client) find(ctx context.Context, name string) (*Client, *record, error) {
	one, err := c.holder(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	r, err := one.read(ctx, name)
	return one, r, err
}

// read reads a broadcast's hash.
func (c *Client) read(ctx context.Context, name string) (*record, error) {
	fields, err := c.rdb.HGetAll(ctx, c.keys.Broadcast(name)).Result()
	switch {
	case err != nil:
		return nil, err
	case fields["digest"] == "":
		return nil, ErrNotFound
	}
	return newRecord(name, fields)
}

func newRecord(name string, fields map[string]string) (*record, error) {
	r := &record{name: name, fields: fields}
	if err := json.Unmarshal([]byte(fields["spec"]), &r.spec); err != nil {
		return nil, fmt.Errorf("its settings cannot be read: %w", err)
	}
	return r, nil
}

// number reads a field; 0 if it is not there, or no number.
func (r *record) number(field string) int64 {
	n, err := strconv.ParseInt(r.fields[field], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (r *record) time(field string) time.Time {
	if us := r.number(field); us > 0 {
		return time.UnixMicro(us).UTC()
	}
	return time.Time{}
}

func (r *record) status() *Status {
	s := &Status{
		Name: r.name, PageID: r.fields["page"], State: State(r.fields["state"]), Why: r.fields["why"],
		Created: r.created, Start: r.time("start"), Ended: r.time("ended"),
		Window: r.spec.Window, FinishBy: r.spec.FinishBy, ExpiresAt: r.spec.ExpiresAt, Weight: int(r.number("weight")),
		People: r.spec.People, Duplicates: r.spec.Duplicates, Bad: r.spec.Bad,
		Test: int(r.number("test")), Stored: int(r.number("accepted")), Sent: int(r.number("sent")), Failed: int(r.number("failed")),
		Expired: int(r.number("expired")), Cancelled: int(r.number("cancelled")), Unknown: int(r.number("unknown")),
	}
	if s.Over() && s.State != StateCancelled {
		s.State = StateDone
	}
	return s
}

// bucket is how much time one of the counts over time is of.
func (r *record) bucket() time.Duration {
	return time.Duration(max(1, r.number("bucket"))) * time.Second
}

// Point is how many were sent in a span of time.
type Point struct {
	// At is the beginning of the span. [Report] says how long it is.
	At time.Time `json:"at"`
	// Sent were accepted by the platform.
	Sent int `json:"sent"`
}

// course is how many were sent over time, in order; spans in which none was are not in it.
func (r *record) course() []Point {
	var points []Point
	for field := range r.fields {
		if n, ok := strings.CutPrefix(field, "at:"); ok {
			if at, err := strconv.ParseInt(n, 10, 64); err == nil {
				start := time.Unix(at*int64(r.bucket()/time.Second), 0).UTC()
				points = append(points, Point{At: start, Sent: int(r.number(field))})
			}
		}
	}
	slices.SortFunc(points, func(a, b Point) int { return a.At.Compare(b.At) })
	return points
}

// rate is how many were sent a second lately.
func (r *record) rate(now time.Time) float64 {
	course, bucket := r.course(), r.bucket()
	if len(course) == 0 {
		return 0
	}
	from := now.Add(-max(2*bucket, time.Minute)).Truncate(bucket)
	if first := course[0].At; from.Before(first) {
		from = first
	}
	sent := 0
	for _, p := range course {
		if !p.At.Before(from) {
			sent += p.Sent
		}
	}
	return float64(sent) / math.Max(1, now.Sub(from).Seconds())
}

// pacing is what a forecast of the rest needs.
func (r *record) pacing(s *Status) (pacing, error) {
	schedule, err := parseSchedule(r.fields["window"])
	return pacing{
		name: r.name, page: s.PageID, people: s.Left(), calls: max(1, r.spec.Calls), weight: max(1, s.Weight), media: r.spec.Media,
		every: time.Duration(r.number("every")) * time.Microsecond, start: s.Start, until: s.ExpiresAt, schedule: schedule,
	}, err
}

// Status tells how far a broadcast has come. The error is [ErrNotFound] if there is none of that name.
func (c *Client) Status(ctx context.Context, name string) (*Status, error) {
	c, r, err := c.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("broadcast %s: %w", name, err)
	}
	s, err := c.status(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("broadcast %s: %w", name, err)
	}
	return s, nil
}

func (c *Client) status(ctx context.Context, r *record) (*Status, error) {
	created, err := c.rdb.ZScore(ctx, c.keys.Broadcasts(), r.name).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	now, err := c.rdb.Time(ctx).Result()
	if err != nil {
		return nil, err
	}
	r.created = time.Unix(int64(created), 0).UTC()
	s := r.status()
	s.Rate = r.rate(now)
	if s.Over() || s.State == StatePaused || s.State == StateCancelled {
		return s, nil
	}
	pacing, err := r.pacing(s)
	if err != nil {
		return nil, err
	}
	f, err := c.forecast(ctx, pacing, now)
	s.ETA, s.Late = f.End, f.Late
	if f.Start.After(now) {
		s.WaitsUntil = f.Start.UTC()
	}
	return s, err
}
