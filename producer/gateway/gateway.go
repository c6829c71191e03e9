package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

const (
	// DefaultMaxBody holds a batch of 50 long messages.
	DefaultMaxBody = 1 << 20
	// DefaultStoreTimeout is how long Redis may take.
	DefaultStoreTimeout = 5 * time.Second
	// maxCalls bounds the calls in hand, and with MaxBody the memory that they take.
	maxCalls = 1000
	// maxUploads bounds the files in hand, each of which may take 25 MB of the temporary directory.
	maxUploads = 16
)

// Config is what a [Handler] accepts.
type Config struct {
	// Pages are the pages that messages can be sent from, each with its token. At least one is required, and each id is a number.
	Pages []sendapi.Page
	// APIKeys are accepted wherever a token is, for every page. Empty means that only tokens are.
	APIKeys []sendapi.Secret
	// Rate is how many calls a second each token and each key may make, and how many at once; each send of a batch counts.
	// 0 means any number.
	Rate int
	// MaxBody bounds a body, in bytes, apart from files. 0 means [DefaultMaxBody].
	MaxBody int64
	// StoreTimeout is how long a call waits for Redis. 0 means [DefaultStoreTimeout].
	StoreTimeout time.Duration
	// Log gets a line a call, and what an operator must know of. The zero value writes nothing.
	Log zerolog.Logger
	// Called is told of each call: its route, one of [Routes], the HTTP status, and how long it took. It is called from many
	// goroutines. nil means nobody is told.
	Called func(route string, status int, took time.Duration)
	// Tracing, where it is set, makes a span for each call, in the trace of the caller who sends a traceparent. For the spans of the
	// jobs below it the producer needs it too. nil means none.
	Tracing trace.TracerProvider
}

func (c Config) withDefaults() Config {
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.StoreTimeout == 0 {
		c.StoreTimeout = DefaultStoreTimeout
	}
	if c.Called == nil {
		c.Called = func(string, int, time.Duration) {}
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("gateway: "+format, args...))
		}
	}
	add(len(c.Pages) == 0, "Pages: none; there is nothing to send from")
	for i, p := range c.Pages {
		add(!producer.IsPageID(p.ID), "Pages[%d].ID %q: must be the page's number", i, p.ID)
		add(p.Token == "", "Pages[%d].Token: missing", i)
	}
	for i, key := range c.APIKeys {
		add(key == "", "APIKeys[%d]: empty", i)
	}
	add(c.Rate < 0, "Rate %d: must be above 0, or 0 for any number", c.Rate)
	add(c.MaxBody < 0, "MaxBody %d: must be above 0", c.MaxBody)
	add(c.StoreTimeout < 0, "StoreTimeout %s: must be above 0", c.StoreTimeout)
	return errors.Join(errs...)
}

// Handler is the gateway. It is safe for concurrent use. Give the [http.Server] that it runs in limits of time: whoever sends a body
// slowly keeps one of its 1,000 places. Calls with a file make them longer for themselves.
type Handler struct {
	queue   *producer.Producer
	graph   *sendapi.Client
	cfg     Config
	tracer  trace.Tracer // nil: none
	now     atomic.Pointer[book]
	calls   places
	uploads places
	away    atomic.Bool // Redis, when it was last asked
}

// New makes a gateway that enqueues with queue, and uploads files with graph. Both stay the caller's. The error names every field
// that is wrong.
func New(queue *producer.Producer, graph *sendapi.Client, cfg Config) (*Handler, error) {
	if queue == nil || graph == nil {
		return nil, errors.New("gateway: it needs a producer and a client of the Send API")
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	h := &Handler{
		queue: queue, graph: graph, cfg: cfg, calls: newPlaces(maxCalls), uploads: newPlaces(maxUploads),
	}
	if cfg.Tracing != nil {
		h.tracer = cfg.Tracing.Tracer("github.com/sendpace/sendpace/producer/gateway")
	}
	h.now.Store(newBook(cfg))
	return h, nil
}

// book is the pages, and who may send from them. It is replaced as a whole.
type book struct {
	pages  map[string]sendapi.Page
	access credentials
}

func newBook(cfg Config) *book {
	b := &book{pages: make(map[string]sendapi.Page, len(cfg.Pages)), access: newCredentials(cfg)}
	for _, p := range cfg.Pages {
		b.pages[p.ID] = p
	}
	return b
}

// SetPages replaces the pages and their tokens while calls come in: a token that is not among the new ones is refused from the
// next call on. Each token's and key's rate starts anew. The error is one of validation, and then nothing has changed.
func (h *Handler) SetPages(pages []sendapi.Page) error {
	cfg := h.cfg
	cfg.Pages = pages
	if err := cfg.validate(); err != nil {
		return err
	}
	h.now.Store(newBook(cfg))
	return nil
}

// ServeHTTP answers one call. Whatever comes in, the answer to a call of the Send API is JSON.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began, id := time.Now(), requestID(r)
	w.Header().Set(requestHeader, id)
	found, arg, refused := findRoute(r.Method, r.URL.Path)
	r, span := h.startSpan(r, found)
	var a reply
	defer func() {
		if why := recover(); why != nil {
			a = internalError.reply()
			// Neither the value nor the path: both may hold what a caller sent.
			h.cfg.Log.Error().Str("request", id).Str("type", fmt.Sprintf("%T", why)).Msg("a call to the gateway panicked")
		}
		h.note(id, found, a, time.Since(began))
		endSpan(span, a)
		a.write(w)
	}()
	if refused != nil {
		a = refused.reply()
		return
	}
	a = h.answer(w, r, found, arg)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, found *route, arg string) reply {
	c := &call{w: w, r: r, arg: arg, token: tokenAhead(r)}
	if found.open {
		return found.serve(h, c)
	}
	if c.token != "" && !h.now.Load().access.knows(c.token) {
		return wrongToken.reply() // without a look at the body
	}
	leave, ok := h.calls.take(c.token != "")
	if !ok {
		return overloaded.reply()
	}
	defer leave()
	if !found.slow && !isUpload(r) {
		return found.serve(h, c)
	}
	leave, ok = h.uploads.take(c.token != "")
	if !ok {
		return overloaded.reply()
	}
	defer leave()
	defer func() {
		if r.MultipartForm != nil { // net/http removes files of the request that it made itself, not of one with a span
			_ = r.MultipartForm.RemoveAll()
		}
	}()
	if c.token != "" {
		c.extend(uploadTime)
	}
	return found.serve(h, c)
}

// call is one HTTP call.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	arg   string // the variable part of the path: a page or a job
	token string // what its header or its query has; empty if neither has one
}

// extend lets a call take longer than others to be read, and then to be answered. Where the server knows no such deadlines, its
// own go on.
func (c *call) extend(d time.Duration) {
	control, deadline := http.NewResponseController(c.w), time.Now().Add(d)
	_ = control.SetReadDeadline(deadline)
	_ = control.SetWriteDeadline(deadline.Add(answerTime))
}
