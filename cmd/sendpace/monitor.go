package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/cmd/sendpace/monitor"
	"github.com/sendpace/sendpace/config"
)

func (a *app) monitorCommand() *cobra.Command {
	var readWrite, remote bool
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Show the fleet and the queue in a browser",
		Long: "monitor serves a page with what each page sends and may send, what waits, pauses and holds, and the rate of the last hour;\n" +
			"it fits a phone. Beside it stands asynqmon, which shows single jobs: those that wait by page and lane, under Aggregating,\n" +
			"those in flight, those that failed and why. Whoever reaches it reads the messages there, and with --read-write may also\n" +
			"pause pages and let them go on, and run and delete jobs.\n\n" +
			"monitor.user and monitor.password, or monitor.token, make it ask for a login. Without one it listens on this machine alone.",
		Example: "  sendpace monitor\n  SENDPACE_MONITOR_TOKEN=$(cat token) sendpace monitor --addr 0.0.0.0:8080 --read-write",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config(cmd)
			if err != nil {
				return err
			}
			if err := a.checkExposure(cfg.Monitor, remote); err != nil {
				return err
			}
			return unlessStopped(cmd.Context(), onRedis(cmd.Context(), cfg, func(ctx context.Context, rdb redis.UniversalClient) error {
				if err := checkRights(ctx, rdb); err != nil {
					return err
				}
				return a.serveMonitor(ctx, cfg, rdb, readWrite)
			}))
		},
	}
	cmd.Flags().String("addr", "", "`host:port` to listen on, in place of monitor.addr")
	bind(cmd, "addr", "monitor.addr")
	cmd.Flags().BoolVar(&readWrite, "read-write", false, "let visitors pause and release pages, and run, archive and delete jobs")
	cmd.Flags().BoolVar(&remote, "allow-remote", false, "allow an --addr that other machines can reach without a login")
	a.queueFlags(cmd)
	return cmd
}

// checkExposure lets a monitor that other machines reach start only with a login, or where somebody has said that it needs none.
func (a *app) checkExposure(m config.Monitor, remote bool) error {
	switch {
	case isLoopback(m.Addr):
	case m.HasLogin():
		a.say("warning: other machines reach the monitor, and the login travels to it unencrypted; put TLS in front of it")
	case !remote:
		return misuse("set monitor.user and monitor.password, or monitor.token; or add --allow-remote where something in front asks for a login",
			"the monitor has no login, and %s can be reached from other machines", m.Addr)
	}
	return nil
}

// isLoopback tells whether only this machine reaches what listens on addr.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || (ip != nil && ip.IsLoopback()))
}

func (a *app) serveMonitor(ctx context.Context, cfg *config.Config, rdb redis.UniversalClient, readWrite bool) error {
	handler, err := monitorHandler(cfg, rdb, readWrite)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, cfg.Monitor.Addr)
	if err != nil {
		return failure("choose another port with --addr", "%w", err)
	}
	fmt.Fprintf(a.stdout, "the fleet can be seen at http://%s; Ctrl-C ends it\n", listener.Addr())
	return serve(ctx, listener, handler, monitorGrace)
}

// monitorHandler is the page of ours, with asynqmon beside it.
func monitorHandler(cfg *config.Config, rdb redis.UniversalClient, readWrite bool) (http.Handler, error) {
	queue, err := queueHandler(rdb, readWrite)
	if err != nil {
		return nil, err
	}
	source := monitorSource{cfg: cfg, rdb: rdb}
	m := monitor.Config{
		Fleet: source.fleet, History: source.history, Broadcasts: source.broadcasts, Queue: queue,
		Login: monitor.Login{
			User: cfg.Monitor.User, Password: cfg.Monitor.Password, Token: cfg.Monitor.Token, Proxies: cfg.Monitor.TrustedProxies,
		},
	}
	if readWrite {
		m.Stop, m.Release = source.stop, source.release
	}
	// A page that was made to point here knows no login; a proxy on this machine, which speaks TLS, passes its own name on.
	if isLoopback(cfg.Monitor.Addr) && !cfg.Monitor.HasLogin() {
		m.Host = func(host string) bool { return isLoopback(withPort(host)) }
	}
	return monitor.New(m), nil
}

func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err != nil {
		return net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
	return host
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
