package producer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
)

// kill archives a job as workers do, or as a person does if o is the zero value, and returns its id.
func kill(t *testing.T, rdb redis.UniversalClient, o producer.Outcome) string {
	t.Helper()
	r, err := newProducer(t, rdb).Enqueue(bg, text("1", "2", "private"))
	require.NoError(t, err)
	require.NoError(t, asynq.NewInspectorFromRedisClient(rdb).ArchiveTask(keys.Queue, r.ID))
	if o.Kind != "" {
		o.JobID, o.PageID = r.ID, "1"
		require.NoError(t, rdb.HSet(bg, keys.Task(r.ID), "result", mustJSON(t, o)).Err())
	}
	return r.ID
}

// recordEnd writes a record as workers do.
func recordEnd(t *testing.T, rdb redis.UniversalClient, o producer.Outcome) {
	t.Helper()
	o.PageID = "1"
	o.Job = mustJSON(t, text("1", "2", "private"))
	require.NoError(t, rdb.XAdd(bg, &redis.XAddArgs{Stream: keys.Stream(), Values: []any{"o", mustJSON(t, o)}}).Err())
}

func deadIDs(t *testing.T, p *producer.Producer, newestFirst bool, wanted func(producer.Outcome) bool) string {
	t.Helper()
	var ids []string
	for job, err := range p.Dead(bg, newestFirst, wanted) {
		require.NoError(t, err)
		assert.Contains(t, string(job.Job), "private", job.JobID)
		ids = append(ids, job.JobID)
	}
	return strings.Join(ids, " ")
}

func TestDead(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		assert.Empty(t, deadIDs(t, p, false, nil))
		at := func(minute int) time.Time { return time.Date(2026, 11, 24, 9, minute, 0, 0, time.UTC) }
		archived := kill(t, rdb, producer.Outcome{Kind: producer.Failed, EndedAt: at(3), Code: 551})
		recordEnd(t, rdb, producer.Outcome{JobID: "stream-only", Kind: producer.Unknown, EndedAt: at(1)})
		recordEnd(t, rdb, producer.Outcome{JobID: archived, Kind: producer.Failed, EndedAt: at(3), Code: 551})
		recordEnd(t, rdb, producer.Outcome{JobID: "expired", Kind: producer.Expired, EndedAt: at(2)})
		recordEnd(t, rdb, producer.Outcome{JobID: "cancelled", Kind: producer.Cancelled, EndedAt: at(2)})
		recordEnd(t, rdb, producer.Outcome{JobID: "saved", Kind: producer.Failed, EndedAt: at(2)})
		recordEnd(t, rdb, producer.Outcome{JobID: "saved", Kind: producer.Sent, EndedAt: at(4)})
		byHand := kill(t, rdb, producer.Outcome{}) // now, which is later

		all := "stream-only expired " + archived + " " + byHand
		assert.Equal(t, all, deadIDs(t, p, false, nil))
		assert.Equal(t, strings.Join([]string{byHand, archived, "expired", "stream-only"}, " "), deadIDs(t, p, true, nil))
		assert.Equal(t, archived, deadIDs(t, p, false, func(o producer.Outcome) bool { return o.Code == 551 }))
		for _, err := range p.Dead(bg, false, nil) {
			require.NoError(t, err)
			break // leaving it early is allowed
		}

		newest, err := p.Archived(bg, 1)
		require.NoError(t, err)
		require.Len(t, newest, 1)
		assert.Equal(t, []any{byHand, producer.Failed, "archived by hand", "1"},
			[]any{newest[0].JobID, newest[0].Kind, newest[0].Reason, newest[0].PageID})
		for _, count := range []int{-1, 0, 1001} {
			_, err = p.Archived(bg, count)
			assert.EqualError(t, err, fmt.Sprintf("archive: count %d: must be from 1 to 1000", count))
		}

		require.NoError(t, asynq.NewInspectorFromRedisClient(rdb).RunTask(keys.Queue, archived))
		assert.Equal(t, "stream-only expired "+byHand, deadIDs(t, p, false, nil), "it runs again")
	})
}

func TestDeadTellsWhatWasSentAgain(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		id := kill(t, rdb, producer.Outcome{Kind: producer.Failed})
		for _, want := range []string{"", "again"} {
			for job, err := range p.Dead(bg, false, nil) {
				require.NoError(t, err)
				assert.Equal(t, id, job.JobID)
				assert.Equal(t, want != "", job.ReplayedAs != "", job.ReplayedAs)
				r, err := p.Resend(bg, job.Outcome)
				require.NoError(t, err)
				assert.Equal(t, want != "", r.Repeat)
			}
		}
	})
}

func TestDeadReadsInPieces(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		p := newProducer(t, rdb)
		const n = 1234 // more than are read at a time
		want := make([]string, n)
		for i := range n {
			want[i] = fmt.Sprintf("job-%04d", i)
			recordEnd(t, rdb, producer.Outcome{JobID: want[i], Kind: producer.Failed, EndedAt: time.Unix(int64(i), 0)})
		}
		assert.Equal(t, strings.Join(want, " "), deadIDs(t, p, false, nil))
	})
}

func TestDeadEndsWithTheError(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer rdb.Close()
	var got []error
	for _, err := range newProducer(t, rdb).Dead(bg, false, nil) {
		got = append(got, err)
	}
	require.Len(t, got, 1)
	assert.ErrorContains(t, got[0], "dead jobs: ")
}
