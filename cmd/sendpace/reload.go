package main

import (
	"context"
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
)

// reloadEvery is how often the files of the configuration are looked at. A poll works on every file system, also where a
// secret is a link that is turned, as in Kubernetes, and costs one stat a file.
const reloadEvery = 3 * time.Second

// reloader reads the configuration again when one of its files has changed, or on SIGHUP.
type reloader struct {
	load  func() (*config.Config, error)
	apply func(context.Context, *config.Config) error
	log   zerolog.Logger
	files []string
	hup   <-chan os.Signal
}

// catchHUP keeps SIGHUP from ending the process, which takes it for a reload. It comes first in a command: what arrives while that
// still starts is done once it has started.
func catchHUP() (hup <-chan os.Signal, stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	return caught, func() { signal.Stop(caught) }
}

// reloader reads the configuration again as cmd did when it started.
func (a *app) reloader(
	cmd *cobra.Command, cfg *config.Config, log zerolog.Logger, hup <-chan os.Signal, apply func(context.Context, *config.Config) error,
) *reloader {
	load := func() (*config.Config, error) {
		cfg, _, err := a.configWarnings(cmd)
		return cfg, err
	}
	return &reloader{load: load, apply: apply, log: log, files: cfg.Files, hup: hup}
}

// beside runs something until end is called or ctx ends; end waits for it.
func beside(ctx context.Context, run func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { run(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// run watches until ctx ends. What is not in order changes nothing: the process goes on with what it has.
func (r *reloader) run(ctx context.Context) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	seen, due := statesOf(r.files), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hup:
			due = true
		case <-tick.C:
		}
		// Looked at before the files are read: what changes meanwhile is read once more.
		now := statesOf(r.files)
		if !due && maps.Equal(now, seen) {
			continue
		}
		due = !r.reload(ctx)
		seen = statesOf(r.files)
		for name := range seen {
			if before, known := now[name]; known {
				seen[name] = before
			}
		}
	}
}

// reload returns false if it is to be called again. What cannot be used is not, before it has changed.
func (r *reloader) reload(ctx context.Context) bool {
	cfg, err := r.load()
	if err == nil && len(cfg.Pages) == 0 {
		err = errNoPages
	}
	if err != nil {
		r.log.Error().Err(err).Msg("the configuration was not reloaded; the former one goes on")
		return true
	}
	r.files = cfg.Files
	if err := r.apply(ctx, cfg); err != nil {
		r.log.Error().Err(err).Msg("the configuration was read, and could not be applied; there will be another try")
		return false
	}
	r.log.Info().Int("pages", len(cfg.Pages)).
		Msg("the configuration was reloaded: pages, their tokens and rates; what else changed needs a restart")
	return true
}

// fileState tells one version of a file from another.
type fileState struct {
	size    int64
	changed time.Time
}

// statesOf follows links, so that a link that was turned shows.
func statesOf(files []string) map[string]fileState {
	states := make(map[string]fileState, len(files))
	for _, name := range slices.Compact(slices.Sorted(slices.Values(files))) {
		if info, err := os.Stat(name); err == nil {
			states[name] = fileState{info.Size(), info.ModTime()}
		}
	}
	return states
}
