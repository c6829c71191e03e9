package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// TestAWorkerWritesTheHistory sends 2 jobs a second for two minutes.
func TestAWorkerWritesTheHistory(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, worker.Config{}, func(f *fleet) {
		t := f.t
		f.enqueueEach(400, 400)
		time.Sleep(2 * time.Minute)
		spans, err := pace.ReadHistory(context.Background(), f.rdb, "", time.Time{})
		require.NoError(t, err)
		require.InDelta(t, 10, len(spans), 1, "12 spans without the first one or two")
		for i, s := range spans {
			assert.InDelta(t, 2, s.Rate, 0.15, "%v", s)
			assert.InDelta(t, 2, s.Pages["1001"], 0.15, "%v", s)
			assert.Equal(t, spans[0].At.Add(time.Duration(i)*pace.HistoryStep), s.At)
		}
	})
}
