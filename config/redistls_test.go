package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/worker/redistest"
)

func TestRedisFilesAreCheckedWhenTheyAreNamed(t *testing.T) {
	t.Parallel()
	ca := redistest.NewAuthority(t)
	cert, key := ca.Issue(t, "a client", time.Now().Add(time.Hour))
	_, another := ca.Issue(t, "another", time.Now().Add(time.Hour))
	password, empty, text := write(t, "password", "hunter2\n"), write(t, "empty", "\n"), write(t, "ca", "hunter2")
	for file, want := range map[string]string{
		`{url: "rediss://h", tls_ca_file: absent}`:                                        "redis.tls_ca_file: the file cannot be read: no such file or directory; check its name",
		`{url: "rediss://h", tls_ca_file: ` + text + `}`:                                  "redis.tls_ca_file: the file holds no certificate in PEM form",
		`{url: "rediss://h", tls_cert_file: ` + cert + `}`:                                "redis.tls_key_file: is missing beside redis.tls_cert_file",
		`{url: "rediss://h", tls_key_file: ` + key + `}`:                                  "redis.tls_cert_file: is missing beside redis.tls_key_file",
		`{url: "rediss://h", tls_cert_file: ` + cert + `, tls_key_file: ` + another + `}`: "redis.tls_cert_file: cannot be used with redis.tls_key_file",
		`{url: "rediss://h", tls_server_name: "h:6379"}`:                                  "redis.tls_server_name: must be a name or an address without a port",
		`{url: "redis://h", tls_ca_file: ` + ca.File + `}`:                                "redis.tls_ca_file: is for TLS, and redis.url speaks none",
		`{url: "redis://h", tls_insecure: true}`:                                          "redis.tls_insecure: is for TLS, and redis.url speaks none",
		`{url: "redis://h", tls_server_name: h}`:                                          "redis.tls_server_name: is for TLS, and redis.url speaks none",
		`{url: "redis://h", password_file: absent}`:                                       "redis.password_file: the file cannot be read",
		`{url: "redis://h", password_file: ` + empty + `}`:                                "redis.password_file: what is in the file is empty",
		`{url: "redis://:x@h", password_file: ` + password + `}`:                          "redis.password_file: is given beside a password in redis.url",
	} {
		got := problems(t, "redis: "+file)
		if assert.Len(t, got, 1, file) {
			assert.Contains(t, got[0], want, file)
			assert.NotContains(t, got[0], "hunter2", file)
		}
	}
}

func TestRedisFilesAreLookedForBesideTheConfiguration(t *testing.T) {
	t.Parallel()
	ca := redistest.NewAuthority(t)
	path := write(t, "c.yaml", `redis: {url: "rediss://app@h", password_file: password, tls_ca_file: ca.pem, tls_server_name: r.example}`)
	beside := filepath.Join(filepath.Dir(path), "password")
	require.NoError(t, os.WriteFile(beside, []byte("hunter2\n"), 0o600))
	require.NoError(t, os.Link(ca.File, filepath.Join(filepath.Dir(path), "ca.pem")))
	cfg, warnings, err := config.Load(config.Source{Path: path})
	require.NoError(t, err)
	assert.Empty(t, warnings)
	assert.Equal(t, "hunter2", cfg.Redis.Password.Reveal())
	assert.Equal(t, "r.example", cfg.Redis.TLS.ServerName)
	assert.NotNil(t, cfg.Redis.TLS.RootCAs)
	assert.Contains(t, cfg.Files, beside, "a change of it is seen")
}

func TestInsecureTLSIsWarnedOf(t *testing.T) {
	t.Parallel()
	cfg, warnings, err := load(t, `redis: {url: "rediss://h", tls_insecure: true}`)
	require.NoError(t, err)
	assert.True(t, cfg.Redis.TLS.InsecureSkipVerify)
	require.Len(t, warnings, 1)
	assert.Equal(t, "redis.tls_insecure", warnings[0].Key)
}
