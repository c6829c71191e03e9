package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/producer/rediskeys"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(childRedis); addr != "" {
		if err := startInChild(addr, os.Getenv(childAudience)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

var keys = rediskeys.Keys{Queue: producer.DefaultQueue}

// saleSpec is what most tests send.
func saleSpec() broadcast.Spec {
	return broadcast.Spec{
		Name: "sale", PageID: "1",
		Template: []byte(`{"messaging_type":"UPDATE","message":{"text":"Hello {{or .first_name \"friend\"}}, {{.order}}"}}`),
	}
}

func newClient(t testing.TB, rdb redis.UniversalClient) *broadcast.Client {
	t.Helper()
	c, err := broadcast.New(rdb, broadcast.Config{})
	require.NoError(t, err)
	return c
}

func csvOf(text string) *broadcast.Audience {
	return broadcast.NewAudience(strings.NewReader(text), broadcast.FormatCSV)
}

// people is a CSV of n people, whose ids begin with 100.
func people(n int) string {
	var b strings.Builder
	b.WriteString("recipient,first_name,order\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,N%d,O%d\n", 100+i, i, i)
	}
	return b.String()
}

// start plans and starts, and must succeed.
func start(t testing.TB, c *broadcast.Client, spec broadcast.Spec, audience *broadcast.Audience) broadcast.Started {
	t.Helper()
	plan, err := c.Plan(t.Context(), spec, audience)
	require.NoError(t, err)
	started, err := c.Start(t.Context(), plan)
	require.NoError(t, err)
	return started
}

// recipients are those of all jobs in a line, in order.
func recipients(t testing.TB, rdb redis.UniversalClient, line string) (to []string) {
	t.Helper()
	ids, err := rdb.ZRange(t.Context(), keys.Line(line), 0, -1).Result()
	require.NoError(t, err)
	pipe := rdb.Pipeline()
	for _, id := range ids {
		pipe.HGet(t.Context(), keys.Task(id), "msg")
	}
	cmds, err := pipe.Exec(t.Context())
	require.NoError(t, err)
	for _, cmd := range cmds {
		_, rest, _ := strings.Cut(cmd.(*redis.StringCmd).Val(), `{"recipient":{"id":"`)
		psid, _, ok := strings.Cut(rest, `"`)
		require.True(t, ok)
		to = append(to, psid)
	}
	return to
}

// onceEach makes sure that exactly the n people have a job, each one.
func onceEach(t *testing.T, rdb redis.UniversalClient, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, to := range recipients(t, rdb, "1:bulk:@sale") {
		seen[to]++
	}
	assert.Len(t, seen, n)
	for to, times := range seen {
		assert.Equal(t, 1, times, "recipient %s", to)
	}
	counts, err := rdb.HGet(t.Context(), keys.Outcomes(), "1:accepted").Int()
	assert.NoError(t, err)
	assert.Equal(t, n, counts)
}

// onEach runs a test on every kind of Redis.
func onEach(t *testing.T, test func(*testing.T, redis.UniversalClient)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		test(t, redistest.Client(t, addr))
	})
}

func TestStartStoresOneJobForEachPerson(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		c := newClient(t, rdb)
		audience := csvOf(people(1203) + "100,again,x\n\n0100,zero,x\n")
		plan, err := c.Plan(t.Context(), saleSpec(), audience)
		require.NoError(t, err)
		assert.Equal(t, []int{1204, 1, 0}, []int{plan.People, plan.Duplicates, plan.Bad})
		assert.JSONEq(t, `{"recipient":{"id":"100"},"messaging_type":"UPDATE","message":{"text":"Hello N0, O0"}}`, string(plan.Sample[0]))
		assert.Empty(t, rdb.Keys(t.Context(), "*").Val(), "a plan writes nothing")

		started, err := c.Start(t.Context(), plan)
		require.NoError(t, err)
		assert.Equal(t, broadcast.Started{State: broadcast.StateRunning}, started)
		onceEach(t, rdb, 1204)
		order := recipients(t, rdb, "1:bulk:@sale")
		assert.Equal(t, []string{"100", "101", "102"}, order[:3])
		assert.Equal(t, []string{"1301", "1302", "0100"}, order[1201:], "they wait in the order of the file")

		again := start(t, c, saleSpec(), audience)
		assert.Equal(t, broadcast.Started{State: broadcast.StateRunning, Repeat: true}, again)
		onceEach(t, rdb, 1204)
		s, err := c.Status(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, []any{"1", broadcast.StateRunning, 1204, 1204, 1204, 1},
			[]any{s.PageID, s.State, s.People, s.Stored, s.Left(), s.Weight})
	})
}

