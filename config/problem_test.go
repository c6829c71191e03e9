package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
)

const source = "\npages: [{id: 1, access_token: t}]\n"

const (
	badRate     = "must be a number above 0: sends a second, such as 30 or 0.5"
	badDuration = "must be a time with its unit, from 100ms to 10m, such as 15s"
)

// sayings are what is said of a file, by its text.
var sayings = map[string]string{
	// keys that do not exist
	"rediss: {url: x}":         "rediss: there is no such key; did you mean redis?",
	"redis: {uri: x}":          "redis.uri: there is no such key; did you mean url?",
	"rate: 5":                  "rate: there is no such key; did you mean defaults.rate?",
	"defaults: {bulkRate: 1}":  "defaults.bulkRate: there is no such key; did you mean bulk_rate?",
	"defaults: {burst: 1}":     "defaults.burst: there is no such key; known here: rate, bulk_rate, media_rate",
	"worker: {max_atempts: 1}": "worker.max_atempts: there is no such key; did you mean max_attempts?",
	"redis.url: x":             "redis.url: there is no such key; did you mean redis.url?",
	"pages: [{id: 1, access_token: t, token: t}]":     "pages[0].token: there is no such key; known here: id, access_token, ",
	"pages: [{id: 1, access_token: t, ap_secret: t}]": "pages[0].ap_secret: there is no such key; did you mean app_secret?",
	"\"a\\nb\": 1": "\"a\\nb\": there is no such key",
	"5: 1":         "5: there is no such key",
	// shapes
	"redis: redis://x":       "redis: must hold keys of its own, one a line and indented: url",
	"pages: {id: 1}":         "pages: must be a list; begin each page with - id:",
	"pages: [1001]":          "pages[0]: must hold keys of its own, one a line and indented: id, access_token",
	"pages:\n-\n":            "pages[0]: is empty; give it an id and an access_token, or take it away",
	"log:\n  level:\n":       "log.level: has no value; type one, or take the line away",
	"log: {level: [info]}":   "log.level: must be one of trace, debug, info, warn, error",
	"defaults: {rate: {}}":   "defaults.rate: " + badRate,
	"just text":              "is not a list of keys; begin as in redis: {url: \"redis://127.0.0.1:6379\"}",
	"- a\n- b":               "is not a list of keys; begin as in",
	"a: b: c":                "is not valid YAML: mapping values are not allowed in this context",
	"log: {}\nlog: {}":       "is not valid YAML: line 2: mapping key \"log\" already defined at line 1",
	"pages: *token_of_page":  "is not valid YAML; check its indentation and quotes",
	"pages: [{{secret}: 1}]": "is not valid YAML; check its indentation and quotes",
	// rates
	"defaults: {rate: 0}":                             "defaults.rate: " + badRate,
	"defaults: {rate: -1}":                            "defaults.rate: " + badRate,
	"defaults: {rate: .inf}":                          "defaults.rate: " + badRate,
	"defaults: {rate: .nan}":                          "defaults.rate: " + badRate,
	"defaults: {rate: 30/s}":                          "defaults.rate: " + badRate,
	"defaults: {media_rate: yes}":                     "defaults.media_rate: " + badRate,
	"pages: [{id: 1, access_token: t, bulk_rate: 0}]": "pages[0].bulk_rate: " + badRate,
	"defaults: {replies_per_hour: 0}":                 "defaults.replies_per_hour: must be a number above 0: private replies an hour, such as 750",
	// pages
	"pages: [{access_token: t}]":                 "pages[0].id: is missing; type the page's number",
	"pages: [{id: main, access_token: t}]":       "pages[0].id: must be the page's number, at most 32 digits, such as 1001",
	"pages: [{id: 1.5, access_token: t}]":        "pages[0].id: must be the page's number",
	"pages: [{id: 2020-01-01, access_token: t}]": "pages[0].id: must be the page's number",
	"pages: [{id: 1}]":                           "pages[0].access_token: is missing; type access_token: ${VAR}, or access_token_file: FILE",
	"pages: [{id: 1, access_token: ''}]":         "pages[0].access_token: is empty; type the value, or ${VAR}",
	"pages: [{id: 1, access_token: 'a b'}]":      "pages[0].access_token: has a space, a line break or another character",
	"pages: [{id: 1, access_token_file: ''}]":    "pages[0].access_token_file: must be the name of a file",
	"pages: [{id: 1, access_token: a}, {id: '1', access_token: b}]": "pages[1].id: is the same as that of pages[0]; " +
		"make one entry of the two",
	// worker
	"worker: {concurrency: 0}":        "worker.concurrency: must be a whole number from 1 to 10000",
	"worker: {concurrency: 2.5}":      "worker.concurrency: must be a whole number from 1 to 10000",
	"worker: {max_attempts: 1000}":    "worker.max_attempts: must be a whole number from 1 to 100",
	"worker: {margin: 0.5}":           "worker.margin: must be a share from 0 to 0.2; type 0.005 for half a percent",
	"tracing: {sample: 1.5}":          "tracing.sample: must be a share from 0 to 1; type 0.1 for every tenth trace",
	"tracing: {endpoint: \"c:4318\"}": "tracing.endpoint: must be a web address without query or password, such as http://127.0.0.1:4318",
	"tracing: {service: \"a b\"}":     "tracing.service: must be 1 to 64 letters, digits, '_', '.' or '-', such as sendpace-eu",
	"worker: {margin: .nan}":          "worker.margin: must be a share from 0 to 0.2",
	"worker: {send_timeout: 15}":      "worker.send_timeout: " + badDuration,
	"worker: {send_timeout: -5s}":     "worker.send_timeout: " + badDuration,
	"worker: {send_timeout: 90s}":     "worker.shutdown_timeout: must be above worker.send_timeout, which is 1m30s",
	"worker: {shutdown_timeout: 5s}":  "worker.shutdown_timeout: must be above worker.send_timeout, which is 15s",
	"worker: {on_unknown: maybe}":     "worker.on_unknown: must be one of resend, never",
	"worker: {suppress_for: 2161h}":   "worker.suppress_for: must be a time with its unit, from 0s to 2160h, such as 15s",
	"worker: {suppress_for: 5}":       "worker.suppress_for: must be a time with its unit",
	// the rest
	"outcomes: {max: 10}":                                    "outcomes.max: must be a whole number from 1000 to 100000000",
	"graph: {base_url: graph.facebook.com}":                  "graph.base_url: must be a web address without query or password",
	"graph: {base_url: 'https://u:p@graph'}":                 "graph.base_url: must be a web address without query or password",
	"graph: {base_url: 'ftp://graph'}":                       "graph.base_url: must be a web address without query or password",
	"graph: {base_url: 'https://graph.facebook.com/v26.0/'}": "graph.base_url: must end before the version, which is graph.version",
	"graph: {version: 26}":                                   "graph.version: must be a Graph API version, such as v26.0",
	"graph: {version: v26.100}":                              "graph.version: must be a Graph API version, such as v26.0",
	"log: {format: text}":                                    "log.format: must be one of json, console, auto",
	"monitor: {addr: '8080'}":                                "monitor.addr: must be host:port, such as 127.0.0.1:8080",
	"monitor: {addr: 'localhost:http'}":                      "monitor.addr: must be host:port, such as 127.0.0.1:8080",
	"monitor: {trusted_proxies: 7}":                          "monitor.trusted_proxies: must be a list of addresses and networks",
	"monitor: {trusted_proxies: [proxy.example]}":            "monitor.trusted_proxies: must be a list of addresses and networks",
	"monitor: {trusted_proxies: ['10.0.0.1/33']}":            "monitor.trusted_proxies: must be a list of addresses and networks",
	"monitor: {trusted_proxies: [10.0.0.7, 0.0.0.0/0]}":      "monitor.trusted_proxies: must not have 0.0.0.0/0, which is everybody",
	"monitor: {trusted_proxies: ['::ffff:10.0.0.1']}":        "monitor.trusted_proxies: must be a list of addresses and networks",
	"gateway: {addr: ':x'}":                                  "gateway.addr: must be host:port, such as 127.0.0.1:8080",
	"gateway: {api_keys: 7}":                                 "gateway.api_keys: must be a list of keys of 16 characters or more",
	"gateway: {api_keys: [short]}":                           "gateway.api_keys: must be a list of keys of 16 characters or more",
	"gateway: {api_keys: ['${NO_SUCH}']}":                    "gateway.api_keys[0]: the variable NO_SUCH is not set",
	"gateway: {rate: 0.5}":                                   "gateway.rate: must be a whole number from 0 to 1000000",
	"gateway: {max_body: 10}":                                "gateway.max_body: must be a whole number from 1024 to 67108864",
	"gateway: {max_waiting: -1}":                             "gateway.max_waiting: must be a whole number from 0 to 1000000000",
	"redis: {url: 'http://x'}":                               "redis.url: must begin with redis://, rediss://",
}

