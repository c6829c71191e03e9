package producer

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/taskmsg"
)

var (
	//go:embed get.lua
	getLua    string
	getScript = redis.NewScript(paceLua + getLua)
)

// ErrNotFound means that there is no job of that id or key: there never was one, or it has ended and is not kept. The stream
// of outcomes may still have its end.
var ErrNotFound = errors.New("no such job, or it has ended and is not kept")

// State is where a job is on its way.
type State string

const (
	// StateWaiting is for a job whose turn has not come.
	StateWaiting State = "waiting"
	// StateScheduled is for a job that waits for its SendAt.
	StateScheduled State = "scheduled"
	// StateRetrying is for a job that was tried and waits to be tried again.
	StateRetrying State = "retrying"
	// StateInHand is for a job that a worker has.
	StateInHand State = "in hand"
	// StateEnded is for a job that has ended and is kept.
	StateEnded State = "ended"
)

// Stop is what keeps a page, or a broadcast, from sending.
type Stop string

const (
	// StopPause is for a pause, of the page or of all pages, that ends by itself.
	StopPause Stop = "pause"
	// StopHold is for a hold, of the page or of all pages: a person has to end it.
	StopHold Stop = "hold"
	// StopBroadcast is for a broadcast that is paused or cancelled, or whose audience is still being stored.
	StopBroadcast Stop = "broadcast"
)

// states are asynq's, by their names in a task.
var states = map[string]State{
	"aggregating": StateWaiting, "pending": StateWaiting, "scheduled": StateScheduled, "retry": StateRetrying,
	"active": StateInHand, "archived": StateEnded, "completed": StateEnded,
}

// JobInfo is what is known of a job at one moment.
type JobInfo struct {
	ID    string
	State State
	// Job is the job as it was enqueued; the zero value if another program enqueued something that is none.
	Job Job
	// Line is the line that it waits in or was taken from; the zero value outside of the lines.
	Line Line
	// Place is its place in the line, from 1; 0 outside of the lines. Jobs that wait for another one to the same recipient
	// stand behind all that can go.
	Place int64
	// ETA is when its turn comes at the latest, if its page is sent at the pace that is set, for a time or for good, from now, or from
	// the end of its pause, on. Jobs of other lines are not reckoned with, nor are daily budgets and a pace that is slowed down. Zero outside of
	// the lines, on a page that is held, as long as no worker has set the pace, and beyond a century; and for a job of a broadcast
	// that is stopped, sends its test share, or sends in a window of the day alone.
	ETA time.Time
	// Stopped is what keeps the page, or the broadcast, of a job in a line from sending; empty if nothing does.
	Stopped Stop
	// At is when a scheduled or retrying job is wanted again; zero for all others.
	At time.Time
	// Attempts is how often it was tried and failed.
	Attempts int
	// LastError is why it was not sent when it was tried last.
	LastError string
	// CancelAsked is true for a job in hand that is to be cancelled.
	CancelAsked bool
	// Outcome is how the job ended, nil if it has not, or if asynq ended it without us.
	Outcome *Outcome
}

func (s *shard) get(ctx context.Context, id string) (JobInfo, error) {
	answer, err := getScript.Run(ctx, s.rdb,
		[]string{s.keys.Task(id), s.keys.Scheduled(), s.keys.Retry()}, id, s.keys.Line(""), s.keys.Own("")).StringSlice()
	switch {
	case errors.Is(err, redis.Nil):
		return JobInfo{}, fmt.Errorf("job %s: %w", id, ErrNotFound)
	case err == nil && len(answer) != 9:
		err = fmt.Errorf("the script answered %d values", len(answer))
	}
	if err != nil {
		return JobInfo{}, fmt.Errorf("job %s: %w", id, err)
	}
	info, err := readInfo(id, answer)
	if err != nil {
		return JobInfo{}, fmt.Errorf("job %s: %w", id, err)
	}
	return info, nil
}

