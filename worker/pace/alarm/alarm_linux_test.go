package alarm

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The system's timer must do the whole of it, or Go's does the rest and is late.
func TestTheKernelSleeps(t *testing.T) {
	t.Parallel()
	for range 20 {
		begin := time.Now()
		sleep(3 * time.Millisecond)
		assert.GreaterOrEqual(t, time.Since(begin), 3*time.Millisecond)
	}
}

func TestTimersAreUsedAgain(t *testing.T) {
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(files)
	}
	sleep(1)
	before := open()
	for range 200 {
		sleep(1)
	}
	assert.Less(t, open(), before+100)
}
