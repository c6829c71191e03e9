package producer

import (
	"context"
	"crypto/sha256"
	_ "embed" // the scripts are files, so that they read and test as Lua
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/spans"
	"github.com/sendpace/sendpace/sendapi"
)

const (
	// maxRetry is what asynq is told. The workers' own budget ends a job long before; asynq archives a task at its own count
	// whatever the error means, so that count must never be the one that is reached.
	maxRetry = 1000
	// keyWindow is how long a job's key stands for it, from enqueueing. A finished job with a key is kept as long.
	keyWindow = 24 * time.Hour
)

var (
	//go:embed enqueue.lua
	enqueueLua string
	//go:embed pace.lua
	paceLua       string
	enqueueScript = redis.NewScript(paceLua + enqueueLua)
)

// ErrLineFull is what a [LineFullError] is.
var ErrLineFull = errors.New("the line is full")

// LineFullError refuses a job because its line has reached one of its bounds. Nothing was written.
type LineFullError struct {
	Line Line
	// Waiting is how many jobs wait now; Limit is [Config].MaxWaiting, 0 if there is no such bound.
	Waiting, Limit int
	// Drain is how long they take at the configured pace; DrainLimit is [Config].MaxDrain. Drain is 0 if there is no such bound,
	// or if no worker has set the pace yet.
	Drain, DrainLimit time.Duration
}

// Error says which bound was reached, and what waits.
func (e *LineFullError) Error() string {
	if e.Limit > 0 && e.Waiting >= e.Limit {
		return fmt.Sprintf("line %s is full: %d jobs wait and the limit is %d; try again later", e.Line, e.Waiting, e.Limit)
	}
	return fmt.Sprintf("line %s is full: %d jobs wait, which take %v, and the limit is %v; try again later",
		e.Line, e.Waiting, e.Drain.Round(time.Millisecond), e.DrainLimit)
}

// Is makes the error match [ErrLineFull].
func (e *LineFullError) Is(target error) bool { return target == ErrLineFull } //nolint:errorlint // our own value

// within makes a call to Redis and returns its answer, or the error of ctx as soon as that ends. Most clients do not notice that
// a context ends while they wait for a server that does not answer: they wait for their own timeouts, five seconds and more.
// The call is left to end by itself then. heeds is true for a client that ends with the deadline of a context: that saves the
// goroutine, which costs as much as a third of the call.
func within[T any](ctx context.Context, heeds bool, call func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil { // or what nobody waits for might be stored
		return none, fmt.Errorf("nothing was asked of Redis: %w", err)
	}
	if _, ends := ctx.Deadline(); ctx.Done() == nil || heeds && ends {
		return call()
	}
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		v, err := call()
		answers <- answer{v, err}
	}()
	select {
	case a := <-answers:
		return a.v, a.err
	case <-ctx.Done():
		return none, fmt.Errorf("no answer of Redis yet: %w", ctx.Err())
	}
}

// heedsDeadlines is true for a client of go-redis whose ContextTimeoutEnabled is set.
func heedsDeadlines(rdb redis.UniversalClient) bool {
	switch c := rdb.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		return c.Options().ContextTimeoutEnabled
	}
	return false
}

// store stores one job in the shard of its page.
func (p *Producer) store(ctx context.Context, c checked) (Receipt, error) {
	r, err := p.spread.Load().of(c.job.PageID).store(ctx, c)
	if !errors.Is(err, errClosed) {
		return r, err
	}
	now, err := p.read(ctx)
	if err != nil {
		return Receipt{}, fmt.Errorf("enqueue: %w", err)
	}
	return now.of(c.job.PageID).store(ctx, c)
}

func (s *shard) store(ctx context.Context, c checked) (Receipt, error) {
	ctx, span := s.startSpan(ctx, c)
	call, err := s.encode(ctx, c)
	if err != nil {
		endSpan(span, Receipt{}, err)
		return Receipt{}, err
	}
	r, err := s.receipt(call, enqueueScript.Run(ctx, s.rdb, call.keys, call.args...))
	endSpan(span, r, err)
	return r, err
}

// scriptCall is what a script is called with.
type scriptCall struct {
	keys []string
	args []any
}

// storeCall is a job as enqueue.lua takes it.
type storeCall struct {
	scriptCall
	id   string
	line Line
}

