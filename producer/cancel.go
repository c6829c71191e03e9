package producer

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/producer/spans"
	"github.com/sendpace/sendpace/producer/taskmsg"
)

const (
	// cancelTries bounds how often a job is looked at again that changes while it is being cancelled. Workers change a job a
	// few times a second at most.
	cancelTries = 100
	// cancelPasses bounds how often all places are looked through that a job to cancel may be in.
	cancelPasses = 10
	// cancelChunk is how many jobs are looked at in one round trip.
	cancelChunk = 100
)

var (
	//go:embed cancel.lua
	cancelLua    string
	cancelScript = redis.NewScript(rediskeys.EndsLua + cancelLua)
)

// CancelResult is what became of a job that was to be cancelled.
type CancelResult string

const (
	// CancelDone means that the job has ended as [Cancelled]; or as [Unknown] if a worker that died may have sent it.
	CancelDone CancelResult = "cancelled"
	// CancelInHand means that a worker has the job and was asked not to send it. Its outcome says whether that came in time; if
	// it goes back to its line, it is not sent any more.
	CancelInHand CancelResult = "in hand"
	// CancelTooLate means that the job has ended before.
	CancelTooLate CancelResult = "ended"
	// CancelNotFound means that there is no such job, or that it has ended and is not kept.
	CancelNotFound CancelResult = "not found"

	cancelChanged CancelResult = "changed" // never shown
)

// CancelCount counts what became of the jobs that were to be cancelled.
type CancelCount struct {
	// Cancelled jobs have ended.
	Cancelled int
	// InHand jobs were asked to end; see [CancelInHand].
	InHand int
}

func (s *shard) cancel(ctx context.Context, id string) (CancelResult, error) {
	for range cancelTries {
		tasks, err := s.readTasks(ctx, []string{id})
		if err != nil || len(tasks) == 0 {
			return CancelNotFound, err
		}
		call, err := s.cancelCall(tasks[0])
		if err != nil {
			return "", err
		}
		result, err := cancelScript.Run(ctx, s.rdb, call.keys, call.args...).Text()
		if err != nil {
			return "", fmt.Errorf("cancel %s: %w", id, err)
		}
		if r := CancelResult(result); r != cancelChanged {
			return r, nil
		}
	}
	return "", fmt.Errorf("cancel %s: it changed %d times in a row; try again", id, cancelTries)
}

func (s *shard) cancelKey(ctx context.Context, page, key string) (CancelResult, error) {
	id, err := s.idOfKey(ctx, page, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return CancelNotFound, nil
	case err != nil:
		return "", fmt.Errorf("cancel: %w", err)
	}
	return s.cancel(ctx, id)
}

// idOfKey is the id of the job that a page's key stands for.
func (s *shard) idOfKey(ctx context.Context, page, key string) (string, error) {
	id, err := s.rdb.Get(ctx, s.jobKey(page, key)).Result()
	if errors.Is(err, redis.Nil) {
		err = ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("key %q of page %s: %w", key, page, err)
	}
	return id, nil
}

func (s *shard) cancelPage(ctx context.Context, page string) (CancelCount, error) {
	c := s.canceller(func(t task) bool { return t.page == page })
	err := c.passes(ctx, func(l Line, ok bool) bool { return ok && l.PageID == page })
	return c.count, err
}

func (s *shard) cancelBroadcast(ctx context.Context, id, page string) (CancelCount, error) {
	c := s.canceller(func(t task) bool { return t.job.Broadcast == id && (page == "" || t.page == page) })
	err := c.passes(ctx, func(l Line, ok bool) bool {
		return ok && (page == "" || l.PageID == page) && (l.Broadcast == id || l.Lane == LaneBulk && l.Side != "")
	})
	if err != nil {
		return c.count, err
	}
	if all, err := s.allAsked(ctx, id, len(c.asked)); err != nil || all {
		return c.count, err
	}
	err = c.passes(ctx, func(l Line, ok bool) bool { return page == "" || ok && l.PageID == page })
	return c.count, err
}

