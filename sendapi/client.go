package sendapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
)

// Client calls the Send API. It is safe for concurrent use; make one and keep it, as it holds the connections.
//
// It never sends a request again. Neither does the transport of net/http once the platform may have seen the
// request: a POST is repeated only when no byte of it left this process, or, in HTTP/2, when the server says
// that it did not look at it; for the latter, see attempt.replay.
type Client struct {
	cfg      Config
	http     *http.Client
	endpoint string
}

// NewClient returns a client. An error is of type Problems and names every field that is wrong.
func NewClient(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.problems().err(); err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, http: cfg.httpClient(), endpoint: cfg.endpoint()}, nil
}

// CloseIdleConnections closes the connections that are kept for later calls.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Send validates a request and sends it for a page. An error is an *Error; when it comes from Validate, its
// kind is KindInvalid and its cause is the Problems.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (c *Client) Send(ctx context.Context, page Page, req *Request) (*Response, error) {
	if err := req.Validate(); err != nil {
		return nil, &Error{Kind: KindInvalid, Err: err}
	}
	return c.post(ctx, page, encode(req), req)
}

// SendRaw sends a body as it is, byte for byte, without validating more than that it is a JSON object.
// An error is an *Error.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (c *Client) SendRaw(ctx context.Context, page Page, body json.RawMessage) (*Response, error) {
	if wrong := wellFormed(body); wrong != "" {
		return nil, &Error{Kind: KindInvalid, Err: Problems{{Message: wrong}}}
	}
	if _, _, ok := split(body); !ok {
		return nil, &Error{Kind: KindInvalid, Err: Problems{{Message: "must be an object, not " + kindOf(body)}}}
	}
	// What the types have no room for is left to the platform to judge; what they have is what matters here.
	var reader coder
	reader.decoding = true
	var req Request
	reader.object(body, &req)
	return c.post(ctx, page, body, &req)
}

// post does one call; req is what is known of body.
func (c *Client) post(ctx context.Context, page Page, body []byte, req *Request) (*Response, error) {
	if e := page.check(); e != nil {
		return nil, e
	}
	limit := c.cfg.Timeout
	if req.FetchesMedia() {
		limit = max(limit, c.cfg.MediaTimeout)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	a, err := c.exchange(ctx, page, body)
	if err != nil {
		return nil, err
	}
	return a.interpret(page.ID, req.SenderAction != "" && req.Message == nil, redactor{page, body})
}

func (c *Client) exchange(ctx context.Context, page Page, body []byte) (answer, error) {
	var try attempt
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, try.trace()), page, body)
	if err != nil {
		return answer{}, &Error{Kind: KindInvalid, Message: "no request can be made for page " + page.ID}
	}
	req.GetBody = try.replay(body)
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, try.failure(err)
	}
	defer func() { _ = res.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(res.Body, c.cfg.MaxResponseBytes+1))
	whole := err == nil && int64(len(read)) <= c.cfg.MaxResponseBytes
	return answer{status: res.StatusCode, header: res.Header, body: read, whole: whole}, nil
}

func (c *Client) newRequest(ctx context.Context, page Page, body []byte) (*http.Request, error) {
	target := c.endpoint + page.ID + "/messages"
	if proof := page.proof(); proof != "" {
		target += "?appsecret_proof=" + proof
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+page.Token.Reveal())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "sendpace")
	return req, nil
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
func (t *attempt) replay(body []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		if t.http2.Load() && t.started.Load() {
			return nil, errNoReplay
		}
		return io.NopCloser(bytes.NewReader(body)), nil
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
