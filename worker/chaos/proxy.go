package chaos

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// chunk is how much a proxy passes on at once, and so the grain of its throttle.
const chunk = 4 << 10

// Proxy passes TCP connections on to one address, and can spoil them. It is safe for concurrent use.
type Proxy struct {
	// Addr is where it listens.
	Addr string

	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	refuses bool
	delay   time.Duration
	rate    int // bytes a second and connection; 0: no limit
	closed  bool
}

// NewProxy starts a proxy on a free loopback port. Close ends it.
func NewProxy(target string) (*Proxy, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: l.Addr().String(), listener: l, target: target, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Close ends the proxy and all its connections.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Cut()
	p.wg.Wait()
}

// Cut closes all connections; new ones are possible at once.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Refuse closes each new connection as soon as it is made, until it is told otherwise.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = on
}

// Delay holds what passes, in both directions, back for d. Zero ends that.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Throttle lets each connection pass so many bytes a second in each direction. Zero ends that.
func (p *Proxy) Throttle(bytesPerSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = bytesPerSecond
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.track(c) {
			_ = c.Close()
			continue
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

// track makes Cut know a connection. It returns false if the proxy takes none now.
func (p *Proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses || p.closed {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) forget(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) serve(client net.Conn) {
	defer p.forget(client)
	var d net.Dialer
	server, err := d.DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		return
	}
	defer p.forget(server)
	if !p.track(server) {
		return
	}
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		wg.Go(func() {
			p.pass(way[1], way[0])
			// Either side's end is the end of both: nothing here half-closes.
			_ = client.Close()
			_ = server.Close()
		})
	}
	wg.Wait()
}

// pass copies until either side closes.
func (p *Proxy) pass(to io.Writer, from io.Reader) {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			p.hold(n)
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold waits as long as n bytes are to take.
func (p *Proxy) hold(n int) {
	p.mu.Lock()
	d := p.delay
	if p.rate > 0 {
		d += time.Duration(float64(n) / float64(p.rate) * float64(time.Second))
	}
	p.mu.Unlock()
	if d > 0 {
		<-time.After(d)
	}
}
