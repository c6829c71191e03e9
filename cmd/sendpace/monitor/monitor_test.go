package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/worker/pace"
)

// backend stands in for Redis, and keeps what it was asked to do.
type backend struct {
	fleet Fleet
	spans []pace.Span
	err   error
	reads int
	acts  []string
}

func (b *backend) config() Config {
	return Config{
		Fleet: func(context.Context) (*Fleet, error) {
			b.reads++
			return &b.fleet, b.err
		},
		History: func(_ context.Context, since time.Time) ([]pace.Span, error) {
			var spans []pace.Span
			for _, s := range b.spans {
				if !s.At.Before(since) {
					spans = append(spans, s)
				}
			}
			return spans, b.err
		},
		Broadcasts: func(context.Context) ([]Broadcast, error) { return []Broadcast{{Name: "sale"}}, b.err },
		Queue: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("asynqmon " + r.URL.Path))
		}),
		Stop: func(_ context.Context, scope string, span time.Duration, why string) (string, error) {
			b.acts = append(b.acts, "stop "+scope+" "+span.String()+" "+why)
			return "stopped", b.err
		},
		Release: func(_ context.Context, scope string) (string, error) {
			b.acts = append(b.acts, "release "+scope)
			return "released", b.err
		},
	}
}

// get calls a monitor; header holds names and values in turn.
func get(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhatIsServed(t *testing.T) {
	t.Parallel()
	b := &backend{}
	h := New(b.config())
	for path, want := range map[string]struct{ kind, text string }{
		"/":                 {"text/html; charset=utf-8", "<!doctype html>"},
		"/static/style.css": {"text/css; charset=utf-8", ":root {"},
		"/static/app.js":    {"text/javascript; charset=utf-8", "import { ask"},
		"/static/icon.svg":  {"image/svg+xml", "<svg "},
		"/api/fleet":        {"application/json", `"act":true`},
		"/api/history":      {"application/json", `"step":10`},
		"/api/broadcasts":   {"application/json", `"name":"sale"`},
		"/asynqmon/a/b":     {"text/plain; charset=utf-8", "asynqmon /asynqmon/a/b"},
	} {
		w := get(h, "GET", path, "")
		assert.Equal(t, 200, w.Code, path)
		assert.Equal(t, want.kind, w.Header().Get("Content-Type"), path)
		assert.Contains(t, w.Body.String(), want.text, path)
		assert.Contains(t, w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		ownScripts := strings.Contains(w.Header().Get("Content-Security-Policy"), "unsafe-inline")
		assert.Equal(t, strings.HasPrefix(path, "/asynqmon/"), ownScripts, "%s: only asynqmon has scripts in its page", path)
	}
	for _, path := range []string{"/absent", "/static/", "/static/absent.js", "/api/", "/index.html"} {
		assert.Equal(t, 404, get(h, "GET", path, "").Code, path)
	}
	assert.Equal(t, 405, get(h, "POST", "/api/fleet", "").Code)
}

func TestTheFilterAndTheBound(t *testing.T) {
	t.Parallel()
	b := &backend{}
	for i := range maxPages + 10 {
		b.fleet.Pages = append(b.fleet.Pages, Page{ID: "9" + strings.Repeat("0", i%7) + string(rune('0'+i%10)), State: "sending"})
	}
	b.fleet.Pages = append(b.fleet.Pages, Page{ID: "12345", State: "on hold"})
	h := New(b.config())
	for query, want := range map[string][2]int{ // found, and shown
		"": {maxPages + 11, maxPages}, "?q=234": {1, 1}, "?q=%20Hold%20": {1, 1}, "?q=nothing": {0, 0},
	} {
		var got fleetAnswer
		require.NoError(t, json.Unmarshal(get(h, "GET", "/api/fleet"+query, "").Body.Bytes(), &got))
		assert.Equal(t, want, [2]int{got.Found, len(got.Pages)}, query)
		assert.Equal(t, maxPages+11, got.All, query)
	}
}

func TestTextFromOutsideIsEscaped(t *testing.T) {
	t.Parallel()
	const bad = `</script><script>alert(1)</script>`
	b := &backend{fleet: Fleet{Pages: []Page{{ID: bad, Stop: &Stop{Why: bad}}}, Errors: []Ended{{Why: bad}}}}
	w := get(New(b.config()), "GET", "/api/fleet", "")
	assert.NotContains(t, w.Body.String(), "<")
	assert.Contains(t, w.Body.String(), `\u003c/script\u003e`)
	for _, name := range []string{"app.js", "pages.js", "plot.js", "dialog.js", "dom.js"} {
		code, err := assets.ReadFile("assets/" + name)
		require.NoError(t, err)
		for _, writes := range []string{"innerHTML =", "outerHTML", "insertAdjacentHTML", "document.write", "eval("} {
			assert.NotContains(t, string(code), writes, name)
		}
	}
}

// TestOneLookServesAll counts how often Redis is asked.
func TestOneLookServesAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		h := New(b.config())
		done := make(chan int)
		for range 50 {
			go func() { done <- get(h, "GET", "/api/fleet", "").Code }()
		}
		for range 50 {
			assert.Equal(t, 200, <-done)
		}
		assert.Equal(t, 1, b.reads)
		time.Sleep(fleetFor)
		get(h, "GET", "/api/fleet", "")
		assert.Equal(t, 2, b.reads)
		get(h, "POST", "/api/release", `{"scope":"1001"}`, "Content-Type", "application/json")
		get(h, "GET", "/api/fleet", "")
		assert.Equal(t, 3, b.reads, "what was done shows at once")
	})
}

func TestRedisGoesAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backend{err: errors.New("connection refused")}
		h := New(b.config())
		for _, path := range []string{"/api/fleet", "/api/history", "/api/broadcasts"} {
			w := get(h, "GET", path, "")
			assert.Equal(t, 503, w.Code, path)
			assert.JSONEq(t, `{"error":"Redis does not answer: connection refused"}`, w.Body.String(), path)
		}
		assert.Equal(t, 200, get(h, "GET", "/", "").Code)
		w := get(h, "POST", "/api/release", `{"scope":"1001"}`, "Content-Type", "application/json")
		assert.Equal(t, 503, w.Code)
		b.err = nil
		time.Sleep(historyFor)
		for _, path := range []string{"/api/fleet", "/api/history", "/api/broadcasts"} {
			assert.Equal(t, 200, get(h, "GET", path, "").Code, path)
		}
	})
}

func TestHistoryIsLaidOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // its clock begins at a full hour
		start := time.Now()
		span := func(ago time.Duration, rate float64) pace.Span {
			return pace.Span{At: start.Add(-ago), Rate: rate, Pages: map[string]float64{"1": rate}}
		}
		b := &backend{spans: []pace.Span{span(2*time.Hour, 9), span(time.Hour, 1), span(20*time.Second, 2), span(10*time.Second, 3)}}
		h := New(b.config())
		read := func(path string) (p plot) {
			require.NoError(t, json.Unmarshal(get(h, "GET", path, "").Body.Bytes(), &p))
			return p
		}
		p := read("/api/history")
		require.Len(t, p.Rates, spanCount)
		assert.Equal(t, []any{1.0, 2.0, 3.0}, []any{*p.Rates[0], *p.Rates[spanCount-2], *p.Rates[spanCount-1]})
		assert.Nil(t, p.Rates[1], "nothing is known of it")
		assert.Equal(t, start.Add(-time.Hour), p.From.Local())
		require.Len(t, p.Pages["1"], 60)
		assert.InDelta(t, 2.5, *p.Pages["1"][59], 0, "the mean of what is known of the minute")
		assert.Zero(t, *read("/api/history?page=2").Rates[0], "page 2 sent nothing")

		time.Sleep(20 * time.Second)
		b.spans = append(b.spans, pace.Span{At: start, Rate: 4})
		p = read("/api/history?page=1")
		assert.Nil(t, p.Rates[0], "that hour is over")
		assert.Equal(t, []any{2.0, 3.0, 0.0}, []any{*p.Rates[spanCount-4], *p.Rates[spanCount-3], *p.Rates[spanCount-2]})
		assert.Nil(t, p.Rates[spanCount-1], "not written yet")
	})
}