func TestEachProblemSaysWhatToType(t *testing.T) {
	t.Parallel()
	for text, want := range sayings {
		got := problems(t, text)
		require.Len(t, got, 1, "%s\n%s", text, strings.Join(got, "\n"))
		assert.True(t, strings.HasPrefix(got[0], want), "%s\ngot:  %s\nwant: %s", text, got[0], want)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, `
redis: {url: "redis://h:x"}
defaults: {rate: 0}
pages:
  - access_token: a
  -
  - {id: 3, access_token: "${NO_SUCH}", rate: -1}
wroker: {}
`)
	require.Error(t, err)
	var got []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, _, _ := strings.Cut(strings.TrimSpace(line), ": ")
		got = append(got, key)
	}
	want := []string{"pages[1]", "pages[2].access_token", "wroker", "redis.url", "defaults.rate", "pages[0].id", "pages[2].rate"}
	assert.Equal(t, want, got[1:], err)
	assert.Contains(t, err.Error(), "c.yaml: 7 problems\n  pages[1]: ")
}

func TestNoProblemRepeatsAValue(t *testing.T) {
	t.Parallel()
	const token = "EAABsecretsecret"
	for _, text := range []string{
		"%s", "- %s", "redis: %s", "redis: {url: %s}", "redis: {url: 'redis://:%s@h:x:y/'}",
		"redis: {url: 'redis://:%s'}", "redis: {url: 'rediss-cluster://u:%s@h1:1,h2:x'}",
		"redis: {url: 'redis-sentinel://:%s%%zz@h'}", "graph: {base_url: 'https://u:%s@h'}", "graph: {version: %s}",
		"defaults: {rate: %s}", "worker: {concurrency: %s, margin: %[1]s, send_timeout: %[1]s}", "pages: %s",
		"pages: [%s]", "pages: [{id: %s, access_token: %[1]s}]", "pages: [{id: 1, access_token: '%s x'}]",
		"pages: [{id: 1, access_token: '${%s'}]", "pages: [{id: 1, access_token_file: /%s}]", "log: {level: %s}",
		"monitor: {addr: %s}", "monitor: {user: %s x}", "monitor: {user: a, password: %s x}", "monitor: {token: %s x}", "monitor: {trusted_proxies: [%s]}", "gateway: {api_keys: ['%s x']}", "gateway: {api_keys: [%s, short]}", "pages: *%s", "pages: !%s x", "pages: !!int %s", "pages: [{{%s}: 1}]", "a: 'b\n%s",
		"pages: !!binary '%s-'", "&%s a: *b",
	} {
		text = fmt.Sprintf(text, token)
		got := strings.Join(problems(t, text), "\n")
		require.NotEmpty(t, got, text)
		assert.NotContains(t, got, token, text)
		assert.NotContains(t, got, token[:6], text)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		env        []string
		want       []string
	}{
		{"as fast as the inbox stands", "defaults: {rate: 40}" + source, nil, nil},
		{
			"faster than the inbox stands", "defaults: {rate: 40.5}" + source, nil,
			[]string{"defaults.rate: above 40 a second the page's inbox stops showing new messages"},
		},
		{
			"one page alone", "pages: [{id: 1, access_token: t}, {id: 2, access_token: u, rate: 300}]", nil,
			[]string{"pages[1].rate: above 40 a second the page's inbox stops showing new messages"},
		},
		{
			"a token twice", "pages: [{id: 1, access_token: t}, {id: 2, access_token: t}]", nil,
			[]string{"pages[1].access_token: is that of pages[0] too, and a page has one of its own; sendpace page check tells whose it is"},
		},
		{
			"faster than the platform takes", "pages: [{id: 1, access_token: t, rate: 301}]", nil,
			[]string{"pages[0].rate: above 300 a second the platform refuses sends"},
		},
		{
			"audio and video", "defaults: {media_rate: 11}" + source, nil,
			[]string{"defaults.media_rate: above 10 a second the platform refuses audio and video"},
		},
		{"bulk above one a second is the operator's choice", "defaults: {bulk_rate: 30}" + source, nil, nil},
		{"plain http to this host", "graph: {base_url: 'http://localhost:9090'}" + source, nil, nil},
		{
			"plain http elsewhere", "graph: {base_url: 'http://graph.facebook.com'}" + source, nil,
			[]string{"graph.base_url: access tokens travel unencrypted; use https:// outside of tests"},
		},
		{
			"a variable with a slip", source, []string{"SENDPACE_REDIS_ULR=x"},
			[]string{"SENDPACE_REDIS_ULR: this variable is not read; did you mean SENDPACE_REDIS_URL?"},
		},
		{"a variable of somebody else", source, []string{"SENDPACE_SERVICE_HOST=x", "SENDPACE_IMAGE=x"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, warnings, err := load(t, tt.text, tt.env...)
			require.NoError(t, err)
			var got []string
			for _, w := range warnings {
				got = append(got, w.String())
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestOneProblemStandsOnOneLine(t *testing.T) {
	t.Parallel()
	err := &config.Error{Problems: []config.Problem{{Key: "a.b", Text: "is wrong"}}}
	assert.Equal(t, "configuration: a.b: is wrong", err.Error())
}
