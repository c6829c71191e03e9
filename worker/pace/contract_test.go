package pace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/taskmsg"
	"github.com/sendpace/sendpace/worker/redistest"
)

// ourFields are the fields of a task that asynq knows nothing of.
var ourFields = []string{"owner", "line", "mark", "step", "ids", "result", "acc", "cancel", "resent"}

// asynqHolds is all that asynq's keys of a queue hold: members by key, with their scores.
func asynqHolds(t *testing.T, rdb redis.UniversalClient) map[string]map[string]float64 {
	t.Helper()
	ctx := context.Background()
	keys, err := rdb.Keys(ctx, "asynq:{messenger}*").Result()
	require.NoError(t, err)
	all := map[string]map[string]float64{}
	for _, key := range keys {
		held := map[string]float64{}
		switch kind := rdb.Type(ctx, key).Val(); kind {
		case "string":
			held[rdb.Get(ctx, key).Val()] = rdb.TTL(ctx, key).Val().Seconds()
		case "list":
			for i, v := range rdb.LRange(ctx, key, 0, -1).Val() {
				held[v] = float64(i)
			}
		case "set":
			for _, v := range rdb.SMembers(ctx, key).Val() {
				held[v] = 0
			}
		case "zset":
			for _, z := range rdb.ZRangeWithScores(ctx, key, 0, -1).Val() {
				held[z.Member.(string)] = z.Score
			}
		case "hash":
			addFields(t, held, rdb.HGetAll(ctx, key).Val())
		default:
			t.Fatalf("%s is a %s", key, kind)
		}
		all[key] = held
	}
	return all
}

// assertSameHeld compares what asynqHolds saw at two times: scores and times to live are some seconds apart at most.
func assertSameHeld(t *testing.T, want, got map[string]map[string]float64) {
	t.Helper()
	for key, held := range got {
		require.ElementsMatch(t, slices.Collect(maps.Keys(want[key])), slices.Collect(maps.Keys(held)), key)
		for member, score := range held {
			assert.InDelta(t, want[key][member], score, 3, "%s: %s", key, member)
		}
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)))
}

// addFields adds the fields of a task, its message field by field.
func addFields(t *testing.T, held map[string]float64, fields map[string]string) {
	t.Helper()
	for name, value := range fields {
		switch {
		case slices.Contains(ourFields, name):
		case name == "msg":
			m, err := taskmsg.Read(value)
			require.NoError(t, err)
			for f := taskmsg.Type; f <= taskmsg.Headers; f++ {
				held[fmt.Sprintf("msg number %d", f)] = float64(m.Number(f))
				held[fmt.Sprintf("msg text %d %s", f, m.Text(f))] = 0
			}
		default:
			held[name+"="+value] = 0
		}
	}
}

