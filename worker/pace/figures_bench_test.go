package pace

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

// BenchmarkFigures compares what monitoring asks with what a person asks, of 2,000 pages that each have a job waiting.
func BenchmarkFigures(b *testing.B) {
	d := newDesk(b, redistest.Server(b), Config{}, fast, nil)
	const pages = 2000
	jobs := make([]producer.Job, pages)
	for i := range jobs {
		jobs[i] = producer.Job{PageID: strconv.Itoa(i + 1), Request: json.RawMessage(
			`{"recipient":{"id":"1"},"messaging_type":"UPDATE","message":{"text":"x"}}`)}
	}
	for _, r := range d.producer.EnqueueMany(b.Context(), jobs) {
		require.NoError(b, r.Err)
	}
	b.Run("figures", func(b *testing.B) {
		for b.Loop() {
			f, err := ReadFigures(b.Context(), d.rdb, "")
			require.NoError(b, err)
			require.Len(b, f.Pages, pages)
		}
	})
	b.Run("status", func(b *testing.B) {
		for b.Loop() {
			_, err := ReadStatus(b.Context(), d.rdb, "")
			require.NoError(b, err)
		}
	})
}
