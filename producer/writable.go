package producer

import (
	"context"
	_ "embed" // the scripts are files, so that they read and test as Lua
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// triedFor is how long the key of a write that was only tried stays.
const triedFor = 10 * time.Second

//go:embed writable.lua
var writableLua string

// UnwritableError is that of a Redis that answers, and takes no writes: its memory is full, for example.
type UnwritableError struct {
	// Reason says why. It is empty where only Redis's own words do.
	Reason string
	// Err is what Redis said, which [redis.HasErrorPrefix] reads.
	Err redis.Error
}

// Error says why, in Redis's own words where there are no others.
func (e *UnwritableError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("Redis takes no writes: %v", e.Err)
	}
	return "Redis takes no writes: " + e.Reason
}

// Unwrap is what Redis said.
func (e *UnwritableError) Unwrap() error { return e.Err }

// refusals is what it means that Redis refuses a write, by the first word that it says.
var refusals = map[string]string{
	"OOM":        "its memory is full",
	"READONLY":   "it is a replica",
	"MISCONF":    "it cannot write to its disk",
	"NOREPLICAS": "too few replicas follow it",
}

// refusal is the error of a Redis that says this to a write.
func refusal(said redis.Error) error {
	text := said.Error()
	for code, reason := range refusals {
		if at := strings.Index(text, code+" "); at >= 0 { // before Redis 7 the place in the script stands before it
			return &UnwritableError{Reason: reason, Err: redisError(text[at:])}
		}
	}
	return &UnwritableError{Err: said}
}

// redisError is an error in Redis's own words.
type redisError string

func (e redisError) Error() string { return string(e) }

// RedisError makes it a [redis.Error].
func (redisError) RedisError() {}

// Writable is nil if all shards of s take writes now, which it tries. The error is an [UnwritableError] if Redis refuses; any other
// means that it could not be asked before ctx ended.
func Writable(ctx context.Context, rdb redis.UniversalClient, s Shards) error {
	_, err := within(ctx, heedsDeadlines(rdb), func() (struct{}, error) { return struct{}{}, s.tryWrites(ctx, rdb) })
	return err
}

// Ready is nil if jobs can be stored now: Redis takes writes, in all shards. Errors are those of [Writable].
func (p *Producer) Ready(ctx context.Context) error {
	_, err := within(ctx, p.heeds, func() (struct{}, error) {
		sp, err := p.read(ctx)
		if err == nil {
			err = sp.tryWrites(ctx, p.rdb)
		}
		return struct{}{}, err
	})
	return err
}

func (s Shards) tryWrites(ctx context.Context, rdb redis.UniversalClient) error {
	pipe := rdb.Pipeline()
	var answers []*redis.Cmd
	for _, k := range s.keys() {
		answers = append(answers, pipe.Eval(ctx, writableLua, []string{k.Writable()}, triedFor.Milliseconds()))
	}
	var said redis.Error
	if _, err := pipe.Exec(ctx); errors.As(err, &said) {
		return refusal(said)
	} else if err != nil {
		return fmt.Errorf("no answer of Redis: %w", err)
	}
	for _, answer := range answers {
		text, err := answer.Text()
		switch {
		case err != nil:
			return fmt.Errorf("writable.lua: %w", err)
		case text != "":
			return refusal(redisError(text))
		}
	}
	return nil
}
