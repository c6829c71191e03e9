// Package monitor is the page for whoever is on call: what each page sends and may send, what waits and what stands still, with
// the last hour as a plot, and buttons to stop a page and let it go on. Beside it stands asynqmon, which shows single jobs.
//
// It reads Redis only while somebody looks, once for all who do. It shows no message text and no token. Who may look, and whether
// looking is all that is allowed, is the caller's to say; other sites can neither frame it nor act through a visitor's browser.
package monitor

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"

	"github.com/sendpace/sendpace/worker/pace"
)

// QueuePath is where Config.Queue is to live: everything below it goes there.
const QueuePath = "/asynqmon"

// Config is where a monitor has its figures from, and what it may do. Fleet, History, Broadcasts and Queue are required.
type Config struct {
	// Fleet reads what there is at the moment.
	Fleet func(context.Context) (*Fleet, error)
	// History reads the rates of the last hour that began at or after since, as [pace.ReadHistory] does.
	History func(ctx context.Context, since time.Time) ([]pace.Span, error)
	// Broadcasts reads how far the broadcasts are, the newest first.
	Broadcasts func(context.Context) ([]Broadcast, error)
	// Queue shows single jobs. It is called with paths that begin with [QueuePath].
	Queue http.Handler
	// Stop stops a page or, with [pace.App], all of them, for a time or, with 0, until a person lets it go on. It returns what
	// became of it, for a person. nil makes a monitor that only shows.
	Stop func(ctx context.Context, scope string, span time.Duration, why string) (string, error)
	// Release lets a page or all of them go on. It returns what became of it. nil makes a monitor that only shows.
	Release func(ctx context.Context, scope string) (string, error)
	// Login is what a visitor has to name. The zero value lets everybody in.
	Login Login
	// Host tells whether the monitor answers at this host, as a browser names it in the header Host. nil means at any. It keeps a
	// page that is open to this machine alone from being read under a name that somebody else made to point here.
	Host func(string) bool
}

// Refusal is an error of Stop and Release that says what the visitor did wrong.
type Refusal string

// Error returns the text.
func (r Refusal) Error() string { return string(r) }

//go:embed assets
var assets embed.FS

// Handler is the monitor. It is safe for concurrent use.
type Handler struct {
	cfg        Config
	fleet      cached[*Fleet]
	history    cached[*history]
	broadcasts cached[[]Broadcast]
	http.Handler
}

// New makes a monitor.
func New(cfg Config) *Handler {
	past := &history{}
	h := &Handler{
		cfg:        cfg,
		fleet:      cached[*Fleet]{read: cfg.Fleet, freshFor: fleetFor},
		broadcasts: cached[[]Broadcast]{read: cfg.Broadcasts, freshFor: historyFor},
	}
	h.history = cached[*history]{freshFor: historyFor, read: func(ctx context.Context) (*history, error) {
		next, err := past.after(ctx, cfg.History, time.Now())
		if err == nil {
			past = next
		}
		return next, err
	}}
	h.Handler = guard(cfg, http.NewCrossOriginProtection().Handler(h.routes()))
	return h
}

func (h *Handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", asset("index.html"))
	entries, _ := fs.ReadDir(assets, "assets") // it is in the binary
	for _, e := range entries {
		mux.HandleFunc("GET /static/"+e.Name(), asset(e.Name()))
	}
	mux.HandleFunc("GET /api/fleet", h.showFleet)
	mux.HandleFunc("GET /api/history", h.showHistory)
	mux.HandleFunc("GET /api/broadcasts", h.showBroadcasts)
	mux.HandleFunc("POST /api/stop", h.stop)
	mux.HandleFunc("POST /api/release", h.release)
	mux.Handle(QueuePath+"/", h.cfg.Queue)
	return mux
}

func asset(name string) http.HandlerFunc {
	body, _ := assets.ReadFile("assets/" + name) // it is in the binary
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		_, _ = w.Write(body) // of a visitor who is gone there is nothing to tell
	}
}

// strict lets our own page load what comes from here, and nothing that is written into it. The queue's is looser: asynqmon has
// scripts and styles in its page.
const (
	framed = "; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
	strict = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:" + framed
	loose  = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"font-src 'self' data:; manifest-src 'self'" + framed
)

// guard lets those in who may look, and tells their browsers what the pages may do.
func guard(cfg Config, next http.Handler) http.Handler {
	login := newDoor(cfg.Login)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", strict)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-store")
		if cfg.Host != nil && !cfg.Host(r.Host) {
			http.Error(w, "the monitor answers to its own address only", http.StatusMisdirectedRequest)
			return
		}
		if !login.admits(w, r) {
			return
		}
		if underQueue(r.URL.Path) {
			head.Set("Content-Security-Policy", loose)
			head.Set("Cache-Control", "no-cache")
		}
		next.ServeHTTP(w, r)
	})
}

func underQueue(path string) bool {
	return len(path) > len(QueuePath) && path[:len(QueuePath)+1] == QueuePath+"/"
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // of a visitor who is gone there is nothing to tell
}

type failure struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, status int, text string) { answer(w, status, failure{text}) }

// fail answers a visitor who cannot be served: with what was wrong with the call, or that Redis does not answer.
func fail(w http.ResponseWriter, err error) {
	var wrong Refusal
	if errors.As(err, &wrong) {
		refuse(w, http.StatusUnprocessableEntity, wrong.Error())
		return
	}
	refuse(w, http.StatusServiceUnavailable, "Redis does not answer: "+err.Error())
}
