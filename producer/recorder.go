package producer

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/rediskeys"
)

// recorder is the Redis client of the asynq client that encodes jobs. Where asynq would run the script that stores a task,
// the recorder notes what it was called with and lets asynq believe that the task is stored.
//
// It knows the two scripts by their keys and arguments (asynq v0.26.0, internal/rdb/rdb.go, addToGroupCmd and scheduleCmd).
// Where asynq changes them, nothing is stored and every call fails.
type recorder struct {
	redis.UniversalClient
	keys rediskeys.Keys
}

// recording is what asynq would have stored of the job with that id and line. It travels in the context.
type recording struct {
	id, line  string
	message   any
	score     any
	scheduled bool
}

type recordingKey struct{}

// EvalSha notes the call.
func (r recorder) EvalSha(ctx context.Context, _ string, keys []string, args ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	if rec, ok := ctx.Value(recordingKey{}).(*recording); ok && rec.note(r.keys, keys, args) {
		cmd.SetVal(int64(1))
	} else {
		cmd.SetErr(errors.New("this version of asynq stores tasks in another way; nothing was stored"))
	}
	return cmd
}

// note returns false for a call that is neither of the two.
func (r *recording) note(k rediskeys.Keys, keys []string, args []any) bool {
	switch {
	case len(keys) == 3 && keys[0] == k.Task(r.id) && keys[1] == k.Line(r.line) && keys[2] == k.Groups() &&
		len(args) == 4 && args[1] == r.id && args[3] == r.line:
		r.message, r.score = args[0], args[2]
		return true
	case len(keys) == 2 && keys[0] == k.Task(r.id) && keys[1] == k.Scheduled() && len(args) == 3 && args[2] == r.id:
		r.message, r.score, r.scheduled = args[0], args[1], true
		return true
	}
	return false
}
