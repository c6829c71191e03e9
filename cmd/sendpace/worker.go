package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

func (a *app) workerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Send what is in the queue, each page at its pace",
		Long: "worker sends until it gets SIGTERM or Ctrl-C. Then it starts nothing new, lets the sends in flight\n" +
			"finish, and puts the rest back. Start as many as you like: they keep one pace together. The one that\n" +
			"starts last sets the rates.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := a.configWarnings(cmd)
			if err != nil {
				return err
			}
			if len(cfg.Pages) == 0 {
				return misuse("add pages with id and access_token to the configuration, and name it with --config",
					"no page is configured, so there is nothing to send from")
			}
			return a.runWorker(cmd.Context(), cfg, warnings)
		},
	}
	a.queueFlags(cmd)
	logFlags(cmd)
	return cmd
}

// logFlags gives a command --log-level and --log-format.
func logFlags(cmd *cobra.Command) {
	cmd.Flags().String("log-level", "", "trace, debug, info, warn or error, in place of log.level")
	bind(cmd, "log-level", "log.level")
	cmd.Flags().String("log-format", "", "json, console or auto, in place of log.format")
	bind(cmd, "log-format", "log.format")
}

func (a *app) runWorker(ctx context.Context, cfg *config.Config, warnings []config.Warning) error {
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
	rdb, closeRedis, err := openRedis(ctx, cfg.Redis.URL.Reveal(), worker.DurableRetries)
	if err != nil {
		return err
	}
	logAdvice(log, adviseOnRedis(ctx, rdb))
	w, err := worker.New(rdb, client, workerConfig(cfg, log))
	if err == nil {
		err = w.Run(ctx)
	}
	return errors.Join(err, closeRedis())
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
		Steady:          !cfg.Worker.Adaptive,
		Margin:          cfg.Worker.Margin,
		Concurrency:     cfg.Worker.Concurrency,
		MaxAttempts:     cfg.Worker.MaxAttempts,
		ShutdownTimeout: cfg.Worker.ShutdownTimeout,
		OnUnknown:       producer.UnknownPolicy(cfg.Worker.OnUnknown),
		SuppressFor:     cfg.Worker.SuppressFor,
		StreamLength:    int64(cfg.Outcomes.Max),
		Version:         ownVersion(buildInfo()),
		Log:             log,
	}
	for _, p := range cfg.Pages {
		wc.Pages[p.ID] = pageOf(p)
		wc.PageRates[p.ID] = paceRates(cfg.Rates(p.ID))
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
