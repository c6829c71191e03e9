package monitor

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sendpace/sendpace/config"
)

// Login is what a visitor has to name: the user with the password, in HTTP's basic way, or the token, as bearer or in place of a
// password. The zero value asks for nothing.
type Login struct {
	User            string
	Password, Token config.Secret
	// Proxies are those that a visitor may come through. Where a call comes from one of them, X-Forwarded-For says who is wrong too
	// often; from all others it is not believed.
	Proxies []netip.Prefix
}

const (
	// wrongAtOnce and wrongEvery bound how often one address may name something wrong.
	wrongAtOnce = 10
	wrongEvery  = 5 * time.Second
	// maxAddresses bounds what is remembered. What comes from further ones shares one bound.
	maxAddresses = 4096
)

// door knows who may come in.
type door struct {
	open    bool
	known   [][sha256.Size]byte // digests of what a header Authorization may say
	proxies []netip.Prefix
	mu      sync.Mutex
	callers map[netip.Addr]*rate.Limiter
	others  *rate.Limiter
	swept   time.Time // when quiet addresses were looked for
}

func newDoor(l Login) *door {
	d := &door{
		open: l.Password.IsZero() && l.Token.IsZero(), proxies: l.Proxies,
		callers: map[netip.Addr]*rate.Limiter{}, others: newWrongLimiter(),
	}
	if !l.Password.IsZero() {
		d.known = append(d.known, sha256.Sum256([]byte("basic "+l.User+":"+l.Password.Reveal())))
	}
	if !l.Token.IsZero() {
		d.known = append(d.known, sha256.Sum256([]byte("bearer "+l.Token.Reveal())))
	}
	return d
}

func newWrongLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(wrongEvery), wrongAtOnce) }

// admits lets a visitor in, or answers why not. An address that has been wrong too often is not listened to for a while, whatever
// it names: else guessing would cost nothing.
func (d *door) admits(w http.ResponseWriter, r *http.Request) bool {
	if d.open {
		return true
	}
	if r.Header.Get("Authorization") == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="sendpace monitor", charset="UTF-8"`)
		refuse(w, http.StatusUnauthorized, "log in")
		return false
	}
	addr := d.addressOf(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	limiter := d.limiter(addr)
	switch {
	case limiter.Tokens() < 1:
		w.Header().Set("Retry-After", "60")
		refuse(w, http.StatusTooManyRequests, "too many wrong logins from this address; wait a minute")
	case d.knows(r):
		return true
	default:
		limiter.Allow()
		w.Header().Set("WWW-Authenticate", `Basic realm="sendpace monitor", charset="UTF-8"`)
		refuse(w, http.StatusUnauthorized, "this is not the login")
	}
	return false
}

// knows compares digests, and all of them, so that the time it takes tells nothing.
func (d *door) knows(r *http.Request) bool {
	var named []string
	if user, password, ok := r.BasicAuth(); ok {
		named = []string{"basic " + user + ":" + password, "bearer " + password}
	} else if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		named = []string{"bearer " + strings.TrimSpace(token)}
	}
	right := 0
	for _, text := range named {
		digest := sha256.Sum256([]byte(text))
		for _, known := range d.known {
			right |= subtle.ConstantTimeCompare(digest[:], known[:])
		}
	}
	return right == 1
}

// limiter returns that of an address, and forgets those that nothing wrong came from lately.
func (d *door) limiter(addr netip.Addr) *rate.Limiter {
	if l := d.callers[addr]; l != nil {
		return l
	}
	if len(d.callers) >= maxAddresses && time.Since(d.swept) >= wrongEvery { // a crowd must not make each call slow
		d.swept = time.Now()
		for a, l := range d.callers {
			if l.Tokens() >= wrongAtOnce {
				delete(d.callers, a)
			}
		}
	}
	if len(d.callers) >= maxAddresses {
		return d.others
	}
	d.callers[addr] = newWrongLimiter()
	return d.callers[addr]
}

// addressOf is where a call comes from: its sender, or where that is a trusted proxy, whom the proxy names, and so on along a row of
// them. What stands in front of that are the visitor's own words.
func (d *door) addressOf(r *http.Request) netip.Addr {
	addr := readAddress(r.RemoteAddr)
	named := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, name := range slices.Backward(named) {
		next := readAddress(strings.TrimSpace(name))
		if !d.trusts(addr) || !next.IsValid() {
			break
		}
		addr = next
	}
	return networkOf(addr)
}

func (d *door) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// readAddress reads an address, with or without a port; an invalid one if it is none.
func readAddress(text string) netip.Addr {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		port, _ := netip.ParseAddrPort(text)
		addr = port.Addr()
	}
	return addr.Unmap().WithZone("")
}

// networkOf is an address, or of IPv6 the network, which one visitor has whole.
func networkOf(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		const network = 64 // bits
		prefix, _ := addr.Prefix(network)
		return prefix.Addr()
	}
	return addr
}
