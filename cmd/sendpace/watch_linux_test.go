package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sendpace/sendpace/worker/redistest"
)

// terminal is a pseudo terminal: what a command writes to tty comes out of ptm.
func terminal(t *testing.T, width, height uint16) (ptm, tty *os.File) {
	t.Helper()
	ptm, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = ptm.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(ptm.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(ptm.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	resize(t, tty, width, height)
	return ptm, tty
}

func resize(t *testing.T, tty *os.File, width, height uint16) {
	t.Helper()
	require.NoError(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height}))
}

func TestWatchOnATerminal(t *testing.T) {
	t.Parallel()
	addr := redistest.FreeAddr(t)
	_, kill := redistest.StartAt(t, addr, "--save", "", "--appendonly", "no")
	rdb := redistest.Client(t, addr)
	newPacer(t, rdb)
	for page := 1001; page < 1010; page++ {
		put(t, rdb, fmt.Sprint(page))
	}
	ptm, tty := terminal(t, 200, 50)
	seen := newOutput()
	go func() { _, _ = io.Copy(seen, ptm) }() // ends with the terminal
	ctx, stop := context.WithCancel(context.Background())
	code := make(chan int)
	var stderr bytes.Buffer
	go func() {
		code <- run(ctx, []string{"status", "--watch", "--redis", "redis://" + addr}, nil, tty, &stderr, nil)
	}()

	seen.wait(t, `(?s)^\x1b\[\?1049h\x1b\[\?25l.*Ctrl-C ends.*1009 +bulk +1 `)
	assert.NotContains(t, seen.String(), " more: ")
	resize(t, tty, 60, 12)
	seen.wait(t, `and \d more: sendpace page list`)
	kill()
	seen.wait(t, `Redis does not answer, for `)
	stop()
	select {
	case c := <-code:
		assert.Equal(t, 0, c, stderr.String())
	case <-time.After(20 * time.Second):
		require.Fail(t, "Ctrl-C did not end it")
	}
	seen.wait(t, `(?s)\x1b\[\?25h\x1b\[\?1049l.*\n1001 +bulk +1 `)
	assert.Empty(t, stderr.String())
}
