package pace

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/redistest"
)

// sentSince lets the last sample be of a while ago, and a number of jobs be sent since.
func (d *desk) sentSince(ago time.Duration, sent map[string]int64) {
	ctx := context.Background()
	if d.sampled == nil {
		require.NoError(d.t, d.record(ctx))
	}
	d.sampled.at = d.rdb.Time(ctx).Val().Add(-ago)
	for page, n := range sent {
		require.NoError(d.t, d.rdb.HIncrBy(ctx, d.keys.Outcomes(), page+":sent", n).Err())
	}
	require.NoError(d.t, d.rdb.HIncrBy(ctx, d.keys.Outcomes(), "1:failed", 7).Err())
	require.NoError(d.t, d.record(ctx))
}

func TestHistory(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		read := func(since time.Time) []Span {
			spans, err := ReadHistory(ctx, d.rdb, "", since)
			require.NoError(t, err)
			return spans
		}
		require.NoError(t, d.record(ctx))
		assert.Empty(t, read(time.Time{}), "one sample makes no rate")

		d.sentSince(3*HistoryStep, map[string]int64{"1": 60, "2": 3})
		spans := read(time.Time{})
		require.Len(t, spans, 3, "samples were missed: each span has the average")
		for i, span := range spans {
			assert.InDelta(t, 2.1, span.Rate, 0.1, "60 and 3 jobs in 30 s")
			assert.InDelta(t, 2, span.Pages["1"], 0.1)
			assert.InDelta(t, 0.1, span.Pages["2"], 0.01)
			assert.Equal(t, spans[0].At.Add(time.Duration(i)*HistoryStep), span.At)
			assert.Zero(t, span.At.Unix()%10)
		}
		assert.Len(t, read(spans[1].At), 2)
		assert.Len(t, read(spans[0].At.Add(time.Second)), 2)
		assert.Empty(t, read(spans[2].At.Add(HistoryStep)))

		d.sentSince(HistoryStep, nil)
		last := read(time.Time{})
		assert.Zero(t, last[len(last)-1].Rate, "nothing was sent")
		assert.Greater(t, d.rdb.TTL(ctx, d.keys.History()).Val(), HistoryLength)
	})
}

func TestTheHistoryIsBounded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		sent := map[string]int64{}
		for i := range historyPages + 5 {
			sent[fmt.Sprint(1000+i)] = int64(100 + i)
		}
		d.sentSince(HistoryStep, sent)
		spans, err := ReadHistory(ctx, d.rdb, "", time.Time{})
		require.NoError(t, err)
		require.NotEmpty(t, spans)
		last := spans[len(spans)-1]
		assert.Len(t, last.Pages, historyPages)
		assert.NotContains(t, last.Pages, "1004", "the slowest go")
		assert.Contains(t, last.Pages, "1005")
		assert.Greater(t, last.Rate, 100.0*historyPages/10, "the rate is of all")

		d.sentSince(3*HistoryLength, map[string]int64{"1": 1})
		assert.EqualValues(t, historySpans, d.rdb.HLen(ctx, d.keys.History()).Val())
		require.NoError(t, d.rdb.HSet(ctx, d.keys.History(), historyField(spanOf(time.Now())-5), "{").Err())
		spans, err = ReadHistory(ctx, d.rdb, "", time.Time{})
		require.NoError(t, err)
		assert.GreaterOrEqual(t, len(spans), int(historySpans)-2, "what cannot be read is left out")
		assert.Less(t, len(spans), int(historySpans))
	})
}

func TestACountThatWasResetIsNoRate(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		d.sentSince(HistoryStep, map[string]int64{"1": 50})
		require.NoError(t, d.rdb.Del(ctx, d.keys.Outcomes()).Err())
		d.sentSince(HistoryStep, nil)
		spans, err := ReadHistory(ctx, d.rdb, "", time.Time{})
		require.NoError(t, err)
		require.NotEmpty(t, spans)
		assert.Zero(t, spans[len(spans)-1].Rate)
	})
}

func TestTheHistoriesOfShardsAddUp(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0).UTC()
	next := at.Add(HistoryStep)
	got := mergeSpans([][]Span{
		{{At: at, Rate: 1.5, Pages: map[string]float64{"1": 1, "2": 0.5}}, {At: next, Rate: 0}},
		{{At: next, Rate: 2, Pages: map[string]float64{"3": 2}}},
		{{At: at, Rate: 0.25, Pages: map[string]float64{"4": 0.25}}},
	})
	assert.Equal(t, []Span{
		{At: at, Rate: 1.75, Pages: map[string]float64{"1": 1, "2": 0.5, "4": 0.25}},
		{At: next, Rate: 2, Pages: map[string]float64{"3": 2}},
	}, got)
}
