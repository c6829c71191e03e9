package broadcast_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer/broadcast"
	"github.com/sendpace/sendpace/worker/redistest"
)

// The environment of a process that a test starts from its own binary, in order to kill it.
const (
	childRedis    = "SENDPACE_TEST_REDIS"
	childAudience = "SENDPACE_TEST_AUDIENCE"
)

// startInChild starts a broadcast, and prints how many rows are stored.
func startInChild(addr, path string) error {
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	c, err := broadcast.New(rdb, broadcast.Config{OnProgress: func(p broadcast.Progress) {
		if p.Stage == broadcast.StageLoad {
			fmt.Println(p.Rows)
		}
	}})
	if err != nil {
		return err
	}
	audience, err := broadcast.OpenAudience(path)
	if err != nil {
		return err
	}
	defer audience.Close()
	plan, err := c.Plan(context.Background(), saleSpec(), audience)
	if err != nil {
		return err
	}
	_, err = c.Start(context.Background(), plan)
	return err
}

// A process that stores 20,000 jobs is killed with -9, again and again, each time at another place; the last one may end.
func TestKilledInTheMiddleNobodyIsMissedOrDoubled(t *testing.T) {
	t.Parallel()
	const n = 20_000
	server := redistest.NewDurable(t)
	rdb := redistest.Client(t, server.Addr)
	path := filepath.Join(t.TempDir(), "people.csv")
	require.NoError(t, os.WriteFile(path, []byte(people(n)), 0o600))
	kills := 0
	for loaded := 0; loaded < n+1; {
		stop := loaded + rand.IntN(n/4)
		killed := runChild(t, server.Addr, path, stop)
		if killed {
			kills++
		}
		var err error
		loaded, err = rdb.HGet(t.Context(), keys.Broadcast("sale"), "loaded").Int()
		require.NoError(t, err)
		require.EqualValues(t, rdb.ZCard(t.Context(), keys.Line("1:bulk:@sale")).Val(), max(0, loaded-1), "the cursor goes with the jobs")
		require.False(t, !killed && loaded < n+1, "it ended early")
	}
	t.Logf("killed %d times", kills)
	assert.GreaterOrEqual(t, kills, 2)
	runChild(t, server.Addr, path, n+2)
	assert.Equal(t, "running", rdb.HGet(t.Context(), keys.Broadcast("sale"), "state").Val())
	onceEach(t, rdb, n)
}

// runChild runs startInChild in another process, and kills that once so many rows are stored. It returns false if the process
// ended by itself.
func runChild(t *testing.T, addr, path string, stop int) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRedis+"="+addr, childAudience+"="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		row, err := strconv.Atoi(lines.Text())
		require.NoError(t, err, lines.Text())
		if row >= stop && !killed {
			killed = true
			require.NoError(t, cmd.Process.Kill())
		}
	}
	err = cmd.Wait()
	if killed {
		return err != nil // it may have ended before
	}
	require.NoError(t, err)
	return false
}

func TestTwoProcessesStoreOneBroadcast(t *testing.T) {
	t.Parallel()
	const n = 20_000
	addr := redistest.Server(t)
	path := filepath.Join(t.TempDir(), "people.csv")
	require.NoError(t, os.WriteFile(path, []byte(people(n)), 0o600))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { assert.False(t, runChild(t, addr, path, n+2)) })
	}
	wg.Wait()
	onceEach(t, redistest.Client(t, addr), n)
}

// Redis itself is killed with -9 as rows are stored, and started again; the load goes on, or can be.
func TestRedisKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	const n = 9000
	server := redistest.NewDurable(t)
	rdb := redistest.Client(t, server.Addr)
	kills := 0
	c, err := broadcast.New(rdb, broadcast.Config{OnProgress: func(p broadcast.Progress) {
		if p.Stage == broadcast.StageLoad && p.Rows > 2000*(kills+1) {
			kills++
			server.Kill()
			assert.NoError(t, server.Start())
		}
	}})
	require.NoError(t, err)
	for try := 0; try == 0 || err != nil; try++ {
		require.Less(t, try, 20)
		var plan *broadcast.Plan
		if plan, err = c.Plan(t.Context(), saleSpec(), csvOf(people(n))); err == nil {
			_, err = c.Start(t.Context(), plan)
		}
	}
	assert.Equal(t, 4, kills)
	onceEach(t, rdb, n)
}

func TestOnACluster(t *testing.T) {
	t.Parallel()
	var addrs []string
	for _, n := range redistest.Cluster(t) {
		addrs = append(addrs, n.Addr)
	}
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	t.Cleanup(func() { _ = rdb.Close() })
	for _, queue := range []string{"q1", "q2", "q3", "q4", "q5"} { // their names put them on different servers
		c, err := broadcast.New(rdb, broadcast.Config{Queue: queue})
		require.NoError(t, err)
		spec := saleSpec()
		spec.TestShare = 10
		assert.Equal(t, broadcast.StateTesting, start(t, c, spec, csvOf(people(700))).State)
		_, err = c.Pause(t.Context(), "sale", "")
		require.NoError(t, err)
		_, err = c.Resume(t.Context(), "sale")
		require.NoError(t, err)
		r, err := c.Report(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, 700, r.Stored)
		n, err := c.Cancel(t.Context(), "sale")
		require.NoError(t, err)
		assert.Equal(t, 700, n.Cancelled)
		list, err := c.List(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
	}
}
