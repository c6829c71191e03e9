package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/config"
)

func TestRedisAddresses(t *testing.T) {
	t.Parallel()
	const single, sentinel, cluster = config.RedisSingle, config.RedisSentinel, config.RedisCluster
	pw := config.NewSecret
	for url, want := range map[string]config.RedisAddress{
		"embedded":              {Mode: config.RedisEmbedded},
		"redis://127.0.0.1":     {Mode: single, Hosts: []string{"127.0.0.1:6379"}},
		"redis://[::1]:7/3":     {Mode: single, Hosts: []string{"[::1]:7"}, DB: 3},
		"redis://[::1]":         {Mode: single, Hosts: []string{"[::1]:6379"}},
		"redis://:p%40@h:1":     {Mode: single, Hosts: []string{"h:1"}, Password: pw("p@")},
		"redis://u:a@b@h":       {Mode: single, Hosts: []string{"h:6379"}, Username: "u", Password: pw("a@b")},
		"rediss://u:p@h:1/":     {Mode: single, TLS: true, Hosts: []string{"h:1"}, Username: "u", Password: pw("p")},
		"redis-cluster://a,b:1": {Mode: cluster, Hosts: []string{"a:6379", "b:1"}},
		"rediss-cluster://u:p@a:7000,b:7001/0": {
			Mode: cluster, TLS: true, Hosts: []string{"a:7000", "b:7001"}, Username: "u", Password: pw("p"),
		},
		"redis-sentinel://:pw@h1:26379,h2/1?master=my": {
			Mode: sentinel, Hosts: []string{"h1:26379", "h2:26379"}, Password: pw("pw"), DB: 1, Master: "my",
		},
		"rediss-sentinel://h1?master=my&sentinel_user=w&sentinel_password=s": {
			Mode: sentinel, TLS: true, Hosts: []string{"h1:26379"}, Master: "my", SentinelUsername: "w", SentinelPassword: pw("s"),
		},
	} {
		got, err := config.ParseRedis(url)
		require.NoError(t, err, url)
		assert.Equal(t, want, got, url)
	}
}

func TestRedisAddressesThatAreWrong(t *testing.T) {
	t.Parallel()
	const host = "each host must be a name or address with an optional port, as in 127.0.0.1:6379"
	for url, want := range map[string]string{
		"":                                "must begin with redis://, rediss://, redis-sentinel:// or redis-cluster://",
		"127.0.0.1:6379":                  "must begin with redis://",
		"redis:6379":                      "must begin with redis://",
		"unix:///tmp/redis.sock":          "must begin with redis://",
		"redisss://h":                     "must begin with redis://",
		"redis://":                        host,
		"redis://h:0":                     host,
		"redis://h:99999":                 host,
		"redis://h:port":                  host,
		"redis://:pa/ss@h":                host,
		"redis://::1":                     host,
		"redis://h h":                     host,
		"redis-cluster://a,,b":            host,
		"redis://a,b":                     "has several hosts; type redis-cluster:// or redis-sentinel:// in front of them",
		"redis://h/x":                     "what follows the host must be a database number",
		"redis://h/-1":                    "what follows the host must be a database number",
		"redis-cluster://h/1":             "a cluster has only database 0; leave the number away",
		"redis-sentinel://h":              "needs the master's name at its end: ?master=mymaster",
		"redis-sentinel://h?master=a&x=b": "has a setting after the ? that is not known here",
		"redis-sentinel://h?master=a&sentinel_user=b": "has a sentinel_user without a sentinel_password",
		"redis://h?pool_size=5":                       "has a setting after the ? that is not known here",
		"redis://h?%zz":                               "what follows the ? must be name=value pairs",
		"redis://:%zz@h":                              "the user or password has a % that begins no escape",
		"redis-cluster://:%zz@h:x/y":                  "the user or password has a % that begins no escape",
	} {
		_, err := config.ParseRedis(url)
		require.ErrorContains(t, err, want, url)
		assert.NotContains(t, err.Error(), "\n", url)
	}
}

func TestARedisAddressPrintsWithoutItsPasswords(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"embedded":                        "embedded",
		"redis://user:hunter2@h/4":        "redis://h:6379/4",
		"rediss-cluster://:hunter2@a,b:1": "rediss-cluster://a:6379,b:1",
		"redis-sentinel://:hunter2@h?master=my&sentinel_password=hunter2": "redis-sentinel://h:26379?master=my",
	} {
		address, err := config.ParseRedis(url)
		require.NoError(t, err)
		assert.Equal(t, want, address.String())
		again, err := config.ParseRedis(address.String())
		require.NoError(t, err, "what is printed can be typed")
		assert.Equal(t, want, again.String())
	}
}