// record has asynq encode the job, with headers where there are any.
func (s *shard) record(ctx context.Context, c checked, headers map[string]string) (recording, error) {
	r := recording{id: c.id, line: c.line.String()}
	_, err := s.encoder.EnqueueContext(context.WithValue(ctx, recordingKey{}, &r),
		asynq.NewTaskWithHeaders(TaskType, c.body, headers), s.taskOptions(c)...)
	if err != nil {
		return recording{}, fmt.Errorf("enqueue: %w", err)
	}
	return r, nil
}

// encode puts together what enqueue.lua needs of a job. The job brings the span of ctx along.
func (s *shard) encode(ctx context.Context, c checked) (storeCall, error) {
	r, err := s.record(ctx, c, spans.Headers(ctx))
	if err != nil {
		return storeCall{}, err
	}
	target, line := s.keys.Line(r.line), r.line
	if r.scheduled {
		target, line = s.keys.Scheduled(), ""
	}
	call := storeCall{
		scriptCall: scriptCall{
			keys: []string{
				s.keys.Task(c.id), target, s.keys.Outcomes(), s.keys.Groups(), s.keys.Due(), s.broadcastKey(c.job),
				s.keys.Rates(c.job.PageID), s.keys.Rates("default"), s.keys.Closed(),
			},
			args: []any{
				r.message, c.id, r.score, line, c.job.PageID, keyWindow.Milliseconds(),
				s.cfg.MaxWaiting, s.cfg.MaxDrain.Microseconds(),
			},
		},
		id: c.id, line: c.line,
	}
	if c.job.Key != "" {
		call.keys = append(call.keys, s.jobKey(c.job.PageID, c.job.Key))
	}
	return call, nil
}

// broadcastKey names the counts of the job's broadcast. For a job without one it names a key that the scripts have anyway.
func (s *shard) broadcastKey(j Job) string {
	if j.Broadcast == "" {
		return s.keys.Outcomes()
	}
	return s.keys.Broadcast(j.Broadcast)
}

// jobKey names what holds the id that a page's key stands for.
func (s *shard) jobKey(page, key string) string {
	sum := sha256.Sum256([]byte(page + "\x00" + key))
	return s.keys.JobKey(hex.EncodeToString(sum[:16]))
}

func (s *shard) taskOptions(c checked) []asynq.Option {
	opts := []asynq.Option{
		asynq.Queue(s.keys.Queue), asynq.TaskID(c.id), asynq.MaxRetry(maxRetry), asynq.Group(c.line.String()),
	}
	if !c.job.SendAt.IsZero() {
		// asynq drops the fraction of a second, and would start early.
		opts = append(opts, asynq.ProcessAt(wholeSecond(c.job.SendAt)))
	}
	if keep := c.job.keep(); keep > 0 {
		opts = append(opts, asynq.Retention(keep))
	}
	return opts
}

// keep is how long the job stays readable after its end, in whole seconds, as asynq counts it.
func (j Job) keep() time.Duration {
	keep := time.Duration(j.Retention)
	if j.Key != "" {
		keep = max(keep, keyWindow)
	}
	return (keep + time.Second - time.Nanosecond).Truncate(time.Second)
}

func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// receipt reads what enqueue.lua answered to a call.
func (s *shard) receipt(c storeCall, cmd *redis.Cmd) (Receipt, error) {
	if id, ok := cmd.Val().(string); ok {
		return Receipt{ID: id, Line: c.line, Repeat: id != c.id}, nil
	}
	answer, err := cmd.StringSlice()
	if err != nil {
		return Receipt{}, fmt.Errorf("enqueue: %w", err)
	}
	switch {
	case len(answer) == 1 && answer[0] == "closed":
		return Receipt{}, errClosed
	case len(answer) == 1 && answer[0] == "cancelled":
		return Receipt{}, sendapi.Problems{cancelledProblem}
	case len(answer) == 3 && answer[0] == "full":
		waiting, errWaiting := strconv.Atoi(answer[1])
		us, errDrain := strconv.ParseInt(answer[2], 10, 64)
		if errWaiting == nil && errDrain == nil {
			return Receipt{}, &LineFullError{
				Line: c.line, Waiting: waiting, Limit: s.cfg.MaxWaiting,
				Drain: time.Duration(us) * time.Microsecond, DrainLimit: s.cfg.MaxDrain,
			}
		}
	}
	return Receipt{}, fmt.Errorf("enqueue: the script answered %q", answer)
}
