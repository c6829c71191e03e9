package producer

import (
	"cmp"
	"context"
	_ "embed" // the scripts are files, so that they read and test as Lua
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/rediskeys"
)

// MaxShards is how many shards a fleet may have. Each costs Redis and every worker what a whole idle fleet does.
const MaxShards = 64

// workerSilence is how long a worker that gave no sign of life counts as running. Package pace calls one dead after as long.
const workerSilence = 10 * time.Second

var (
	//go:embed close.lua
	closeLua string
	//go:embed swap.lua
	swapLua     string
	closeScript = redis.NewScript(closeLua)
	swapScript  = redis.NewScript(swapLua)
)

// ErrShards means that the number of shards cannot be changed now. The error says what has to be done first.
var ErrShards = errors.New("the number of shards cannot be changed now")

// Shards are the asynq queues over which a fleet's pages are spread. All keys of a queue are in one slot of a Redis Cluster, and so
// on one of its masters: with several queues the masters share the load. Workers set the number, with [SetShards]; all others read
// it from Redis.
type Shards struct {
	// Queue is the name of the queue if there is one shard, and the beginning of the names if there are more.
	Queue string
	// Count is how many there are, 1 to [MaxShards]. 0 counts as 1.
	Count int
}

// QueueOf is the queue that the jobs of a page go to. With one shard that is Queue. With more it is "<Queue>-<i>of<Count>", where i
// is the CRC-32 (IEEE 802.3, as in zlib) of the page's id, taken as text, modulo Count: page 1001 of 4 shards goes to
// "messenger-1of4". An asynq client in another language has to do the same; a worker fails a job that it finds in the queue of
// another page.
func (s Shards) QueueOf(page string) string {
	return s.queue(s.index(page))
}

func (s Shards) index(page string) int {
	return int(crc32.ChecksumIEEE([]byte(page)) % uint32(max(1, s.Count))) //nolint:gosec // at most MaxShards
}

// Queues are all of them.
func (s Shards) Queues() []string {
	queues := make([]string, max(1, s.Count))
	for i := range queues {
		queues[i] = s.queue(i)
	}
	return queues
}

// queue is the name of a shard. It tells the number of shards, so that no queue serves before and after a change of it.
func (s Shards) queue(i int) string {
	if s.Count <= 1 {
		return s.Queue
	}
	return fmt.Sprintf("%s-%dof%d", s.Queue, i, s.Count)
}

func (s Shards) keys() []rediskeys.Keys {
	var keys []rediskeys.Keys
	for _, queue := range s.Queues() {
		keys = append(keys, rediskeys.Keys{Queue: queue})
	}
	return keys
}

// ReadShards reads how many shards a fleet has. An empty queue name means [DefaultQueue]. As long as no worker has set the number
// it is 1.
func ReadShards(ctx context.Context, rdb redis.UniversalClient, queue string) (Shards, error) {
	if queue == "" {
		queue = DefaultQueue
	}
	s, _, err := readShards(ctx, rdb, queue)
	return s, err
}

// readShards returns the text in Redis too: the number, or "<old>><new>" while it is being changed. Until that is done the old one
// counts.
func readShards(ctx context.Context, rdb redis.UniversalClient, queue string) (Shards, string, error) {
	text, err := rdb.Get(ctx, rediskeys.Keys{Queue: queue}.Shards()).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return Shards{queue, 1}, "", nil
	case err != nil:
		return Shards{}, "", fmt.Errorf("shards: %w", err)
	}
	number, _, _ := strings.Cut(text, ">")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > MaxShards {
		return Shards{}, "", fmt.Errorf("shards: Redis has %q where a number from 1 to %d should be", text, MaxShards)
	}
	return Shards{queue, n}, text, nil
}

