package sendapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// call is one request to the Graph API. Every call goes through exchange, the one place that knows HTTP.
type call struct {
	reading
	page   Page // whose token goes along
	method string
	path   string // below the version, as 1001/messages
	query  url.Values
	body   *payload // nil: none
	limit  time.Duration
}

// payload is the body of a call.
type payload struct {
	contentType string
	size        int64
	open        func() (io.ReadCloser, error)
	once        bool // it cannot be opened a second time
}

func jsonPayload(data []byte) *payload {
	return &payload{
		contentType: "application/json", size: int64(len(data)),
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
}

// do makes a call and returns a success, or an *Error.
func (c *Client) do(ctx context.Context, k *call) (result, error) {
	a, e := c.exchange(ctx, k)
	if e != nil {
		return result{}, e
	}
	res, e := a.interpret(k.reading)
	if e != nil {
		return result{}, e
	}
	return res, nil
}

// exchange makes a call and returns its answer, whatever it is.
func (c *Client) exchange(ctx context.Context, k *call) (answer, *Error) {
	if e := k.page.check(); e != nil {
		return answer{}, e
	}
	ctx, cancel := context.WithTimeout(ctx, k.limit)
	defer cancel()
	var try attempt
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, try.trace()), k, &try)
	if err != nil {
		return answer{}, &Error{Kind: KindInvalid, Message: "no request can be made for page " + k.page.ID}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, k.settle(try.failure(err))
	}
	defer func() { _ = res.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(res.Body, c.cfg.MaxResponseBytes+1))
	whole := err == nil && int64(len(read)) <= c.cfg.MaxResponseBytes
	return answer{status: res.StatusCode, header: res.Header, body: read, whole: whole}, nil
}

func (c *Client) newRequest(ctx context.Context, k *call, try *attempt) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, k.method, c.endpoint+k.path, nil)
	if err != nil {
		return nil, err
	}
	query := maps.Clone(k.query)
	if proof := k.page.proof(); proof != "" {
		if query == nil {
			query = make(url.Values)
		}
		query.Set("appsecret_proof", proof)
	}
	req.URL.RawQuery = query.Encode()
	req.Header.Set("Authorization", "Bearer "+k.page.Token.Reveal())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "sendpace")
	if k.body == nil {
		return req, nil
	}
	req.Header.Set("Content-Type", k.body.contentType)
	req.ContentLength = k.body.size
	if !k.body.once {
		req.GetBody = try.replay(k.body.open)
	}
	req.Body, err = k.body.open()
	return req, err
}

// attempt follows how far a request got. The hooks run on goroutines of the transport.
type attempt struct {
	started atomic.Bool // the body may be on its way
	broken  atomic.Bool // the body did not leave as a whole
	http2   atomic.Bool
}

// trace watches WroteHeaders, not WroteRequest: the latter runs after the last byte went out, so a call that is cut
// off right then could look unsent. Headers without their whole body are no request that a server would act on.
func (t *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			t.started.Store(false) // of a try that the transport knows to have failed unsent
			t.broken.Store(false)
			conn, ok := info.Conn.(interface{ ConnectionState() tls.ConnectionState })
			t.http2.Store(ok && conn.ConnectionState().NegotiatedProtocol == "h2")
		},
		WroteHeaders: func() { t.started.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) { t.broken.Store(info.Err != nil) },
	}
}

var errNoReplay = errors.New("a message is not sent again over HTTP/2")

// replay lets the transport of HTTP/1 change to a fresh connection when the idle one turned out to be closed
// before a byte was written. HTTP/2 repeats after a protocol error too, when nobody knows: not there.
func (t *attempt) replay(open func() (io.ReadCloser, error)) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		if t.http2.Load() && t.started.Load() {
			return nil, errNoReplay
		}
		return open()
	}
}

// failure judges a call without an answer.
func (t *attempt) failure(err error) *Error {
	// *url.Error repeats the address, which has the appsecret_proof in its query.
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if t.started.Load() && !t.broken.Load() {
		return &Error{Kind: KindUnknownOutcome, Message: "no answer after the request was written", Err: err}
	}
	return &Error{Kind: KindTransient, Message: "the request was not sent", Err: err}
}
