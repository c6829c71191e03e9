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

	"github.com/sendpace/sendpace/producer/rediskeys"
)

const (
	// maxRetry is what asynq is told. The workers' own budget ends a job long before; asynq archives a task at its own count
	// whatever the error means, so that count must never be the one that is reached.
	maxRetry = 1000
	// keyWindow is how long a job's key stands for it, from enqueueing. A finished job with a key is kept as long.
	keyWindow = 24 * time.Hour
	// batchJobs and batchBytes bound what shares a round trip in [Producer.EnqueueMany].
	batchJobs  = 200
	batchBytes = 1 << 20
)

var (
	//go:embed enqueue.lua
	enqueueLua    string
	enqueueScript = redis.NewScript(enqueueLua)
)

// ErrLineFull is what a [LineFullError] is.
var ErrLineFull = errors.New("the line is full")

// LineFullError refuses a job because as many wait in its line as may. Nothing was written.
type LineFullError struct {
	Line    Line
	Waiting int // now
	Limit   int // Config.MaxWaiting
}

func (e *LineFullError) Error() string {
	return fmt.Sprintf("line %s is full: %d jobs wait and the limit is %d; try again later", e.Line, e.Waiting, e.Limit)
}

// Is makes the error match [ErrLineFull].
func (e *LineFullError) Is(target error) bool { return target == ErrLineFull } //nolint:errorlint // our own value

// Result is what became of one job of [Producer.EnqueueMany].
type Result struct {
	Receipt
	// Err is why the job was not accepted, as [Producer.Enqueue] would have said it; nil means that it is stored.
	Err error
}

// EnqueueMany enqueues jobs in their order, two hundred a round trip, and reports on each: a job that is refused does
// not stop the others. Results stand in the order of the jobs. When ctx ends, the jobs that were not written yet get its
// error.
func (p *Producer) EnqueueMany(ctx context.Context, jobs []Job, opts ...Option) []Result {
	results := make([]Result, len(jobs))
	b := batch{p: p}
	for i, job := range jobs {
		if results[i].Err = ctx.Err(); results[i].Err != nil {
			continue
		}
		c, err := p.check(job, opts)
		if err == nil {
			err = b.add(ctx, c, &results[i])
		}
		results[i].Err = err
		if len(b.calls) == batchJobs || b.bytes >= batchBytes {
			b.write(ctx)
		}
	}
	b.write(ctx)
	return results
}

// batch is what shares the next round trip.
type batch struct {
	p       *Producer
	calls   []storeCall
	results []*Result // of calls
	bytes   int
}

func (b *batch) add(ctx context.Context, c checked, r *Result) error {
	call, err := b.p.encode(ctx, c)
	if err == nil {
		b.calls, b.results, b.bytes = append(b.calls, call), append(b.results, r), b.bytes+len(c.body)
	}
	return err
}

// write stores the jobs and empties the batch. The first call brings the script along, in case that Redis does not have it.
func (b *batch) write(ctx context.Context) {
	if len(b.calls) == 0 {
		return
	}
	pipe := b.p.rdb.Pipeline()
	cmds := make([]*redis.Cmd, len(b.calls))
	for i, call := range b.calls {
		run := enqueueScript.EvalSha
		if i == 0 {
			run = enqueueScript.Eval
		}
		cmds[i] = run(ctx, pipe, call.keys, call.args...)
	}
	_, _ = pipe.Exec(ctx) // each command has its own answer, or the error of the connection
	for i, call := range b.calls {
		if redis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") { // Redis forgot it in between: this call did not run
			cmds[i] = enqueueScript.Run(ctx, b.p.rdb, call.keys, call.args...)
		}
		b.results[i].Receipt, b.results[i].Err = call.receipt(cmds[i])
	}
	b.calls, b.results, b.bytes = b.calls[:0], b.results[:0], 0
}

// scriptCall is what a script is called with.
type scriptCall struct {
	keys []string
	args []any
}

// storeCall is a job as enqueue.lua takes it.
type storeCall struct {
	scriptCall
	id    string
	line  Line
	limit int
}

// encode has asynq encode the job, and puts together what enqueue.lua needs of it.
func (p *Producer) encode(ctx context.Context, c checked) (storeCall, error) {
	r := recording{id: c.id, line: c.line.String()}
	_, err := p.encoder.EnqueueContext(context.WithValue(ctx, recordingKey{}, &r),
		asynq.NewTask(TaskType, c.body), p.taskOptions(c)...)
	if err != nil {
		return storeCall{}, fmt.Errorf("enqueue: %w", err)
	}
	target, line := p.keys.Line(r.line), r.line
	if r.scheduled {
		target, line = p.keys.Scheduled(), ""
	}
	call := storeCall{
		scriptCall: scriptCall{
			keys: []string{
				p.keys.Task(c.id), target, p.keys.Outcomes(), p.keys.Groups(), p.keys.Due(), p.broadcastKey(c.job),
			},
			args: []any{r.message, c.id, r.score, line, c.job.PageID, p.cfg.MaxWaiting, keyWindow.Milliseconds()},
		},
		id: c.id, line: c.line, limit: p.cfg.MaxWaiting,
	}
	if c.job.Key != "" {
		call.keys = append(call.keys, p.jobKey(c.job.PageID, c.job.Key))
	}
	return call, nil
}

// broadcastKey names the counts of the job's broadcast. For a job without one it names a key that the scripts have anyway.
func (p *Producer) broadcastKey(j Job) string {
	if j.Broadcast == "" {
		return p.keys.Outcomes()
	}
	return p.keys.Broadcast(j.Broadcast)
}

// jobKey names what holds the id that a page's key stands for.
func (p *Producer) jobKey(page, key string) string {
	sum := sha256.Sum256([]byte(page + "\x00" + key))
	return p.keys.JobKey(hex.EncodeToString(sum[:16]))
}

func (p *Producer) taskOptions(c checked) []asynq.Option {
	opts := []asynq.Option{
		asynq.Queue(p.cfg.Queue), asynq.TaskID(c.id), asynq.MaxRetry(maxRetry), asynq.Group(c.line.String()),
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

// receipt reads what enqueue.lua answered.
func (c storeCall) receipt(cmd *redis.Cmd) (Receipt, error) {
	answer, err := cmd.StringSlice()
	if err != nil {
		return Receipt{}, fmt.Errorf("enqueue: %w", err)
	}
	if len(answer) == 2 {
		switch answer[0] {
		case "stored":
			return Receipt{ID: c.id, Line: c.line}, nil
		case "repeat":
			return Receipt{ID: answer[1], Line: c.line, Repeat: true}, nil
		case "full":
			waiting, err := strconv.Atoi(answer[1])
			if err == nil {
				return Receipt{}, &LineFullError{Line: c.line, Waiting: waiting, Limit: c.limit}
			}
		}
	}
	return Receipt{}, fmt.Errorf("enqueue: the script answered %q", answer)
}

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
