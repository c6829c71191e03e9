package redistest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Durable is a redis-server with append-only persistence that a test may kill and start again, from any goroutine. What it
// acknowledged outlives a killed process: with appendfsync everysec only a machine that dies takes something with it.
type Durable struct {
	// Addr stays the same from one life to the next.
	Addr string

	args []string
	mu   sync.Mutex
	stop func() // nil while it is down
}

// NewDurable starts a server with more arguments, and kills it when the test ends.
func NewDurable(t testing.TB, args ...string) *Durable {
	t.Helper()
	d := &Durable{Addr: FreeAddr(t), args: append([]string{
		"--dir", t.TempDir(), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
	}, args...)}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Kill)
	return d
}

// Start starts the server again, and returns when it answers. It does nothing to one that runs.
func (d *Durable) Start() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop != nil {
		return nil
	}
	_, stop, err := startPlain(d.Addr, d.args...)
	d.stop = stop
	return err
}

// Kill ends the server as kill -9 does.
func (d *Durable) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

// do runs one command at the server.
func (d *Durable) do(ctx context.Context, args ...any) (string, error) {
	rdb := redis.NewClient(&redis.Options{Addr: d.Addr})
	defer rdb.Close()
	return rdb.Do(ctx, args...).Text()
}

const slots = 16384

// Cluster starts three masters without replicas that share the slots, each a Durable. While one is down the others refuse
// its keys.
func Cluster(t testing.TB) []*Durable {
	t.Helper()
	nodes := make([]*Durable, 3)
	bus := make([]string, len(nodes))
	for i := range nodes {
		// By default the bus is 10,000 above the port, which is too much for the ports that systems give out.
		_, bus[i], _ = net.SplitHostPort(FreeAddr(t))
		nodes[i] = NewDurable(t, "--cluster-enabled", "yes", "--cluster-port", bus[i], "--cluster-node-timeout", "2000",
			"--cluster-require-full-coverage", "no")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i, n := range nodes {
		host, port, _ := net.SplitHostPort(n.Addr)
		from, to := i*slots/len(nodes), (i+1)*slots/len(nodes)-1
		for _, command := range [][]any{
			{"CLUSTER", "ADDSLOTSRANGE", from, to}, {"CLUSTER", "SET-CONFIG-EPOCH", i + 1},
		} {
			if _, err := n.do(ctx, command...); err != nil {
				t.Fatalf("%v: %v", command, err)
			}
		}
		if _, err := nodes[0].do(ctx, "CLUSTER", "MEET", host, port, bus[i]); i > 0 && err != nil {
			t.Fatal(err)
		}
	}
	awaitCluster(ctx, t, nodes)
	return nodes
}

// awaitCluster returns when every node knows the owner of each slot.
func awaitCluster(ctx context.Context, t testing.TB, nodes []*Durable) {
	t.Helper()
	for _, n := range nodes {
		err := poll(ctx, func() error {
			info, err := n.do(ctx, "CLUSTER", "INFO")
			whole := fmt.Sprintf("cluster_size:%d", len(nodes))
			if err == nil && (!strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, whole)) {
				err = fmt.Errorf("not whole yet: %.200s", info)
			}
			return err
		})
		if err != nil {
			t.Fatalf("cluster node %s: %v", n.Addr, err)
		}
	}
}

// Owner returns the node of a cluster that holds key.
func Owner(nodes []*Durable, key string) (*Durable, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rdb := redis.NewClient(&redis.Options{Addr: nodes[0].Addr})
	defer rdb.Close()
	slot, err := rdb.ClusterKeySlot(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	for i := range nodes {
		if int(slot) < (i+1)*slots/len(nodes) {
			return nodes[i], nil
		}
	}
	return nil, fmt.Errorf("no node owns slot %d", slot)
}

// poll asks until there is no error or ctx ends, and returns the last error.
func poll(ctx context.Context, ask func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
