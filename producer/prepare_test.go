package producer_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestCheckSaysWhatEnqueueWouldAndWritesNothing(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	p := newProducer(t, rdb, "1")
	assert.NoError(t, p.Check(text("1", "2", "x")))
	for _, job := range []producer.Job{text("77", "2", "x"), text("1", "2", ""), {}} {
		_, want := p.Enqueue(bg, job)
		got := p.Check(job)
		assert.IsType(t, sendapi.Problems{}, got)
		assert.Equal(t, want, got)
	}
	assert.Empty(t, rdb.Keys(bg, "*").Val())
}

func TestPreparedJobsSortByTheirOrder(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t, redistest.Mini(t))
	p := newProducer(t, rdb)
	first, second := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	later, err := p.Prepare(bg, text("1", "2", "x"), second)
	require.NoError(t, err)
	sooner, err := p.Prepare(bg, text("1", "2", "x"), first)
	require.NoError(t, err)
	assert.Less(t, sooner.ID, later.ID)
	receipt, err := p.Enqueue(bg, text("1", "2", "x"))
	require.NoError(t, err)
	assert.Len(t, sooner.ID, len(receipt.ID))
	assert.Equal(t, receipt.ID[26:], sooner.ID[26:], "class and recipient")
	assert.Equal(t, receipt.Line, sooner.Line)
	stored := rdb.HGet(bg, keys.Task(receipt.ID), "msg").Val()
	assert.Equal(t, strings.ReplaceAll(stored, receipt.ID, sooner.ID), string(sooner.Message.([]byte)))
	assert.EqualValues(t, 1, rdb.ZCard(bg, keys.Line("1:bulk")).Val(), "only what was enqueued is stored")

	keyed, planned := text("1", "2", "x"), text("1", "2", "x")
	keyed.Key, planned.SendAt = "k", time.Now().Add(time.Hour)
	for _, job := range []producer.Job{keyed, planned, {PageID: "1", Request: json.RawMessage(`{}`)}} {
		_, err := p.Prepare(bg, job, first)
		assert.Error(t, err)
	}
}
