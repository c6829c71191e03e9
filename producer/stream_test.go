package producer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// publish writes records as workers do, with job ids from..to.
func publish(t *testing.T, rdb redis.UniversalClient, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		body := mustJSON(t, producer.Outcome{JobID: fmt.Sprint(i), Kind: producer.Sent})
		require.NoError(t, rdb.XAdd(bg, &redis.XAddArgs{Stream: keys.Stream(), Values: []any{"o", body}}).Err())
	}
}

// drop lets the stream keep only its newest n records.
func drop(t *testing.T, rdb redis.UniversalClient, n int64) {
	t.Helper()
	require.NoError(t, rdb.XTrimMaxLen(bg, keys.Stream(), n).Err())
}

func jobIDs(from, to int) []string {
	var ids []string
	for i := from; i <= to; i++ {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}

// names are the job ids of records; a gap shows as "gap".
func names(records []producer.Record) []string {
	var ids []string
	for _, r := range records {
		if r.Gap != nil {
			ids = append(ids, "gap")
		} else {
			ids = append(ids, r.Outcome.JobID)
		}
	}
	return ids
}

func TestReadOutcomes(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		last, err := p.LastOutcomeID(bg)
		require.NoError(t, err)
		assert.Equal(t, "0-0", last)
		records, err := p.ReadOutcomes(bg, "", 10, 0)
		require.NoError(t, err)
		assert.Empty(t, records)

		publish(t, rdb, 1, 25)
		var got []string
		for after := ""; ; {
			records, err := p.ReadOutcomes(bg, after, 10, 0)
			require.NoError(t, err)
			if len(records) == 0 {
				break
			}
			got, after = append(got, names(records)...), records[len(records)-1].ID
		}
		assert.Equal(t, jobIDs(1, 25), got)

		records, err = p.ReadOutcomes(bg, "", 20, 0)
		require.NoError(t, err)
		tenth, twentieth := records[9].ID, records[19].ID
		drop(t, rdb, 6)
		records, err = p.ReadOutcomes(bg, tenth, 3, 0)
		require.NoError(t, err)
		assert.Equal(t, []string{"gap", "20", "21", "22"}, names(records))
		assert.Contains(t, records[0].Gap.Reason, tenth)
		records, err = p.ReadOutcomes(bg, twentieth, 2, 0)
		require.NoError(t, err)
		assert.Equal(t, []string{"21", "22"}, names(records))
		records, err = p.ReadOutcomes(bg, "", 2, 0)
		require.NoError(t, err)
		assert.Equal(t, []string{"20", "21"}, names(records), "the oldest that is kept is no gap")

		last, err = p.LastOutcomeID(bg)
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() { publish(t, rdb, 26, 26) })
		records, err = p.ReadOutcomes(bg, last, 10, time.Minute)
		wg.Wait()
		require.NoError(t, err)
		assert.Equal(t, []string{"26"}, names(records))

		ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
		defer cancel()
		begin := time.Now()
		records, err = p.ReadOutcomes(ctx, records[0].ID, 10, time.Hour)
		assert.True(t, err != nil || len(records) == 0)
		assert.Less(t, time.Since(begin), 10*time.Second, "it ends with its context")
		for _, bad := range []string{"x", "1-x", "-", "$"} {
			_, err = p.ReadOutcomes(bg, bad, 10, 0)
			assert.ErrorContains(t, err, "no id of a record", bad)
		}
		_, err = p.ReadOutcomes(bg, "", 1001, 0)
		assert.ErrorContains(t, err, "count")
	})
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		for _, values := range [][]any{{"o", "{"}, {"other", "1"}} {
			rdb.XAdd(bg, &redis.XAddArgs{Stream: keys.Stream(), Values: values})
		}
		publish(t, rdb, 3, 3)
		records, err := p.ReadOutcomes(bg, "", 10, 0)
		require.NoError(t, err)
		assert.Equal(t, []string{"gap", "gap", "3"}, names(records))
		got := follow(t, p, producer.Follow{Group: "g", Consumer: "a"}, 3)
		assert.Equal(t, []string{"gap", "gap", "3"}, names(got))
		assert.Zero(t, rdb.XPending(bg, keys.Stream(), "g").Val().Count, "they are dealt with")
	})
}

