//go:build browser

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tab is a page in a real browser. It keeps what the browser asked for and what it complained of.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	asked    []string
	problems []string
}

// openBrowser starts the browser that is installed. chromedp looks for it in the PATH.
func openBrowser(t *testing.T) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox) // it visits our own page alone
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	ctx, closeTab := chromedp.NewContext(ctx)
	b := &tab{t: t, ctx: ctx}
	requests, messages := chromedp.Events(ctx, network.RequestWillBeSent), chromedp.Console(ctx)
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for e, err := range requests {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.asked = append(b.asked, e.Request.URL)
			b.mu.Unlock()
		}
	})
	wg.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.problems = append(b.problems, m.String())
			b.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		closeTab()
		wg.Wait()
	})
	return b
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

// until waits for something to become true on the page.
func (b *tab) until(expression string) {
	b.t.Helper()
	poll := chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingTimeout(30*time.Second))
	_, err := chromedp.Run(b.ctx, poll)
	for err != nil && strings.Contains(err.Error(), "context with specified id") { // a link was followed: it is another page now
		_, err = chromedp.Run(b.ctx, poll)
	}
	require.NoError(b.t, err, "%s\nthe page:\n%s", expression, b.value("document.body.innerText"))
}

func (b *tab) value(expression string) any {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[any](expression))
	require.NoError(b.t, err, expression)
	return v
}

func (b *tab) scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	require.NoError(b.t, err)
}

// shoot keeps a picture of the page in the folder that SENDPACE_SHOTS names, if it names one.
func (b *tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("SENDPACE_SHOTS")
	if dir == "" {
		return
	}
	const best = 100
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(best))
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600))
}

// clean makes sure that nothing left the machine, and that the browser found nothing wrong.
func (b *tab) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.NotEmpty(b.t, b.asked)
	for _, asked := range b.asked {
		u, err := url.Parse(asked)
		require.NoError(b.t, err)
		assert.True(b.t, u.Scheme == "data" || u.Hostname() == "127.0.0.1", "the browser asked for %s", asked)
	}
	assert.Empty(b.t, b.problems)
}

const (
	desktop, desktopHeight = 1280, 900
	phone, phoneHeight     = 390, 844
)

// startFleet is a worker, a sandbox and a monitor over one Redis, and returns the monitor's address.
func startFleet(t *testing.T, monitorArgs ...string) (base, redisURL, config string) {
	t.Helper()
	redisURL, _ = startRedis(t)
	config = writeFile(t, "c.yaml", `
pages:
- {id: 1001, access_token: EAABfirst, rate: 20, bulk_rate: 10}
- {id: 1002, access_token: EAABsecond}
`)
	box := start(t, nil, nil, "sandbox", "--addr", "127.0.0.1:0", "--latency", "1ms", "--config", config)
	env := []string{"SENDPACE_GRAPH_BASE_URL=" + box.out.wait(t, `answers at (http://\S+);`)}
	var jobs strings.Builder
	for i := range 3000 {
		jobs.WriteString(job("1001", fmt.Sprint(1000+i), "SECRET-TEXT"))
	}
	require.Equal(t, 0, sendpace(jobs.String(), nil, "enqueue", "--redis", redisURL, "--config", config, "--file", "-").code)
	start(t, nil, env, "worker", "--redis", redisURL, "--config", config)
	args := append([]string{"monitor", "--redis", redisURL, "--config", config, "--addr", "127.0.0.1:0"}, monitorArgs...)
	m := start(t, nil, nil, args...)
	return m.out.wait(t, `seen at (http://\S+);`), redisURL, config
}