// TestSettleLeavesAsynqsKeysAsAsynqDoes runs a task through asynq alone on one server, and through the pacer on another.
func TestSettleLeavesAsynqsKeysAsAsynqDoes(t *testing.T) {
	t.Parallel()
	end := func(kind producer.OutcomeKind) Settlement {
		return Settlement{Outcome: producer.Outcome{Kind: kind, Reason: "boom"}}
	}
	boom := errors.New("boom")
	rows := []struct {
		name   string
		opts   []asynq.Option
		err    error
		settle Settlement
		failed bool
	}{
		{"done", nil, nil, end(producer.Sent), true},
		{"done, unique", []asynq.Option{asynq.Unique(time.Hour)}, nil, end(producer.Sent), true},
		{"complete", []asynq.Option{asynq.Retention(time.Hour)}, nil, end(producer.Sent), true},
		{"complete, unique", []asynq.Option{asynq.Retention(time.Hour), asynq.Unique(time.Hour)}, nil, end(producer.Sent), true},
		{"archive", nil, errors.Join(errors.New("failed: boom"), asynq.SkipRetry), end(producer.Failed), true},
		{"archive, last retry", []asynq.Option{asynq.MaxRetry(0)}, errors.New("expired: boom"), end(producer.Expired), true},
		{"retry", nil, boom, Settlement{Outcome: producer.Outcome{Reason: "boom"}, Retry: time.Minute, Counted: true}, true},
		{"retry that does not count", nil, boom, Settlement{Outcome: producer.Outcome{Reason: "boom"}, Retry: time.Minute}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.err != nil && strings.Contains(row.err.Error(), "skip") {
				row.settle.Outcome.Reason = strings.TrimPrefix(row.err.Error(), "failed: ")
			}
			theirs, ours := redistest.Client(t, redistest.Server(t)), newDesk(t, redistest.Server(t), Config{}, fast, nil)
			opts := slices.Concat(row.opts, []asynq.Option{asynq.Queue(producer.DefaultQueue), asynq.TaskID("the-job")})
			for _, rdb := range []redis.UniversalClient{theirs, ours.rdb} {
				_, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask(producer.TaskType, []byte("{}")), opts...)
				require.NoError(t, err)
			}
			runAsynq(t, theirs, row.err, row.failed)
			require.Equal(t, "task", ours.ask().verb)
			ours.settleAs("the-job", producer.Route{Line: producer.Line{PageID: "1", Lane: producer.LaneBulk}}, row.settle)
			want, got := asynqHolds(t, theirs), asynqHolds(t, ours.rdb)
			for _, held := range got {
				delete(held, "group=") // take's, so that a retried task does not go to the end of its line
			}
			assertSameHeld(t, want, got)
		})
	}
}

// runAsynq lets asynq run one task, and waits for its end.
func runAsynq(t *testing.T, rdb redis.UniversalClient, answer error, failed bool) {
	t.Helper()
	ran := make(chan struct{})
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency: 1, Queues: map[string]int{producer.DefaultQueue: 1}, LogLevel: asynq.FatalLevel,
		TaskCheckInterval: time.Millisecond, IsFailure: func(error) bool { return failed },
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Minute },
	})
	require.NoError(t, server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		close(ran)
		return answer
	})))
	<-ran
	require.Eventually(t, func() bool {
		return rdb.LLen(context.Background(), "asynq:{messenger}:active").Val() == 0
	}, 5*time.Second, time.Millisecond)
	server.Shutdown()
}

// TestAsynqEndsNoRunItself lets asynq end a run in every way that it knows, while the job is still in hand.
func TestAsynqEndsNoRunItself(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		opts []asynq.Option
		run  func(ctx context.Context, d *desk) error
	}{
		{"done", nil, func(context.Context, *desk) error { return nil }},
		{"complete", []asynq.Option{asynq.Retention(time.Hour)}, func(context.Context, *desk) error { return nil }},
		{"retry", nil, func(context.Context, *desk) error { return errors.New("boom") }},
		{"archive", nil, func(context.Context, *desk) error { return asynq.SkipRetry }},
		{"revoke", nil, func(context.Context, *desk) error { return asynq.RevokeTask }},
		{"panic", nil, func(context.Context, *desk) error { panic("boom") }},
		{"a deadline that has passed", []asynq.Option{asynq.Deadline(time.Now().Add(-time.Hour))},
			func(context.Context, *desk) error { return nil }},
		{"requeue at shutdown", nil, func(_ context.Context, d *desk) error { <-d.closed; return nil }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			d := newDesk(t, redistest.Server(t), Config{Places: 1}, fast, nil)
			_, err := asynq.NewClientFromRedisClient(d.rdb).Enqueue(asynq.NewTask(producer.TaskType, []byte("{}")),
				append(row.opts, asynq.Queue(producer.DefaultQueue), asynq.TaskID("x"))...)
			require.NoError(t, err)
			ran := make(chan struct{})
			server := asynq.NewServerFromRedisClient(d.Client(), asynq.Config{
				Concurrency: 1, Queues: map[string]int{producer.DefaultQueue: 1}, LogLevel: asynq.FatalLevel,
				TaskCheckInterval: time.Millisecond, ShutdownTimeout: 50 * time.Millisecond,
			})
			require.NoError(t, server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
				defer close(ran)
				assert.NoError(t, ctx.Err())
				return row.run(ctx, d)
			})))
			require.Eventually(t, func() bool { return d.inHand() == 1 }, 5*time.Second, time.Millisecond)
			d.Drain()
			server.Shutdown()
			require.NoError(t, d.Close(ctx))
			<-ran
			assert.Equal(t, []string{"x"}, d.rdb.LRange(ctx, d.keys.Active(), 0, -1).Val())
			task := d.rdb.HGetAll(ctx, d.keys.Task("x")).Val()
			assert.Equal(t, "active", task["state"])
			assert.True(t, strings.HasPrefix(task["owner"], d.id+":"), task["owner"])
			for _, key := range []string{d.keys.Retry(), d.keys.Archived(), d.keys.Completed(), d.keys.Pending(), d.keys.Asynq("processed")} {
				assert.Zero(t, d.rdb.Exists(ctx, key).Val(), key)
			}
		})
	}
}

