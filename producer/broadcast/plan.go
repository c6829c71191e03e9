package broadcast

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"time"

	"github.com/sendpace/sendpace/producer"
)

// finishEarly is the part of the time until FinishBy that the chosen pace uses: the rest makes up for what comes between.
const finishEarly = 0.97

// Plan is a broadcast that was checked and not started yet.
type Plan struct {
	// People are who get the message. Duplicates are rows of people who stand further up, and are passed over.
	People     int `json:"people"`
	Duplicates int `json:"duplicates"`
	// Bad is how many rows have problems; Problems are those of the first 100.
	Bad      int       `json:"bad"`
	Problems []Problem `json:"problems,omitempty"`
	// Defaulted counts by field the rows in which its default stood in.
	Defaulted map[string]int `json:"defaulted,omitempty"`
	// Test is how many people get it first, as a test.
	Test int `json:"test,omitempty"`
	// Sample is what the first person gets: the bodies of the calls. It holds what the person is told, and who it is.
	Sample []json.RawMessage `json:"sample,omitempty"`
	// Forecast is how long it takes.
	Forecast Forecast `json:"forecast"`

	spec     Spec
	template *template
	audience *Audience
	last     int    // number of the last row
	wanted   bitmap // the rows of the people
	sum      []byte // of the audience
	seed     maphash.Seed
	hashes   []uint64 // of the groups of rows
	media    bool
}

// Forecast is how a broadcast goes if its page is sent at the configured pace from now on: without pauses, retries, messages of the
// realtime lane and rates that the page has for a time, and with the part of the pace that other broadcasts leave it, as if these sent
// at any time of the day.
type Forecast struct {
	// Interval is the time from one of the page's bulk messages to the next: the pace of its lane, and of audio or video where the
	// message has some, or what its daily budget allows if that is slower. Zero as long as no worker has set the pace: nothing else
	// is known then.
	Interval time.Duration `json:"interval_ns"`
	// Every is the least time from one person to the next that was chosen for FinishBy; zero means at the page's pace.
	Every time.Duration `json:"every_ns,omitempty"`
	// Start is when it begins, End when it has come to its end; zero where that is unknown or more than five years ahead.
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero"`
	// Late is how many cannot be messaged before FinishBy or ExpiresAt; they end as expired.
	Late int `json:"late,omitempty"`
	// Beside are the names of the broadcasts that share the page's pace now.
	Beside []string `json:"beside,omitempty"`
}

// Plan checks a broadcast: its settings, its template, and each row of its audience, against the rules of the Send API. It writes
// nothing. The error says what is wrong with all of it, such as a column that is missing; what is wrong with rows stands in the
// plan. Memory grows with the audience by some 20 bytes a person.
func (c *Client) Plan(ctx context.Context, spec Spec, audience *Audience) (*Plan, error) {
	if spec.Weight == 0 {
		spec.Weight = 1
	}
	spec.Template = bytes.TrimPrefix(spec.Template, []byte("\ufeff")) // some editors mark UTF-8 so
	if err := errors.Join(spec.validate(time.Now()), c.checkPage(spec.PageID)); err != nil {
		return nil, fmt.Errorf("broadcast: %w", err)
	}
	p := &Plan{spec: spec, audience: audience, seed: maphash.MakeSeed(), Defaulted: map[string]int{}}
	var err error
	if p.template, err = compileTemplate(spec.Template, spec.Defaults); err != nil {
		return nil, fmt.Errorf("broadcast: %w", err)
	}
	if err := c.check(ctx, p); err != nil {
		return nil, fmt.Errorf("broadcast: %w", err)
	}
	if err := p.settle(); err != nil {
		return nil, fmt.Errorf("broadcast: %w", err)
	}
	home, err := c.home(ctx, spec.PageID)
	if err == nil {
		p.Forecast, err = home.forecast(ctx, p.pacing(), time.Now())
	}
	if err != nil {
		return nil, fmt.Errorf("broadcast: %w", err)
	}
	return p, nil
}

// settle works out what follows from the rows.
func (p *Plan) settle() error {
	if p.People == 0 {
		return nil
	}
	route, err := p.spec.job(p.Sample).Route()
	if err != nil {
		return err
	}
	p.media = route.Class == producer.ClassMedia || route.Class == producer.ClassBoth
	if p.spec.TestShare > 0 {
		p.Test = max(1, int(math.Round(p.spec.TestShare/100*float64(p.People))))
	}
	return nil
}

// Err is why the plan cannot be started, or nil: a [ProblemsError] if rows have problems and are not to be left out.
func (p *Plan) Err() error {
	switch {
	case p.Bad > 0 && !p.spec.SkipBad:
		return &ProblemsError{Bad: p.Bad, Problems: p.Problems}
	case p.People == 0:
		return errors.New("nobody is left in the audience")
	}
	return nil
}

// pacing is what a forecast needs of a broadcast.
type pacing struct {
	name, page      string
	people          int // that are left
	calls           int // each
	weight          int
	media           bool
	every           time.Duration
	start           time.Time // not before
	finishBy, until time.Time
	schedule        *schedule
}

func (p *Plan) pacing() pacing {
	return pacing{
		name: p.spec.Name, page: p.spec.PageID, people: p.People, calls: len(p.template.bodies), weight: p.spec.Weight, media: p.media,
		start: p.spec.StartAt, finishBy: p.spec.FinishBy, until: p.spec.expiry(),
		schedule: p.spec.Window.schedule(time.Now()),
	}
}

// forecast reads the pace of the page and who shares it. For a broadcast with a time to finish by, the pace is chosen anew.
func (c *Client) forecast(ctx context.Context, b pacing, now time.Time) (Forecast, error) {
	rates, err := c.readRates(ctx, b.page)
	if err != nil {
		return Forecast{}, err
	}
	others, err := c.active(ctx, b.page, b.name)
	if err != nil {
		return Forecast{}, err
	}
	f := Forecast{Interval: rates.interval(b.media), Start: now}
	if b.start.After(now) {
		f.Start = b.start
	}
	f.Start = b.schedule.opening(f.Start)
	slots := float64(b.people * b.calls)
	for _, o := range others {
		if o.name != "" {
			f.Beside = append(f.Beside, o.name)
		}
		// While this one sends all of its messages, another sends as many by its weight, or all that it has.
		slots += math.Min(float64(o.people*o.calls), float64(b.people*b.calls)*float64(o.weight)/float64(b.weight))
	}
	f.choose(b, slots)
	return f, nil
}

// choose works out the pace and the end, for so many slots of the page.
func (f *Forecast) choose(b pacing, slots float64) {
	perPerson := within5Years(float64(f.Interval) * slots / math.Max(1, float64(b.people)))
	f.Every = b.every
	if !b.finishBy.IsZero() && b.people > 0 {
		f.Every = time.Duration(finishEarly * float64(b.schedule.openTime(f.Start, b.finishBy)) / float64(b.people))
		if f.Every <= perPerson {
			f.Every = 0 // the page's own pace is no faster than needed
		}
	}
	if f.Interval == 0 {
		return
	}
	step := max(perPerson, f.Every)
	f.End, _ = b.schedule.after(f.Start, within5Years(float64(step)*float64(b.people)))
	if !b.until.IsZero() && (f.End.IsZero() || f.End.After(b.until)) {
		f.Late = max(0, b.people-int(b.schedule.openTime(f.Start, b.until)/max(1, step)))
		f.End = b.until
	}
}

// within5Years is so many nanoseconds, or so long that nothing is known of the end.
func within5Years(ns float64) time.Duration { return time.Duration(math.Min(ns, float64(horizon))) }