func TestBrowser(t *testing.T) {
	base, redisURL, config := startFleet(t, "--read-write")
	b := openBrowser(t)
	b.do(chromedp.EmulateViewport(desktop, desktopHeight), chromedp.Navigate(base))

	b.until(`document.querySelector('[data-page="1001"] .waiting b') && document.getElementById('live').dataset.state === 'on'`)
	before := b.value(`document.querySelector('[data-page="1001"] .waiting b').textContent`)
	b.until(fmt.Sprintf(`document.querySelector('[data-page="1001"] .waiting b').textContent !== %q`, before))
	b.until(`parseFloat(document.getElementById('t-rate').textContent) > 1`)
	b.until(`document.querySelectorAll('#plot .curve[d^="M"]').length === 1`)

	// A pause asks for a reason, which may look like HTML.
	b.do(chromedp.Click(chromedp.CSS(`[data-page="1001"] .act button`)))
	b.until(`document.getElementById('ask').open && document.activeElement.id === 'ask-why'`)
	b.do(chromedp.Click(chromedp.CSS(`#ask-yes`)))
	assert.Equal(t, true, b.value(`document.getElementById('ask').open`), "there is no reason yet")
	b.do(chromedp.SendKeys(chromedp.CSS(`#ask-why`), `<img src=x onerror=alert(1)> shop down`), chromedp.Click(chromedp.CSS(`#ask-yes`)))
	b.until(`document.querySelector('[data-page="1001"] .why')?.innerText.includes('<img src=x onerror=alert(1)> shop down')`)
	assert.Equal(t, false, b.value(`!!document.querySelector('table.pages img')`))
	shown := sendpace("", nil, "page", "show", "1001", "--redis", redisURL, "--config", config)
	assert.Contains(t, shown.out, "paused", "the fleet knows")
	b.do(chromedp.Click(chromedp.CSS(`[data-page="1001"] .open`)))
	b.until(`document.querySelector('[data-page="1001"] .more .curve')`)
	b.shoot("test-desktop")

	b.do(chromedp.EmulateViewport(phone, phoneHeight, chromedp.EmulateMobile, chromedp.EmulateTouch))
	b.scheme("dark")
	assert.LessOrEqual(t, b.value(`document.documentElement.scrollWidth`), float64(phone), "it scrolls sideways")
	assert.Equal(t, []any{}, b.value(`[...document.querySelectorAll('button, .bar nav a, select, input')]
		.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44).map((e) => e.outerHTML)`), "too small for a finger")
	b.shoot("test-phone")
	b.do(chromedp.Click(chromedp.CSS(`[data-page="1001"] .act button`)))
	b.until(`document.getElementById('ask').open && document.getElementById('ask-yes').textContent === 'Resume'`)
	b.do(chromedp.Click(chromedp.CSS(`#ask-yes`)))
	b.until(`document.querySelector('[data-page="1001"] .pill').textContent === 'sending'`)
	shown = sendpace("", nil, "page", "show", "1001", "--redis", redisURL, "--config", config)
	assert.NotContains(t, shown.out, "paused")
	assert.NotContains(t, b.value(`document.documentElement.outerHTML`), "SECRET-TEXT")
	b.clean()
}

func TestBrowserShowsAsynqmon(t *testing.T) {
	base, _, _ := startFleet(t)
	b := openBrowser(t)
	b.do(chromedp.EmulateViewport(desktop, desktopHeight), chromedp.Navigate(base))
	b.until(`document.querySelector('[data-page="1001"]')`)
	assert.Equal(t, float64(0), b.value(`[...document.querySelectorAll('#pages button')].filter((e) => e.checkVisibility() && !e.matches('.open')).length`),
		"without --read-write there is nothing to press")
	b.do(chromedp.Click(chromedp.CSS(`.bar nav a[href="/asynqmon/"]`)))
	b.until(`document.body.innerText.includes('messenger')`)
	b.do(chromedp.Navigate(base + "/asynqmon/queues/messenger?status=aggregating"))
	b.until(`document.body.innerText.includes('Select group') || document.body.innerText.includes('Please select group')`)
	b.do(chromedp.Click(chromedp.CSS(`a[href="/"]`)))
	b.until(`document.querySelector('[data-page="1001"]')`)
	b.clean()
}

func TestBrowserSaysThatRedisIsAway(t *testing.T) {
	server := miniredis.NewMiniRedis()
	require.NoError(t, server.StartAddr("127.0.0.1:0"))
	defer server.Close()
	p := start(t, nil, nil, "monitor", "--redis", "redis://"+server.Addr(), "--addr", "127.0.0.1:0")
	b := openBrowser(t)
	b.do(chromedp.Navigate(p.out.wait(t, `seen at (http://\S+);`)))
	b.until(`document.getElementById('live').dataset.state === 'on'`)
	server.Close()
	b.until(`/Redis does not answer: .*The figures are those of /.test(document.getElementById('notes').innerText)`)
	b.shoot("test-redis-away")
	require.NoError(t, server.Restart())
	b.until(`document.getElementById('live').dataset.state === 'on' && !document.getElementById('notes').innerText.includes('Redis')`)
}

func TestBrowserLogsIn(t *testing.T) {
	url, _ := startRedis(t)
	env := []string{"SENDPACE_MONITOR_TOKEN=0123456789abcdef"}
	p := start(t, nil, env, "monitor", "--redis", url, "--addr", "127.0.0.1:0")
	base := p.out.wait(t, `seen at (http://\S+);`)
	b := openBrowser(t)
	b.do(chromedp.Navigate(strings.Replace(base, "http://", "http://me:0123456789abcdef@", 1)))
	b.until(`document.getElementById('live').dataset.state === 'on'`)
	b.clean()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, base+"/api/fleet", http.NoBody)
	require.NoError(t, err)
	status, _ := fetch(t, req)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.NotContains(t, p.out.String()+p.err.String(), "0123456789abcdef")
}
