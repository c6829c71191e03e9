package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
)

// withRedis runs a command that works on the queue's Redis.
func (a *app) withRedis(
	cmd *cobra.Command, run func(context.Context, *config.Config, redis.UniversalClient) error,
) error {
	cfg, err := a.config(cmd)
	if err != nil {
		return err
	}
	return onRedis(cmd.Context(), cfg, func(ctx context.Context, rdb redis.UniversalClient) error { return run(ctx, cfg, rdb) })
}

// onRedis is withRedis for a command that has looked at its configuration first.
func onRedis(ctx context.Context, cfg *config.Config, run func(context.Context, redis.UniversalClient) error) error {
	rdb, closeRedis, err := openRedis(ctx, cfg.Redis)
	if err != nil {
		return err
	}
	err = explained(ctx, rdb, cutShort(ctx, run(ctx, rdb)))
	return errors.Join(advised(ctx, rdb, err, cfg.Redis), closeRedis())
}

// advised says what to do about a Redis that went away, or takes nothing, in the middle of a command, unless the command has said it.
func advised(ctx context.Context, rdb redis.UniversalClient, err error, cfg config.Redis) error {
	address, _ := config.ParseRedis(cfg.URL.Reveal()) // openRedis has read it
	return outage(unwritable(ctx, rdb, err, address.Mode), address)
}

// cutShort says of a command that a Ctrl-C ended just that, and what to do about it if the command knows.
func cutShort(ctx context.Context, err error) error {
	var said *hinted
	switch {
	case ctx.Err() == nil, !errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &said):
		return failure(said.hint, "%w", interrupted("interrupted"))
	}
	return interrupted("interrupted")
}

// outage says what to do about a Redis that went away in the middle of a command, unless the command has said it.
func outage(err error, address config.RedisAddress) error {
	var said *hinted
	var network net.Error
	var op *net.OpError
	var file *fs.PathError // its cause, such as a full disk under stdout, passes for an error of the network
	switch {
	case err == nil, errors.As(err, &said), errors.As(err, &op) && op.Op == "listen", errors.As(err, &file):
		return err
	case !errors.As(err, &network) && !errors.Is(err, io.EOF):
		return err
	}
	return failure("type it again once Redis at "+address.String()+" answers", "Redis went away: %w", err)
}

// unwritable says what to do about a Redis that answers but takes nothing, unless the command has said it.
func unwritable(ctx context.Context, rdb redis.UniversalClient, err error, mode config.RedisMode) error {
	var said *hinted
	switch {
	case errors.As(err, &said):
	case mode != config.RedisSingle && (isReadOnly(err) || isMoved(err)): // the client finds the master by itself
		return failure("the Redis servers are just being rearranged: type it again", "%w", err)
	case isReadOnly(err):
		return failure("this Redis is a replica: name its master in redis.url, or its Sentinels", "%w", err)
	case isMoved(err):
		return failure("this Redis is a part of a cluster: begin redis.url with redis-cluster in place of redis", "%w", err)
	case redis.IsOOMError(err), redis.HasErrorPrefix(err, "OOM "), redis.IsExecAbortError(err) && full(ctx, rdb): // a transaction does not tell what stopped it
		return failure("the memory of Redis is full: raise its maxmemory", "%w", err)
	}
	return err
}

// isReadOnly is true for an error of a replica, also for one that package producer passes on.
func isReadOnly(err error) bool {
	return redis.IsReadOnlyError(err) || redis.HasErrorPrefix(err, "READONLY ")
}

// isMoved is true for an error of one node of a cluster that is spoken to as if it were all.
func isMoved(err error) bool {
	_, moved := redis.IsMovedError(err)
	return moved
}

// full tells whether Redis has used all the memory that it may. It does not if it does not say.
func full(ctx context.Context, rdb redis.UniversalClient) bool {
	info, err := rdb.InfoMap(ctx, "memory").Result()
	used, _ := strconv.ParseUint(info["Memory"]["used_memory"], 10, 64)
	limit, _ := strconv.ParseUint(info["Memory"]["maxmemory"], 10, 64)
	return err == nil && limit > 0 && used > limit
}

// withProducer runs a command that works on jobs.
func (a *app) withProducer(cmd *cobra.Command, run func(context.Context, *producer.Producer) error) error {
	return a.withRedis(cmd, func(ctx context.Context, cfg *config.Config, rdb redis.UniversalClient) error {
		p, err := producer.New(rdb, producer.Config{Pages: pageIDs(cfg), StreamLength: int64(cfg.Outcomes.Max)})
		if err != nil {
			return err
		}
		return run(ctx, p)
	})
}

// pageIDs are the configured pages: a job for another one is refused.
func pageIDs(cfg *config.Config) []string {
	ids := make([]string, len(cfg.Pages))
	for i, p := range cfg.Pages {
		ids[i] = p.ID
	}
	return ids
}

// printJSON prints one object a line.
func (a *app) printJSON(v any) error { return json.NewEncoder(a.stdout).Encode(v) }

// yesFlag gives a command --yes.
func yesFlag(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVar(yes, "yes", false, "do not ask")
}

// confirm asks the person at the terminal, unless the command line has said yes.
func (a *app) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return misuse("add --yes if that is meant", "%s: there is no terminal to ask at", question)
	}
	return ask(in, a.stderr, question)
}

func ask(in io.Reader, out io.Writer, question string) error {
	fmt.Fprintf(out, "%s? [y/N] ", question)
	answer, _ := bufio.NewReader(in).ReadString('\n') // its end counts as no
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return failure("answer y to go on", "nothing was done")
}

// parseTimeFlag reads a time, or how long ago it was; empty is the zero time.
func parseTimeFlag(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	return time.Time{}, misuse("such as --"+flag+" 2h or --"+flag+" 2026-12-01T09:00:00Z", "--%s %q is neither a time nor a span", flag, text)
}
