package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sendpace/sendpace/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write puts text into a file of its own and returns the path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func load(t *testing.T, text string, env ...string) (*config.Config, []config.Warning, error) {
	t.Helper()
	return config.Load(config.Source{Path: write(t, "c.yaml", text), Env: env})
}

// problems returns what Load complains of, one line each.
func problems(t *testing.T, text string, env ...string) []string {
	t.Helper()
	cfg, _, err := load(t, text, env...)
	if err == nil {
		return nil
	}
	require.Nil(t, cfg)
	var failed *config.Error
	require.ErrorAs(t, err, &failed)
	lines := make([]string, len(failed.Problems))
	for i, p := range failed.Problems {
		lines[i] = p.String()
	}
	return lines
}

func TestAFileMaySetEverything(t *testing.T) {
	t.Parallel()
	cfg, warnings, err := load(t, `
redis: {url: "rediss://u:p@cache.example:6380/2", shards: 4, tls_server_name: redis.example}
graph: {base_url: "http://127.0.0.1:9090/", version: v27.1, batch: 20}
defaults: {rate: 20, bulk_rate: 0.5, media_rate: 5, replies_per_hour: 100, thread_interval: 1s, daily_budget: 5000}
app: {daily_budget: 9000}
pages:
  - id: 1001
    access_token: EAAB1
    app_secret: s1
  - id: "100200300400500600"
    access_token: EAAB2
    rate: 35.5
    bulk_rate: 2
    media_rate: 1
    replies_per_hour: 10
    thread_interval: 2s
    daily_budget: 50
worker: {concurrency: 10, max_attempts: 3, margin: 0, adaptive: false, send_timeout: 5s, shutdown_timeout: 1m30s,
  on_unknown: never, suppress_for: 720h, http_addr: "127.0.0.1:9100"}
outcomes: {max: 5000}
log: {level: Debug, format: json, recipients: plain}
monitor: {addr: "127.0.0.1:8081", trusted_proxies: [10.0.0.7, 10.1.2.3/16, "fd00::/8"]}
gateway: {addr: ":8091", api_keys: [0123456789abcdef, "${KEY}"], rate: 20, max_body: 2048, max_waiting: 10000,
  metrics_addr: ":9101"}
metrics: {per_page: false}
tracing: {endpoint: "http://collector:4318/", sample: 0.25, service: sendpace-eu}
`, "KEY=another-key-of-an-application")
	require.NoError(t, err)
	assert.Empty(t, warnings)
	assert.Len(t, cfg.Files, 1)
	cfg.Files = nil // its path is the test's own
	assert.NotNil(t, cfg.Redis.TLS)
	cfg.Redis.TLS = nil // made of the rest
	assert.Equal(t, &config.Config{
		Redis: config.Redis{URL: config.NewSecret("rediss://u:p@cache.example:6380/2"), Shards: 4, TLSServerName: "redis.example"},
		Graph: config.Graph{BaseURL: "http://127.0.0.1:9090", Version: "v27.1", Batch: 20},
		Defaults: config.Rates{
			Rate: 20, BulkRate: 0.5, MediaRate: 5, RepliesPerHour: 100, ThreadInterval: time.Second, DailyBudget: 5000,
		},
		App: config.App{DailyBudget: 9000},
		Pages: []config.Page{
			{ID: "1001", AccessToken: config.NewSecret("EAAB1"), AppSecret: config.NewSecret("s1")},
			{
				ID: "100200300400500600", AccessToken: config.NewSecret("EAAB2"),
				Rates: config.Rates{
					Rate: 35.5, BulkRate: 2, MediaRate: 1, RepliesPerHour: 10, ThreadInterval: 2 * time.Second, DailyBudget: 50,
				},
			},
		},
		Worker: config.Worker{
			Concurrency: 10, MaxAttempts: 3, SendTimeout: 5 * time.Second, ShutdownTimeout: 90 * time.Second,
			OnUnknown: "never", SuppressFor: 720 * time.Hour, HTTPAddr: "127.0.0.1:9100",
		},
		Outcomes: config.Outcomes{Max: 5000},
		Log:      config.Log{Level: "debug", Format: "json", Recipients: "plain"},
		Monitor: config.Monitor{Addr: "127.0.0.1:8081", TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8"),
		}},
		Gateway: config.Gateway{
			Addr: ":8091", Rate: 20, MaxBody: 2048, MaxWaiting: 10_000, MetricsAddr: ":9101",
			APIKeys: []config.Secret{config.NewSecret("0123456789abcdef"), config.NewSecret("another-key-of-an-application")},
		},
		Tracing: config.Tracing{Endpoint: "http://collector:4318", Sample: 0.25, Service: "sendpace-eu"},
	}, cfg)
}

