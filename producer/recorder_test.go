package producer

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/producer/rediskeys"
)

// A script of asynq that is not the expected one must not run, nor be taken for one that has.
func TestRecorderRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	k := rediskeys.Keys{Queue: "q"}
	r := recorder{keys: k}
	rows := []struct {
		name string
		keys []string
		args []any
		ok   bool
	}{
		{"a group", []string{k.Task("a"), k.Line("1:bulk"), k.Groups()}, []any{"m", "a", 5, "1:bulk"}, true},
		{"a schedule", []string{k.Task("a"), k.Scheduled()}, []any{"m", 5, "a"}, true},
		{"another order of values", []string{k.Task("a"), k.Line("1:bulk"), k.Groups()}, []any{"a", "m", 5, "1:bulk"}, false},
		{"a value more", []string{k.Task("a"), k.Scheduled()}, []any{"m", 5, "a", 0}, false},
		{"another key", []string{k.Task("a"), k.Pending()}, []any{"m", "a", 5}, false},
		{"another task", []string{k.Task("b"), k.Scheduled()}, []any{"m", 5, "b"}, false},
		{"another line", []string{k.Task("a"), k.Line("1:x"), k.Groups()}, []any{"m", "a", 5, "1:x"}, false},
	}
	for _, row := range rows {
		ctx := context.WithValue(context.Background(), recordingKey{}, &recording{id: "a", line: "1:bulk"})
		cmd := r.EvalSha(ctx, "sha", row.keys, row.args...)
		assert.Equal(t, row.ok, cmd.Err() == nil, "%s: got %v", row.name, cmd.Err())
	}
	assert.Error(t, r.EvalSha(context.Background(), "sha", rows[0].keys, rows[0].args...).Err(), "no job is being encoded")
}