// A job of a broadcast is stored as the producer stores one.
func TestStoredAsTheProducerStores(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		start(t, newClient(t, rdb), saleSpec(), csvOf("recipient,first_name,order\n7,,x\n"))
		ids := rdb.ZRange(t.Context(), keys.Line("1:bulk:@sale"), 0, -1).Val()
		require.Len(t, ids, 1)
		ours := rdb.HGetAll(t.Context(), keys.Task(ids[0])).Val()
		p, err := producer.New(rdb, producer.Config{})
		require.NoError(t, err)
		info, err := p.Get(t.Context(), ids[0])
		require.NoError(t, err)
		receipt, err := p.Enqueue(t.Context(), info.Job)
		require.NoError(t, err)
		theirs := rdb.HGetAll(t.Context(), keys.Task(receipt.ID)).Val()
		theirs["msg"] = strings.ReplaceAll(theirs["msg"], receipt.ID, ids[0])
		assert.Equal(t, theirs, ours)
		assert.Equal(t, "1:bulk:@sale", receipt.Line.String())
		assert.ElementsMatch(t, []string{"1:bulk:@sale"}, rdb.SMembers(t.Context(), keys.Groups()).Val())
		assert.ElementsMatch(t, []string{"1:bulk:@sale"}, rdb.ZRange(t.Context(), keys.Due(), 0, -1).Val())
		assert.ElementsMatch(t, []string{"messenger"}, rdb.SMembers(t.Context(), "asynq:queues").Val())
	})
}

func TestBadRowsKeepItFromStarting(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	c := newClient(t, rdb)
	text := "recipient,first_name,order\n1,Ann,o\n1.23457E+15,Bob,o\nx,Cy,o\n,Di,o\n2,Ed,\n3,Fay," + strings.Repeat("y", 2001) +
		"\n1,Ann,\n4,,o\n123456789012345678901234567890123,Gil,o\n"
	plan, err := c.Plan(t.Context(), saleSpec(), csvOf(text))
	require.NoError(t, err)
	assert.Equal(t, []broadcast.Problem{
		{Row: 3, Message: "recipient: a spreadsheet has rounded it; export the column as text"},
		{Row: 4, Message: "recipient: must be a PSID, which is decimal digits"},
		{Row: 5, Message: "recipient: empty"},
		{Row: 6, Message: "order: empty, and it has no default"},
		{Row: 7, Message: plan.Problems[4].Message},
		{Row: 8, Message: "order: empty, and it has no default"},
		{Row: 10, Message: "recipient: longer than 32 digits"},
	}, plan.Problems)
	assert.Contains(t, plan.Problems[4].Message, "request.message.text: ")
	assert.NotContains(t, plan.Problems[4].Message, "Fay")
	assert.Equal(t, map[string]int{"first_name": 1}, plan.Defaulted)

	_, err = c.Start(t.Context(), plan)
	var bad *broadcast.ProblemsError
	require.ErrorAs(t, err, &bad)
	assert.Equal(t, 7, bad.Bad)
	assert.ErrorContains(t, err, "broadcast sale: 7 rows have problems, the first one row 3: recipient: a spreadsheet")
	assert.Empty(t, rdb.Keys(t.Context(), "*").Val(), "nothing was written")

	spec := saleSpec()
	spec.SkipBad = true
	start(t, c, spec, csvOf(text))
	assert.ElementsMatch(t, []string{"1", "4"}, recipients(t, rdb, "1:bulk:@sale"))
	s, err := c.Status(t.Context(), "sale")
	require.NoError(t, err)
	assert.Equal(t, []int{2, 7, 0}, []int{s.People, s.Bad, s.Duplicates})
}

