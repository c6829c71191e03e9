package sendapi

import (
	"errors"
	"io"
	"net/http/httptrace"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// net/http repeats a request over HTTP/2 after a protocol error if it can have the body again, although the server may
// have acted on it. Over HTTP/1.1 it asks for the body only when nothing was written.
func TestBodyIsGivenAgainOnlyWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ http2, started, again bool }{
		"HTTP/1.1":                 {false, true, true},
		"HTTP/2, nothing written":  {true, false, true},
		"HTTP/2, headers are gone": {true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var try attempt
			try.http2.Store(row.http2)
			try.started.Store(row.started)
			body, err := try.replay(jsonPayload([]byte("x")).open)()
			if !row.again {
				assert.ErrorIs(t, err, errNoReplay)
				return
			}
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			assert.Equal(t, "x", string(data))
		})
	}
}

func TestFailureByHowFarTheRequestGot(t *testing.T) {
	t.Parallel()
	broken := httptrace.WroteRequestInfo{Err: io.ErrClosedPipe}
	for name, row := range map[string]struct {
		steps func(*httptrace.ClientTrace)
		want  Kind
	}{
		"no connection":     {func(*httptrace.ClientTrace) {}, KindTransient},
		"a connection only": {func(c *httptrace.ClientTrace) { c.GotConn(httptrace.GotConnInfo{}) }, KindTransient},
		"body under way":    {func(c *httptrace.ClientTrace) { c.WroteHeaders() }, KindUnknownOutcome},
		"body broken off":   {func(c *httptrace.ClientTrace) { c.WroteHeaders(); c.WroteRequest(broken) }, KindTransient},
		"another connection": {func(c *httptrace.ClientTrace) {
			c.WroteHeaders()
			c.GotConn(httptrace.GotConnInfo{})
		}, KindTransient},
		"written": {func(c *httptrace.ClientTrace) {
			c.WroteHeaders()
			c.WroteRequest(httptrace.WroteRequestInfo{})
		}, KindUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var try attempt
			row.steps(try.trace())
			err := try.failure(errors.New("gone"))
			assert.Equal(t, row.want, err.Kind)
		})
	}
}
