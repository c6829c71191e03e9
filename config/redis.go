package config

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// RedisMode is how a Redis is reached.
type RedisMode string

// The ways to reach a Redis.
const (
	// RedisSingle is one server.
	RedisSingle RedisMode = "redis"
	// RedisSentinel asks Sentinels for the address of the master.
	RedisSentinel RedisMode = "redis-sentinel"
	// RedisCluster is a Redis Cluster.
	RedisCluster RedisMode = "redis-cluster"
	// RedisEmbedded is a Redis inside the process, for trying out.
	RedisEmbedded RedisMode = "embedded"
)

// RedisAddress is a parsed redis.url.
type RedisAddress struct {
	// Mode is how it is reached.
	Mode RedisMode
	// TLS is set by the rediss- forms.
	TLS bool
	// Hosts are host:port: one server, the Sentinels, or some nodes of the cluster.
	Hosts []string
	// Username and Password log in to Redis itself, not to the Sentinels.
	Username string
	// Password is empty if the URL has none.
	Password Secret
	// SentinelUsername is empty for the default user of the Sentinels.
	SentinelUsername string
	// SentinelPassword logs in to the Sentinels.
	SentinelPassword Secret
	// DB is the database number; a cluster has only 0.
	DB int
	// Master is the name that the Sentinels know the master by.
	Master string
}

// String returns the address without any password.
func (a RedisAddress) String() string {
	if a.Mode == RedisEmbedded {
		return string(RedisEmbedded)
	}
	s := string(a.Mode)
	if a.TLS {
		s = "rediss" + strings.TrimPrefix(s, "redis")
	}
	s += "://" + strings.Join(a.Hosts, ",")
	if a.DB != 0 {
		s += "/" + strconv.Itoa(a.DB)
	}
	if a.Master != "" {
		s += "?master=" + url.QueryEscape(a.Master)
	}
	return s
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

var defaultPort = map[RedisMode]string{RedisSingle: "6379", RedisSentinel: "26379", RedisCluster: "6379"}

// ParseRedis reads a redis.url. These are its forms, with rediss in place of redis for TLS:
//
//	redis://[user:password@]host[:6379][/db]
//	redis-sentinel://[user:password@]host[:26379],host…[/db]?master=name[&sentinel_user=…&sentinel_password=…]
//	redis-cluster://[user:password@]host[:6379],host…
//	embedded
//
// An error never repeats the URL, which may hold a password.
func ParseRedis(raw string) (RedisAddress, error) {
	if raw == string(RedisEmbedded) {
		return RedisAddress{Mode: RedisEmbedded}, nil
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	a, err := redisScheme(scheme)
	if err != nil {
		return RedisAddress{}, err
	}
	// By hand, because net/url takes only one host.
	rest, query, _ := strings.Cut(rest, "?")
	hosts, db, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		err = a.readUser(hosts[:at])
		hosts = hosts[at+1:]
	}
	err = errors.Join(err, a.readHosts(hosts), a.readDB(db), a.readQuery(query))
	if err != nil {
		return RedisAddress{}, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return a, nil
}

func redisScheme(scheme string) (RedisAddress, error) {
	var a RedisAddress
	if plain, ok := strings.CutPrefix(scheme, "rediss"); ok {
		a.TLS, scheme = true, "redis"+plain
	}
	switch mode := RedisMode(scheme); mode {
	case RedisSingle, RedisSentinel, RedisCluster:
		a.Mode = mode
		return a, nil
	}
	return a, errors.New("must begin with redis://, rediss://, redis-sentinel:// or redis-cluster://, " +
		"as in redis://127.0.0.1:6379, or be the word embedded")
}

func (a *RedisAddress) readUser(info string) error {
	name, password, _ := strings.Cut(info, ":")
	name, nameErr := url.PathUnescape(name)
	password, passErr := url.PathUnescape(password)
	if nameErr != nil || passErr != nil {
		return errors.New("the user or password has a % that begins no escape; type %25 for a plain %")
	}
	a.Username, a.Password = name, NewSecret(password)
	return nil
}

func (a *RedisAddress) readHosts(list string) error {
	for host := range strings.SplitSeq(list, ",") {
		withPort, ok := hostPort(host, defaultPort[a.Mode])
		if !ok {
			return errors.New("each host must be a name or address with an optional port, as in 127.0.0.1:6379; " +
				"in a password type %2F for / and %3F for ?")
		}
		a.Hosts = append(a.Hosts, withPort)
	}
	if a.Mode == RedisSingle && len(a.Hosts) > 1 {
		return errors.New("has several hosts; type redis-cluster:// or redis-sentinel:// in front of them")
	}
	return nil
}

// hostPort returns s with the port that it has or else with this one. As in every URL, an IPv6 address needs brackets.
func hostPort(s, port string) (string, bool) {
	if strings.HasSuffix(s, "]") || !strings.Contains(s, ":") {
		s += ":" + port
	}
	host, port, err := net.SplitHostPort(s)
	named := hostName.MatchString(host) || net.ParseIP(host) != nil
	n, portErr := strconv.ParseUint(port, 10, 16)
	return net.JoinHostPort(host, port), err == nil && named && portErr == nil && n > 0
}

func (a *RedisAddress) readDB(path string) error {
	if path == "" {
		return nil
	}
	n, err := strconv.ParseUint(path, 10, 16)
	if err != nil {
		return errors.New("what follows the host must be a database number, as in redis://127.0.0.1:6379/0")
	}
	if a.Mode == RedisCluster && n != 0 {
		return errors.New("a cluster has only database 0; leave the number away")
	}
	a.DB = int(n)
	return nil
}

func (a *RedisAddress) readQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("what follows the ? must be name=value pairs, as in ?master=mymaster")
	}
	if a.Mode == RedisSentinel {
		a.Master, a.SentinelUsername = values.Get("master"), values.Get("sentinel_user")
		a.SentinelPassword = NewSecret(values.Get("sentinel_password"))
		if a.Master == "" {
			return errors.New("needs the master's name at its end: ?master=mymaster")
		}
		if a.SentinelUsername != "" && a.SentinelPassword.IsZero() {
			return errors.New("has a sentinel_user without a sentinel_password")
		}
		for _, known := range []string{"master", "sentinel_user", "sentinel_password"} {
			values.Del(known)
		}
	}
	if len(values) > 0 {
		return errors.New("has a setting after the ? that is not known here; " +
			"redis-sentinel:// knows master, sentinel_user and sentinel_password, the others none; what is about TLS are keys such as redis.tls_ca_file")
	}
	return nil
}