// allAsked is true if a broadcast that was made from an audience has no more open jobs than were asked to end. The counts of
// others do not have what another program enqueued.
func (s *shard) allAsked(ctx context.Context, id string, asked int) (bool, error) {
	got, err := s.rdb.HMGet(ctx, s.keys.Broadcast(id), "page", "accepted",
		string(Sent), string(Failed), string(Expired), string(Cancelled), string(Unknown)).Result()
	if err != nil {
		return false, fmt.Errorf("cancel broadcast %s: %w", id, err)
	}
	open := 0
	for i, value := range got[1:] {
		n, _ := strconv.Atoi(text(value)) // Redis counted it
		if i > 0 {
			n = -n
		}
		open += n
	}
	return text(got[0]) != "" && open <= asked, nil
}

// canceller makes one for the jobs that are wanted.
func (s *shard) canceller(wanted func(task) bool) *canceller {
	return &canceller{s: s, wanted: wanted, asked: map[string]bool{}}
}

// canceller cancels those jobs of asynq's collections that are wanted.
type canceller struct {
	s      *shard
	wanted func(task) bool
	count  CancelCount
	asked  map[string]bool // jobs in hand that are counted
}

// passes looks through some of the lines, and all other places, until it finds no more: jobs move while it looks. in says which
// lines; ok is false for a group that is none.
func (c *canceller) passes(ctx context.Context, in func(l Line, ok bool) bool) error {
	k := c.s.keys
	for range cancelPasses {
		before := c.count
		groups, err := c.s.rdb.SMembers(ctx, k.Groups()).Result()
		for _, group := range groups {
			if in(ParseLine(group)) {
				err = errors.Join(err, c.zset(ctx, k.Line(group)))
			}
		}
		err = errors.Join(err,
			c.zset(ctx, k.Scheduled()), c.zset(ctx, k.Retry()), c.list(ctx, k.Pending()), c.list(ctx, k.Active()))
		if err != nil {
			return fmt.Errorf("cancel: %w", err)
		}
		if c.count == before {
			break
		}
	}
	return nil
}

// zset goes through a sorted set. SCAN shows whatever is in it all the time, also while members are taken out.
func (c *canceller) zset(ctx context.Context, key string) error {
	var cursor uint64
	for {
		found, next, err := c.s.rdb.ZScan(ctx, key, cursor, "", cancelChunk).Result()
		if err != nil {
			return err
		}
		var ids []string
		for i := 0; i < len(found); i += 2 { // each with its score
			ids = append(ids, found[i])
		}
		if err := c.cancel(ctx, ids); err != nil || next == 0 {
			return err
		}
		cursor = next
	}
}

// list goes through a list, from its end, where tasks leave. It may miss some while others leave; there is another pass.
func (c *canceller) list(ctx context.Context, key string) error {
	for start := int64(0); ; start += cancelChunk {
		ids, err := c.s.rdb.LRange(ctx, key, -start-cancelChunk, -start-1).Result()
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := c.cancel(ctx, ids); err != nil {
			return err
		}
	}
}

