package monitor

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/config"
)

func TestActing(t *testing.T) {
	t.Parallel()
	const stop, release, ok = "/api/stop", "/api/release", `{"scope":"1001","seconds":60,"why":"x"}`
	for _, tt := range []struct {
		name, path, body, kind, site string
		status                       int
		did                          string
	}{
		{"a pause", stop, `{"scope":"1001","seconds":60,"why":" the\u0000shop\nis down "}`, "application/json", "same-origin", 200, "stop 1001 1m0s the shop is down"},
		{"a hold of all", stop, `{"scope":"app","why":"legal <b>"}`, "application/json; charset=utf-8", "same-origin", 200, "stop app 0s legal <b>"},
		{"a release", release, `{"scope":"1001"}`, "application/json", "same-origin", 200, "release 1001"},
		{"from a program", release, `{"scope":"app"}`, "application/json", "", 200, "release app"},
		{"from another site", stop, ok, "application/json", "cross-site", 403, ""},
		{"from a neighbour", stop, ok, "application/json", "same-site", 403, ""},
		{"a form", stop, ok, "text/plain", "same-origin", 415, ""},
		{"no kind", stop, ok, "", "same-origin", 415, ""},
		{"without a reason", stop, `{"scope":"1001","seconds":60,"why":" \t"}`, "application/json", "", 422, ""},
		{"a long reason", stop, `{"scope":"1001","why":"` + strings.Repeat("x", maxWhy+1) + `"}`, "application/json", "", 422, ""},
		{"too long", stop, `{"scope":"1001","seconds":2592001,"why":"x"}`, "application/json", "", 422, ""},
		{"below 0", stop, `{"scope":"1001","seconds":-1,"why":"x"}`, "application/json", "", 422, ""},
		{"no page", release, `{}`, "application/json", "", 422, ""},
		{"no page's id", release, `{"scope":"1001:bulk"}`, "application/json", "", 422, ""},
		{"a page's id that is too long", release, `{"scope":"` + strings.Repeat("1", 33) + `"}`, "application/json", "", 422, ""},
		{"another member", release, `{"scope":"1001","all":true}`, "application/json", "", 400, ""},
		{"no JSON", release, `scope=1001`, "application/json", "", 400, ""},
		{"two orders", release, `{"scope":"1001"}{"scope":"1002"}`, "application/json", "", 400, ""},
		{"a huge order", release, `{"scope":"` + strings.Repeat("1", maxBody) + `"}`, "application/json", "", 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := &backend{}
			h := New(b.config())
			w := get(h, "POST", tt.path, tt.body, "Content-Type", tt.kind, "Sec-Fetch-Site", tt.site)
			assert.Equal(t, tt.status, w.Code, w.Body)
			assert.Equal(t, tt.did, strings.Join(b.acts, ";"))
		})
	}
}

func TestAMonitorThatOnlyShows(t *testing.T) {
	t.Parallel()
	b := &backend{}
	cfg := b.config()
	cfg.Stop, cfg.Release = nil, nil
	h := New(cfg)
	for _, path := range []string{"/api/stop", "/api/release"} {
		w := get(h, "POST", path, `{"scope":"1001","why":"x"}`, "Content-Type", "application/json")
		assert.Equal(t, 403, w.Code)
		assert.Contains(t, w.Body.String(), "--read-write")
	}
	assert.Contains(t, get(h, "GET", "/api/fleet", "").Body.String(), `"act":false`)
}

func TestARefusalIsToldToTheVisitor(t *testing.T) {
	t.Parallel()
	b := &backend{err: fmt.Errorf("wrapped: %w", Refusal("page 9 is not configured"))}
	w := get(New(b.config()), "POST", "/api/release", `{"scope":"9"}`, "Content-Type", "application/json")
	assert.Equal(t, 422, w.Code)
	assert.Contains(t, w.Body.String(), "page 9 is not configured")
}

func login() Login {
	return Login{User: "ann", Password: config.NewSecret("correct:horse"), Token: config.NewSecret("0123456789abcdef")}
}

func basic(user, password string) string {
	r := request("")
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// request is one that comes from an address.
func request(addr string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = addr
	return r
}

func TestLogin(t *testing.T) {
	t.Parallel()
	full, token, password := login(), Login{Token: login().Token}, Login{User: "ann", Password: login().Password}
	for _, tt := range []struct {
		name   string
		login  Login
		header string
		want   int
	}{
		{"none is asked for", Login{}, "", 200},
		{"nothing named", full, "", 401},
		{"the password", full, basic("ann", "correct:horse"), 200},
		{"the token", full, "Bearer 0123456789abcdef", 200},
		{"the token in other letters", full, "bearer  0123456789abcdef ", 200},
		{"the token as a password", full, basic("whoever", "0123456789abcdef"), 200},
		{"another user", full, basic("bob", "correct:horse"), 401},
		{"a wrong password", full, basic("ann", "correct:hors"), 401},
		{"the password as a token", full, "Bearer correct:horse", 401},
		{"an empty password", full, basic("ann", ""), 401},
		{"a wrong token", full, "Bearer 0123456789abcdeF", 401},
		{"an empty token", full, "Bearer ", 401},
		{"another scheme", full, "Digest 0123456789abcdef", 401},
		{"no base64", full, "Basic ???", 401},
		{"a token where there is only a password", password, "Bearer ", 401},
		{"a password where there is only a token", token, basic("", ""), 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := (&backend{}).config()
			cfg.Login = tt.login
			h := New(cfg)
			for _, path := range []string{"/", "/static/app.js", "/api/fleet", "/asynqmon/api/queues", "/absent"} {
				want := tt.want
				if path == "/absent" && want == 200 {
					want = 404
				}
				w := get(h, "GET", path, "", "Authorization", tt.header)
				assert.Equal(t, want, w.Code, path)
				assert.Equal(t, want == 401, w.Header().Get("WWW-Authenticate") != "", path)
				assert.NotContains(t, w.Body.String(), "horse")
			}
		})
	}
}

func TestWrongLoginsAreSlowedDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := (&backend{}).config()
		cfg.Login = login()
		h := New(cfg)
		try := func(token string) int { return get(h, "GET", "/", "", "Authorization", "Bearer "+token).Code }
		for range 100 {
			assert.Equal(t, 200, try("0123456789abcdef"), "right ones do not count")
			assert.Equal(t, 401, get(h, "GET", "/", "").Code, "and none at all does not")
		}
		for range wrongAtOnce {
			assert.Equal(t, 401, try("wrong"))
		}
		assert.Equal(t, 429, try("wrong"))
		assert.Equal(t, 429, try("0123456789abcdef"), "not listened to: it may be a guess")
		time.Sleep(wrongEvery)
		assert.Equal(t, 200, try("0123456789abcdef"))
		assert.Equal(t, 401, try("wrong"))
		assert.Equal(t, 429, try("wrong"))
	})
}

func TestTheDoorRemembersABoundedNumberOfAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(login())
		seen := map[string]bool{}
		for i := range 2 * maxAddresses {
			r := request(fmt.Sprintf("[2001:db8:%x:%x::%x]:80", i/256, i%256, i))
			seen[d.addressOf(r).String()] = true
			d.limiter(d.addressOf(r)).Allow()
		}
		assert.Len(t, seen, 2*maxAddresses)
		assert.Len(t, d.callers, maxAddresses)
		assert.Less(t, d.others.Tokens(), 1.0, "all further ones share one bound")
		time.Sleep(time.Minute)
		d.limiter(d.addressOf(request("10.0.0.1:80"))).Allow()
		assert.Len(t, d.callers, 1, "those that were quiet are forgotten")
		assert.Equal(t, d.addressOf(request("[2001:db8::1]:80")), d.addressOf(request("[2001:db8::2]:80")), "one network")
		assert.Equal(t, d.addressOf(request("10.0.0.1:80")), d.addressOf(request("[::ffff:10.0.0.1]:90")))
	})
}

func TestWhereAVisitorComesFrom(t *testing.T) {
	t.Parallel()
	d := newDoor(Login{Token: login().Token, Proxies: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8"),
	}})
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "192.0.2.1:80", nil, "192.0.2.1"},
		{"no proxy, and words of its own", "192.0.2.1:80", []string{"198.51.100.7"}, "192.0.2.1"},
		{"a proxy", "10.0.0.1:80", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a proxy, and words of the visitor's", "10.0.0.1:80", []string{"198.51.100.7, 192.0.2.1"}, "192.0.2.1"},
		{"a proxy that adds a line", "10.0.0.1:80", []string{"198.51.100.7", "192.0.2.1"}, "192.0.2.1"},
		{"two proxies", "127.0.0.1:80", []string{"192.0.2.1,10.9.9.9"}, "192.0.2.1"},
		{"two proxies, and words of the visitor's", "127.0.0.1:80", []string{"10.1.1.1,192.0.2.1,10.9.9.9"}, "192.0.2.1"},
		{"a proxy that names nobody", "10.0.0.1:80", nil, "10.0.0.1"},
		{"a proxy that names no address", "10.0.0.1:80", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		{"a proxy of IPv6", "[fd00::1]:80", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a proxy of IPv4 as one of IPv6", "[::ffff:10.0.0.1]:80", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a visitor of IPv6", "10.0.0.1:80", []string{"2001:db8::17"}, "2001:db8::"},
		{"with a port", "10.0.0.1:80", []string{"192.0.2.1:4711"}, "192.0.2.1"},
		{"with a port of IPv6", "10.0.0.1:80", []string{"[2001:db8::17]:4711"}, "2001:db8::"},
	} {
		r := request(tt.peer)
		r.Header["X-Forwarded-For"] = tt.forwarded
		assert.Equal(t, tt.want, d.addressOf(r).String(), tt.name)
	}
}

// Behind a proxy one who guesses does not keep the others out, and gets no further by making up where the call comes from.
func TestWrongLoginsBehindAProxy(t *testing.T) {
	t.Parallel()
	cfg := (&backend{}).config()
	cfg.Login = login()
	cfg.Login.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")} // of httptest
	h := New(cfg)
	try := func(token, from string) int {
		return get(h, "GET", "/", "", "Authorization", "Bearer "+token, "X-Forwarded-For", from).Code
	}
	for i := range wrongAtOnce {
		assert.Equal(t, 401, try("wrong", fmt.Sprintf("10.0.0.%d, 198.51.100.7", i)))
	}
	assert.Equal(t, 429, try("0123456789abcdef", "198.51.100.7"))
	assert.Equal(t, 200, try("0123456789abcdef", "198.51.100.8"))
}
