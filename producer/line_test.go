package producer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestIDTime(t *testing.T) {
	t.Parallel()
	p := newProducer(t, redistest.Client(t, redistest.Mini(t)))
	before := time.Now().Truncate(time.Millisecond)
	receipt, err := p.Enqueue(context.Background(), text("1", "2", "x"))
	require.NoError(t, err)
	at, ok := producer.IDTime(receipt.ID)
	assert.True(t, ok, receipt.ID)
	assert.WithinRange(t, at, before, time.Now())
	for _, id := range []string{"", "short", "no base32 at all, but long enough!!", uuid.NewString(), strings.Repeat("0", 35)} {
		_, ok := producer.IDTime(id)
		assert.False(t, ok, "%q is no id of ours", id)
	}
}
