package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

func (a *app) monitorCommand() *cobra.Command {
	var readWrite, remote bool
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Show the queue in a browser",
		Long: "monitor serves asynqmon, which shows every job: those that wait by page and lane, under Aggregating,\n" +
			"those in flight, those that failed and why. It has no login. Whoever reaches it reads the messages,\n" +
			"and with --read-write may delete them.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config(cmd)
			if err != nil {
				return err
			}
			if !remote && !isLoopback(cfg.Monitor.Addr) {
				return misuse("listen on 127.0.0.1, or add --allow-remote where something in front asks for a login",
					"the monitor has no login, and %s can be reached from other machines", cfg.Monitor.Addr)
			}
			rdb, closeRedis, err := openRedis(cmd.Context(), cfg.Redis)
			if err != nil {
				return err
			}
			if err := checkRights(cmd.Context(), rdb); err != nil {
				return errors.Join(err, closeRedis())
			}
			return errors.Join(a.serveMonitor(cmd.Context(), cfg.Monitor.Addr, rdb, readWrite), closeRedis())
		},
	}
	cmd.Flags().String("addr", "", "`host:port` to listen on, in place of monitor.addr")
	bind(cmd, "addr", "monitor.addr")
	cmd.Flags().BoolVar(&readWrite, "read-write", false, "let visitors run, archive and delete jobs")
	cmd.Flags().BoolVar(&remote, "allow-remote", false, "allow an --addr that other machines can reach")
	a.queueFlags(cmd)
	return cmd
}

// isLoopback tells whether only this machine reaches what listens on addr.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || (ip != nil && ip.IsLoopback()))
}

func (a *app) serveMonitor(ctx context.Context, addr string, rdb redis.UniversalClient, readWrite bool) error {
	listener, err := listen(ctx, addr)
	if err != nil {
		return failure("choose another port with --addr", "%w", err)
	}
	fmt.Fprintf(a.stdout, "the queue can be seen at http://%s; Ctrl-C ends it\n", listener.Addr())
	return serve(ctx, listener, monitorHandler(rdb, readWrite, isLoopback(addr)), monitorGrace)
}

// monitorHandler is asynqmon behind what it lacks itself: other sites cannot make a visitor's browser act on it,
// frame it, or, with local, read it by a host name of theirs that points here.
func monitorHandler(rdb redis.UniversalClient, readWrite, local bool) http.Handler {
	format := func(_ string, data []byte) string { return shown(data) }
	mon := asynqmon.New(asynqmon.Options{
		RootPath:         "/",
		RedisConnOpt:     sharedRedis{rdb},
		ReadOnly:         !readWrite,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(format),
		ResultFormatter:  asynqmon.ResultFormatterFunc(format),
	})
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if local && !isLoopback(withPort(r.Host)) {
			http.Error(w, "the monitor answers to its own address only", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("Content-Security-Policy", "frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mon.ServeHTTP(w, r)
	})
	return http.NewCrossOriginProtection().Handler(guarded)
}

func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err != nil {
		return net.JoinHostPort(host, "80")
	}
	return host
}

// sharedRedis gives asynqmon a client that is not its to close. It must be the plain one: asynqmon shows nothing
// about a Redis that it reaches through another type.
type sharedRedis struct{ rdb redis.UniversalClient }

// MakeRedisClient returns the client.
func (s sharedRedis) MakeRedisClient() any { return s.rdb }

// shown is how a payload or a result appears: as it is if it is JSON, which asynqmon then lays out, else as JSON text.
func shown(data []byte) string {
	if json.Valid(data) {
		return string(data)
	}
	quoted, err := json.Marshal(string(data))
	if err != nil {
		return `""`
	}
	return string(quoted)
}

// monitorGrace is how long a visitor's page may take to finish.
const monitorGrace = 3 * time.Second

const (
	// readTime is how long a call may take to arrive.
	readTime = 30 * time.Second
	// writeTime is what is left for the answer then. The server counts both from the beginning of a call: a caller that used up
	// the one would get no answer without the other, not even one that says so.
	writeTime = 15 * time.Second
)

// serve answers on l until ctx ends, and gives the calls in hand the time grace to finish.
func serve(ctx context.Context, l net.Listener, handler http.Handler, grace time.Duration) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       readTime,
		WriteTimeout:      readTime + writeTime,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(last) != nil {
		_ = server.Close() // cuts off who is still served; there is nothing else to do about it
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}