// follow follows until it has n records.
func follow(t *testing.T, p *producer.Producer, f producer.Follow, n int) []producer.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	var got []producer.Record
	err := p.Outcomes(ctx, f, func(_ context.Context, r producer.Record) error {
		got = append(got, r)
		if len(got) == n {
			cancel()
		}
		return nil
	})
	require.NoError(t, err)
	return got
}

func TestFollowerGoesOnWhereItsGroupWas(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		publish(t, rdb, 1, 250)
		assert.Equal(t, jobIDs(1, 120), names(follow(t, p, producer.Follow{Group: "g", Consumer: "a"}, 120)))
		assert.Equal(t, jobIDs(121, 250), names(follow(t, p, producer.Follow{Group: "g", Consumer: "a", Batch: 7}, 130)))
		assert.Equal(t, jobIDs(1, 250), names(follow(t, p, producer.Follow{Group: "another", Consumer: "a"}, 250)))
		assert.Zero(t, rdb.XPending(bg, keys.Stream(), "g").Val().Count)
	})
}

func TestFollowerFromNow(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		publish(t, rdb, 1, 5)
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			for len(rdb.XInfoGroups(ctx, keys.Stream()).Val()) == 0 && ctx.Err() == nil {
			}
			publish(t, rdb, 6, 7)
		})
		got := follow(t, p, producer.Follow{Group: "g", Consumer: "a", FromNow: true}, 2)
		wg.Wait()
		assert.Equal(t, jobIDs(6, 7), names(got))
	})
}

func TestRefusedRecordComesAgain(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		publish(t, rdb, 1, 9)
		trouble := errors.New("the database is away")
		n := 0
		err := p.Outcomes(bg, producer.Follow{Group: "g", Consumer: "a"}, func(context.Context, producer.Record) error {
			if n++; n == 4 {
				return trouble
			}
			return nil
		})
		require.ErrorIs(t, err, trouble)
		assert.Equal(t, jobIDs(4, 9), names(follow(t, p, producer.Follow{Group: "g", Consumer: "a"}, 6)))
	})
}

func TestRecordsOfADeadConsumerAreTakenOver(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		publish(t, rdb, 1, 5)
		require.NoError(t, rdb.XGroupCreate(bg, keys.Stream(), "g", "0").Err())
		require.NoError(t, rdb.XReadGroup(bg, &redis.XReadGroupArgs{
			Group: "g", Consumer: "dead", Streams: []string{keys.Stream(), ">"}, Count: 3,
		}).Err())
		got := names(follow(t, p, producer.Follow{Group: "g", Consumer: "b", MinIdle: 200 * time.Millisecond}, 5))
		slices.Sort(got)
		assert.Equal(t, jobIDs(1, 5), got)
		assert.Zero(t, rdb.XPending(bg, keys.Stream(), "g").Val().Count)
	})
}

func TestConsumersOfAGroupShare(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		defer cancel()
		var mu sync.Mutex
		seen := map[string]int{}
		var wg sync.WaitGroup
		for _, name := range []string{"a", "b", "c"} {
			wg.Go(func() {
				err := p.Outcomes(ctx, producer.Follow{Group: "g", Consumer: name, Batch: 5},
					func(_ context.Context, r producer.Record) error {
						mu.Lock()
						defer mu.Unlock()
						if seen[r.Outcome.JobID]++; len(seen) == 300 {
							cancel()
						}
						return nil
					})
				assert.NoError(t, err)
			})
		}
		publish(t, rdb, 1, 300)
		wg.Wait()
		for id, n := range seen {
			assert.Equal(t, 1, n, "record of job %s", id)
		}
		assert.Len(t, seen, 300)
	})
}

func TestFollowerReportsWhatTheStreamDropped(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		publish(t, rdb, 1, 10)
		f := producer.Follow{Group: "g", Consumer: "a"}
		follow(t, p, f, 10)
		publish(t, rdb, 11, 20)
		drop(t, rdb, 4)
		assert.Equal(t, []string{"gap", "17", "18", "19", "20"}, names(follow(t, p, f, 5)))
		publish(t, rdb, 21, 22)
		drop(t, rdb, 3) // the one that was read last is still there
		assert.Equal(t, jobIDs(21, 22), names(follow(t, p, f, 2)), "nothing is missing now")
	})
}