// TestAsynqsRecovererFindsNothing has a job in hand whose lease ended an hour ago, for which a starting server looks first.
func TestAsynqsRecovererFindsNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	addr := redistest.Server(t)
	d, other := newDesk(t, addr, Config{}, fast, nil), newDesk(t, addr, Config{}, fast, nil)
	id := d.enqueue("1", "7", "a")
	require.Equal(t, id, d.next())
	d.rdb.ZAdd(ctx, d.keys.Lease(), redis.Z{Score: float64(time.Now().Add(-time.Hour).Unix()), Member: id})
	asked := make(chan struct{}, 1)
	server := asynq.NewServerFromRedisClient(leaseWatch{other.Client(), asked}, asynq.Config{
		Concurrency: 1, Queues: map[string]int{producer.DefaultQueue: 1}, LogLevel: asynq.FatalLevel,
	})
	require.NoError(t, server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })))
	<-asked
	other.Drain()
	server.Shutdown()
	d.done(id, d.routeOf("1", "7"))
}

// leaseWatch tells when asynq has asked for tasks whose lease is over.
type leaseWatch struct {
	*Client
	asked chan struct{}
}

func (w leaseWatch) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	cmd := w.Client.EvalSha(ctx, sha, keys, args...)
	if len(keys) == 1 && strings.HasSuffix(keys[0], ":lease") {
		w.asked <- struct{}{}
	}
	return cmd
}

// TestAWorkerThatStandsByLeavesToTheLookoutWhatIsForAll has a scheduled task, a retry and a completed one whose times have come.
func TestAWorkerThatStandsByLeavesToTheLookoutWhatIsForAll(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t, redistest.Server(t), Config{Places: 1}, fast, nil)
	require.NoError(t, d.rdb.Set(ctx, d.keys.Lookout(), fmt.Sprintf("another %d", time.Now().Add(time.Hour).UnixMicro()), 0).Err())
	require.Equal(t, "standby", d.ask().verb)
	d.askAt = time.Now().Add(time.Hour)
	past := float64(time.Now().Add(-time.Minute).Unix())
	sets := map[string]string{"scheduled": d.keys.Scheduled(), "retry": d.keys.Retry(), "completed": d.keys.Completed()}
	for id, set := range sets {
		d.rdb.HSet(ctx, d.keys.Task(id), "state", id)
		d.rdb.ZAdd(ctx, set, redis.Z{Score: past, Member: id})
	}
	asked := make(chan string, 1000)
	server := asynq.NewServerFromRedisClient(scriptWatch{d.Client(), asked}, asynq.Config{
		Concurrency: 1, Queues: map[string]int{producer.DefaultQueue: 1}, LogLevel: asynq.FatalLevel,
		DelayedTaskCheckInterval: 10 * time.Millisecond, JanitorInterval: 10 * time.Millisecond,
	})
	require.NoError(t, server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })))
	for _, set := range sets {
		for times := 0; times < 3; { // asynq has asked for it and has got an answer
			if <-asked == set {
				times++
			}
		}
	}
	for id, set := range sets {
		assert.EqualValues(t, 1, d.rdb.ZCard(ctx, set).Val(), id)
	}
	d.standsBy.Store(false)
	require.Eventually(t, func() bool {
		return d.rdb.Exists(ctx, d.keys.Scheduled(), d.keys.Retry(), d.keys.Completed()).Val() == 0
	}, 5*time.Second, time.Millisecond)
	assert.ElementsMatch(t, []string{"scheduled", "retry"}, d.rdb.LRange(ctx, d.keys.Pending(), 0, -1).Val())
	assert.Zero(t, d.rdb.Exists(ctx, d.keys.Task("completed")).Val())
	d.Drain()
	server.Shutdown()
}

