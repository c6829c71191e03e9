package config

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// Config is everything that can be configured. Default returns the values that apply if nothing is said.
type Config struct {
	// Redis is where the queue lives.
	Redis Redis
	// Graph is the API that messages are sent to.
	Graph Graph
	// Defaults are the limits of every page that sets none of its own.
	Defaults Rates
	// App are the limits of all pages together.
	App App
	// Pages are the pages that can be sent from.
	Pages []Page
	// Worker is how a sending process works.
	Worker Worker
	// Outcomes is what is kept of jobs that ended.
	Outcomes Outcomes
	// Log is how a process reports what it does.
	Log Log
	// Monitor is the web view of the queue.
	Monitor Monitor
	// Gateway takes calls of the Send API for the queue.
	Gateway Gateway
	// Metrics is what Prometheus is told.
	Metrics Metrics
	// Tracing is what OpenTelemetry is told.
	Tracing Tracing
	// Files are those that were read: the configuration, if there is one, and those with tokens and secrets.
	Files []string
}

// Redis is the section redis.
type Redis struct {
	// URL is the address in one of the forms of ParseRedis. It may hold a password, so it prints as [secret];
	// a RedisAddress prints without the password.
	URL Secret
	// Shards is over how many queues the workers spread the pages, so that the masters of a cluster share the load. All workers of a
	// fleet must have the same.
	Shards int
	// PasswordFile holds the password in place of the URL; empty means that the URL is all.
	PasswordFile string
	// TLSCAFile holds the certificates of those who may vouch for Redis, in PEM form; empty means those of the system.
	TLSCAFile string
	// TLSCertFile holds the certificate that Redis is shown, in PEM form; empty means none.
	TLSCertFile string
	// TLSKeyFile holds the key of that certificate.
	TLSKeyFile string
	// TLSServerName is the name that must be in Redis's certificate; empty means the host of each connection.
	TLSServerName string
	// TLSInsecure accepts any certificate.
	TLSInsecure bool

	// Password is what Load found in PasswordFile.
	Password Secret
	// TLS is how to connect, as Load makes it from the above; nil for a URL without TLS.
	TLS *tls.Config `json:"-"`
}

// Graph is the section graph.
type Graph struct {
	// BaseURL has no slash at its end.
	BaseURL string
	// Version is the API version, such as v26.0.
	Version string
	// Batch is how many messages of a page may share a call; 1 means that each goes alone.
	Batch int
}

// App is the section app.
type App struct {
	// DailyBudget is how many sends all pages together make in any 24 hours; 0 is no limit.
	DailyBudget int
}

// Rates are the limits of a page. Zero means: not set here.
type Rates struct {
	// Rate is sends a second of all lanes of a page together.
	Rate float64
	// BulkRate is sends a second of the bulk lane.
	BulkRate float64
	// MediaRate is sends a second of audio and video.
	MediaRate float64
	// RepliesPerHour is private replies to comments and posts an hour.
	RepliesPerHour float64
	// ThreadInterval is the least time between two messages to one recipient.
	ThreadInterval time.Duration
	// DailyBudget is how many sends a page makes in any 24 hours; 0 in Config.Defaults is no limit.
	DailyBudget int
}

// Page is one Facebook Page to send from.
type Page struct {
	// ID is the page's number.
	ID string
	// AccessToken is the page access token; Load makes sure that it is there.
	AccessToken Secret
	// AppSecret makes each call carry an appsecret_proof; without one, calls carry none.
	AppSecret Secret
	// Rates override Config.Defaults where they are above zero.
	Rates Rates
}

// Worker is the section worker.
type Worker struct {
	// Concurrency is how many sends one process has in flight at most.
	Concurrency int
	// MaxAttempts is how often a job is tried before it ends as failed.
	MaxAttempts int
	// Margin is the share of each limit that is left unused, so that jitter never shows as one send too many.
	Margin float64
	// Adaptive lets the pace follow what the platform says: it climbs back after a pause, and slows down as usage nears its
	// limit.
	Adaptive bool
	// SendTimeout is how long a call waits for its answer.
	SendTimeout time.Duration
	// ShutdownTimeout is how long sends in flight may take to finish when the process is asked to end. It is
	// above SendTimeout: a send that is cut off has an unknown outcome.
	ShutdownTimeout time.Duration
	// OnUnknown is resend or never: what becomes of a job that says nothing of it when nobody can know whether it was sent.
	OnUnknown string
	// SuppressFor is how long nothing more is sent to a recipient who cannot be reached; zero means that each job is tried.
	SuppressFor time.Duration
	// HTTPAddr is the host and port for metrics and probes; empty means that nothing listens.
	HTTPAddr string
}

