package pace

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestWhatIsAskedDuringACallIsAskedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		trouble := errors.New("trouble")
		both := together[int, int]{ask: func(all []int) ([]answered[int], error) {
			time.Sleep(time.Second)
			sizes = append(sizes, len(all))
			got := make([]answered[int], len(all))
			for i, q := range all {
				got[i].answer = 10 * q
				if q == 7 {
					got[i].err = trouble
				}
			}
			if len(sizes) == 4 {
				return nil, trouble
			}
			return got, nil
		}}
		var wg sync.WaitGroup
		ask := func(i int) {
			got, err := both.do(t.Context(), i)
			if i == 7 {
				assert.ErrorIs(t, err, trouble)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, 10*i, got, "question %d", i)
		}
		begin := time.Now()
		wg.Go(func() {
			ask(1)
			assert.Equal(t, time.Second, time.Since(begin), "it is not kept by those who came later")
		})
		synctest.Wait()
		for i := 2; i < 3+mostTogether; i++ {
			wg.Go(func() { ask(i) })
		}
		wg.Wait()
		assert.Equal(t, []int{1, mostTogether, 1}, sizes)

		wg.Go(func() {
			_, err := both.do(t.Context(), 1)
			assert.ErrorIs(t, err, trouble, "of the call")
		})
		synctest.Wait()
		begin = time.Now()
		_, err := both.do(t.Context(), 2)
		require.ErrorIs(t, err, trouble, "of the call before")
		assert.Equal(t, time.Second, time.Since(begin))
		wg.Wait()
		brief, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		wg.Go(func() { ask(1) })
		synctest.Wait()
		begin = time.Now()
		_, err = both.do(brief, 2)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Millisecond, time.Since(begin))
		wg.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []int{1, 1}, sizes[4:], "who gave up is asked about all the same")
	})
}

func TestJobsThatEndTogetherEndAsAlone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, addr string) {
		ctx := context.Background()
		d := newDesk(t, addr, Config{Places: 20}, fast, nil)
		ends := []Settlement{
			sent("m1"), endAs(producer.Failed), sent("m2"), {Retry: time.Minute, Counted: true}, {Where: Head}, sent("m3"), endAs(producer.Expired),
		}
		const broken, gone = 2, 5
		want := []string{"ok", "ok", "error", "ok", "ok", "gone", "ok"}
		var all []settling
		var ids []string
		for i, s := range ends {
			psid := strconv.Itoa(i)
			id := d.enqueue("1", psid, "x")
			h := d.takeJob(id)
			s.Outcome.JobID, s.Outcome.PageID, s.Recipient = id, "1", d.routeOf("1", psid).Recipient
			question, err := d.settling(h, s)
			require.NoError(t, err)
			all, ids = append(all, question), append(ids, id)
		}
		d.rdb.HSet(ctx, d.keys.Task(ids[gone]), "owner", "another")
		d.rdb.Set(ctx, d.keys.Task(ids[broken]), "no hash", 0)
		got, err := d.settleAll(all)
		require.NoError(t, err)
		for i := range ends {
			assert.Equal(t, want[i], got[i].answer[0], "job %d", i)
			assert.Equal(t, i == broken, got[i].err != nil, "job %d: %v", i, got[i].err)
		}
		assert.ElementsMatch(t, []string{ids[broken], ids[gone]}, d.rdb.LRange(ctx, d.keys.Active(), 0, -1).Val())
		assert.ElementsMatch(t, []string{ids[broken], ids[gone]}, d.rdb.ZRange(ctx, d.keys.Lease(), 0, -1).Val())
		assert.ElementsMatch(t, []string{ids[1], ids[6]}, d.rdb.ZRange(ctx, d.keys.Archived(), 0, -1).Val())
		assert.ElementsMatch(t, []string{ids[3]}, d.rdb.ZRange(ctx, d.keys.Retry(), 0, -1).Val())
		assert.Equal(t, map[string]string{"1:sent": "1", "1:failed": "1", "1:expired": "1", "1:accepted": strconv.Itoa(len(ends))},
			d.rdb.HGetAll(ctx, d.keys.Outcomes()).Val())
		assert.Equal(t, "4", d.rdb.Get(ctx, d.keys.Asynq("processed")).Val())
		assert.Equal(t, "3", d.rdb.Get(ctx, d.keys.Asynq("failed")).Val())
		assert.Len(t, d.outcomes(), 3)
	})
}