// scriptWatch tells the first key of each script that asynq has run.
type scriptWatch struct {
	*Client
	asked chan<- string
}

func (w scriptWatch) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	cmd := w.Client.EvalSha(ctx, sha, keys, args...)
	select {
	case w.asked <- keys[0]:
	default: // nobody reads any more
	}
	return cmd
}

func TestAnIdleServerIsListed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t, redistest.Server(t), Config{Places: 1}, fast, nil)
	inspector := asynq.NewInspectorFromRedisClient(d.rdb)
	server := asynq.NewServerFromRedisClient(d.Client(), asynq.Config{
		Concurrency: 7, Queues: map[string]int{producer.DefaultQueue: 1}, LogLevel: asynq.FatalLevel,
	})
	require.NoError(t, server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })))
	require.Eventually(t, func() bool {
		servers, err := inspector.Servers()
		require.NoError(t, err)
		return len(servers) == 1 && servers[0].Concurrency == 7
	}, 5*time.Second, time.Millisecond)
	keys := d.rdb.Keys(ctx, serverKey+"*").Val()
	require.Len(t, keys, 1)
	assert.InDelta(t, 10, d.rdb.TTL(ctx, keys[0]).Val().Seconds(), 2)
	assert.NotContains(t, d.rdb.Info(ctx, "commandstats").Val(), "cmdstat_expire:", "asynq's script was not run")
	d.Drain()
	server.Shutdown()
	servers, err := inspector.Servers()
	require.NoError(t, err)
	assert.Empty(t, servers)
}

// TestTheListOfAServersJobsIsCleared calls asynq's script as its server does, with a list and without.
func TestTheListOfAServersJobsIsCleared(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t, redistest.Server(t), Config{}, fast, nil)
	sha := d.rdb.ScriptLoad(ctx, `redis.call('SET', KEYS[1], ARGV[2]) redis.call('SET', KEYS[2], #ARGV - 2) return 1`).Val()
	c := d.Client()
	var got []string
	for n, args := range [][]any{{10.0, "a"}, {10.0, "b", "id", "job"}, {10.0, "c"}, {10.0, "d"}} {
		d.rdb.Del(ctx, "asynq:workers:{x}")
		require.NoError(t, c.EvalSha(ctx, sha, []string{"asynq:servers:{x}", "asynq:workers:{x}"}, args...).Err(), n)
		got = append(got, d.rdb.Get(ctx, "asynq:servers:{x}").Val()+d.rdb.Get(ctx, "asynq:workers:{x}").Val())
	}
	assert.Equal(t, []string{"a", "b2", "c0", "d"}, got, "the list is written with jobs, and once more without")
}