// readInfo reads what get.lua answered.
func readInfo(id string, answer []string) (JobInfo, error) {
	state, raw, line, place, at, cancel := answer[0], answer[1], answer[2], answer[3], answer[4], answer[5]
	result, eta, stop := answer[6], answer[7], answer[8]
	m, err := taskmsg.Read(raw)
	if err != nil {
		return JobInfo{}, err
	}
	info := JobInfo{
		ID: id, State: states[state], Attempts: int(m.Number(taskmsg.Retried)), LastError: m.Text(taskmsg.Error), CancelAsked: cancel == "1",
		Stopped: Stop(stop),
	}
	info.Job, _ = ParseJob(m.Payload()) // what is no job is shown as none
	info.Line, _ = ParseLine(line)
	if info.Place, err = strconv.ParseInt(place, 10, 64); err != nil {
		return JobInfo{}, err
	}
	if at != "" {
		seconds, err := strconv.ParseFloat(at, 64)
		if err != nil {
			return JobInfo{}, err
		}
		info.At = time.Unix(int64(seconds), 0)
	}
	if us, err := strconv.ParseInt(eta, 10, 64); err != nil {
		return JobInfo{}, err
	} else if us > 0 {
		info.ETA = time.UnixMicro(us)
	}
	if info.State == StateEnded {
		info.Outcome = readResult(result, m.Payload())
	}
	return info, nil
}

// readResult reads the outcome that is kept with a task, and completes it with the job as the stream has it.
func readResult(result string, payload []byte) *Outcome {
	var o Outcome
	if json.Unmarshal([]byte(result), &o) != nil || o.Kind == "" {
		return nil
	}
	if o.Kind != Sent && o.Job == nil {
		o.Job = asJSON(payload)
	}
	return &o
}

// RunNow puts a job that waits for its next try, or that a person archived before it ended, at the head of its line, as asynq's own
// "run" does. The error says so if the job is in another state. ctx bounds the wait for Redis.
func (p *Producer) RunNow(ctx context.Context, id string) error {
	s, err := p.holder(ctx, id)
	if err != nil {
		return err
	}
	_, err = within(ctx, false, func() (struct{}, error) { // asynq takes no context here
		return struct{}{}, asynq.NewInspectorFromRedisClient(s.rdb).RunTask(s.keys.Queue, id)
	})
	if err != nil {
		return fmt.Errorf("run job %s: %w", id, err)
	}
	return nil
}

// Resend enqueues the job of an outcome again, under a new id. The same outcome is sent again only once in 24 hours: a repeat
// returns the first receipt. The job is checked as by [Producer.Enqueue]: one that has expired needs the option [ExpireAt].
func (p *Producer) Resend(ctx context.Context, o Outcome, opts ...Option) (Receipt, error) {
	job, err := o.Again()
	if err != nil {
		return Receipt{}, err
	}
	return p.Enqueue(ctx, job, opts...)
}

// Again is the job to enqueue in order to send what did not end as sent again. A sequence goes on behind the steps that were
// sent. In place of its own key it has one made of the ended job's id, so that for 24 hours it is stored only once.
func (o Outcome) Again() (Job, error) {
	if o.Kind == Sent || len(o.Job) == 0 {
		return Job{}, fmt.Errorf("resend %s: its record has no job; the outcome is %q", o.JobID, o.Kind)
	}
	job, err := ParseJob(o.Job)
	if err != nil {
		return Job{}, fmt.Errorf("resend %s: %w", o.JobID, err)
	}
	if done := o.StepsDone; done > 0 && done < len(job.Requests) {
		job.Requests = job.Requests[done:]
		if len(job.Requests) == 1 {
			job.Request, job.Requests = job.Requests[0], nil
		}
	}
	job.Key, job.former = againKey(o.JobID), o.TraceParent
	return job, nil
}

// againKey is the key of the job that sends an ended one again.
func againKey(id string) string { return "resend:" + id }
