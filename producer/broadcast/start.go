package broadcast

import (
	"context"
	_ "embed" // the scripts are files, so that they read and test as Lua
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

// points is about how many buckets of time a broadcast's course is kept in.
const points = 200

var (
	//go:embed create.lua
	createLua string
	//go:embed load.lua
	loadLua string
	//go:embed control.lua
	controlLua string

	createScript  = redis.NewScript(createLua)
	loadScript    = redis.NewScript(loadLua)
	controlScript = redis.NewScript(rediskeys.EndsLua + controlLua)
)

var (
	// ErrOther means that the name belongs to a broadcast with another audience, template, page or expiry.
	ErrOther = errors.New("there is a broadcast of that name with another audience, template, page or expiry; use another name")
	// ErrCancelled means that the broadcast was cancelled, which is for good.
	ErrCancelled = errors.New("the broadcast was cancelled; use another name for a new one")
	// ErrChanged means that the audience is not the one any more that was checked. What is stored is of the checked one, and is not
	// sent as long as the rest is missing.
	ErrChanged = errors.New("the audience changed after it was checked; start it again with the old one, or cancel it")
	// ErrTaken means that jobs were enqueued under that name without this package.
	ErrTaken = errors.New("jobs were enqueued under that name; use another name")

	errClosed = errors.New("the number of shards is being changed; start it again")
)

// Started is what starting a broadcast came to.
type Started struct {
	// State is its state now.
	State State
	// Repeat is true if there was one of that name already, of the same audience and template. What was missing of it is stored now.
	// Its settings are those of the first start.
	Repeat bool
}

// Start stores the jobs of a broadcast; when all are stored, sending may begin. However often it is called, interrupted, killed or
// called in several processes at once, each person of the audience gets one job: a call with a plan of the same audience and template
// goes on where the last one ended. While it runs nothing is sent. An error leaves what is stored as it is, for the next call.
func (c *Client) Start(ctx context.Context, p *Plan) (Started, error) {
	home, err := c.home(ctx, p.spec.PageID)
	if err != nil {
		return Started{}, fmt.Errorf("broadcast %s: %w", p.spec.Name, err)
	}
	s, err := home.start(ctx, p)
	if err != nil {
		return s, fmt.Errorf("broadcast %s: %w", p.spec.Name, err)
	}
	return s, nil
}

func (c *Client) start(ctx context.Context, p *Plan) (Started, error) {
	if err := p.Err(); err != nil {
		return Started{}, err
	}
	made, err := c.create(ctx, p)
	s := Started{State: made.state, Repeat: made.before}
	switch {
	case err != nil:
		return s, err
	case made.state == StateCancelled:
		return s, ErrCancelled
	}
	if err := c.load(ctx, p, newPicker(made.seed, made.test, p.People)); err != nil {
		return s, err
	}
	if s.State, err = c.finish(ctx, p); err == nil && s.State == StateCancelled {
		err = ErrCancelled
	}
	return s, err
}

func (p *Plan) line() string {
	return producer.Line{PageID: p.spec.PageID, Lane: producer.LaneBulk, Broadcast: p.spec.Name}.String()
}

// made is a broadcast as it is written down: of this start, or of one before.
type made struct {
	state  State
	before bool
	seed   uint64 // of the test share
	test   int    // people in it
}

// create writes the broadcast down, or finds the one that is there.
func (c *Client) create(ctx context.Context, p *Plan) (made, error) {
	if err := c.free(ctx, p.spec.Name); err != nil {
		return made{}, err
	}
	seed := rand.Uint64()
	fields, err := p.fields(seed)
	if err != nil {
		return made{}, err
	}
	args := append([]any{p.spec.Name, p.spec.digest(p.sum, p.audience.format)}, fields...)
	answer, err := createScript.Run(ctx, c.rdb,
		[]string{c.keys.Broadcast(p.spec.Name), c.keys.Broadcasts(), c.keys.Closed()}, args...).StringSlice()
	switch {
	case err != nil:
		return made{}, err
	case len(answer) == 1 && answer[0] == "created":
		return made{state: StateLoading, seed: seed, test: p.Test}, nil
	case len(answer) == 1 && answer[0] == "closed":
		return made{}, errClosed
	case len(answer) == 1 && answer[0] == "other":
		return made{}, ErrOther
	case len(answer) == 1 && answer[0] == "jobs":
		return made{}, ErrTaken
	case len(answer) == 4 && answer[0] == "there":
		m := made{state: State(answer[1]), before: true}
		var errSeed, errTest error
		m.seed, errSeed = strconv.ParseUint(answer[2], 10, 64)
		m.test, errTest = strconv.Atoi(answer[3])
		return m, errors.Join(errSeed, errTest)
	}
	return made{}, fmt.Errorf("the script answered %q", answer)
}

// fields are the settings as they stand in the hash.
func (p *Plan) fields(seed uint64) ([]any, error) {
	s := p.spec
	spec, err := json.Marshal(settings{
		Window: s.Window.String(), FinishBy: s.FinishBy, ExpiresAt: s.expiry(),
		Calls: len(p.template.bodies), Media: p.media, People: p.People, Duplicates: p.Duplicates, Bad: p.Bad,
	})
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	fields := []any{
		"page", s.PageID, "weight", s.Weight, "spec", spec, "seed", strconv.FormatUint(seed, 10), "test", p.Test,
		"test_limit", s.TestLimit,
	}
	if !s.StartAt.IsZero() {
		fields = append(fields, "start", s.StartAt.UnixMicro())
	}
	if w := s.Window.schedule(time.Now()); w != nil {
		fields = append(fields, "window", w.String())
	}
	return fields, nil
}

// finish lets a broadcast go whose rows are all stored. It goes by what is written down, which an earlier start may have done.
func (c *Client) finish(ctx context.Context, p *Plan) (State, error) {
	r, err := c.read(ctx, p.spec.Name)
	if err != nil {
		return "", err
	}
	if s := r.status(); s.Over() {
		return s.State, nil
	}
	f, err := c.choosePace(ctx, r)
	if err != nil {
		return "", err
	}
	bucket := time.Minute
	if !f.End.IsZero() {
		bucket = min(max(f.End.Sub(f.Start)/points, time.Second), time.Hour)
	}
	return c.control(ctx, p.spec.Name, p.line(), "finish", p.last, f.Every.Microseconds(), int64(bucket/time.Second))
}

// choosePace is the forecast for what is left of a broadcast, with the pace chosen anew for a time to finish by.
func (c *Client) choosePace(ctx context.Context, r *record) (Forecast, error) {
	p, err := r.pacing(r.status())
	if err != nil {
		return Forecast{}, err
	}
	p.finishBy = r.spec.FinishBy
	return c.forecast(ctx, p, time.Now())
}

// control runs the script of that name.
func (c *Client) control(ctx context.Context, name, line, what string, args ...any) (State, error) {
	keys := []string{c.keys.Broadcast(name), c.keys.Line(line), c.keys.Due()}
	answer, err := controlScript.Run(ctx, c.rdb, keys, append([]any{what, line}, args...)...).StringSlice()
	switch {
	case err != nil:
		return "", err
	case len(answer) == 2 && answer[0] == "ok":
		return State(answer[1]), nil
	case len(answer) == 2 && answer[0] == "ended":
		return State(answer[1]), ErrEnded
	case len(answer) == 2 && answer[0] == "at":
		return "", fmt.Errorf("row %s is the last that is stored, of %v; start it again", answer[1], args[0])
	case len(answer) == 1 && answer[0] == "gone":
		return "", ErrNotFound
	}
	return "", fmt.Errorf("the script answered %q", answer)
}
