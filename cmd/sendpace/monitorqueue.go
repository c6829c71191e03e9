package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/cmd/sendpace/monitor"
)

// queueHandler is asynqmon with payloads and results that can be read. Its page loads nothing from elsewhere and links back to ours.
func queueHandler(rdb redis.UniversalClient, readWrite bool) (http.Handler, error) {
	format := func(_ string, data []byte) string { return shown(data) }
	mon := asynqmon.New(asynqmon.Options{
		RootPath:         monitor.QueuePath,
		RedisConnOpt:     sharedRedis{rdb},
		ReadOnly:         !readWrite,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(format),
		ResultFormatter:  asynqmon.ResultFormatterFunc(format),
	})
	page, err := queuePage(mon)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest := strings.TrimPrefix(r.URL.Path, monitor.QueuePath)
		// asynqmon answers its page at every path that is no file of its, and its files have an ending.
		if strings.HasPrefix(rest, "/api/") || strings.Contains(rest[strings.LastIndex(rest, "/")+1:], ".") {
			mon.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page) // of a visitor who is gone there is nothing to tell
	}), nil
}

// fontLink is what asynqmon v0.7.2 loads from a font service. Its icons are pictures of its own, and its text has fallbacks.
var fontLink = regexp.MustCompile(`<link rel="stylesheet" href="https://fonts\.googleapis\.com/[^"]*"/>`)

// homeLink leads from asynqmon to our page. It lies on a free place of asynqmon's bar.
const homeLink = `<a href="/" style="position:fixed;top:14px;right:76px;z-index:2000;padding:7px 14px;border-radius:18px;` +
	`background:#2457d6;color:#fff;font:600 14px/20px system-ui,sans-serif;text-decoration:none">Pages and rates</a>`

// queuePage is the page of asynqmon, with our changes.
func queuePage(mon http.Handler) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, monitor.QueuePath+"/", http.NoBody) //nolint:noctx // it goes nowhere
	if err != nil {
		return nil, err
	}
	var got page
	mon.ServeHTTP(&got, req)
	text := fontLink.ReplaceAll(got.Bytes(), nil)
	before, after, ok := bytes.Cut(text, []byte("</body>"))
	if !ok {
		return nil, errors.New("asynqmon has no page")
	}
	return bytes.Join([][]byte{before, []byte(homeLink), []byte("</body>"), after}, nil), nil
}

// page is an http.ResponseWriter that keeps what is written.
type page struct {
	bytes.Buffer
	header http.Header
}

func (p *page) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

func (p *page) WriteHeader(int) {}

// sharedRedis gives asynqmon a client that is not its to close. It must be the plain one: asynqmon shows nothing
// about a Redis that it reaches through another type.
type sharedRedis struct{ rdb redis.UniversalClient }

// MakeRedisClient returns the client.
func (s sharedRedis) MakeRedisClient() any { return s.rdb }

// shown is how a payload or a result appears: as it is if it is JSON, which asynqmon then lays out, else as JSON text.
func shown(data []byte) string {
	if json.Valid(data) {
		return string(data)
	}
	quoted, err := json.Marshal(string(data))
	if err != nil {
		return `""`
	}
	return string(quoted)
}
