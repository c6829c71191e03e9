package sandbox_test

import (
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// A day and a half with every fault at once, over real HTTP and in virtual time: what the caller was told and what the log
// says fit together, and the window closes after a day.
func TestChaosForADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, sandbox.Config{Seed: 1})
		defer srv.Close()
		require.NoError(t, srv.SetPerson("1001", "7", sandbox.Person{WroteAt: time.Now()}))
		for _, f := range []sandbox.Fault{
			{DelayUpTo: 3 * time.Second},
			{Chance: 0.1, Code: 2},
			{Chance: 0.1, Drop: sandbox.DropBefore},
			{Chance: 0.1, Drop: sandbox.DropAfter},
			{Chance: 0.05, Status: 502},
		} {
			srv.Fail(sandbox.AllPages, f)
		}
		c, err := sendapi.NewClient(sendapi.Config{HTTPClient: srv.Client()})
		require.NoError(t, err)
		told := map[string]sendapi.Kind{}
		counts := map[sendapi.Kind]int{}
		begun := time.Now()
		for i := range 36 * 20 {
			req := text("7")
			req.Message.Metadata = strconv.Itoa(i)
			_, err := c.Send(t.Context(), page, req)
			var e *sendapi.Error
			if errors.As(err, &e) {
				told[req.Message.Metadata] = e.Kind
			}
			counts[told[req.Message.Metadata]]++
			time.Sleep(time.Until(begun.Add(time.Duration(i+1) * 3 * time.Minute)))
		}
		for kind, least := range map[sendapi.Kind]int{
			"": 260, sendapi.KindTransient: 30, sendapi.KindUnknownOutcome: 60, sendapi.KindWindow: 130,
		} {
			assert.Greater(t, counts[kind], least, kind)
		}

		accepted := map[string]bool{}
		ids := map[string]bool{}
		for call := range srv.Log(sandbox.Query{PageID: "1001", Recipient: "7"}) {
			assert.False(t, accepted[call.Metadata], "%s was accepted twice", call.Metadata)
			accepted[call.Metadata] = true
			ids[call.MessageID] = true
			assert.Less(t, call.At.Sub(begun), 24*time.Hour, "in the window")
		}
		assert.Len(t, ids, len(accepted), "each has an id of its own")
		for i := range 36 * 20 {
			id := strconv.Itoa(i)
			switch told[id] {
			case "":
				assert.True(t, accepted[id], "%s was sent", id)
			case sendapi.KindUnknownOutcome: // either
			default:
				assert.False(t, accepted[id], "%s: %s", id, told[id])
			}
		}
	})
}
