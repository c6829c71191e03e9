package monitor

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
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
	mu      sync.Mutex
	callers map[netip.Addr]*rate.Limiter
	others  *rate.Limiter
	swept   time.Time // when quiet addresses were looked for
}

func newDoor(l Login) *door {
	d := &door{open: l.Password.IsZero() && l.Token.IsZero(), callers: map[netip.Addr]*rate.Limiter{}, others: newWrongLimiter()}
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
	d.mu.Lock()
	defer d.mu.Unlock()
	limiter := d.limiter(addressOf(r))
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

// addressOf is where a call comes from; of IPv6 the network, which one visitor has whole.
func addressOf(r *http.Request) netip.Addr {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	if addr = addr.Unmap(); addr.Is6() {
		const network = 64 // bits
		prefix, _ := addr.WithZone("").Prefix(network)
		return prefix.Addr()
	}
	return addr
}