func TestOnlyTheFirstHundredProblemsAreKept(t *testing.T) {
	t.Parallel()
	c := newClient(t, redistest.Client(t, redistest.Mini(t)))
	plan, err := c.Plan(t.Context(), saleSpec(), csvOf("recipient,first_name,order\n"+strings.Repeat("x,y,z\n", 1700)))
	require.NoError(t, err)
	assert.Equal(t, 1700, plan.Bad)
	require.Len(t, plan.Problems, 100)
	assert.Equal(t, 101, plan.Problems[99].Row)
}

func TestBadSpecsAreRefused(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	c, err := broadcast.New(rdb, broadcast.Config{Pages: []string{"1"}})
	require.NoError(t, err)
	for want, change := range map[string]func(*broadcast.Spec){
		`name "a b": must be 1 to 64 letters`:   func(s *broadcast.Spec) { s.Name = "a b" },
		"page: missing":                         func(s *broadcast.Spec) { s.PageID = "" },
		`page "x:y": must be the page's number`: func(s *broadcast.Spec) { s.PageID = "x:y" },
		"page 2 is not configured":              func(s *broadcast.Spec) { s.PageID = "2" },
		"test share 100: must be":               func(s *broadcast.Spec) { s.TestShare = 100 },
		"test limit -1: must be":                func(s *broadcast.Spec) { s.TestLimit = -1 },
		"weight 101: must be":                   func(s *broadcast.Spec) { s.Weight = 101 },
		"it never opens":                        func(s *broadcast.Spec) { s.Window = broadcast.Window{From: time.Hour, To: time.Hour} },
		"finish-by: must be after the start":    func(s *broadcast.Spec) { s.FinishBy = time.Now().Add(-time.Hour) },
		"expiry: must be after the start": func(s *broadcast.Spec) {
			s.ExpiresAt, s.StartAt = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		},
		"start: must be within five years":        func(s *broadcast.Spec) { s.StartAt = time.Now().AddDate(6, 0, 0) },
		"template: missing":                       func(s *broadcast.Spec) { s.Template = nil },
		"default z: the template has no {{.z}}":   func(s *broadcast.Spec) { s.Defaults = map[string]string{"z": "1"} },
		"has {{.orders}}, but there is no column": func(s *broadcast.Spec) { s.Template = []byte(`{"message":{"text":"{{.orders}}"}}`) },
	} {
		spec := saleSpec()
		change(&spec)
		_, err := c.Plan(t.Context(), spec, csvOf(people(1)))
		assert.ErrorContains(t, err, want)
	}
	marked := saleSpec()
	marked.Template = append([]byte("\ufeff"), marked.Template...)
	plan, err := c.Plan(t.Context(), marked, csvOf("recipient,first_name,order\n"))
	require.NoError(t, err)
	_, err = c.Start(t.Context(), plan)
	assert.EqualError(t, err, "broadcast sale: nobody is left in the audience")
	assert.Empty(t, rdb.Keys(t.Context(), "*").Val())
}

