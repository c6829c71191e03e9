package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sendpace/sendpace/config"
)

// FuzzLoad holds for any file: Load returns a usable Config or problems, and no problem breaks its line.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "redis: {url: embedded}", "pages: [{id: 1, access_token: '${T}', rate: 2}]", "a: &a [*a]", "? {a: b}\n: c",
		"redis.url: x\nredis: {url: y}", "pages:\n- id: 1\n  access_token_file: x", "defaults: {rate: 1e400}",
		"<<: {redis: {}}", "pages: [{<<: {id: 1}}]", "worker: {send_timeout: 1h1h}", "--- a\n--- b",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "c.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, _, err := config.Load(config.Source{Path: path, Env: []string{"T=token"}})
		var failed *config.Error
		switch {
		case err == nil:
			mustBeUsable(t, cfg)
		case !errors.As(err, &failed) || len(failed.Problems) == 0 || cfg != nil:
			t.Fatalf("Load(%q) = %v, %v", data, cfg, err)
		default:
			for _, p := range failed.Problems {
				if strings.ContainsAny(p.String(), "\r\n\x00\x1b") || p.Text == "" {
					t.Fatalf("Load(%q): problem %q", data, p)
				}
			}
		}
	})
}

func mustBeUsable(t *testing.T, cfg *config.Config) {
	t.Helper()
	for _, p := range cfg.Pages {
		rates := cfg.RatesOf(p)
		if p.ID == "" || p.AccessToken.IsZero() || !(min(rates.Rate, rates.BulkRate, rates.MediaRate) > 0) {
			t.Fatalf("unusable page: %+v", p)
		}
	}
	if _, err := config.ParseRedis(cfg.Redis.URL.Reveal()); err != nil || cfg.Worker.Concurrency < 1 {
		t.Fatalf("unusable: %+v", cfg)
	}
}
