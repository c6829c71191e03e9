package worker

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/sendapi"
)

// What sometimes goes away by itself is tried again as often as the error allows, and never beyond the job's attempts.
func TestFaultsThatMayGoAwayAreTriedAgain(t *testing.T) {
	t.Parallel()
	media := &sendapi.Error{Kind: sendapi.KindInvalid, Retries: 2}
	right := &sendapi.Error{Kind: sendapi.KindAuth, Scope: sendapi.ScopePage, Retries: 2}
	for name, row := range map[string]struct {
		err              *sendapi.Error
		attempt, allowed int
		again            bool
		outcome          Outcome
		hold             bool
	}{
		"media, first":           {media, 1, 5, true, "", false},
		"media, second":          {media, 2, 5, true, "", false},
		"media, third":           {media, 3, 5, false, Failed, false},
		"media, the only one":    {media, 1, 1, false, Failed, false},
		"permission, second":     {right, 2, 5, true, "", false},
		"permission, third":      {right, 3, 5, false, "", true},
		"invalid without a hint": {&sendapi.Error{Kind: sendapi.KindInvalid}, 1, 5, false, Failed, false},
	} {
		d := decide(row.err, "1001", row.attempt, row.allowed)
		assert.Equal(t, row.again, d.retry > 0, name)
		assert.Equal(t, row.outcome, d.outcome, name)
		assert.Equal(t, row.hold, d.hold, name)
	}
}
