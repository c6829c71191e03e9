package pace

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/redistest"
)

func TestStand(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{}, fast, nil)
		stand := func(id string) Stand {
			s, err := ReadStand(ctx, d.rdb, "", id)
			require.NoError(t, err)
			return s
		}
		assert.Zero(t, stand("nobody"))
		first, second := d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b")
		assert.Zero(t, stand(second), "nobody is before it as long as the first has no claim")
		require.Eventually(t, func() bool { return d.next() == first }, 5*time.Second, time.Millisecond)
		assert.Equal(t, Stand{Behind: first}, stand(second))
		got := stand(first)
		assert.Equal(t, d.id, got.Worker)
		assert.WithinDuration(t, time.Now(), got.Since, time.Minute)
		assert.False(t, got.Sending)
		d.done(first, d.routeOf("1", "7"))
		assert.Zero(t, stand(first), "it has ended")
	})
}

func TestStandOfOneThatWaitsForTheSpacingOfItsConversation(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		rates := fast
		rates.Thread = time.Hour
		d := newDesk(t, addr, Config{}, rates, nil)
		first, second := d.enqueue("1", "7", "a"), d.enqueue("1", "7", "b")
		require.Eventually(t, func() bool { return d.next() == first }, 5*time.Second, time.Millisecond)
		d.done(first, d.routeOf("1", "7"))
		require.Eventually(t, func() bool {
			d.next()
			return d.rdb.ZCard(context.Background(), d.keys.Line("1:bulk:later")).Val() == 1
		}, 5*time.Second, time.Millisecond)
		s, err := ReadStand(context.Background(), d.rdb, "", second)
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now().Add(time.Hour), s.Due, time.Minute)
		st, err := ReadStatus(context.Background(), d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, "thread", st.Lines[0].Limit)
		assert.WithinDuration(t, s.Due, st.Lines[0].Next, time.Second)
	})
}
