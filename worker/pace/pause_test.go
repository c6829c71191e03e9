package pace

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestPausesAndHolds(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{FirstPause: time.Second, LongestPause: 4 * time.Second}, fast, nil)
		one, two := d.enqueue("1", "7", "a"), d.enqueue("2", "7", "b")
		left, err := d.Pause(ctx, "1", time.Minute, Reason{Text: "slow down", Code: 613})
		require.NoError(t, err)
		assert.Equal(t, time.Minute, left)
		left, err = d.Pause(ctx, "1", time.Second, Reason{})
		require.NoError(t, err)
		assert.Greater(t, left, 50*time.Second, "a pause is not made shorter")
		assert.Equal(t, two, d.next())
		assert.Empty(t, d.next())
		s, err := ReadStatus(ctx, d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, 613, s.Pages[0].Pause.Code)
		found, err := d.Release(ctx, "1")
		require.NoError(t, err)
		assert.True(t, found)
		assert.Equal(t, one, d.next())

		for i, want := range []time.Duration{1, 2, 4, 4} {
			left, err = d.Pause(ctx, "3", 0, Reason{})
			require.NoError(t, err)
			assert.Equal(t, want*time.Second, left, "strike %d", i+1)
			d.rdb.PExpire(ctx, d.keys.Pause("3"), want*time.Second-100*time.Millisecond)
			again, err := d.Pause(ctx, "3", 0, Reason{})
			require.NoError(t, err)
			assert.Equal(t, left, again, "another error of the same strike starts its length anew")
			d.rdb.Del(ctx, d.keys.Pause("3"))
		}
		require.NoError(t, d.Hold(ctx, App, Reason{Text: "token"}))
		d.enqueue("4", "1", "x")
		assert.Empty(t, d.next())
		left, err = d.Pause(ctx, App, time.Second, Reason{})
		require.NoError(t, err)
		assert.Negative(t, left, "a hold stays")
		_, err = d.Release(ctx, App)
		require.NoError(t, err)
		assert.NotEmpty(t, d.next())
	})
}

func TestAPausedQueueHandsOutNothing(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "a")
		inspector := asynq.NewInspectorFromRedisClient(d.rdb)
		require.NoError(t, inspector.PauseQueue(producer.DefaultQueue))
		require.Empty(t, d.next())
		assert.Equal(t, "lookout", d.askFor(question{look: -1, most: 1}).verb, "also when it does not look for new lines")
		require.NoError(t, inspector.UnpauseQueue(producer.DefaultQueue))
		assert.Equal(t, id, d.next())
	})
}

func TestOnlyAWorkerWithTheTokenReleases(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		without := newDesk(t, addr, Config{}, fast, nil)
		with := newDesk(t, addr, Config{HasToken: func(page string) bool { return page == "1" || page == "3" }}, fast, nil)
		for _, page := range []string{"1", "2"} {
			require.NoError(t, without.HoldForToken(ctx, page, Reason{Text: "no token"}))
		}
		require.NoError(t, without.HoldForToken(ctx, "3", Reason{Text: "no token"}))
		_, err := without.Release(ctx, "3")
		require.NoError(t, err)
		require.NoError(t, without.Hold(ctx, "3", Reason{Text: "policy"}))
		require.NoError(t, without.sweep(ctx))
		assert.EqualValues(t, 1, with.rdb.Exists(ctx, with.keys.Pause("1")).Val())
		require.NoError(t, with.sweep(ctx))
		for page, held := range map[string]int64{"1": 0, "2": 1, "3": 1} {
			assert.Equal(t, held, with.rdb.Exists(ctx, with.keys.Pause(page)).Val(), page)
		}
	})
}

func TestAWorkerWithoutTheTokenLeavesThePageToOthersForAMinute(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		without := newDesk(t, addr, Config{Places: 4}, fast, nil)
		with := newDesk(t, addr, Config{Places: 4, HasToken: func(string) bool { return true }}, fast, nil)
		require.NoError(t, without.HoldForToken(ctx, "1", Reason{Text: "no token"}))
		require.NoError(t, with.ReleaseTokens(ctx))
		one, two := with.enqueue("1", "1", "x"), with.enqueue("2", "1", "x")
		assert.Equal(t, two, without.next(), "it goes on with other pages")
		assert.NotEqual(t, "job", without.ask().verb)
		assert.Equal(t, one, with.next())
		with.done(one, with.routeOf("1", "1"))
		without.tokenless["1"] = time.Now().Add(-tokenlessFor)
		three := with.enqueue("1", "2", "x")
		assert.Equal(t, three, without.next(), "and tries again, should nobody have the token")
	})
}