// SetShards makes the fleet have as many shards as s says. It is for workers, when they start. The error is an [ErrShards] if there
// are others now and jobs wait, are retried, scheduled or in hand in one of them, or a worker runs: nothing was changed then. From
// when it returns without an error the old queues take no job any more, and producers follow by themselves.
//
// What the old queues have beside that stays there, and is seen again only when the number is what it was: archived jobs and
// outcomes, job keys, counts, broadcasts that have ended, suppressed recipients; and pauses and holds, which no longer stop anything.
func SetShards(ctx context.Context, rdb redis.UniversalClient, s Shards) error {
	c := change{rdb: rdb, key: rediskeys.Keys{Queue: s.Queue}.Shards()}
	for range 10 { // as often as other workers may be faster
		if err := c.make(ctx, s); !errors.Is(err, errLost) {
			return err
		}
	}
	return fmt.Errorf("%w: other workers are changing it; start again", ErrShards)
}

// change is one of the number of shards. It goes from "<old>" to "<old>><new>", then the old queues are closed, and then it goes to
// "<new>"; or where they cannot be, to "<old>><old>", and when they are open again to "<old>". Whoever finds it half done can go on or
// take it back.
type change struct {
	rdb redis.UniversalClient
	key string
}

// errLost means that another process has taken a step.
var errLost = errors.New("another step was taken")

func (c change) make(ctx context.Context, s Shards) error {
	old, state, err := readShards(ctx, c.rdb, s.Queue)
	if err != nil {
		return err
	}
	was, is := strconv.Itoa(old.Count), strconv.Itoa(max(1, s.Count))
	moving := was + ">" + is
	switch {
	case was != is:
	case state == "" || state == is:
		return nil
	default: // an earlier change was broken off
		return c.takeBack(ctx, old, state)
	}
	if err := c.swap(ctx, state, moving); err != nil {
		return err
	}
	if err := c.close(ctx, old, s); err != nil {
		return cmp.Or(c.takeBack(ctx, old, moving), err)
	}
	if err := c.open(ctx, s); err != nil {
		return err
	}
	return c.swap(ctx, moving, is)
}

// takeBack makes the number what it was.
func (c change) takeBack(ctx context.Context, old Shards, state string) error {
	was := strconv.Itoa(old.Count)
	back := was + ">" + was
	if err := c.swap(ctx, state, back); err != nil {
		return err
	}
	if err := c.open(ctx, old); err != nil {
		return err
	}
	return c.swap(ctx, back, was)
}

// swap takes a step, unless another process was faster.
func (c change) swap(ctx context.Context, from, to string) error {
	ok, err := swapScript.Run(ctx, c.rdb, []string{c.key}, from, to).Bool()
	switch {
	case err != nil:
		return fmt.Errorf("shards: %w", err)
	case !ok:
		return errLost
	}
	return nil
}

// close shuts the old queues, if they are empty and have no worker.
func (c change) close(ctx context.Context, old, next Shards) error {
	for _, k := range old.keys() {
		found, err := closeScript.Run(ctx, c.rdb, []string{
			k.Closed(), k.Pending(), k.Active(), k.Scheduled(), k.Retry(), k.Groups(), k.Workers(),
		}, workerSilence.Microseconds(), k.Line("")).Text()
		switch {
		case err != nil:
			return fmt.Errorf("shards: %w", err)
		case found == "jobs":
			return fmt.Errorf("%w: %d are in use, not %d, and queue %s has jobs; run workers with %[2]d shards until nothing "+
				"waits, is scheduled or retried, then stop them, and start with %[3]d", ErrShards, old.Count, next.Count, k.Queue)
		case found == "workers":
			return fmt.Errorf("%w: workers with %d shards, not %d, run, or did so %v ago; stop them all first",
				ErrShards, old.Count, next.Count, workerSilence)
		}
	}
	return nil
}

// open lets queues take jobs.
func (c change) open(ctx context.Context, s Shards) error {
	for _, k := range s.keys() {
		if err := c.rdb.Del(ctx, k.Closed()).Err(); err != nil {
			return fmt.Errorf("shards: %w", err)
		}
	}
	return nil
}
