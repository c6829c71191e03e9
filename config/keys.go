package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Key describes one setting outside of pages.
type Key struct {
	// Name is the key in the file, such as redis.url.
	Name string
	// Env is the variable that overrides it, such as SENDPACE_REDIS_URL.
	Env string
	// Default is the value that applies if nothing is said, as one would type it.
	Default string
}

// Keys returns every setting outside of pages, in the order of the documentation.
func Keys() []Key {
	defaults := Default()
	keys := make([]Key, len(fields))
	for i, f := range fields {
		keys[i] = Key{Name: f.name, Env: envName(f.name), Default: f.show(defaults)}
	}
	return keys
}

const envPrefix = "SENDPACE_"

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// field connects a key with its place in an S.
type field[S any] struct {
	name string
	set  func(*S, any) (problem string)
	show func(*S) string
}

func key[S, T any](name string, at func(*S) *T, parse parser[T]) field[S] {
	return field[S]{
		name: name,
		set: func(s *S, raw any) string {
			v, problem := parse(raw)
			if problem == "" {
				*at(s) = v
			}
			return problem
		},
		show: func(s *S) string { return show(*at(s)) },
	}
}

// show is for defaults, which are no secrets.
func show(v any) string {
	switch v := v.(type) {
	case Secret:
		if v.IsZero() {
			return none
		}
		return v.Reveal()
	case []Secret, []netip.Prefix:
		return none
	case time.Duration:
		return short(v)
	case string:
		if v == "" {
			return none
		}
	}
	return fmt.Sprint(v)
}

var fields = []field[Config]{
	key("redis.url", func(c *Config) *Secret { return &c.Redis.URL }, redisURL),
	key("redis.shards", func(c *Config) *int { return &c.Redis.Shards }, between(1, 64)),
	key("redis.password_file", func(c *Config) *string { return &c.Redis.PasswordFile }, orNone(fileName)),
	key("redis.tls_ca_file", func(c *Config) *string { return &c.Redis.TLSCAFile }, orNone(fileName)),
	key("redis.tls_cert_file", func(c *Config) *string { return &c.Redis.TLSCertFile }, orNone(fileName)),
	key("redis.tls_key_file", func(c *Config) *string { return &c.Redis.TLSKeyFile }, orNone(fileName)),
	key("redis.tls_server_name", func(c *Config) *string { return &c.Redis.TLSServerName }, orNone(host)),
	key("redis.tls_insecure", func(c *Config) *bool { return &c.Redis.TLSInsecure }, yesOrNo),
	key("graph.base_url", func(c *Config) *string { return &c.Graph.BaseURL }, graphURL),
	key("graph.version", func(c *Config) *string { return &c.Graph.Version }, version),
	key("graph.batch", func(c *Config) *int { return &c.Graph.Batch }, between(1, 50)),
	key("defaults.rate", func(c *Config) *float64 { return &c.Defaults.Rate }, rate(perSecond)),
	key("defaults.bulk_rate", func(c *Config) *float64 { return &c.Defaults.BulkRate }, rate(perSecond)),
	key("defaults.media_rate", func(c *Config) *float64 { return &c.Defaults.MediaRate }, rate(perSecond)),
	key("defaults.replies_per_hour", func(c *Config) *float64 { return &c.Defaults.RepliesPerHour }, rate(perHour)),
	key("defaults.thread_interval", func(c *Config) *time.Duration { return &c.Defaults.ThreadInterval }, threadInterval),
	key("defaults.daily_budget", func(c *Config) *int { return &c.Defaults.DailyBudget }, between(0, maxBudget)),
	key("app.daily_budget", func(c *Config) *int { return &c.App.DailyBudget }, between(0, maxBudget)),
	key("worker.concurrency", func(c *Config) *int { return &c.Worker.Concurrency }, between(1, 10_000)),
	key("worker.max_attempts", func(c *Config) *int { return &c.Worker.MaxAttempts }, between(1, 100)),
	key("worker.margin", func(c *Config) *float64 { return &c.Worker.Margin }, share(0.2, "0.005 for half a percent")),
	key("worker.adaptive", func(c *Config) *bool { return &c.Worker.Adaptive }, yesOrNo),
	key("worker.send_timeout", func(c *Config) *time.Duration { return &c.Worker.SendTimeout },
		length(100*time.Millisecond, 10*time.Minute)),
	key("worker.shutdown_timeout", func(c *Config) *time.Duration { return &c.Worker.ShutdownTimeout },
		length(time.Second, 20*time.Minute)),
	key("worker.on_unknown", func(c *Config) *string { return &c.Worker.OnUnknown }, oneOf("resend", "never")),
	key("worker.suppress_for", func(c *Config) *time.Duration { return &c.Worker.SuppressFor }, length(0, 90*24*time.Hour)),
	key("worker.http_addr", func(c *Config) *string { return &c.Worker.HTTPAddr }, orNone(listenAddr)),
	key("outcomes.max", func(c *Config) *int { return &c.Outcomes.Max }, between(1000, 100_000_000)),
	key("log.level", func(c *Config) *string { return &c.Log.Level },
		oneOf("trace", "debug", "info", "warn", "error")),
	key("log.format", func(c *Config) *string { return &c.Log.Format }, oneOf("json", "console", "auto")),
	key("log.recipients", func(c *Config) *string { return &c.Log.Recipients }, oneOf("hashed", "plain")),
	key("monitor.addr", func(c *Config) *string { return &c.Monitor.Addr }, listenAddr),
	key("monitor.user", func(c *Config) *string { return &c.Monitor.User }, orNone(userName)),
	key("monitor.password", func(c *Config) *Secret { return &c.Monitor.Password }, orNone(atLeast(minPassword))),
	key("monitor.password_file", func(c *Config) *string { return &c.Monitor.PasswordFile }, orNone(fileName)),
	key("monitor.token", func(c *Config) *Secret { return &c.Monitor.Token }, orNone(atLeast(minAPIKey))),
	key("monitor.token_file", func(c *Config) *string { return &c.Monitor.TokenFile }, orNone(fileName)),
	key("monitor.trusted_proxies", func(c *Config) *[]netip.Prefix { return &c.Monitor.TrustedProxies }, networks),
	key("gateway.addr", func(c *Config) *string { return &c.Gateway.Addr }, listenAddr),
	key("gateway.api_keys", func(c *Config) *[]Secret { return &c.Gateway.APIKeys }, apiKeys),
	key("gateway.rate", func(c *Config) *int { return &c.Gateway.Rate }, between(0, 1_000_000)),
	key("gateway.max_body", func(c *Config) *int { return &c.Gateway.MaxBody }, between(1<<10, 64<<20)),
	key("gateway.max_waiting", func(c *Config) *int { return &c.Gateway.MaxWaiting }, between(0, 1_000_000_000)),
	key("gateway.metrics_addr", func(c *Config) *string { return &c.Gateway.MetricsAddr }, orNone(listenAddr)),
	key("metrics.per_page", func(c *Config) *bool { return &c.Metrics.PerPage }, yesOrNo),
	key("tracing.endpoint", func(c *Config) *string { return &c.Tracing.Endpoint }, orNone(baseURL("http://127.0.0.1:4318"))),
	key("tracing.sample", func(c *Config) *float64 { return &c.Tracing.Sample }, share(1, "0.1 for every tenth trace")),
	key("tracing.service", func(c *Config) *string { return &c.Tracing.Service }, orNone(serviceName)),
}

