package sendapi

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Defaults of Config.
const (
	// DefaultBaseURL is the Graph API.
	DefaultBaseURL = "https://graph.facebook.com"
	// DefaultVersion is the newest version of November 2026. An older one in the path, once it expired, is
	// answered by the oldest that is left.
	// https://developers.facebook.com/docs/graph-api/changelog
	DefaultVersion = "v26.0"
	// DefaultTimeout is for calls that fetch nothing.
	DefaultTimeout = 15 * time.Second
	// DefaultMediaTimeout leaves the platform its 75 seconds to fetch a video, and some to answer.
	// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/saving-assets
	DefaultMediaTimeout = 85 * time.Second
	// DefaultMaxResponseBytes is far above any answer of the Send API.
	DefaultMaxResponseBytes = 1 << 20
)

// Config is what NewClient needs. The zero value is the platform with its defaults.
type Config struct {
	// BaseURL is where the Graph API is, without the version; empty means DefaultBaseURL.
	BaseURL string
	// Version is the API version, as v26.0; empty means DefaultVersion.
	Version string
	// HTTPClient sends the requests. Nil means one of its own, which keeps up to 256 connections to the
	// platform open. Of a given one the transport, the cookie jar and the timeout are used; redirects
	// are never followed. A transport that sends a request again by itself can send a message twice; that of
	// net/http does not, see Client.
	HTTPClient *http.Client
	// Timeout limits a call that fetches nothing; 0 means DefaultTimeout. A context that ends earlier wins.
	Timeout time.Duration
	// MediaTimeout limits a call for which the platform fetches media by URL, see Request.FetchesMedia, and a batch; an
	// upload from here gets a second more for every 128 KiB. 0 means DefaultMediaTimeout. Shorter than the platform's
	// own 75 seconds makes messages with an unknown outcome.
	MediaTimeout time.Duration
	// AllowRemoved sends what the platform has removed, see the option of that name, to a server of an older version. The
	// default is to refuse it here.
	AllowRemoved bool
	// MaxResponseBytes limits what is read of an answer; 0 means DefaultMaxResponseBytes. A longer one is
	// as good as unreadable.
	MaxResponseBytes int64
}

func (cfg Config) withDefaults() Config {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.Version == "" {
		cfg.Version = DefaultVersion
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MediaTimeout == 0 {
		cfg.MediaTimeout = DefaultMediaTimeout
	}
	if cfg.MaxResponseBytes == 0 {
		cfg.MaxResponseBytes = DefaultMaxResponseBytes
	}
	return cfg
}

var versionForm = regexp.MustCompile(`^v[0-9]{1,3}\.[0-9]{1,2}$`)

func (cfg Config) problems() Problems {
	var ps Problems
	add := func(path, message string) { ps = append(ps, Problem{Path: path, Message: message}) }
	if u, err := url.Parse(cfg.BaseURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		add("BaseURL", "must be an http or https URL, such as "+DefaultBaseURL)
	} else if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		add("BaseURL", "must have no user, query or fragment")
	}
	if !versionForm.MatchString(cfg.Version) {
		add("Version", "must look like "+DefaultVersion)
	}
	if cfg.Timeout < 0 {
		add("Timeout", "must not be negative")
	}
	if cfg.MediaTimeout < 0 {
		add("MediaTimeout", "must not be negative")
	}
	if cfg.MaxResponseBytes < 0 {
		add("MaxResponseBytes", "must not be negative")
	}
	return ps
}

func (cfg Config) endpoint() string {
	return strings.TrimRight(cfg.BaseURL, "/") + "/" + cfg.Version + "/"
}

func (cfg Config) httpClient() *http.Client {
	hc := &http.Client{}
	if cfg.HTTPClient != nil {
		*hc = *cfg.HTTPClient
	} else {
		hc.Transport = newTransport()
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return hc
}

// newTransport speaks HTTP/1.1 only: one call a connection means that a lost connection leaves one send with an
// unknown outcome, and not all that shared it.
func newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		Protocols:              protocols,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        30 * time.Second, // before the other side closes it under a request
		MaxResponseHeaderBytes: 256 << 10,
	}
}