// Outcomes is the section outcomes.
type Outcomes struct {
	// Max is about how many outcome records are kept, the newest.
	Max int
}

// Log is the section log.
type Log struct {
	// Level is trace, debug, info, warn or error.
	Level string
	// Format is json, console or auto; auto is console on a terminal and json elsewhere.
	Format string
	// Recipients is hashed or plain: how a line shows whom a message was for.
	Recipients string
}

// Metrics is the section metrics.
type Metrics struct {
	// PerPage tells pages apart.
	PerPage bool
}

// Tracing is the section tracing. The OTEL_* variables of OpenTelemetry go before it.
type Tracing struct {
	// Endpoint is the base URL of a collector that takes OTLP over HTTP, without a slash at its end; empty means that nothing is traced.
	Endpoint string
	// Sample is the share of traces that are recorded, of those that begin here: one that comes from a caller goes by the caller's.
	Sample float64
	// Service is the name of the service; empty means sendpace- and the command.
	Service string
}

// Monitor is the section monitor.
type Monitor struct {
	// Addr is the host and port to listen on.
	Addr string
	// User and Password let a person in; there are both or neither. Token lets a program in, and a person who types it in place
	// of a password. With none of them there is no login.
	User     string
	Password Secret
	Token    Secret
	// TrustedProxies are the addresses of proxies in front of the monitor, whose X-Forwarded-For says from where somebody named a
	// wrong login.
	TrustedProxies []netip.Prefix
	// PasswordFile and TokenFile are where Password and Token were read from, if they were.
	PasswordFile string
	TokenFile    string
}

// HasLogin tells whether the monitor lets in only who can name a password or a token.
func (m Monitor) HasLogin() bool { return !m.Password.IsZero() || !m.Token.IsZero() }

// Gateway is the section gateway.
type Gateway struct {
	// Addr is the host and port to listen on.
	Addr string
	// APIKeys are accepted in place of a page's token, for every page.
	APIKeys []Secret
	// Rate is how many calls a second each token and each key may make; 0 is no limit.
	Rate int
	// MaxBody bounds a call's body apart from files, in bytes.
	MaxBody int
	// MaxWaiting is how many jobs may wait in a page's lane before further ones are refused; 0 is no limit.
	MaxWaiting int
	// MetricsAddr is the host and port for metrics; empty means that nothing listens.
	MetricsAddr string
}

// Default returns the configuration that applies if nothing is said.
func Default() *Config {
	return &Config{
		Redis:    Redis{URL: NewSecret("redis://127.0.0.1:6379"), Shards: 1},
		Graph:    Graph{BaseURL: "https://graph.facebook.com", Version: "v26.0", Batch: 1},
		Defaults: Rates{Rate: 30, BulkRate: 0.9, MediaRate: 10, RepliesPerHour: 750, ThreadInterval: 250 * time.Millisecond},
		Worker: Worker{
			Concurrency:     250,
			MaxAttempts:     8,
			Margin:          0.005,
			Adaptive:        true,
			SendTimeout:     15 * time.Second,
			ShutdownTimeout: 90 * time.Second,
			OnUnknown:       "resend",
		},
		Outcomes: Outcomes{Max: 100_000},
		Log:      Log{Level: "info", Format: "auto", Recipients: "hashed"},
		Monitor:  Monitor{Addr: "127.0.0.1:8080"},
		Gateway:  Gateway{Addr: "127.0.0.1:8090", Rate: 1000, MaxBody: 1 << 20},
		Metrics:  Metrics{PerPage: true},
		Tracing:  Tracing{Sample: 1},
	}
}

// Page returns the page with this id, and whether there is one.
func (c *Config) Page(id string) (Page, bool) {
	for _, p := range c.Pages {
		if p.ID == id {
			return p, true
		}
	}
	return Page{}, false
}

// RatesOf returns the limits that apply to a page: its own where it has them, else the defaults.
func (c *Config) RatesOf(page Page) Rates {
	return Rates{
		Rate:      own(page.Rates.Rate, c.Defaults.Rate),
		BulkRate:  own(page.Rates.BulkRate, c.Defaults.BulkRate),
		MediaRate: own(page.Rates.MediaRate, c.Defaults.MediaRate),

		RepliesPerHour: own(page.Rates.RepliesPerHour, c.Defaults.RepliesPerHour),
		ThreadInterval: own(page.Rates.ThreadInterval, c.Defaults.ThreadInterval),
		DailyBudget:    own(page.Rates.DailyBudget, c.Defaults.DailyBudget),
	}
}

func own[N int | float64 | time.Duration](value, fallback N) N {
	if value > 0 {
		return value
	}
	return fallback
}
