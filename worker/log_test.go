package worker_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// Each job that ends is one line, as JSON, with what it takes to find it with the platform; no line has a text, a token or, unless
// asked, a recipient.
func TestOneLineAnOutcome(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
		require.NoError(t, f.sandbox.SetPerson("1001", "4321000000000002", sandbox.Person{Reach: sandbox.ReachBlocked}))
		ids := map[string]string{}
		for _, psid := range []string{"4321000000000001", "4321000000000002", "4321000000000003"} {
			opts := []producer.Option{}
			if psid == "4321000000000003" {
				opts = append(opts, producer.ExpireAt(time.Now().Add(time.Second)))
			}
			r, err := f.producer.Enqueue(t.Context(), job("1001", psid, "private words"), opts...)
			require.NoError(t, err)
			ids[r.ID] = psid
		}
		require.NoError(t, f.rdb.Set(t.Context(), "sendpace:{messenger}:pause:1001", `{"text":"wait"}`, 1500*time.Millisecond).Err())
		var log safeBuffer
		f.worker(worker.Config{Log: zerolog.New(&log), PlainRecipients: plain})
		f.assertOneOutcomeEach(3)
		require.Eventually(t, func() bool { return len(outcomeLines(t, log.String())) == 3 }, 10*time.Second, 10*time.Millisecond, log.String())
		for kind, line := range outcomeLines(t, log.String()) {
			psid := ids[line.Job]
			assert.Equal(t, "1001", line.Page)
			assert.Equal(t, "bulk", line.Lane)
			if plain {
				assert.Equal(t, "id:"+psid, line.Recipient, kind)
			} else {
				assert.Equal(t, producer.RecipientHash("1001", "id:"+psid), line.Recipient, kind)
			}
			assert.Equal(t, kind == "failed", line.Trace != "", "%s: the trace of the call, if the platform gave one", kind)
		}
		if !plain {
			assert.NotContains(t, log.String(), "43210000")
		}
		assert.NotContains(t, log.String(), "private words")
		assert.NotContains(t, log.String(), "EAAtoken")
	}
}

type outcomeLine struct{ Message, Job, Page, Lane, Recipient, Trace string }

// outcomeLines are the lines about jobs that ended, by outcome. There is one of each.
func outcomeLines(t *testing.T, log string) map[string]outcomeLine {
	t.Helper()
	found := map[string]outcomeLine{}
	for text := range strings.Lines(log) {
		var line outcomeLine
		require.NoError(t, json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&line), text)
		switch line.Message {
		case "sent", "failed", "expired", "cancelled", "unknown":
			assert.NotContains(t, found, line.Message, "a job has one line: %s", text)
			found[line.Message] = line
		}
	}
	return found
}
