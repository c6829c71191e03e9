// Command sendpace runs the parts of Sendpace: workers that send queued Messenger messages at each page's pace, and
// the tools to fill, watch and try out their queue.
//
// It exits with 0 if all went well, 1 if something failed, and 2 if it was called wrongly: an unknown command or
// flag, or a configuration that cannot be used.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
)

func main() {
	redis.SetLogger(silence{}) // go-redis prints each failed dial; the errors that it returns say the same
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process at once, should the orderly end take too long.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	root := a.root()
	root.SetArgs(args)
	return a.finish(root.ExecuteContext(ctx))
}
