package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A parser turns a value from YAML, the environment or a flag into a T that can be used as it is. A problem that
// is not empty says what to type instead; it never repeats the value, since any value may be a misplaced secret.
type parser[T any] func(raw any) (value T, problem string)

var (
	graphVersion = regexp.MustCompile(`^v[0-9]{1,3}\.[0-9]{1,2}$`)
	pageID       = regexp.MustCompile(`^[0-9]{1,32}$`)
	serviceText  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	secretText   = regexp.MustCompile(`^[!-~]+$`) // it travels in an HTTP header
)

// text reads a scalar as it was meant: YAML makes an int of a page id that has no quotes.
func text(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return v, true
	case int, int64, uint64:
		return fmt.Sprint(v), true
	}
	return "", false
}

func number(raw any) (float64, bool) {
	switch v := raw.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return 0, false
}

// rate reads a number of such things.
func rate(such string) parser[float64] {
	return func(raw any) (float64, string) {
		f, ok := number(raw)
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) || f <= 0 {
			return 0, "must be a number above 0: " + such
		}
		return f, ""
	}
}

const perSecond, perHour = "sends a second, such as 30 or 0.5", "private replies an hour, such as 750"

func share(highest float64, such string) parser[float64] {
	return func(raw any) (float64, string) {
		f, ok := number(raw)
		if !ok || !(f >= 0 && f <= highest) {
			return 0, fmt.Sprintf("must be a share from 0 to %v; type %s", highest, such)
		}
		return f, ""
	}
}

func between(lowest, highest int) parser[int] {
	return func(raw any) (int, string) {
		f, ok := number(raw)
		if !ok || f != math.Trunc(f) || !(f >= float64(lowest) && f <= float64(highest)) {
			return 0, fmt.Sprintf("must be a whole number from %d to %d", lowest, highest)
		}
		return int(f), ""
	}
}

func length(shortest, longest time.Duration) parser[time.Duration] {
	return func(raw any) (time.Duration, string) {
		s, _ := text(raw) // 0 needs no unit
		d, err := time.ParseDuration(strings.TrimSpace(s))
		if err != nil || d < shortest || d > longest {
			return 0, fmt.Sprintf("must be a time with its unit, from %s to %s, such as 15s",
				short(shortest), short(longest))
		}
		return d, ""
	}
}

// maxBudget is far above what any app may send in a day, and fits every counter.
const maxBudget = 1_000_000_000_000

// threadInterval reaches to one minute: a longer one would let answers come too late.
func threadInterval(raw any) (time.Duration, string) {
	return length(time.Millisecond, time.Minute)(raw)
}

func yesOrNo(raw any) (bool, string) {
	switch v := raw.(type) {
	case bool:
		return v, ""
	case string:
		if s := strings.ToLower(strings.TrimSpace(v)); s == "true" || s == "false" {
			return s == "true", ""
		}
	}
	return false, "must be true or false"
}

// short prints 10m where time.Duration prints 10m0s, and 2h where it prints 2h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func oneOf(words ...string) parser[string] {
	return func(raw any) (string, string) {
		s, _ := raw.(string)
		s = strings.ToLower(strings.TrimSpace(s))
		if !slices.Contains(words, s) {
			return "", "must be one of " + strings.Join(words, ", ")
		}
		return s, ""
	}
}

// baseURL reads a web address, such as that one.
func baseURL(such string) parser[string] {
	return func(raw any) (string, string) {
		s, _ := raw.(string)
		u, err := url.Parse(strings.TrimSpace(s))
		web := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
		if !web || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return "", "must be a web address without query or password, such as " + such
		}
		return strings.TrimRight(u.String(), "/"), ""
	}
}

// graphURL is a baseURL in front of graph.version.
func graphURL(raw any) (string, string) {
	s, problem := baseURL("https://graph.facebook.com")(raw)
	if problem == "" && graphVersion.MatchString(path.Base(s)) {
		return "", "must end before the version, which is graph.version; such as https://graph.facebook.com"
	}
	return s, problem
}

func serviceName(raw any) (string, string) {
	s, _ := raw.(string)
	if !serviceText.MatchString(s) {
		return "", "must be 1 to 64 letters, digits, '_', '.' or '-', such as sendpace-eu"
	}
	return s, ""
}

func version(raw any) (string, string) {
	s, _ := raw.(string)
	if !graphVersion.MatchString(s) {
		return "", "must be a Graph API version, such as v26.0"
	}
	return s, ""
}

