package producer_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// Each kind of client that go-redis has finds the keys of a queue, where they are spread over servers too.
func TestWorksWithEveryClient(t *testing.T) {
	t.Parallel()
	clients := map[string]func(t *testing.T) redis.UniversalClient{
		"one server": func(t *testing.T) redis.UniversalClient { return redistest.Client(t, redistest.Server(t)) },
		"cluster": func(t *testing.T) redis.UniversalClient {
			var addrs []string
			for _, n := range redistest.Cluster(t) {
				addrs = append(addrs, n.Addr)
			}
			return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
		},
		"failover": func(t *testing.T) redis.UniversalClient {
			return redis.NewFailoverClient(&redis.FailoverOptions{
				MasterName: redistest.MasterName, SentinelAddrs: redistest.NewSentinels(t).Addrs,
			})
		},
		"ring": func(t *testing.T) redis.UniversalClient {
			return redis.NewRing(&redis.RingOptions{Addrs: map[string]string{
				"a": redistest.Server(t), "b": redistest.Server(t), "c": redistest.Server(t),
			}})
		},
	}
	for name, client := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := client(t)
			t.Cleanup(func() { _ = rdb.Close() })
			useAll(t, rdb)
		})
	}
}

// useAll uses all that a producer does. The queues' names put them on different servers.
func useAll(t *testing.T, rdb redis.UniversalClient) {
	for _, queue := range []string{"q1", "q2", "q3", "q4", "q5"} {
		p, err := producer.New(rdb, producer.Config{Queue: queue, MaxWaiting: 4, MaxDrain: time.Hour})
		require.NoError(t, err, queue)
		first, err := p.Enqueue(bg, text("1", "2", "x"), producer.Key("k"), producer.InBroadcast("b"))
		require.NoError(t, err, queue)
		again, err := p.Enqueue(bg, text("1", "2", "x"), producer.Key("k"), producer.InBroadcast("b"))
		require.NoError(t, err, queue)
		assert.Equal(t, producer.Receipt{ID: first.ID, Line: first.Line, Repeat: true}, again, queue)
		results := p.EnqueueMany(bg, []producer.Job{text("1", "2", "x"), text("1", "3", "x"), text("1", "4", "x"), text("1", "5", "x"), text("1", "6", "x")})
		for _, r := range results[:4] {
			require.NoError(t, r.Err, queue)
		}
		assert.ErrorIs(t, results[4].Err, producer.ErrLineFull, queue)
		info, err := p.Get(bg, results[2].ID)
		require.NoError(t, err, queue)
		assert.EqualValues(t, 3, info.Place, queue)

		done, err := p.CancelKey(bg, "1", "k")
		require.NoError(t, err, queue)
		assert.Equal(t, producer.CancelDone, done, queue)
		count, err := p.CancelPage(bg, "1")
		require.NoError(t, err, queue)
		assert.Equal(t, producer.CancelCount{Cancelled: 4}, count, queue)
		records, err := p.ReadOutcomes(bg, "", 10, 0)
		require.NoError(t, err, queue)
		assert.Len(t, records, 5, queue)
		last, err := p.LastOutcomeID(bg)
		require.NoError(t, err, queue)
		assert.Equal(t, records[4].ID, last, queue)
		assert.Len(t, follow(t, p, producer.Follow{Group: "g", Consumer: "a"}, 5), 5, queue)
	}
}
