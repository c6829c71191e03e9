package main

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/sendapi"
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
			return a.withRedis(cmd, a.runGateway)
		},
	}
	cmd.Flags().String("addr", "", "`host:port` to listen on, in place of gateway.addr")
	bind(cmd, "addr", "gateway.addr")
	a.queueFlags(cmd)
	logFlags(cmd)
	return cmd
}

func (a *app) runGateway(ctx context.Context, cfg *config.Config, rdb redis.UniversalClient) error {
	log, err := newLog(a.stderr, cfg.Log)
	if err != nil {
		return err
	}
	client, err := newSender(cfg)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	handler, err := newGateway(cfg, rdb, client, log)
	if err != nil {
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
	fmt.Fprintf(a.stdout, "the gateway answers at http://%s; Ctrl-C ends it\n", listener.Addr())
	return serve(ctx, listener, handler, gatewayGrace)
}

func newGateway(
	cfg *config.Config, rdb redis.UniversalClient, client *sendapi.Client, log zerolog.Logger,
) (*gateway.Handler, error) {
	if len(cfg.Pages) == 0 {
		return nil, misuse("add pages with id and access_token to the configuration, and name it with --config",
			"no page is configured, so there is nothing to send from")
	}
	queue, err := producer.New(rdb, producer.Config{
		Pages: pageIDs(cfg), MaxWaiting: cfg.Gateway.MaxWaiting, StreamLength: int64(cfg.Outcomes.Max),
	})
	if err != nil {
		return nil, err
	}
	gc := gateway.Config{Rate: cfg.Gateway.Rate, MaxBody: int64(cfg.Gateway.MaxBody), Log: log}
	for _, p := range cfg.Pages {
		gc.Pages = append(gc.Pages, pageOf(p))
	}
	for _, key := range cfg.Gateway.APIKeys {
		gc.APIKeys = append(gc.APIKeys, sendapi.Secret(key.Reveal()))
	}
	return gateway.New(queue, client, gc)
}
