package sandbox

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// shutdownGrace is how long Serve waits for calls in flight.
const shutdownGrace = 5 * time.Second

// Serve answers on l until ctx ends, with the limits that anything on a network needs, and closes l. It returns nil
// when ctx ended it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := newHTTPServer(s)
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close() // those that did not end in time
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      maxDelay + time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // what callers do wrong is theirs to see
	}
}

// Client returns an HTTP client that reaches the sandbox within the process, whatever host a URL names, https
// too though nothing is encrypted. It speaks real HTTP over net.Pipe, so that it works inside a testing/synctest bubble, where a socket would stop the
// clock. Server.Close ends it.
func (s *Server) Client() *http.Client {
	return &http.Client{Transport: s.pipe.open(s)}
}

// pipe is a network of this process.
type pipe struct {
	mu        sync.Mutex
	listener  *pipeListener
	server    *http.Server
	transport *http.Transport
}

func (p *pipe) open(h http.Handler) *http.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.transport == nil {
		p.listener = &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		p.server = newHTTPServer(h)
		p.transport = &http.Transport{
			DialContext: p.listener.dial, DialTLSContext: p.listener.dial, MaxIdleConnsPerHost: 256,
		}
		go func() { _ = p.server.Serve(p.listener) }() // ends with ErrServerClosed
	}
	return p.transport
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.transport != nil {
		p.transport.CloseIdleConnections()
		_ = p.server.Close() // closes pipes only
	}
}

type pipeListener struct {
	conns   chan net.Conn
	closing sync.Once
	closed  chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for the next dial.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses further dials.
func (l *pipeListener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return nil
}

// Addr has no meaning for a pipe.
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

// Network names what is no network.
func (pipeAddr) Network() string { return "pipe" }

// String names the only place there is.
func (pipeAddr) String() string { return "sandbox" }
