package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// MasterName is what the sentinels of [NewSentinels] call their master.
const MasterName = "sendpace"

// Sentinels are a master, its replica and three sentinels that watch them.
type Sentinels struct {
	// Addrs are the sentinels'.
	Addrs []string
	// Nodes are the master and the replica; which is which changes with each failover.
	Nodes []*Durable
}

// NewSentinels starts them, and kills them when the test ends. A master that does not answer for a second is replaced.
func NewSentinels(t testing.TB) *Sentinels {
	t.Helper()
	// Without the delay a replica that asks for everything gets it at once.
	master := NewDurable(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := NewDurable(t, "--repl-diskless-sync-delay", "0", "--replicaof", host+" "+port)
	s := &Sentinels{Nodes: []*Durable{master, replica}}
	for range 3 {
		s.Addrs = append(s.Addrs, startSentinel(t, host, port))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := poll(ctx, func() error { return linked(ctx, replica) }); err != nil {
		t.Fatal(err)
	}
	for _, addr := range s.Addrs {
		if err := poll(ctx, func() error { return seesAll(ctx, addr) }); err != nil {
			t.Fatalf("sentinel %s: %v", addr, err)
		}
	}
	return s
}

func startSentinel(t testing.TB, host, port string) string {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 2\nsentinel down-after-milliseconds %[1]s 1000\n"+
		"sentinel failover-timeout %[1]s 5000\n", MasterName, host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := FreeAddr(t)
	_, stop, err := startPlain(addr, conf, "--sentinel")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return addr
}

// linked is nil once a replica has all that its master has.
func linked(ctx context.Context, replica *Durable) error {
	info, err := replica.do(ctx, "INFO", "replication")
	if err == nil && !strings.Contains(info, "master_link_status:up") {
		err = errors.New("the replica is not linked to its master yet")
	}
	return err
}

// seesAll is nil once a sentinel knows the replica and the two others.
func seesAll(ctx context.Context, addr string) error {
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr})
	defer sentinel.Close()
	m, err := sentinel.Master(ctx, MasterName).Result()
	if err == nil && (m["num-slaves"] != "1" || m["num-other-sentinels"] != "2") {
		err = fmt.Errorf("knows %s replicas and %s sentinels", m["num-slaves"], m["num-other-sentinels"])
	}
	return err
}

// Master returns the node that the sentinels call master.
func (s *Sentinels) Master(ctx context.Context) (*Durable, error) {
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: s.Addrs[0]})
	defer sentinel.Close()
	at, err := sentinel.GetMasterAddrByName(ctx, MasterName).Result()
	if err != nil {
		return nil, err
	}
	for _, n := range s.Nodes {
		if len(at) == 2 && n.Addr == net.JoinHostPort(at[0], at[1]) {
			return n, nil
		}
	}
	return nil, fmt.Errorf("the sentinels name a master %v that is none of ours", at)
}

// Failover kills the master with -9, and returns it when the replica has taken its place. Start makes it the new replica.
// What the old master acknowledged in its last moments may not have reached the replica, and is lost.
func (s *Sentinels) Failover(ctx context.Context) (old *Durable, err error) {
	if old, err = s.Master(ctx); err != nil {
		return nil, err
	}
	old.Kill()
	return old, poll(ctx, func() error {
		master, err := s.Master(ctx)
		if err == nil && master == old {
			err = errors.New("the sentinels have not chosen a new master yet")
		}
		if err != nil {
			return err
		}
		return writable(ctx, master)
	})
}

// writable is nil once a node has given up being a replica.
func writable(ctx context.Context, d *Durable) error {
	rdb := redis.NewClient(&redis.Options{Addr: d.Addr})
	defer rdb.Close()
	role, err := rdb.Do(ctx, "ROLE").Slice()
	if err == nil && (len(role) == 0 || role[0] != "master") {
		err = errors.New("the new master is still a replica")
	}
	return err
}