// cancel makes two round trips for up to a chunk of jobs.
func (c *canceller) cancel(ctx context.Context, ids []string) error {
	tasks, err := c.s.readTasks(ctx, ids)
	if err != nil {
		return err
	}
	pipe := c.s.rdb.Pipeline()
	var cancelled []string
	var cmds []*redis.Cmd
	for _, t := range tasks {
		if !c.wanted(t) {
			continue
		}
		call, err := c.s.cancelCall(t)
		if err != nil {
			return err
		}
		run := cancelScript.EvalSha
		if len(cmds) == 0 {
			run = cancelScript.Eval
		}
		cancelled, cmds = append(cancelled, t.id), append(cmds, run(ctx, pipe, call.keys, call.args...))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	for i, cmd := range cmds {
		result, err := cmd.Text()
		if err != nil {
			return err
		}
		c.note(cancelled[i], CancelResult(result))
	}
	return nil
}

// note counts. A job that changed meanwhile is met again in the next pass.
func (c *canceller) note(id string, r CancelResult) {
	switch r {
	case CancelDone:
		c.count.Cancelled++
		if c.asked[id] { // it went back to its line
			c.count.InHand--
		}
	case CancelInHand:
		if !c.asked[id] {
			c.count.InHand++
		}
		c.asked[id] = true
	}
}

// task is what has to be known of a job to end it.
type task struct {
	id     string
	fields []any // as cancel.lua compares them
	m      taskmsg.Message
	job    Job
	page   string
	to     string // recipient, as a hash; empty if it is not known
}

// readTasks reads tasks. Those that are gone are left out.
func (s *shard) readTasks(ctx context.Context, ids []string) ([]task, error) {
	pipe := s.rdb.Pipeline()
	cmds := make([]*redis.SliceCmd, len(ids))
	for i, id := range ids {
		cmds[i] = pipe.HMGet(ctx, s.keys.Task(id), "msg", "mark", "step", "ids", "resent", "result", "group", "line")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read tasks: %w", err)
	}
	var tasks []task
	for i, cmd := range cmds {
		fields := cmd.Val()
		for j := range fields {
			if fields[j] == nil {
				fields[j] = ""
			}
		}
		if fields[0] == "" {
			continue
		}
		tasks = append(tasks, newTask(ids[i], fields))
	}
	return tasks, nil
}

// newTask reads what there is. What is no job of ours can be cancelled too: its line tells the page.
func newTask(id string, fields []any) task {
	t := task{id: id, fields: fields[:6]}
	t.m, _ = taskmsg.Read(text(fields[0]))
	t.job, _ = ParseJob(t.m.Payload())
	t.page = t.job.PageID
	if route, err := t.job.Route(); err == nil {
		t.to = route.Recipient
	}
	for _, name := range fields[6:] {
		if line, ok := ParseLine(text(name)); ok && t.page == "" {
			t.page = line.PageID
		}
	}
	return t
}

func (t *task) attempts() int { return int(t.m.Number(taskmsg.Retried)) }

func text(field any) string {
	s, _ := field.(string)
	return s
}

// outcome is the record of the task's end by cancelling.
func (t task) outcome() (Outcome, error) {
	o := NewOutcome(t.id, t.job, t.m.Payload(), Cancelled)
	o.PageID, o.Attempts, o.Reason, o.TraceParent = t.page, t.attempts(), "cancelled", t.m.Header(spans.TraceParent)
	mark, step, ids, resent := text(t.fields[1]), text(t.fields[2]), text(t.fields[3]), text(t.fields[4])
	var err error
	if step != "" {
		_, err = fmt.Sscan(step, &o.StepsDone)
	}
	if ids != "" {
		err = errors.Join(err, json.Unmarshal([]byte(ids), &o.MessageIDs))
	}
	if resent != "" {
		_, e := fmt.Sscan(resent, &o.ResentUnknown)
		err = errors.Join(err, e)
	}
	if mark != "" || o.ResentUnknown > 0 {
		o.Kind, o.Reason = Unknown, "the answer to a send is not known, and it was cancelled then"
	}
	return o, err
}

// cancelCall puts together what cancel.lua needs.
func (s *shard) cancelCall(t task) (scriptCall, error) {
	o, err := t.outcome()
	if err != nil {
		return scriptCall{}, fmt.Errorf("cancel %s: its progress cannot be read: %w", t.id, err)
	}
	record, err := json.Marshal(o)
	if err != nil {
		return scriptCall{}, fmt.Errorf("cancel %s: %w", t.id, err)
	}
	o.Job = nil // the task has it
	result, err := json.Marshal(o)
	if err != nil {
		return scriptCall{}, fmt.Errorf("cancel %s: %w", t.id, err)
	}
	until := int64(0)
	if seconds := t.m.Number(taskmsg.Retention); seconds > 0 {
		until = time.Now().Unix() + seconds
	}
	k := s.keys
	call := scriptCall{
		keys: []string{
			k.Task(t.id), k.Groups(), k.Pending(), k.Scheduled(), k.Retry(), k.Completed(), k.Due(), k.Busy(), k.Outcomes(),
			s.broadcastKey(t.job), k.Stream(), k.Parked(t.page, t.to),
		},
		args: append([]any{
			t.id, k.Task(""), k.Line(""), t.page, t.to, string(o.Kind), record, result, s.cfg.StreamLength, until,
			t.m.With(taskmsg.Edit{Field: taskmsg.CompletedAt, Number: o.EndedAt.Unix()}),
		}, t.fields...),
	}
	if lock := t.m.Text(taskmsg.UniqueKey); lock != "" {
		call.keys = append(call.keys, lock)
	}
	return call, nil
}
