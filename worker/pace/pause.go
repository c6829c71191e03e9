package pace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// App is the scope of a pause that stops all pages.
const App = "app"

// Reason says why a page, or the app, does not send.
type Reason struct {
	// Text is for a person: what happened, and what to do.
	Text string `json:"text"`
	// Code and Subcode are the platform's, 0 if it was not the platform.
	Code    int `json:"code,omitempty"`
	Subcode int `json:"subcode,omitempty"`
	// MissingToken is true for a page that a worker had no token for. A worker that has one ends the hold when it starts.
	MissingToken bool `json:"missing_token,omitempty"`
	// Since is when it began.
	Since time.Time `json:"since"`
}

// Pause stops the sending of scope, a page id or [App], in the whole fleet for d. With d of 0 the length grows from one
// pause to the next. A pause that is on is never shortened. It returns how long the pause lasts from now; below zero means
// that there is a hold.
func (p *Pacer) Pause(ctx context.Context, scope string, d time.Duration, why Reason) (time.Duration, error) {
	ms := d.Milliseconds()
	if d > 0 && ms == 0 {
		ms = 1
	}
	return p.pause(ctx, scope, ms, why)
}

// Hold stops the sending of scope until [Pacer.Release].
func (p *Pacer) Hold(ctx context.Context, scope string, why Reason) error {
	_, err := p.pause(ctx, scope, -1, why)
	return err
}

func (p *Pacer) pause(ctx context.Context, scope string, ms int64, why Reason) (time.Duration, error) {
	text, err := json.Marshal(why)
	if err != nil {
		return 0, fmt.Errorf("pace: pause %s: %w", scope, err)
	}
	left, err := pauseScript.Run(ctx, p.rdb, []string{p.keys.Pause(scope), p.keys.Strikes(scope)},
		ms, p.cfg.FirstPause.Milliseconds(), p.cfg.LongestPause.Milliseconds(), text).Int64()
	if err != nil {
		return 0, fmt.Errorf("pace: pause %s: %w", scope, err)
	}
	return time.Duration(left) * time.Millisecond, nil
}

// Release ends a pause or a hold of scope at once. found is false if there was none.
func (p *Pacer) Release(ctx context.Context, scope string) (found bool, err error) {
	n, err := releaseScript.Run(ctx, p.rdb,
		[]string{p.keys.Pause(scope), p.keys.Strikes(scope), p.keys.Due()}, scope).Int64()
	if err != nil {
		return false, fmt.Errorf("pace: release %s: %w", scope, err)
	}
	return n == 1, nil
}

// ReleaseMissingToken releases a page that is held because a worker had no token for it, and nothing else.
func (p *Pacer) ReleaseMissingToken(ctx context.Context, page string) error {
	text, err := p.rdb.Get(ctx, p.keys.Pause(page)).Bytes()
	var why Reason
	switch {
	case errors.Is(err, redis.Nil):
		return nil
	case err != nil:
		return fmt.Errorf("pace: pause of %s: %w", page, err)
	}
	// A reason that cannot be read is of another version, and not ours to end.
	if _ = json.Unmarshal(text, &why); !why.MissingToken {
		return nil
	}
	_, err = p.Release(ctx, page)
	return err
}
