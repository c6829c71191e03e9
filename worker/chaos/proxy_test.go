package chaos

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// echo is a server that returns what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func newProxy(t *testing.T) *Proxy {
	t.Helper()
	p, err := NewProxy(echo(t))
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// ask returns what comes back for text on c.
func ask(t *testing.T, c net.Conn, text string) error {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	back := make([]byte, len(text))
	_, err := io.ReadFull(c, back)
	if err == nil {
		assert.Equal(t, text, string(back))
	}
	return err
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestProxyCuts(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	c := dial(t, p)
	require.NoError(t, ask(t, c, "hello"))
	p.Cut()
	require.Error(t, ask(t, c, "hello"))
	assert.NoError(t, ask(t, dial(t, p), "again"))
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	old := dial(t, p)
	require.NoError(t, ask(t, old, "hello"))
	p.Refuse(true)
	require.Error(t, ask(t, dial(t, p), "hello"))
	require.NoError(t, ask(t, old, "hello"), "those that were there stay")
	p.Refuse(false)
	assert.NoError(t, ask(t, dial(t, p), "hello"))
}

func TestProxyDelaysAndThrottles(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	c := dial(t, p)
	took := func(text string) time.Duration {
		begin := time.Now()
		require.NoError(t, ask(t, c, text))
		return time.Since(begin)
	}
	p.Delay(50 * time.Millisecond)
	assert.GreaterOrEqual(t, took("hello"), 100*time.Millisecond, "both ways")
	p.Delay(0)
	p.Throttle(1000)
	assert.GreaterOrEqual(t, took(string(make([]byte, 100))), 200*time.Millisecond, "both ways")
	p.Throttle(0)
	assert.Less(t, took(string(make([]byte, 100))), 200*time.Millisecond)
}
