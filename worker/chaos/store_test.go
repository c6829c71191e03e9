package chaos

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/redistest"
)

// store is Redis in one of the forms that a fleet can have it.
type store struct {
	connection
	proxies []*Proxy
	// kill ends the node that has the jobs with -9, and returns when others do its work or none will. start brings it back.
	kill func(context.Context) (start func() error, err error)
	// loses is true if what was acknowledged shortly before a kill may be gone.
	loses bool
}

// direct is the way to Redis that nothing disturbs.
func (s *store) direct(t *testing.T) redis.UniversalClient {
	t.Helper()
	c := s.connection
	c.Via = nil
	rdb := redis.NewUniversalClient(c.options())
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// proxied puts a proxy in front of each node.
func (s *store) proxied(t *testing.T, nodes ...*redistest.Durable) *store {
	t.Helper()
	s.Via = map[string]string{}
	for _, n := range nodes {
		p, err := NewProxy(n.Addr)
		require.NoError(t, err)
		t.Cleanup(p.Close)
		s.Via[n.Addr] = p.Addr
		s.proxies = append(s.proxies, p)
	}
	return s
}

func single(t *testing.T) *store {
	t.Helper()
	node := redistest.NewDurable(t)
	s := &store{connection: connection{Addrs: []string{node.Addr}}}
	s.kill = func(context.Context) (func() error, error) { node.Kill(); return node.Start, nil }
	return s.proxied(t, node)
}

// cluster has no replicas: while the queue's master is away its slots are.
func cluster(t *testing.T) *store {
	t.Helper()
	nodes := redistest.Cluster(t)
	s := &store{connection: connection{Cluster: true}}
	for _, n := range nodes {
		s.Addrs = append(s.Addrs, n.Addr)
	}
	owner, err := redistest.Owner(nodes, "asynq:{messenger}:pending")
	require.NoError(t, err)
	s.kill = func(context.Context) (func() error, error) { owner.Kill(); return owner.Start, nil }
	return s.proxied(t, nodes...)
}

func sentinels(t *testing.T) *store {
	t.Helper()
	set := redistest.NewSentinels(t)
	s := &store{connection: connection{Addrs: set.Addrs, Master: redistest.MasterName}, loses: true}
	s.kill = func(ctx context.Context) (func() error, error) {
		old, err := set.Failover(ctx)
		if err != nil {
			return nil, err
		}
		return old.Start, nil
	}
	return s.proxied(t, set.Nodes...)
}

func (s *store) each(do func(*Proxy)) {
	for _, p := range s.proxies {
		do(p)
	}
}
