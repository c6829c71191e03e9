package producer_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// stream makes n jobs, and says of each that it was taken. Every third one is refused.
func stream(n int, taken *int) iter.Seq[producer.Job] {
	return func(yield func(producer.Job) bool) {
		for i := range n {
			*taken++
			job := text("1", fmt.Sprint(i), "x")
			if i%3 == 2 {
				job.PageID = ""
			}
			if !yield(job) {
				return
			}
		}
	}
}

func TestEnqueueSeqHoldsFewJobs(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		taken, seen := 0, 0
		var want []string
		for r := range newProducer(t, rdb).EnqueueSeq(bg, stream(1001, &taken)) {
			if seen%3 == 2 {
				assert.ErrorContains(t, r.Err, "page_id", seen)
			} else {
				require.NoError(t, r.Err, seen)
				want = append(want, r.ID)
			}
			seen++
			assert.LessOrEqual(t, taken-seen, 199, "jobs in memory")
		}
		assert.Equal(t, 1001, seen)
		assert.Equal(t, want, rdb.ZRange(bg, keys.Line("1:bulk"), 0, -1).Val())
	})
}

func TestEnqueueSeqThatIsLeft(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	taken := 0
	for range newProducer(t, rdb).EnqueueSeq(bg, stream(1000, &taken)) {
		break
	}
	assert.Equal(t, 200, taken)
	assert.EqualValues(t, 134, rdb.ZCard(bg, keys.Line("1:bulk")).Val(), "the first round trip")
}

func TestEnqueueSeqBoundsBytes(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	job := text("1", "2", "x")
	job.Meta = map[string]any{"filler": string(make([]byte, 20_000))} // 120,000 bytes of JSON
	taken := 0
	jobs := func(yield func(producer.Job) bool) {
		for range 50 {
			taken++
			if !yield(job) {
				return
			}
		}
	}
	seen := 0
	for r := range newProducer(t, rdb).EnqueueSeq(bg, jobs) {
		require.NoError(t, r.Err)
		seen++
		assert.LessOrEqual(t, taken-seen, 8, "jobs in memory")
	}
	assert.Equal(t, 50, seen)
}

func TestEnqueueSeqWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	taken, stored, refused := 0, 0, 0
	for r := range newProducer(t, rdb).EnqueueSeq(ctx, stream(1000, &taken)) {
		cancel()
		if r.Err == nil {
			stored++
		} else {
			refused++
		}
	}
	assert.EqualValues(t, stored, rdb.ZCard(bg, keys.Line("1:bulk")).Val())
	assert.Equal(t, 134, stored)
	assert.Equal(t, 866, refused, "each job has its result")
}
