package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/metrics"
	"github.com/sendpace/sendpace/worker/pace"
)

func (a *app) workerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "worker",
		Short:   "Send what is in the queue, each page at its pace",
		Example: "  sendpace worker\n  sendpace worker --config /etc/sendpace.yaml --log-format json",
		Long: "worker sends until it gets SIGTERM or Ctrl-C. Then it starts nothing new, lets the sends in flight\n" +
			"finish, and puts the rest back. Start as many as you like: they keep one pace together. The one that\n" +
			"starts last sets the rates. It reads pages, tokens and rates again when their files change, and on SIGHUP.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			hup, stop := catchHUP()
			defer stop()
			cfg, warnings, err := a.configWarnings(cmd)
			if err != nil {
				return err
			}
			if len(cfg.Pages) == 0 {
				return errNoPages
			}
			return unlessStopped(cmd.Context(), a.runWorker(cmd, cfg, warnings, hup))
		},
	}
	a.queueFlags(cmd)
	logFlags(cmd)
	return cmd
}

// unlessStopped is err, or nil where it only says that the command was told to end, before it had quite begun.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// logFlags gives a command --log-level and --log-format.
func logFlags(cmd *cobra.Command) {
	cmd.Flags().String("log-level", "", "trace, debug, info, warn or error, in place of log.level")
	bind(cmd, "log-level", "log.level")
	cmd.Flags().String("log-format", "", "json, console or auto, in place of log.format")
	bind(cmd, "log-format", "log.format")
}

// errNoPages is for what cannot do without.
var errNoPages = misuse("add pages with id and access_token to the configuration, and name it with --config",
	"no page is configured, so there is nothing to send from")

func (a *app) runWorker(cmd *cobra.Command, cfg *config.Config, warnings []config.Warning, hup <-chan os.Signal) error {
	ctx := cmd.Context()
	log, err := newLog(a.stderr, cfg.Log)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn().Str("key", w.Key).Msg(w.Text)
	}
	client, err := newSender(cfg)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	rdb, closeRedis, err := openRedis(ctx, cfg.Redis, worker.DurableRetries)
	if err != nil {
		return err
	}
	if err = checkRights(ctx, rdb); err == nil {
		logAdvice(log, adviseOnRedis(ctx, rdb))
		err = advised(ctx, rdb, a.watchedWorker(cmd, cfg, rdb, client, log, hup), cfg.Redis)
	}
	return errors.Join(err, closeRedis())
}

// watchedWorker runs a worker with what looks at it, and what reads its configuration again.
func (a *app) watchedWorker(
	cmd *cobra.Command, cfg *config.Config, rdb redis.UniversalClient, client *sendapi.Client, log zerolog.Logger, hup <-chan os.Signal,
) error {
	ctx := cmd.Context()
	seen := metrics.New(rdb, metrics.Config{Pages: pageIDs(cfg), PerPage: cfg.Metrics.PerPage, Version: ownVersion(buildInfo())})
	rdb.AddHook(seen.RedisHook())
	wc := workerConfig(cfg, log)
	traces, flush, err := a.tracing(ctx, cfg.Tracing, "worker", log)
	if err != nil {
		return err
	}
	defer flush()
	wc.Observer, wc.Checker, wc.Tracing = seen, client, traces
	w, err := worker.New(rdb, seen.Sender(client), wc)
	if err != nil {
		return err
	}
	stop, err := serveProbes(ctx, log, "worker.http_addr", cfg.Worker.HTTPAddr, probes(seen.Handler(), w.Ready))
	if err != nil {
		return err
	}
	reload := a.reloader(cmd, cfg, log, hup, func(ctx context.Context, cfg *config.Config) error {
		seen.SetPages(pageIDs(cfg))
		wc := workerConfig(cfg, log)
		return w.SetPages(ctx, wc.Pages, wc.PageRates)
	})
	end := beside(ctx, reload.run)
	err = w.Run(ctx)
	end()
	seen.Close(context.WithoutCancel(ctx))
	return errors.Join(err, stop())
}

func newLog(out io.Writer, cfg config.Log) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil {
		return zerolog.Logger{}, err
	}
	if cfg.Format == "console" || (cfg.Format == "auto" && interactive(out)) {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.TimeOnly, NoColor: !interactive(out)}
	}
	return zerolog.New(zerolog.SyncWriter(out)).Level(level).With().Timestamp().Logger(), nil
}

func newSender(cfg *config.Config) (*sendapi.Client, error) {
	return sendapi.NewClient(sendapi.Config{
		BaseURL: cfg.Graph.BaseURL, Version: cfg.Graph.Version, Timeout: cfg.Worker.SendTimeout,
	})
}

// workerConfig puts the configuration into the worker's terms.
func workerConfig(cfg *config.Config, log zerolog.Logger) worker.Config {
	wc := worker.Config{
		Pages:           map[string]sendapi.Page{},
		Rates:           paceRates(cfg.Defaults),
		PageRates:       map[string]pace.Rates{},
		AppBudget:       int64(cfg.App.DailyBudget),
		Shards:          cfg.Redis.Shards,
		Steady:          !cfg.Worker.Adaptive,
		Margin:          cfg.Worker.Margin,
		Concurrency:     cfg.Worker.Concurrency,
		Batch:           cfg.Graph.Batch,
		MaxAttempts:     cfg.Worker.MaxAttempts,
		ShutdownTimeout: cfg.Worker.ShutdownTimeout,
		OnUnknown:       producer.UnknownPolicy(cfg.Worker.OnUnknown),
		SuppressFor:     cfg.Worker.SuppressFor,
		StreamLength:    int64(cfg.Outcomes.Max),
		Version:         ownVersion(buildInfo()),
		Log:             log,
		PlainRecipients: cfg.Log.Recipients == "plain",
	}
	for _, p := range cfg.Pages {
		wc.Pages[p.ID] = pageOf(p)
		wc.PageRates[p.ID] = paceRates(cfg.RatesOf(p))
	}
	return wc
}

// pageOf is a page as the Send API's client takes it.
func pageOf(p config.Page) sendapi.Page {
	return sendapi.Page{
		ID: p.ID, Token: sendapi.Secret(p.AccessToken.Reveal()), AppSecret: sendapi.Secret(p.AppSecret.Reveal()),
	}
}

func paceRates(r config.Rates) pace.Rates {
	return pace.Rates{
		Page: r.Rate, Bulk: r.BulkRate, Media: r.MediaRate, Replies: r.RepliesPerHour / 3600,
		Thread: r.ThreadInterval, Budget: int64(r.DailyBudget),
	}
}
