package pace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/rediskeys"
)

// App is the scope of a pause that stops all pages: in each shard for itself, so that for a moment some can be stopped and others
// not.
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
	// TokenMark tells the token that was refused from others, if the platform refused one: a few digits of a digest. A worker that
	// has another one, and finds that it works, ends the hold.
	TokenMark string `json:"token_mark,omitempty"`
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
	adapt := !p.cfg.Steady && !why.MissingToken // which says nothing about the platform
	lasts, err := reach(ctx, p, scope, func(k rediskeys.Keys) (int64, error) {
		return pauseScript.Run(ctx, p.rdb, []string{k.Pause(scope), k.Strikes(scope)},
			ms, p.cfg.FirstPause.Milliseconds(), p.cfg.LongestPause.Milliseconds(), text, k.Own(""), scope, adapt,
			why.MissingToken).Int64()
	})
	if err != nil {
		return 0, fmt.Errorf("pace: pause %s: %w", scope, err)
	}
	left := slices.Max(lasts)
	if slices.Contains(lasts, -1) {
		left = -1
	}
	return time.Duration(left) * time.Millisecond, nil
}

// Release ends a pause or a hold of scope at once. found is false if there was none.
func (p *Pacer) Release(ctx context.Context, scope string) (found bool, err error) {
	return p.release(ctx, scope, false)
}

func (p *Pacer) release(ctx context.Context, scope string, tokenOnly bool) (bool, error) {
	flag := 0
	if tokenOnly {
		flag = 1
	}
	found, err := reach(ctx, p, scope, func(k rediskeys.Keys) (int64, error) {
		return releaseScript.Run(ctx, p.rdb,
			[]string{k.Pause(scope), k.Strikes(scope), k.Due(), k.Tokenless(), k.Shares(scope)}, scope, flag).Int64()
	})
	if err != nil {
		return false, fmt.Errorf("pace: release %s: %w", scope, err)
	}
	return slices.Max(found) == 1, nil
}

// Holds returns why each of these pages is on hold; a page that is not has no entry.
func (p *Pacer) Holds(ctx context.Context, pages []string) (map[string]Reason, error) {
	shards, err := p.known(ctx)
	if err != nil {
		return nil, err
	}
	holds := map[string]Reason{}
	for ids := range slices.Chunk(pages, figuresPiece) {
		pipe := p.rdb.Pipeline()
		asked := make([]pauseCmds, len(ids))
		for i, id := range ids {
			r := statusReader{keys: rediskeys.Keys{Queue: shards.QueueOf(id)}}
			asked[i] = r.askPause(ctx, pipe, id)
		}
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("pace: holds: %w", err)
		}
		for i, id := range ids {
			if s := asked[i].status(); s != nil && s.Hold {
				holds[id] = s.Reason
			}
		}
	}
	return holds, nil
}

// tokenlessFor is how long a worker without a page's token passes its lines after it held the page. In a fleet in which only
// some have the token, those get to send; where none has, the hold returns after this at the latest, should a person have ended
// it.
const tokenlessFor = time.Minute

// HoldForToken holds a page that this worker has no token for. A worker that has one releases it with [Pacer.ReleaseTokens].
// This one then takes none of its jobs for a minute.
func (p *Pacer) HoldForToken(ctx context.Context, page string, why Reason) error {
	why.MissingToken = true
	p.mu.Lock()
	p.tokenless[page] = time.Now()
	p.mu.Unlock()
	// The set comes first: a page in it that is not held does no harm.
	if err := p.rdb.SAdd(ctx, p.keys.Tokenless(), page).Err(); err != nil {
		return fmt.Errorf("pace: hold %s: %w", page, err)
	}
	return p.Hold(ctx, page, why)
}

// ReleaseTokens releases the pages that are held because a worker had no token for them, and for which this one has one.
func (p *Pacer) ReleaseTokens(ctx context.Context) error {
	if p.cfg.HasToken == nil {
		return nil
	}
	p.mu.Lock()
	maps.DeleteFunc(p.tokenless, func(page string, _ time.Time) bool { return p.cfg.HasToken(page) })
	p.mu.Unlock()
	pages, err := p.rdb.SMembers(ctx, p.keys.Tokenless()).Result()
	if err != nil {
		return fmt.Errorf("pace: pages without a token: %w", err)
	}
	for _, page := range pages {
		if p.cfg.HasToken(page) {
			if _, err := p.release(ctx, page, true); err != nil {
				return err
			}
		}
	}
	return nil
}