// TestContractWithAsynq fails if asynq changes a key or a script that this package relies on.
func TestContractWithAsynq(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Places: 1}, fast, nil)
		id := d.enqueue("1", "7", "a")
		assert.Equal(t, []string{"1:bulk"}, d.rdb.SMembers(ctx, d.keys.Groups()).Val())
		assert.Equal(t, "aggregating", d.rdb.HGet(ctx, d.keys.Task(id), "state").Val())

		states := make(chan string, 10)
		back := true
		handler := asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
			got, _ := asynq.GetTaskID(ctx)
			states <- d.rdb.HGet(ctx, d.keys.Task(got), "state").Val()
			d.taken[got] = d.Begin(got)
			if back {
				back = false
				d.putBack(got, d.routeOf("1", "7"), Head)
				return fmt.Errorf("later: %w", asynq.SkipRetry)
			}
			d.done(got, d.routeOf("1", "7"))
			return nil
		})
		server := asynq.NewServerFromRedisClient(d.Client(), asynq.Config{
			Concurrency: 1, Queues: map[string]int{producer.DefaultQueue: 1},
			TaskCheckInterval: time.Millisecond, LogLevel: asynq.FatalLevel,
		})
		require.NoError(t, server.Start(handler))
		require.Equal(t, "active", <-states)
		require.Equal(t, "active", <-states, "what was given back comes again, although asynq would have archived it")
		require.Eventually(t, func() bool { return d.rdb.Exists(ctx, d.keys.Task(id)).Val() == 0 }, 5*time.Second, time.Millisecond)
		d.Drain()
		server.Shutdown()
		for _, name := range []string{"active", "lease", "pending", "retry", "archived", "g:1:bulk"} {
			assert.Zero(t, d.rdb.Exists(ctx, d.keys.Asynq(name)).Val(), name)
		}
		keys, err := d.rdb.Keys(ctx, "asynq:{messenger}*").Result()
		require.NoError(t, err)
		slices.Sort(keys)
		assert.NotContains(t, keys, d.keys.Task(id))
	})
}

func TestScriptsDeclareASingleSlot(t *testing.T) {
	t.Parallel()
	// With a shebang Redis refuses keys of other slots than the declared ones in cluster mode, and undeclared writes by
	// read-only scripts; one node that has all slots is enough to show it.
	addr := redistest.ServerAt(t, redistest.FreeAddr(t), "--save", "", "--cluster-enabled", "yes")
	rdb := redistest.Client(t, addr)
	ctx := context.Background()
	slots := []any{"CLUSTER", "ADDSLOTSRANGE", 0, 16383}
	require.NoError(t, rdb.Do(ctx, slots...).Err())
	require.Eventually(t, func() bool {
		return strings.Contains(rdb.ClusterInfo(ctx).Val(), "cluster_state:ok")
	}, 10*time.Second, 20*time.Millisecond)
	d := newDesk(t, addr, Config{}, fast, nil)
	for name, src := range map[string]string{
		"take": withParts(handOutLua + takeLua), "admit": withParts(admitLua), "late": withParts(lateLua), "unused": withParts(unusedLua),
		"permit": withParts(permitLua), "settle": withParts(settleLua), "beat": beatLua, "reap": withParts(reapLua),
		"pause": withParts(pauseLua), "release": withParts(releaseLua), "sweep": withParts(sweepLua),
		"rates": ratesLua, "temporary": withParts(temporaryLua), "explain": withParts(explainLua), "audit": withParts(auditLua), "places": withParts(placesLua),
	} {
		require.NoError(t, rdb.ScriptLoad(ctx, "#!lua\n"+src).Err(), name)
	}
	a, b := d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b")
	r := d.routeOf("1", "7")
	take := redis.NewScript("#!lua\n" + withParts(handOutLua+takeLua))
	keys := []string{
		d.keys.Pending(), d.keys.Paused(), d.keys.Active(), d.keys.Lease(),
		d.keys.Groups(), d.keys.Due(), d.keys.Busy(), d.keys.Pause(App), d.keys.Lookout(),
		d.keys.Looked(),
	}
	got, err := readTaken(take.Run(ctx, rdb, keys, time.Now().Unix(), d.keys.Task(""), d.keys.Line(""), d.keys.Own(""),
		1000, d.id, 0, 10, 0, 500, "", 1000))
	require.NoError(t, err)
	require.Len(t, got.jobs, 1)
	assert.Equal(t, a, got.jobs[0].id)
	d.begin(got)
	d.next()
	d.done(a, r)
	assert.Equal(t, b, d.next())
}
