package broadcast

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ruled is a time zone as programs carry it that bring their own: no list of changes, but the rule that they follow.
func ruled(t *testing.T, name, rule string) *time.Location {
	t.Helper()
	// TZif, RFC 8536: a header and a block for old programs, the same again, and the rule. The block has one offset, that of UTC.
	block := "TZif2" + strings.Repeat("\x00", 15) + strings.Repeat("\x00\x00\x00\x00", 4) + "\x00\x00\x00\x01" + "\x00\x00\x00\x04" +
		"\x00\x00\x00\x00\x00\x00" + "UTC\x00"
	zone, err := time.LoadLocationFromTZData(name, []byte(block+block+"\n"+rule+"\n"))
	require.NoError(t, err)
	return zone
}

// Go's own end of such a zone's leap year lies a day before it, and never comes. The zones of most systems are lists, which do not
// show that.
func TestWindowsInAZoneThatIsGivenByARule(t *testing.T) {
	t.Parallel()
	listed := windowOf(t, "09:00-20:00", "Europe/Berlin")
	byRule := listed
	byRule.Zone = ruled(t, "Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3")
	for _, now := range []string{"2026-11-24T12:00:00Z", "2028-06-01T00:00:00Z", "2028-12-31T12:00:00Z"} {
		s := listed.schedule(at(t, now))
		assert.Equal(t, s.String(), byRule.schedule(at(t, now)).String(), now)
		assert.Greater(t, len(s.offsets), 9, now)
	}
}
