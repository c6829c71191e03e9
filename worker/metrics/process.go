package metrics

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
)

// maxScrapes bounds how many scrapes are answered at once.
const maxScrapes = 4

// Process is what every process exports: its version, Go's runtime, and its use of Redis.
type Process struct {
	registry *prometheus.Registry
	commands prometheus.Counter
	errors   *prometheus.CounterVec
}

func newProcess(version string) *Process {
	p := &Process{
		registry: prometheus.NewRegistry(),
		commands: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sendpace_redis_commands_total", Help: "Commands that this process sent to Redis; a script counts as one.",
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sendpace_redis_errors_total",
			Help: "Commands and dials that failed, after the client's own retries: by timeout, connection, or an error as reply.",
		}, []string{"kind"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sendpace_build_info", Help: "1, with the version of the program.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	for _, kind := range []string{timedOut, unconnected, refused} {
		p.errors.WithLabelValues(kind)
	}
	p.registry.MustRegister(p.commands, p.errors, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return p
}

// Handler answers scrapes.
func (p *Process) Handler() http.Handler {
	return promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

// RedisHook counts the commands of a Redis client to which it is added.
func (p *Process) RedisHook() redis.Hook { return redisHook{p} }

type redisHook struct{ p *Process }

// DialHook counts connections that could not be made.
func (h redisHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		h.p.failed(err)
		return conn, err
	}
}

// ProcessHook counts commands.
func (h redisHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.p.counted(cmd, err)
		return err
	}
}

// ProcessPipelineHook counts the commands of a pipeline.
func (h redisHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			h.p.counted(cmd, cmd.Err())
		}
		return err
	}
}

// Kinds of errors of Redis.
const (
	timedOut    = "timeout"
	unconnected = "connection"
	refused     = "reply"
)

// counted counts a command. With HELLO and CLIENT the client makes itself known on a new connection, parts of which an older
// server does not understand; where that matters, the command that the connection is for fails too.
func (p *Process) counted(cmd redis.Cmder, err error) {
	p.commands.Inc()
	if name := cmd.Name(); name != "hello" && name != "client" {
		p.failed(err)
	}
}

// failed counts an error that is one: not an empty answer, not that a script must be sent in full, and not a call that this process
// gave up itself.
func (p *Process) failed(err error) {
	var reply redis.Error
	var network net.Error
	switch {
	case err == nil, errors.Is(err, redis.Nil), errors.Is(err, context.Canceled), errors.Is(err, redis.ErrClosed):
	case errors.As(err, &reply):
		if !strings.HasPrefix(reply.Error(), "NOSCRIPT") {
			p.errors.WithLabelValues(refused).Inc()
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &network) && network.Timeout():
		p.errors.WithLabelValues(timedOut).Inc()
	default:
		p.errors.WithLabelValues(unconnected).Inc()
	}
}

// histogram has the fixed buckets that all processes share: what they measure can be added up.
func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// seconds of calls to the API, and to the gateway.
var callSeconds = []float64{.01, .025, .05, .1, .2, .3, .5, .75, 1, 2, 5, 15, 30, 85}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// usageFor is how long what the platform said of its limits counts.
const usageFor = 5 * time.Minute
