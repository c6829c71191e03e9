package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
)

func TestTheDocumentedTableIsTheCode(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	type row struct{ name, fallback string }
	var documented, actual []row
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z]+\.[a-z_]+) +(\S+) `).FindAllStringSubmatch(string(doc), -1) {
		documented = append(documented, row{m[1], m[2]})
	}
	for _, k := range config.Keys() {
		actual = append(actual, row{k.Name, k.Default})
	}
	assert.Equal(t, documented, actual)
}

func TestEveryKeyCanBeSetFromTheEnvironment(t *testing.T) {
	t.Parallel()
	path := write(t, "c.yaml", "")
	for _, k := range config.Keys() {
		_, _, err := config.Load(config.Source{Path: path, Env: []string{k.Env + "=" + k.Default}})
		require.NoError(t, err, "%s: its own default must be accepted", k.Env)
		_, _, err = config.Load(config.Source{Path: path, Env: []string{k.Env + "=\x00"}})
		require.ErrorContains(t, err, k.Name+": must ", k.Env)
		assert.Equal(t, "SENDPACE_"+strings.ToUpper(strings.Replace(k.Name, ".", "_", 1)), k.Env)
	}
}

func TestAPagesOwnRatesComeFirst(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Pages = []config.Page{
		{ID: "1"}, {ID: "2", Rates: config.Rates{Rate: 5, ThreadInterval: time.Second}}, {ID: "3", Rates: config.Rates{
			Rate: 3, BulkRate: 2, MediaRate: 1, RepliesPerHour: 4, ThreadInterval: time.Minute, DailyBudget: 6,
		}},
	}
	defaults := cfg.Defaults
	second := defaults
	second.Rate, second.ThreadInterval = 5, time.Second
	for i, want := range []config.Rates{defaults, second, cfg.Pages[2].Rates} {
		assert.Equal(t, want, cfg.RatesOf(cfg.Pages[i]), cfg.Pages[i].ID)
	}
	page, ok := cfg.Page("2")
	assert.True(t, ok)
	assert.Equal(t, "2", page.ID)
	_, ok = cfg.Page("9")
	assert.False(t, ok)
}

func TestASecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const value = "EAABsecret"
	type hidden struct{ s config.Secret }
	s := config.NewSecret(value)
	cfg := config.Default()
	cfg.Redis.URL = s
	cfg.Pages = []config.Page{{ID: "1", AccessToken: s, AppSecret: s}}
	printed := []string{s.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T %v", "%!"} {
		for _, v := range []any{s, &s, cfg, *cfg, hidden{s}, &hidden{s}, []config.Secret{s}} {
			printed = append(printed, fmt.Sprintf(verb, v))
		}
	}
	asJSON, err := json.Marshal(cfg)
	require.NoError(t, err)
	asYAML, err := yaml.Parser().Marshal(map[string]any{"token": s, "page": cfg.Pages[0]})
	require.NoError(t, err)
	for _, p := range append(printed, string(asJSON), string(asYAML)) {
		assert.NotContains(t, p, value)
		assert.NotContains(t, p, fmt.Sprintf("%x", value))
	}
	assert.Equal(t, "[secret]", fmt.Sprintf("%s", s))
	assert.Contains(t, string(asJSON), `"AccessToken":"[secret]"`)
	assert.Contains(t, string(asYAML), "token: '[secret]'")
	assert.Equal(t, value, s.Reveal())
}

func TestTheZeroSecretIsEmpty(t *testing.T) {
	t.Parallel()
	var none config.Secret
	assert.True(t, none.IsZero())
	assert.Empty(t, none.Reveal())
	assert.Equal(t, none, config.NewSecret(""))
	assert.Equal(t, "[secret]", fmt.Sprint(none), "whether there is one is nobody's business either")
}