func listenAddr(raw any) (string, string) {
	s, _ := raw.(string)
	_, port, err := net.SplitHostPort(s)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return "", "must be host:port, such as 127.0.0.1:8080"
	}
	return s, ""
}

// orNone takes the word none for the zero value.
func orNone[T any](parse parser[T]) parser[T] {
	return func(raw any) (T, string) {
		if raw == none {
			var zero T
			return zero, ""
		}
		return parse(raw)
	}
}

func redisURL(raw any) (Secret, string) {
	s, _ := raw.(string)
	s = strings.TrimSpace(s)
	if _, err := ParseRedis(s); err != nil {
		return Secret{}, err.Error()
	}
	return NewSecret(s), ""
}

func id(raw any) (string, string) {
	s, ok := text(raw)
	if !ok || !pageID.MatchString(s) {
		return "", "must be the page's number, at most 32 digits, such as 1001"
	}
	return s, ""
}

func secret(raw any) (Secret, string) {
	s, _ := raw.(string)
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return Secret{}, "is empty; type the value, or ${VAR} to take it from the environment"
	case !secretText.MatchString(s):
		return Secret{}, "has a space, a line break or another character that no token has; paste it again, on one line"
	}
	return NewSecret(s), ""
}

const (
	// none stands for nothing, where a value is needed.
	none = "none"
	// minAPIKey keeps a key from being guessed: 16 characters drawn at random.
	minAPIKey = 16
	// minPassword is enough where wrong ones are slowed down.
	minPassword = 10
)

// atLeast reads a secret of that many characters or more.
func atLeast(length int) parser[Secret] {
	return func(raw any) (Secret, string) {
		s, problem := secret(raw)
		if problem != "" || len(s.Reveal()) < length {
			return Secret{}, fmt.Sprintf("must be %d characters or more without a space or accent; make one with: openssl rand -hex 24", length)
		}
		return s, ""
	}
}

// userName reads what HTTP can carry in front of a password.
func userName(raw any) (string, string) {
	s, _ := text(raw)
	if s = strings.TrimSpace(s); !secretText.MatchString(s) || strings.Contains(s, ":") {
		return "", "must be a name without a space, an accent or a colon"
	}
	return s, ""
}

// entries reads a list, or what the environment has of one: a text with commas between the entries.
func entries(raw any) ([]any, bool) {
	s, isText := raw.(string)
	list, isList := raw.([]any)
	if isText && strings.TrimSpace(s) != none {
		for entry := range strings.SplitSeq(s, ",") {
			list = append(list, entry)
		}
	}
	return list, isText || isList
}

// apiKeys reads keys that each are too long to be guessed.
func apiKeys(raw any) ([]Secret, string) {
	const must = "must be a list of keys of 16 characters or more without a space; make one with: openssl rand -hex 24"
	list, ok := entries(raw)
	if !ok {
		return nil, must
	}
	var keys []Secret
	for _, entry := range list {
		key, problem := secret(entry)
		if problem != "" || len(key.Reveal()) < minAPIKey {
			return nil, must
		}
		keys = append(keys, key)
	}
	return keys, ""
}

// networks reads addresses and networks.
func networks(raw any) ([]netip.Prefix, string) {
	const must = "must be a list of addresses and networks, such as 10.0.0.7 and 10.1.0.0/16"
	list, ok := entries(raw)
	if !ok {
		return nil, must
	}
	var found []netip.Prefix
	for _, entry := range list {
		s, _ := entry.(string)
		s = strings.TrimSpace(s)
		network, err := netip.ParsePrefix(s)
		if addr, addrErr := netip.ParseAddr(s); addrErr == nil && addr.Zone() == "" {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || network.Addr().Is4In6() {
			return nil, must
		}
		if network.Bits() == 0 {
			return nil, "must not have " + network.String() + ", which is everybody: each visitor could say who it is"
		}
		found = append(found, network.Masked())
	}
	return found, ""
}

func fileName(raw any) (string, string) {
	s, _ := raw.(string)
	if s == "" || strings.ContainsRune(s, 0) {
		return "", "must be the name of a file"
	}
	return s, ""
}

func host(raw any) (string, string) {
	s, _ := raw.(string)
	if !hostName.MatchString(s) && net.ParseIP(s) == nil {
		return "", "must be a name or an address without a port, such as redis.example.com"
	}
	return s, ""
}
