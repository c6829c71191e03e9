package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/redistest"
)

// call is one send as the recorder saw it.
type call struct {
	at   time.Time
	page string
	body string
}

// recorder is a Sender that notes each call and answers as told.
type recorder struct {
	mu     sync.Mutex
	calls  []call
	answer func(n int, page string) error
	usage  func() sendapi.Usage
	took   time.Duration
	got    chan struct{}
}

func newRecorder() *recorder { return &recorder{got: make(chan struct{}, 1<<16)} }

func (r *recorder) SendRaw(ctx context.Context, page sendapi.Page, body json.RawMessage) (*sendapi.Response, error) {
	r.mu.Lock()
	r.calls = append(r.calls, call{time.Now(), page.ID, string(body)})
	n := len(r.calls)
	r.mu.Unlock()
	if r.took > 0 {
		select {
		case <-time.After(r.took):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { r.got <- struct{}{} }()
	if r.answer != nil {
		if err := r.answer(n, page.ID); err != nil {
			return nil, err
		}
	}
	resp := &sendapi.Response{MessageID: fmt.Sprintf("m_%d", n)}
	if r.usage != nil {
		resp.Usage = r.usage()
	}
	return resp, nil
}

func (r *recorder) all() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]call(nil), r.calls...)
}

func (r *recorder) wait(t *testing.T, n int) {
	t.Helper()
	limit := time.After(60 * time.Second)
	for i := range n {
		select {
		case <-r.got:
		case <-limit:
			t.Fatalf("after a minute %d of %d sends", i, n)
		}
	}
}

func job(page, psid, text string) producer.Job {
	return producer.Job{PageID: page, Request: json.RawMessage(
		fmt.Sprintf(`{"recipient":{"id":%q},"messaging_type":"UPDATE","message":{"text":%q}}`, psid, text))}
}

func start(t *testing.T, addr string, s worker.Sender, cfg worker.Config) (stop func()) {
	t.Helper()
	return startOn(t, redistest.Client(t, addr), s, cfg)
}

func startOn(t *testing.T, rdb redis.UniversalClient, s worker.Sender, cfg worker.Config) (stop func()) {
	t.Helper()
	w, err := worker.New(rdb, s, cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			require.NoError(t, <-done)
		})
	}
	t.Cleanup(stop)
	return stop
}

func config(rate float64) worker.Config {
	return worker.Config{
		Pages:           map[string]sendapi.Page{"1001": {ID: "1001", Token: "t"}, "1002": {ID: "1002", Token: "t"}},
		Rates:           pace.Rates{Page: rate, Bulk: rate, Media: rate},
		Margin:          0.005,
		ShutdownTimeout: 5 * time.Second,
	}
}

func TestWorkerPacesAPage(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		p, err := producer.New(redistest.Client(t, addr), producer.Config{})
		require.NoError(t, err)
		for i := range 40 {
			_, err := p.Enqueue(context.Background(), job("1001", fmt.Sprint(i%7), fmt.Sprint(i)))
			require.NoError(t, err)
		}
		rec := newRecorder()
		start(t, addr, rec, config(20))
		start(t, addr, rec, config(20))
		rec.wait(t, 40)
		calls := rec.all()
		require.Len(t, calls, 40)
		for i := range calls[1:] {
			gap := calls[i+1].at.Sub(calls[i].at)
			assert.Greater(t, gap, 25*time.Millisecond, "gap %d", i)
		}
		span := calls[39].at.Sub(calls[0].at).Seconds()
		atLeast := 39 / 20.0 / 0.995
		assert.Greater(t, span, atLeast-0.05)
		assert.Less(t, span, atLeast+1, "a busy machine may miss slots")
	})
}

func TestPlainAsynqClientIsServed(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	client := asynq.NewClientFromRedisClient(redistest.Client(t, addr))
	body, err := json.Marshal(job("1001", "5", "hello"))
	require.NoError(t, err)
	for i := range 6 {
		opts := []asynq.Option{asynq.Queue(producer.DefaultQueue), asynq.MaxRetry(0)}
		if i%2 == 0 {
			opts = append(opts, asynq.Group("1001:bulk"))
		}
		_, err := client.Enqueue(asynq.NewTask(producer.TaskType, body), opts...)
		require.NoError(t, err)
	}
	rec := newRecorder()
	start(t, addr, rec, config(10))
	rec.wait(t, 6)
	calls := rec.all()
	for i := range calls[1:] {
		assert.Greater(t, calls[i+1].at.Sub(calls[i].at), 60*time.Millisecond)
	}
}
