package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// single is a listener with one connection.
type single struct {
	net.Listener
	conns chan net.Conn
}

func (l single) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l single) Close() error { close(l.conns); return nil }

// Whoever sends too slowly is told so, and who was just in time has the answer time as well.
func TestSlowCallsGetAnAnswer(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]int{readTime - time.Second: http.StatusOK, readTime + time.Second: http.StatusBadRequest} {
		synctest.Test(t, func(t *testing.T) {
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err != nil {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				time.Sleep(writeTime - time.Second) // in the bubble
			})
			client, server := net.Pipe()
			l := single{conns: make(chan net.Conn, 1)}
			l.conns <- server
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- serve(ctx, l, handler, time.Second) }()
			_, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
			require.NoError(t, err)
			wrote := make(chan struct{})
			go func() {
				defer close(wrote)
				time.Sleep(after)
				_, _ = io.WriteString(client, "}")
			}()
			res, err := http.ReadResponse(bufio.NewReader(client), nil)
			require.NoError(t, err, "a body that took %v", after)
			assert.Equal(t, want, res.StatusCode, "a body that took %v", after)
			_ = res.Body.Close()
			_ = client.Close()
			<-wrote
			stop()
			assert.NoError(t, <-ended)
		})
	}
}