func TestAPIKeysFromTheEnvironment(t *testing.T) {
	t.Parallel()
	for env, want := range map[string][]config.Secret{
		"none":             nil,
		"0123456789abcdef": {config.NewSecret("0123456789abcdef")},
		"0123456789abcdef, fedcba9876543210": {
			config.NewSecret("0123456789abcdef"), config.NewSecret("fedcba9876543210"),
		},
	} {
		cfg, _, err := load(t, "gateway: {api_keys: [a-key-of-the-file]}", "SENDPACE_GATEWAY_API_KEYS="+env)
		require.NoError(t, err, env)
		assert.Equal(t, want, cfg.Gateway.APIKeys, env)
	}
}

func TestTrustedProxiesFromTheEnvironment(t *testing.T) {
	t.Parallel()
	cfg, _, err := load(t, "monitor: {trusted_proxies: [10.0.0.7]}", "SENDPACE_MONITOR_TRUSTED_PROXIES=127.0.0.1, ::1")
	require.NoError(t, err)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}, cfg.Monitor.TrustedProxies)
}

func TestNothingSaidMeansTheDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# only a comment\n", "redis:\ndefaults: {}\npages:\n", "pages: []"} {
		cfg, warnings, err := load(t, text)
		require.NoError(t, err, text)
		assert.Empty(t, warnings, text)
		assert.Equal(t, config.Default(), bare(cfg), text)
	}
}

// bare is c without what no text can leave out.
func bare(c *config.Config) *config.Config {
	c.Files = nil
	if len(c.Pages) == 0 {
		c.Pages = nil
	}
	return c
}

func TestTheFileIsLookedForInTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg, _, err := config.Load(config.Source{Env: []string{"SENDPACE_DEFAULTS_RATE=7"}})
	require.NoError(t, err, "no file, none asked for")
	assert.InDelta(t, 7, cfg.Defaults.Rate, 0)

	require.NoError(t, os.WriteFile(config.DefaultPath, []byte("defaults: {bulk_rate: 0.25}"), 0o600))
	cfg, _, err = config.Load(config.Source{})
	require.NoError(t, err)
	assert.InDelta(t, 0.25, cfg.Defaults.BulkRate, 0)
}

func TestAVariableMayNameTheFile(t *testing.T) {
	t.Parallel()
	path := write(t, "c.yaml", "defaults: {rate: 6}")
	other := write(t, "c.yaml", "defaults: {rate: 7}")
	cfg, warnings, err := config.Load(config.Source{Env: []string{"SENDPACE_CONFIG=" + path}})
	require.NoError(t, err)
	assert.Empty(t, warnings)
	assert.InDelta(t, 6, cfg.Defaults.Rate, 0)
	cfg, _, err = config.Load(config.Source{Path: other, Env: []string{"SENDPACE_CONFIG=" + path}})
	require.NoError(t, err)
	assert.InDelta(t, 7, cfg.Defaults.Rate, 0)
	_, _, err = config.Load(config.Source{Env: []string{"SENDPACE_CONFIG=" + path + "x"}})
	require.ErrorContains(t, err, "there is no such file")
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	huge := write(t, "huge.yaml", strings.Repeat("# padding\n", 500_000))
	for path, want := range map[string]string{
		filepath.Join(dir, "absent.yaml"): "there is no such file; check --config or SENDPACE_CONFIG",
		dir:                               "cannot be read: is a directory",
		huge:                              "is larger than 4096 KiB, the most that is read",
	} {
		_, _, err := config.Load(config.Source{Path: path})
		assert.EqualError(t, err, path+": "+want)
	}
}

func TestWhatOverridesWhat(t *testing.T) {
	t.Parallel()
	const file = "redis: {url: 'redis://file'}\ndefaults: {rate: 1, bulk_rate: 0.1}\n"
	for _, tt := range []struct {
		name  string
		env   []string
		flags []string
		url   string
		rate  float64
	}{
		{"the file alone", nil, nil, "redis://file", 1},
		{"the environment over the file", []string{"SENDPACE_REDIS_URL=redis://env"}, nil, "redis://env", 1},
		{
			"a flag over both",
			[]string{"SENDPACE_REDIS_URL=redis://env", "SENDPACE_DEFAULTS_RATE=2"},
			[]string{"--redis", "redis://flag"}, "redis://flag", 2,
		},
		{"an empty variable is not set", []string{"SENDPACE_REDIS_URL="}, nil, "redis://file", 1},
		{"a key with an underscore", []string{"SENDPACE_DEFAULTS_RATE=2.5"}, nil, "redis://file", 2.5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			flags.String("redis", "redis://flag-default", "")
			flags.Bool("verbose", true, "")
			require.NoError(t, config.Bind(flags, "redis", "redis.url"))
			require.NoError(t, flags.Parse(tt.flags))
			cfg, _, err := config.Load(config.Source{Path: write(t, "c.yaml", file), Env: tt.env, Flags: flags})
			require.NoError(t, err)
			assert.Equal(t, tt.url, cfg.Redis.URL.Reveal())
			assert.InDelta(t, tt.rate, cfg.Defaults.Rate, 0)
			assert.InDelta(t, 0.1, cfg.Defaults.BulkRate, 0, "what only the file says stays")
		})
	}
}

func TestBindRefusesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("redis", "", "")
	require.Error(t, config.Bind(flags, "redis", "redis.address"))
	require.Error(t, config.Bind(flags, "rediss", "redis.url"))
}

func TestAProblemNamesWhereTheValueCameFrom(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("log-level", "", "")
	require.NoError(t, config.Bind(flags, "log-level", "log.level"))
	require.NoError(t, flags.Parse([]string{"--log-level=loud"}))
	_, _, err := config.Load(config.Source{
		Path: write(t, "c.yaml", ""), Env: []string{"SENDPACE_DEFAULTS_RATE=fast"}, Flags: flags,
	})
	require.ErrorContains(t, err, "defaults.rate: must be a number above 0: sends a second, such as 30 or 0.5 "+
		"(set by SENDPACE_DEFAULTS_RATE)")
	require.ErrorContains(t, err, "log.level: must be one of trace, debug, info, warn, error (set by --log-level)")
}

func TestVariablesInTheFile(t *testing.T) {
	t.Parallel()
	env := []string{"TOKEN=EAAB$x${y}", "HOST=cache", "EMPTY=", "RATE=12.5"}
	for _, tt := range []struct{ in, want, problem string }{
		{in: "${TOKEN}", want: "EAAB$x${y}"},
		{in: "a-${HOST}-b-${HOST}", want: "a-cache-b-cache"},
		{in: "$${HOST}", want: "${HOST}"},
		{in: "$$${HOST}", want: "$${HOST}"},
		{in: "$HOST costs 5$", problem: "has a space"},
		{in: "$HOST", want: "$HOST"},
		{in: "${ABSENT}", problem: "the variable ABSENT is not set; set it, or type $${ for a plain ${"},
		{in: "${A1}${A2}", problem: "the variable A1 is not set; set it, or type $${ for a plain ${; " +
			"the variable A2 is not set; set it, or type $${ for a plain ${"},
		{in: "${EMPTY}", problem: "is empty; type the value, or ${VAR} to take it from the environment"},
		{in: "${HOST", problem: "has a ${ without a variable's name and a }; type ${VAR}, or $${ for a plain ${"},
		{in: "${a b}", problem: "has a ${ without a variable's name"},
		{in: "${}", problem: "has a ${ without a variable's name"},
	} {
		text := "pages:\n- {id: 1, access_token: '" + tt.in + "', rate: '${RATE}'}\n"
		cfg, _, err := load(t, text, env...)
		if tt.problem != "" {
			require.ErrorContains(t, err, "pages[0].access_token: "+tt.problem, tt.in)
			continue
		}
		require.NoError(t, err, tt.in)
		assert.Equal(t, tt.want, cfg.Pages[0].AccessToken.Reveal(), tt.in)
		assert.InDelta(t, 12.5, cfg.Pages[0].Rates.Rate, 0)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "secrets"), 0o700))
	put("secrets/token", "\n  EAABfile\r\n")
	put("two-lines", "EAAB\nEAAC")
	put("empty", " \n")
	put("huge", strings.Repeat("x", 70_000))
	absolute := filepath.Join(dir, "secrets", "token")

	for _, tt := range []struct{ name, page, want, problem string }{
		{name: "beside the configuration", page: "access_token_file: secrets/token", want: "EAABfile"},
		{name: "absolute", page: "access_token_file: " + absolute, want: "EAABfile"},
		{name: "by variable", page: "access_token_file: '${DIR}/token'", want: "EAABfile"},
		{
			name: "absent", page: "access_token_file: absent",
			problem: "pages[0].access_token_file: the file cannot be read: no such file or directory; " +
				"check its name and who may read it",
		},
		{
			name: "empty", page: "access_token_file: empty",
			problem: "pages[0].access_token_file: what is in the file is empty",
		},
		{
			name: "two lines", page: "access_token_file: two-lines",
			problem: "pages[0].access_token_file: what is in the file has a space, a line break",
		},
		{
			name: "too large", page: "access_token_file: huge",
			problem: "pages[0].access_token_file: the file is larger than 64 KiB",
		},
		{
			name: "both ways", page: "access_token_file: secrets/token\n  access_token: x",
			problem: "pages[0].access_token: is given twice, here and as a file; take one of the two away",
		},
		{
			name: "an app secret both ways", page: "access_token: x\n  app_secret: y\n  app_secret_file: secrets/token",
			problem: "pages[0].app_secret: is given twice, here and as a file; take one of the two away",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, "c.yaml")
			put("c.yaml", "pages:\n- id: 1\n  "+tt.page+"\n")
			cfg, _, err := config.Load(config.Source{Path: path, Env: []string{"DIR=secrets"}})
			if tt.problem != "" {
				require.ErrorContains(t, err, tt.problem)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, cfg.Pages[0].AccessToken.Reveal())
		})
	}
}

func TestNoTimeNeedsNoUnit(t *testing.T) {
	t.Parallel()
	cfg, _, err := load(t, "worker: {suppress_for: 0}")
	require.NoError(t, err)
	assert.Zero(t, cfg.Worker.SuppressFor)
}