// pageEntry is one element of pages as it is written.
type pageEntry struct {
	page       Page
	tokenFile  string
	secretFile string
}

var pageFields = []field[pageEntry]{
	key("id", func(p *pageEntry) *string { return &p.page.ID }, id),
	key("access_token", func(p *pageEntry) *Secret { return &p.page.AccessToken }, secret),
	key("access_token_file", func(p *pageEntry) *string { return &p.tokenFile }, fileName),
	key("app_secret", func(p *pageEntry) *Secret { return &p.page.AppSecret }, secret),
	key("app_secret_file", func(p *pageEntry) *string { return &p.secretFile }, fileName),
	key("rate", func(p *pageEntry) *float64 { return &p.page.Rates.Rate }, rate(perSecond)),
	key("bulk_rate", func(p *pageEntry) *float64 { return &p.page.Rates.BulkRate }, rate(perSecond)),
	key("media_rate", func(p *pageEntry) *float64 { return &p.page.Rates.MediaRate }, rate(perSecond)),
	key("replies_per_hour", func(p *pageEntry) *float64 { return &p.page.Rates.RepliesPerHour }, rate(perHour)),
	key("thread_interval", func(p *pageEntry) *time.Duration { return &p.page.Rates.ThreadInterval }, threadInterval),
	key("daily_budget", func(p *pageEntry) *int { return &p.page.Rates.DailyBudget }, between(1, maxBudget)),
}

func names[S any](fields []field[S]) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.name
	}
	return list
}

// sections are the keys of the file's top level that hold other keys.
func sections() []string {
	var list []string
	for _, name := range names(fields) {
		section, _, _ := strings.Cut(name, ".")
		if !slices.Contains(list, section) {
			list = append(list, section)
		}
	}
	return list
}
