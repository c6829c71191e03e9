package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
)

func TestTheMonitorsLogin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	put("password", "pass-of-a-file\n")
	put("token", "token-of-a-file-")
	put("short", "short")
	const tooShort = "must be 10 characters or more without a space"
	for in, want := range map[string]struct{ user, password, token, problem string }{
		"{}":                                       {},
		"{user: none}":                             {},
		"{token: '${TOKEN}'}":                      {token: "0123456789abcdef"},
		"{token_file: token}":                      {token: "token-of-a-file-"},
		"{token: 0123456789abc}":                   {problem: "monitor.token: must be 16 characters or more without a space"},
		"{user: ann, password: long-enough}":       {user: "ann", password: "long-enough"},
		"{user: 7, password_file: password}":       {user: "7", password: "pass-of-a-file"},
		"{user: ann, password: short}":             {problem: "monitor.password: " + tooShort},
		"{user: ann, password_file: short}":        {problem: "monitor.password_file: what is in the file " + tooShort},
		"{user: ann, password: 'with a space'}":    {problem: "monitor.password: " + tooShort},
		"{user: 'a:b', password: long-enough}":     {problem: "monitor.user: must be a name without a space, an accent or a colon"},
		"{user: ann}":                              {problem: "monitor.password: is missing, and monitor.user is there"},
		"{password: long-enough}":                  {problem: "monitor.user: is missing, and monitor.password is there"},
		"{token: 0123456789abcdef, token_file: x}": {problem: "monitor.token: is given twice, here and as a file"},
		"{token_file: absent}":                     {problem: "monitor.token_file: the file cannot be read: no such file"},
	} {
		put("c.yaml", "monitor: "+in)
		cfg, _, err := config.Load(config.Source{Path: filepath.Join(dir, "c.yaml"), Env: []string{"TOKEN=0123456789abcdef"}})
		if want.problem != "" {
			require.ErrorContains(t, err, want.problem, in)
			var all *config.Error
			require.ErrorAs(t, err, &all)
			assert.Len(t, all.Problems, 1, in)
			continue
		}
		require.NoError(t, err, in)
		m := cfg.Monitor
		assert.Equal(t, []string{want.user, want.password, want.token}, []string{m.User, m.Password.Reveal(), m.Token.Reveal()}, in)
		assert.Equal(t, want.password+want.token != "", m.HasLogin(), in)
	}
}