func TestANameStandsForOneBroadcast(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	c := newClient(t, rdb)
	start(t, c, saleSpec(), csvOf(people(3)))
	other := saleSpec()
	other.MaxAttempts = 3
	for what, try := range map[string]func() (*broadcast.Plan, error){
		"another audience": func() (*broadcast.Plan, error) { return c.Plan(t.Context(), saleSpec(), csvOf(people(4))) },
		"another job":      func() (*broadcast.Plan, error) { return c.Plan(t.Context(), other, csvOf(people(3))) },
	} {
		plan, err := try()
		require.NoError(t, err, what)
		_, err = c.Start(t.Context(), plan)
		assert.ErrorIs(t, err, broadcast.ErrOther, what)
	}
	p, err := producer.New(rdb, producer.Config{})
	require.NoError(t, err)
	_, err = p.Enqueue(t.Context(), producer.Job{PageID: "1", Broadcast: "loose", Lane: producer.LaneBulk,
		Request: []byte(`{"recipient":{"id":"2"},"message":{"text":"x"}}`)})
	require.NoError(t, err)
	loose := saleSpec()
	loose.Name = "loose"
	plan, err := c.Plan(t.Context(), loose, csvOf(people(3)))
	require.NoError(t, err)
	_, err = c.Start(t.Context(), plan)
	assert.ErrorIs(t, err, broadcast.ErrTaken)
	_, err = c.Status(t.Context(), "loose")
	assert.ErrorIs(t, err, broadcast.ErrNotFound)
	assert.ElementsMatch(t, []string{"100", "101", "102"}, recipients(t, rdb, "1:bulk:@sale"))
}

// changing is an audience that is another one from its second reading on.
type changing struct {
	*strings.Reader
	texts []string
}

func (c *changing) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart && offset == 0 && len(c.texts) > 0 {
		*c.Reader, c.texts = *strings.NewReader(c.texts[0]), c.texts[1:]
	}
	return c.Reader.Seek(offset, whence)
}

func TestAnAudienceThatChangesIsNotSent(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]string{
		"another row": strings.Replace(people(2000), "1900,N1800", "1900,M1800", 1),
		"more rows":   people(3000),
		"fewer rows":  people(1000),
	} {
		rdb := redistest.Client(t, redistest.Server(t))
		c := newClient(t, rdb)
		first := people(2000)
		audience := broadcast.NewAudience(&changing{strings.NewReader(first), []string{first, second}}, broadcast.FormatCSV)
		plan, err := c.Plan(t.Context(), saleSpec(), audience)
		require.NoError(t, err)
		_, err = c.Start(t.Context(), plan)
		assert.ErrorIs(t, err, broadcast.ErrChanged, name)
		s, err := c.Status(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, broadcast.StateLoading, s.State, name)
		assert.Less(t, s.Stored, 2001, name)
		started := start(t, c, saleSpec(), csvOf(first))
		assert.Equal(t, broadcast.Started{State: broadcast.StateRunning, Repeat: true}, started)
		onceEach(t, rdb, 2000)
	}
}

func TestTwoAtOnceStoreOneBroadcast(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		var wg sync.WaitGroup
		errs := make([]error, 3)
		for i := range errs {
			wg.Go(func() {
				c, err := broadcast.New(rdb, broadcast.Config{})
				spec := saleSpec()
				spec.TestShare = 10
				var plan *broadcast.Plan
				if err == nil {
					plan, err = c.Plan(context.WithoutCancel(t.Context()), spec, csvOf(people(1500)))
				}
				if err == nil {
					_, err = c.Start(context.WithoutCancel(t.Context()), plan)
				}
				errs[i] = err
			})
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
		count := rdb.ZCard(t.Context(), keys.Line("1:bulk:@sale")).Val()
		assert.EqualValues(t, 1500, count)
		assert.EqualValues(t, 150, rdb.ZCount(t.Context(), keys.Line("1:bulk:@sale"), "1", "1").Val(), "all picked the same test share")
		assert.Equal(t, "testing", rdb.HGet(t.Context(), keys.Broadcast("sale"), "state").Val())
		assert.Equal(t, "150", rdb.HGet(t.Context(), keys.Broadcast("sale"), "test").Val())
	})
}

