package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
)

// plainClient enqueues a payload as an asynq client that knows nothing of Sendpace would.
func (f *fleet) plainClient() func(payload string) {
	client := asynq.NewClientFromRedisClient(f.rdb)
	return func(payload string) {
		_, err := client.Enqueue(asynq.NewTask(producer.TaskType, []byte(payload)), asynq.Queue(producer.DefaultQueue))
		require.NoError(f.t, err)
	}
}

// archived returns the errors of the archived tasks once there are n.
func (f *fleet) archived(ctx context.Context, n int) string {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		return f.rdb.ZCard(ctx, "asynq:{messenger}:archived").Val() >= int64(n)
	}, 10*time.Second, 10*time.Millisecond, "%d archived tasks", n)
	inspector := asynq.NewInspectorFromRedisClient(f.rdb)
	tasks, err := inspector.ListArchivedTasks(producer.DefaultQueue)
	require.NoError(f.t, err)
	var errs []string
	for _, task := range tasks {
		errs = append(errs, task.LastErr)
	}
	return strings.Join(errs, "\n")
}

// dump returns all that Redis holds.
func (f *fleet) dump() string {
	ctx := context.Background()
	keys, err := f.rdb.Keys(ctx, "*").Result()
	require.NoError(f.t, err)
	var b strings.Builder
	for _, key := range keys {
		fmt.Fprintln(&b, key)
		switch f.rdb.Type(ctx, key).Val() {
		case "string":
			fmt.Fprintln(&b, f.rdb.Get(ctx, key).Val())
		case "hash":
			fmt.Fprintln(&b, f.rdb.HGetAll(ctx, key).Val())
		case "list":
			fmt.Fprintln(&b, f.rdb.LRange(ctx, key, 0, -1).Val())
		case "set":
			fmt.Fprintln(&b, f.rdb.SMembers(ctx, key).Val())
		case "zset":
			fmt.Fprintln(&b, f.rdb.ZRange(ctx, key, 0, -1).Val())
		}
	}
	return b.String()
}

// safeBuffer is a buffer that a log writes to while a test reads it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newLog(b *safeBuffer) zerolog.Logger { return zerolog.New(b) }
