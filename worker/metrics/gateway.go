package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Gateway exports what a gateway does.
type Gateway struct {
	*Process
	calls *prometheus.HistogramVec
}

// NewGateway makes the metrics of a gateway whose calls take one of these routes.
func NewGateway(version string, routes []string) *Gateway {
	g := &Gateway{
		Process: newProcess(version),
		calls: histogram("sendpace_gateway_call_duration_seconds",
			"How long calls to the gateway took, by route and class of the HTTP status.", callSeconds, "route", "status"),
	}
	for _, route := range routes {
		for status := 2; status <= 5; status++ {
			if status != 3 {
				g.calls.WithLabelValues(route, class(100*status))
			}
		}
	}
	g.registry.MustRegister(g.calls)
	return g
}

// Called counts a call. route is one of those that the gateway has.
func (g *Gateway) Called(route string, status int, took time.Duration) {
	g.calls.WithLabelValues(route, class(status)).Observe(took.Seconds())
}

// class is 2xx for 200.
func class(status int) string { return strconv.Itoa(status/100) + "xx" }
