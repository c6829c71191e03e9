// Package sandbox is a Send API to try things on: in one process with its caller, or on a port.
//
// It checks a request as the platform is documented to, answers in the same shapes, refuses what goes above a page's
// limits, fails on demand, and records every call with its time of arrival, so that a test can judge a pace as
// the receiver sees it. Unless it is told otherwise every recipient exists, every window is open, and every
// attachment id is known; SetPage, SetPerson and Fail, or the control interface below /sandbox/, tell it otherwise.
// It uses time.Now alone, so that hours pass in no time inside a testing/synctest bubble; see Server.Client.
//
// What it says is this package's reading of the documentation, not a copy of the platform. Where the two
// differ, the platform is right.
package sandbox

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// Server is the sandbox. As an http.Handler it answers the edges messages, message_attachments and personas of a page, the
// page and its personas themselves, and batches of these, the version being optional in each path; and the control
// interface below /sandbox/, which explains itself. It is safe for concurrent use.
type Server struct {
	cfg         Config
	checks      []sendapi.CheckOption
	credentials credentials
	control     http.Handler
	started     string // part of each message id
	ids         atomic.Uint64
	log         *record
	kept        kept

	mu       sync.Mutex // guards what follows
	random   *rand.Rand
	faults   faults
	pages    map[string]Page // those with a state of their own
	people   map[contact]Person
	traffic  recent[string, *traffic]
	app      budget
	appBlock block
	threads  recent[contact, *window]
	spent    recent[contact, time.Time]

	closing sync.Once
	closed  chan struct{}
	pipe    pipe
}

// New returns a Server. An error is of type sendapi.Problems and names every field that is wrong.
func New(cfg Config) (*Server, error) {
	if ps := cfg.problems(); len(ps) > 0 {
		return nil, ps
	}
	cfg = cfg.withDefaults()
	s := &Server{
		cfg:     cfg,
		started: strconv.FormatInt(time.Now().UnixMilli(), 36),
		log:     newRecord(cfg.MaxCalls),
		random:  rand.New(rand.NewPCG(cfg.Seed, 0)),
		faults:  make(faults),
		pages:   make(map[string]Page),
		people:  make(map[contact]Person),
		traffic: newRecent[string, *traffic](maxPages),
		app:     newBudget(cfg.AppCalls, cfg.BudgetSpan),
		threads: newRecent[contact, *window](maxThreads),
		spent:   newRecent[contact, time.Time](maxSpent),
		closed:  make(chan struct{}),
	}
	if cfg.AllowRemoved {
		s.checks = append(s.checks, sendapi.AllowRemoved())
	}
	s.credentials.reset(cfg.Tokens)
	s.control = s.newControl()
	return s, nil
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
	return s.log.all((*Call).sent)
}

// Dropped returns how many calls the record has forgotten because of Config.MaxCalls.
func (s *Server) Dropped() int { return s.log.dropped() }
