package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

const (
	// probeTimeout is well below the time after which probes give up.
	probeTimeout = time.Second
	// probeGrace is how long a scrape may take to finish.
	probeGrace = 2 * time.Second
)

// probes answers /metrics, and with ready also /livez and /readyz.
func probes(metrics http.Handler, ready func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	if ready == nil {
		return mux
	}
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
		defer cancel()
		if err := ready(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// serveProbes answers at addr until stop is called; key names the address in the configuration. With no address nothing listens.
func serveProbes(
	ctx context.Context, log zerolog.Logger, key, addr string, handler http.Handler,
) (stop func() error, _ error) {
	if addr == "" {
		return func() error { return nil }, nil
	}
	listener, err := listen(ctx, addr)
	if err != nil {
		return nil, failure("choose another address for "+key, "%w", err)
	}
	log.Info().Stringer("addr", listener.Addr()).Str("key", key).Msg("metrics can be read")
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // a worker that is stopping is still looked at
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, handler, probeGrace) }()
	return func() error {
		cancel()
		return <-ended
	}, nil
}
