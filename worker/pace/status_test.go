package pace

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// TestStatusLosesNoJobOnItsWay moves one job between its line and a worker as fast as it can, and looks all the while.
func TestStatusLosesNoJobOnItsWay(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		d := newDesk(t, addr, Config{}, fast, nil)
		id := d.enqueue("1", "7", "a")
		looked := make(chan int)
		stop := make(chan struct{})
		go func() {
			n, rdb := 0, redistest.Client(t, addr)
			for {
				select {
				case <-stop:
					looked <- n
					return
				default:
				}
				s, err := ReadStatus(context.Background(), rdb, "")
				if assert.NoError(t, err) {
					assert.False(t, s.Done(), "the job was nowhere: %+v", s)
				}
				n++
			}
		}()
		for range 300 {
			require.Eventually(t, func() bool { return d.next() == id }, 5*time.Second, time.Millisecond)
			d.putBack(id, d.routeOf("1", "7"), "head")
		}
		close(stop)
		assert.Positive(t, <-looked)
	})
}

func TestStatusShowsTheLimitsAsConfigured(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, addr string) {
		rates := Rates{Page: 5, Bulk: 0.9, Media: 10, Replies: 0.2, Thread: time.Second, Budget: 7}
		d := newDesk(t, addr, Config{Margin: 0.005}, rates, nil)
		d.enqueue("1", "1", "x")
		s, err := ReadStatus(context.Background(), d.rdb, "")
		require.NoError(t, err)
		assert.Equal(t, rates, s.Pages[0].Configured)
		assert.Equal(t, LineStatus{
			Name: "1:bulk", PageID: "1", Lane: producer.LaneBulk, Waiting: 1, Rate: 0.9, Limit: "bulk", ETA: s.Lines[0].ETA,
		}, s.Lines[0])
	})
}
