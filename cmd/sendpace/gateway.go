package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/metrics"
)

// gatewayGrace is above gateway.DefaultStoreTimeout, so that every call that Redis may still answer gets its answer.
const gatewayGrace = 10 * time.Second

func (a *app) gatewayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Take calls of the Send API over HTTP, and queue them",
		Long: "gateway speaks the Send API: a bot in any language changes its base URL, and what it sends is queued and goes\n" +
			"out at the page's pace. It takes the tokens of the configured pages, or a key of gateway.api_keys. The message_id\n" +
			"that it answers is the job's id; /openapi.json describes what it can do beyond the platform.",
		Example: "  sendpace gateway\n" +
			"  curl -d 'recipient={\"id\":\"4321\"}' -d 'message={\"text\":\"Hello\"}' -d messaging_type=UPDATE \\\n" +
			"    -H \"Authorization: Bearer $PAGE_TOKEN\" http://127.0.0.1:8090/v26.0/me/messages",
		RunE: func(cmd *cobra.Command, _ []string) error {
			hup, stop := catchHUP()
			defer stop()
			return unlessStopped(cmd.Context(), a.withRedis(cmd, func(_ context.Context, cfg *config.Config, rdb redis.UniversalClient) error {
				return a.runGateway(cmd, cfg, rdb, hup)
			}))
		},
	}
	cmd.Flags().String("addr", "", "`host:port` to listen on, in place of gateway.addr")
	bind(cmd, "addr", "gateway.addr")
	a.queueFlags(cmd)
	logFlags(cmd)
	return cmd
}

func (a *app) runGateway(cmd *cobra.Command, cfg *config.Config, rdb redis.UniversalClient, hup <-chan os.Signal) error {
	ctx := cmd.Context()
	log, err := newLog(a.stderr, cfg.Log)
	if err != nil {
		return err
	}
	client, err := newSender(cfg)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	seen := metrics.NewGateway(ownVersion(buildInfo()), gateway.Routes())
	rdb.AddHook(seen.RedisHook())
	traces, flush, err := a.tracing(ctx, cfg.Tracing, "gateway", log)
	if err != nil {
		return err
	}
	defer flush()
	handler, err := newGateway(cfg, rdb, client, log, seen, traces)
	if err != nil {
		return err
	}
	if err := checkRights(ctx, rdb); err != nil {
		return err
	}
	logAdvice(log, adviseOnRedis(ctx, rdb))
	if !isLoopback(cfg.Gateway.Addr) {
		log.Warn().Str("addr", cfg.Gateway.Addr).
			Msg("other machines reach the gateway, and tokens travel to it unencrypted; put TLS in front of it")
	}
	listener, err := listen(ctx, cfg.Gateway.Addr)
	if err != nil {
		return failure("choose another address with --addr", "%w", err)
	}
	stop, err := serveProbes(ctx, log, "gateway.metrics_addr", cfg.Gateway.MetricsAddr, probes(seen.Handler(), nil))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	reload := a.reloader(cmd, cfg, log, hup, func(_ context.Context, cfg *config.Config) error { return handler.SetPages(sendPages(cfg)) })
	end := beside(ctx, reload.run)
	fmt.Fprintf(a.stdout, "the gateway answers at http://%s; Ctrl-C ends it\n", listener.Addr())
	err = serve(ctx, listener, handler, gatewayGrace)
	end()
	return errors.Join(err, stop())
}

// sendPages are the configured pages as the Send API's client takes them.
func sendPages(cfg *config.Config) []sendapi.Page {
	pages := make([]sendapi.Page, len(cfg.Pages))
	for i, p := range cfg.Pages {
		pages[i] = pageOf(p)
	}
	return pages
}

func newGateway(
	cfg *config.Config, rdb redis.UniversalClient, client *sendapi.Client, log zerolog.Logger, seen *metrics.Gateway,
	traces trace.TracerProvider,
) (*gateway.Handler, error) {
	if len(cfg.Pages) == 0 {
		return nil, errNoPages
	}
	// The gateway itself knows the pages, also after they have changed.
	queue, err := producer.New(rdb, producer.Config{
		MaxWaiting: cfg.Gateway.MaxWaiting, StreamLength: int64(cfg.Outcomes.Max), Tracing: traces,
	})
	if err != nil {
		return nil, err
	}
	gc := gateway.Config{
		Pages: sendPages(cfg), Rate: cfg.Gateway.Rate, MaxBody: int64(cfg.Gateway.MaxBody), Log: log, Called: seen.Called,
		Tracing: traces,
	}
	for _, key := range cfg.Gateway.APIKeys {
		gc.APIKeys = append(gc.APIKeys, sendapi.Secret(key.Reveal()))
	}
	return gateway.New(queue, client, gc)
}
