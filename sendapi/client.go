package sendapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Client calls the Send API and what goes with it. It is safe for concurrent use; make one and keep it, as it holds the
// connections.
//
// It never sends a request again. Neither does the transport of net/http once the platform may have seen the
// request: a POST is repeated only when no byte of it left this process, or, in HTTP/2, when the server says
// that it did not look at it; for the latter, see attempt.replay. What only reads or deletes may be repeated by it.
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

// Send validates a request and sends it for a page. What Request.Check only warns about is sent. An error is an *Error;
// when it comes from Validate, its kind is KindInvalid and its cause is the Problems.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (c *Client) Send(ctx context.Context, page Page, req *Request) (*Response, error) {
	if e := c.validate(req); e != nil {
		return nil, e
	}
	return c.post(ctx, page, encode(req), req)
}

// SendRaw sends a body as it is, byte for byte, without validating more than that it is a JSON object.
// An error is an *Error.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (c *Client) SendRaw(ctx context.Context, page Page, body json.RawMessage) (*Response, error) {
	req, e := readRaw(body)
	if e != nil {
		return nil, e
	}
	return c.post(ctx, page, body, req)
}

// readRaw reads what matters here of a body that is sent as it is. What the types have no room for is left to the platform to
// judge.
func readRaw(body json.RawMessage) (*Request, *Error) {
	if wrong := wellFormed(body); wrong != "" {
		return nil, refused(Problem{Message: wrong})
	}
	if _, _, ok := split(body); !ok {
		return nil, refused(Problem{Message: "must be an object, not " + kindOf(body)})
	}
	var reader coder
	reader.decoding = true
	var req Request
	reader.object(body, &req)
	return &req, nil
}

// validate returns nil for a request that may be sent.
func (c *Client) validate(req *Request, opts ...CheckOption) *Error {
	if req == nil {
		return refused(Problem{Message: "there is no request"})
	}
	if c.cfg.AllowRemoved {
		opts = append(opts, AllowRemoved())
	}
	if err := req.Validate(opts...); err != nil {
		return &Error{Kind: KindInvalid, Err: err}
	}
	return nil
}

// refused is the error of a call that is not made, because of what it was given.
func refused(ps ...Problem) *Error { return &Error{Kind: KindInvalid, Err: Problems(ps)} }

// post does one send; req is what is known of body.
func (c *Client) post(ctx context.Context, page Page, body []byte, req *Request) (*Response, error) {
	limit := c.cfg.Timeout
	if req.FetchesMedia() {
		limit = max(limit, c.cfg.MediaTimeout)
	}
	return c.send(ctx, page, req, jsonPayload(body), limit, body)
}

// send calls the messages edge with any form of a body. What it tells the person is in hide, as JSON.
func (c *Client) send(
	ctx context.Context, page Page, req *Request, body *payload, limit time.Duration, hide ...json.RawMessage,
) (*Response, error) {
	var sent Response
	res, err := c.do(ctx, &call{
		reading: sent.reading(page.ID, req, newRedactor([]Page{page}, hide...)),
		page:    page, method: http.MethodPost, path: page.ID + "/messages", body: body, limit: limit,
	})
	if err != nil {
		return nil, err
	}
	sent.Usage, sent.TraceID = res.usage, res.trace
	return &sent, nil
}
