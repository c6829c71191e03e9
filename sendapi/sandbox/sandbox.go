// Package sandbox is a Send API to try things on: in one process with its caller, or on a port.
//
// It checks a request as the platform is documented to, answers in the same shapes, refuses what goes above a page's
// limits, fails on demand, and records every call with its time of arrival, so that a test can judge a pace as
// the receiver sees it. It keeps no conversations: every recipient exists and every window is open.
//
// What it says is this package's reading of the documentation, not a copy of the platform. Where the two
// differ, the platform is right.
package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// The platform's limits per page, in calls a second.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting
const (
	// DefaultRate is for texts, links, reactions and stickers.
	DefaultRate = 300
	// DefaultMediaRate is for audio and video, which count against DefaultRate as well.
	DefaultMediaRate = 10
)

// DefaultMaxCalls is how many calls are remembered.
const DefaultMaxCalls = 1_000_000

// Config says what a Server accepts. The zero value accepts any page and any token, at the platform's limits.
type Config struct {
	// Tokens are the access tokens by page id. A page that is missing is unknown. Nil means any page with
	// any token.
	Tokens map[string]string
	// AppSecret, when set, requires the appsecret_proof that fits it.
	// https://developers.facebook.com/docs/graph-api/guides/secure-requests
	AppSecret string
	// Latency is how long a call waits for its answer, after it was decided and recorded.
	Latency time.Duration
	// Rate and MediaRate are the calls a second that a page may make, judged over any one-second window; 0
	// means DefaultRate and DefaultMediaRate, negative means no limit. A refused call counts as well.
	Rate, MediaRate float64
	// MaxCalls is how many calls are remembered; older ones are dropped and counted. A call takes about 250
	// bytes and its body. 0 means DefaultMaxCalls.
	MaxCalls int
}

// Server is the sandbox. As an http.Handler it answers the edges messages, message_attachments and personas of a page, the
// page and its personas themselves, and batches of these, the version being optional in each path; and the control
// interface below /sandbox/. It is safe for concurrent use.
type Server struct {
	cfg     Config
	pages   map[string]string // by token, for /me/messages
	control http.Handler
	started string // part of each message id
	ids     atomic.Uint64
	log     *record
	kept    kept

	mu     sync.Mutex // guards what follows
	faults faults
	limits map[string]*limits

	closing sync.Once
	closed  chan struct{}
	pipe    pipe
}

// New returns a Server. An error is of type sendapi.Problems and names every field that is wrong.
func New(cfg Config) (*Server, error) {
	if ps := cfg.problems(); len(ps) > 0 {
		return nil, ps
	}
	if cfg.Rate == 0 {
		cfg.Rate = DefaultRate
	}
	if cfg.MediaRate == 0 {
		cfg.MediaRate = DefaultMediaRate
	}
	if cfg.MaxCalls == 0 {
		cfg.MaxCalls = DefaultMaxCalls
	}
	s := &Server{
		cfg:     cfg,
		pages:   make(map[string]string, len(cfg.Tokens)),
		started: strconv.FormatInt(time.Now().UnixMilli(), 36),
		log:     newRecord(cfg.MaxCalls),
		faults:  make(faults),
		limits:  make(map[string]*limits),
		closed:  make(chan struct{}),
	}
	for page, token := range cfg.Tokens {
		s.pages[token] = page
	}
	s.control = s.newControl()
	return s, nil
}

func (cfg Config) problems() sendapi.Problems {
	var ps sendapi.Problems
	for page, token := range cfg.Tokens {
		if !numeric(page) {
			ps = append(ps, sendapi.Problem{Path: "Tokens[" + page + "]", Message: "a page id is decimal digits"})
		}
		if token == "" {
			ps = append(ps, sendapi.Problem{Path: "Tokens[" + page + "]", Message: "the token is empty"})
		}
	}
	if cfg.Latency < 0 {
		ps = append(ps, sendapi.Problem{Path: "Latency", Message: "must not be negative"})
	}
	if cfg.MaxCalls < 0 {
		ps = append(ps, sendapi.Problem{Path: "MaxCalls", Message: "must not be negative"})
	}
	return ps
}

// Close answers the calls that are still waiting, and ends what Client started. The record stays readable.
func (s *Server) Close() {
	s.closing.Do(func() { close(s.closed) })
	s.pipe.close()
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	if r.URL.Path == "/sandbox" || strings.HasPrefix(r.URL.Path, "/sandbox/") {
		s.control.ServeHTTP(w, r)
		return
	}
	s.serveGraph(w, r, at)
}

// Calls returns what is remembered of all calls, in the order in which they were decided.
func (s *Server) Calls() []Call { return s.log.all(func(*Call) bool { return true }) }

// Accepted returns the calls that were accepted: messages and sender actions, also those whose answer was
// dropped.
func (s *Server) Accepted() []Call {
	return s.log.all(func(c *Call) bool { return c.Accepted && c.Edge == "messages" })
}

// Dropped returns how many calls the record has forgotten because of Config.MaxCalls.
func (s *Server) Dropped() int { return s.log.dropped() }

func numeric(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