// Interrupted as its rows are checked, nothing is stored; as they are stored, what is stored has its cursor. A call that is let be goes on.
func TestInterruptedAsItIsCheckedAndStored(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	try := func(stage broadcast.Stage) error {
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		c, err := broadcast.New(rdb, broadcast.Config{OnProgress: func(p broadcast.Progress) {
			if p.Stage == stage {
				interrupt()
			}
		}})
		require.NoError(t, err)
		plan, err := c.Plan(ctx, saleSpec(), csvOf(people(3000)))
		if err == nil {
			_, err = c.Start(ctx, plan)
		}
		return err
	}
	require.ErrorIs(t, try(broadcast.StageCheck), context.Canceled)
	assert.Empty(t, rdb.Keys(t.Context(), "*").Val())
	require.ErrorIs(t, try(broadcast.StageLoad), context.Canceled)
	assert.Equal(t, []any{"loading", "501", "500"}, rdb.HMGet(t.Context(), keys.Broadcast("sale"), "state", "loaded", "accepted").Val())
	require.NoError(t, try(""))
	assert.Equal(t, "running", rdb.HGet(t.Context(), keys.Broadcast("sale"), "state").Val())
	onceEach(t, rdb, 3000)
}

// What the first start has chosen holds for those that go on with it: otherwise the test share would never be complete.
func TestGoingOnKeepsTheFirstSettings(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	c, err := broadcast.New(rdb, broadcast.Config{OnProgress: func(p broadcast.Progress) {
		if p.Stage == broadcast.StageLoad {
			interrupt()
		}
	}})
	require.NoError(t, err)
	spec := saleSpec()
	spec.TestShare, spec.FinishBy, spec.Weight = 10, time.Now().Add(100*time.Hour), 5
	spec.ExpiresAt = time.Now().Add(time.Hour)
	plan, err := c.Plan(ctx, spec, csvOf(people(2000)))
	require.NoError(t, err)
	_, err = c.Start(ctx, plan)
	require.ErrorIs(t, err, context.Canceled)

	spec.TestShare, spec.FinishBy, spec.Weight = 40, time.Time{}, 1
	assert.Equal(t, broadcast.Started{State: broadcast.StateTesting, Repeat: true}, start(t, newClient(t, rdb), spec, csvOf(people(2000))))
	onceEach(t, rdb, 2000)
	assert.EqualValues(t, 200, rdb.ZCount(t.Context(), keys.Line("1:bulk:@sale"), "1", "1").Val())
	assert.Equal(t, []any{"200", "5"}, rdb.HMGet(t.Context(), keys.Broadcast("sale"), "test", "weight").Val())
	every, err := rdb.HGet(t.Context(), keys.Broadcast("sale"), "every").Int64()
	require.NoError(t, err)
	assert.InDelta(t, (97 * time.Hour / 2000).Microseconds(), every, 1e6)
}

// lossy breaks the connection in place of the answer to some calls of scripts.
type lossy struct {
	random *rand.Rand
	lost   int
}

func (l *lossy) DialHook(next redis.DialHook) redis.DialHook { return next }
func (l *lossy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (l *lossy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && cmd.Name() == "evalsha" && l.random.IntN(3) == 0 {
			l.lost++
			err = io.ErrUnexpectedEOF
			cmd.SetErr(err)
		}
		return err
	}
}

func TestLostAnswersDoubleNobody(t *testing.T) {
	t.Parallel()
	addr := redistest.Server(t)
	rdb := redistest.Client(t, addr)
	bad := redis.NewClient(&redis.Options{Addr: addr, DB: rdb.(*redis.Client).Options().DB})
	defer bad.Close()
	hook := &lossy{random: rand.New(rand.NewPCG(1, 2))}
	bad.AddHook(hook)
	c := newClient(t, bad)
	var err error
	for try := 0; try == 0 || err != nil; try++ {
		require.Less(t, try, 200)
		var plan *broadcast.Plan
		if plan, err = c.Plan(t.Context(), saleSpec(), csvOf(people(9000))); err == nil {
			_, err = c.Start(t.Context(), plan)
		}
	}
	assert.Greater(t, hook.lost, 3)
	onceEach(t, rdb, 9000)
}