// A record that was dropped between its delivery and its being dealt with. miniredis does not tell of those.
func TestFollowerReportsDroppedDeliveries(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Server(t))
	p := newProducer(t, rdb)
	publish(t, rdb, 1, 4)
	require.NoError(t, rdb.XGroupCreate(bg, keys.Stream(), "g", "0").Err())
	for _, consumer := range []string{"a", "dead", "b"} {
		given, err := rdb.XReadGroup(bg, &redis.XReadGroupArgs{
			Group: "g", Consumer: consumer, Streams: []string{keys.Stream(), ">"}, Count: 1,
		}).Result()
		require.NoError(t, err)
		if consumer == "b" {
			rdb.XAck(bg, keys.Stream(), "g", given[0].Messages[0].ID)
		}
	}
	drop(t, rdb, 2)
	got := names(follow(t, p, producer.Follow{Group: "g", Consumer: "a", MinIdle: time.Millisecond}, 3))
	assert.Equal(t, []string{"gap", "gap", "4"}, got)
	assert.Zero(t, rdb.XPending(bg, keys.Stream(), "g").Val().Count)
}

func TestFollowerOutlivesRedis(t *testing.T) {
	t.Parallel()
	addr, dir := redistest.FreeAddr(t), t.TempDir()
	start := func() func() {
		_, stop := redistest.StartAt(t, addr, "--dir", dir, "--appendonly", "yes", "--appendfsync", "always")
		return stop
	}
	stop := start()
	rdb := redistest.Client(t, addr)
	p := newProducer(t, rdb)
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	seen, failed := make(chan string, 1000), make(chan error, 1000)
	var wg sync.WaitGroup
	wg.Go(func() {
		f := producer.Follow{Group: "g", Consumer: "a", Batch: 10, OnError: func(err error) {
			select {
			case failed <- err:
			default:
			}
		}}
		assert.NoError(t, p.Outcomes(ctx, f, func(_ context.Context, r producer.Record) error {
			assert.Nil(t, r.Gap)
			seen <- r.Outcome.JobID
			return nil
		}))
	})
	all := map[string]bool{}
	await := func(n int) {
		for len(all) < n && ctx.Err() == nil {
			select {
			case id := <-seen:
				all[id] = true
			case <-ctx.Done():
			}
		}
		require.Len(t, all, n)
	}
	publish(t, rdb, 1, 100)
	await(100)
	stop()
	select {
	case err := <-failed:
		assert.Error(t, err)
	case <-ctx.Done():
		t.Error("nobody was told that Redis is away")
	}
	stop = start()
	publish(t, rdb, 101, 200)
	await(200)

	rdb.FlushAll(bg) // Redis loses all it had, the group among it
	publish(t, rdb, 201, 210)
	await(210)
	cancel()
	wg.Wait()
	stop()
}

func TestFollowerGivesUpOnWhatWaitingDoesNotMend(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		rdb.Set(bg, keys.Stream(), "no stream", 0)
		refuse := func(context.Context, producer.Record) error { return errors.New("not called") }
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		defer cancel()
		assert.ErrorContains(t, p.Outcomes(ctx, producer.Follow{Group: "g", Consumer: "a"}, refuse), "WRONGTYPE")
		err := p.Outcomes(ctx, producer.Follow{MinIdle: -1, Batch: 1001}, refuse)
		for _, field := range []string{"Group", "Consumer", "MinIdle", "Batch"} {
			assert.ErrorContains(t, err, field)
		}
		require.NoError(t, rdb.Close())
		assert.ErrorIs(t, p.Outcomes(ctx, producer.Follow{Group: "g", Consumer: "a"}, refuse), redis.ErrClosed)
	})
}

func FuzzOutcome(f *testing.F) {
	f.Add([]byte(`{"job_id":"a","outcome":"failed","ended_at":"2026-12-01T09:00:00Z","job":{"page_id":"1"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o producer.Outcome
		if json.Unmarshal(data, &o) != nil {
			return
		}
		var again producer.Outcome
		require.NoError(t, json.Unmarshal(mustJSON(t, o), &again))
		assert.Equal(t, o.JobID, again.JobID)
		assert.Equal(t, o.Kind, again.Kind)
	})
}
