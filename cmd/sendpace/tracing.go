package main

import (
	"cmp"
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpace/sendpace/config"
)

// flushTime is how long the last spans may take to reach the collector when the process ends.
const flushTime = 5 * time.Second

// tracing starts to send spans of a command if the section tracing or the variables of OpenTelemetry ask for it; the provider is nil
// if they do not. flush sends what is left, for no longer than flushTime. Up to 2048 spans wait for a collector that is slow or away;
// more are dropped, and nothing waits for it.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func (a *app) tracing(
	ctx context.Context, cfg config.Tracing, command string, log zerolog.Logger,
) (provider trace.TracerProvider, flush func(), err error) {
	endpoint := cmp.Or(a.variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), a.variable("OTEL_EXPORTER_OTLP_ENDPOINT"))
	off := a.variable("OTEL_TRACES_EXPORTER") == "none" || strings.EqualFold(a.variable("OTEL_SDK_DISABLED"), "true")
	if off || endpoint == "" && cfg.Endpoint == "" {
		return nil, func() {}, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn().Err(err).Msg("tracing") }))
	var opts []otlptracehttp.Option // the exporter reads the variables itself
	if endpoint == "" {
		opts = append(opts, otlptracehttp.WithEndpointURL(cfg.Endpoint+"/v1/traces"))
	}
	if protocol := cmp.Or(a.variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), a.variable("OTEL_EXPORTER_OTLP_PROTOCOL")); protocol == "grpc" {
		log.Warn().Msg("OTEL_EXPORTER_OTLP_PROTOCOL is grpc, but traces go over HTTP: name the collector's port for it, mostly 4318")
	}
	sink, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, nil, failure("check tracing.endpoint and the variables OTEL_EXPORTER_OTLP_*", "tracing: %w", err)
	}
	of, err := resourceOf(ctx, cmp.Or(cfg.Service, "sendpace-"+command))
	if err != nil {
		return nil, nil, failure("check OTEL_RESOURCE_ATTRIBUTES", "tracing: %w", err)
	}
	ended, end := context.WithCancel(context.WithoutCancel(ctx))
	setUp := []sdktrace.TracerProviderOption{
		sdktrace.WithBatcher(&exporter{SpanExporter: sink, log: log, ended: ended}), sdktrace.WithResource(of),
	}
	if a.variable("OTEL_TRACES_SAMPLER") == "" {
		setUp = append(setUp, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.Sample))))
	}
	sdk := sdktrace.NewTracerProvider(setUp...)
	log.Info().Msg("tracing is on")
	return sdk, func() {
		brief, cancel := context.WithTimeout(ended, flushTime)
		defer cancel()
		defer end() // an export that goes on ends too
		if err := sdk.Shutdown(brief); err != nil {
			log.Warn().Err(err).Msg("the last spans did not reach the collector")
		}
	}, nil
}

// resourceOf describes this process. Its arguments are left out: they may hold the password of Redis.
func resourceOf(ctx context.Context, service string) (*resource.Resource, error) {
	return resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(), resource.WithAttributes(
		attribute.String("service.name", service), attribute.String("service.version", ownVersion(buildInfo())),
	), resource.WithFromEnv())
}

// variable is one of the environment's; empty if it is not set.
func (a *app) variable(name string) string {
	for _, v := range a.environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// exporter tells the log when the collector goes away and comes back, not of each batch in between.
type exporter struct {
	sdktrace.SpanExporter
	log   zerolog.Logger
	ended context.Context
	away  atomic.Bool
}

// ExportSpans sends a batch. One that cannot be sent is lost.
func (e *exporter) ExportSpans(ctx context.Context, batch []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ended, cancel)()
	err := e.SpanExporter.ExportSpans(ctx, batch)
	switch {
	case err != nil && !e.away.Swap(true):
		e.log.Warn().Err(err).Msg("the collector takes no traces; spans are lost until it does")
	case err == nil && e.away.Swap(false):
		e.log.Info().Msg("the collector takes traces again")
	}
	return nil
}
