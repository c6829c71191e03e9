package sendapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// MaxBatch is how many sends a batch may have.
// https://developers.facebook.com/docs/graph-api/batch-requests
const MaxBatch = 50

// BatchSend is one send of a batch.
type BatchSend struct {
	// Page sends it. The zero value means the page of the batch; another page brings its own token and app secret.
	Page Page
	// Request is what is sent. Required, unless there is a Body. One that is not valid stays behind; the others go.
	Request *Request
	// Body is what is sent in place of a Request, as it is. See Client.SendRaw.
	Body json.RawMessage
}

// BatchResult is what became of one send of a batch. Exactly one of the two is set.
type BatchResult struct {
	// Response is the platform's, with its own Usage. What the answer to the batch as a whole says of the limits is in none
	// of them.
	Response *Response
	// Err is an *Error. KindUnknownOutcome stands also for a send that the platform did not get to in time: it leaves
	// out those that it has no answer for.
	Err error
}

// Batch sends up to MaxBatch messages with one call. It saves round trips only: each send counts by itself against all
// limits. The results are in the order of sends, one for each; when the call as a whole fails, each of them has that
// error. Its time limit is Config.MediaTimeout, whatever is sent.
//
// An error beside them means that nothing was sent, and is an *Error of KindInvalid, or KindAuth for a page without
// a token. Two sends to one recipient are such an error: the platform performs them side by side, so they may
// arrive in any order; send them one after the other. One person under two addresses, such as an id and a phone
// number, is not noticed.
// https://developers.facebook.com/docs/graph-api/batch-requests
func (c *Client) Batch(ctx context.Context, page Page, sends []BatchSend) ([]BatchResult, error) {
	if e := page.check(); e != nil {
		return nil, e
	}
	if ps := batchProblems(page, sends); len(ps) > 0 {
		return nil, refused(ps...)
	}
	b := c.newBatch(page, sends)
	if len(b.parts) > 0 {
		b.settle(c.exchange(ctx, b.call(c)))
	}
	return b.results, nil
}

// batchProblems reports what is wrong with the batch as a whole.
func batchProblems(page Page, sends []BatchSend) Problems {
	if len(sends) > MaxBatch {
		return Problems{{
			Message: fmt.Sprintf("%d sends; the limit is %d", len(sends), MaxBatch), Limit: MaxBatch, Found: len(sends),
		}}
	}
	var ps Problems
	type recipient struct {
		token   Secret
		address string
	}
	first := make(map[recipient]int, len(sends))
	for i, s := range sends {
		req, _ := s.read()
		if req == nil || req.Recipient.Address() == "" {
			continue // a problem of that send alone
		}
		to := recipient{s.pageIn(page).Token, req.Recipient.Address()}
		if before, ok := first[to]; ok {
			ps = append(ps, Problem{
				Path: fmt.Sprintf("[%d].Request.recipient", i), Message: fmt.Sprintf("the same as that of [%d]", before),
			})
			continue
		}
		first[to] = i
	}
	return ps
}

func (s BatchSend) pageIn(batch Page) Page {
	if s.Page == (Page{}) {
		return batch
	}
	return s.Page
}

// read returns what is known of the request.
func (s BatchSend) read() (*Request, *Error) {
	if s.Body != nil {
		return readRaw(s.Body)
	}
	return s.Request, nil
}

// batch is a call with several sends.
type batch struct {
	page    Page
	results []BatchResult
	parts   []batchPart
	hide    *redactor
}

// batchPart is one operation, and where its result goes.
type batchPart struct {
	Method string `json:"method"`
	Path   string `json:"relative_url"`
	Body   string `json:"body"`

	index int
	page  Page
	req   *Request
}

func (c *Client) newBatch(page Page, sends []BatchSend) *batch {
	b := &batch{page: page, results: make([]BatchResult, len(sends)), hide: newRedactor([]Page{page})}
	for i, s := range sends {
		if e := c.addTo(b, i, s); e != nil {
			b.results[i].Err = e
		}
	}
	return b
}

// addTo adds a send that may be made.
func (c *Client) addTo(b *batch, index int, s BatchSend) *Error {
	page := s.pageIn(b.page)
	if e := page.check(); e != nil {
		return e
	}
	req, e := s.read()
	if e != nil {
		return e
	}
	body := s.Body
	if body == nil {
		if e := c.validate(req); e != nil {
			return e
		}
		body = encode(req)
	}
	b.add(index, page, req, body)
	return nil
}

// add writes a send in the form of fields. Another page's token goes among them, as a parameter of the operation.
func (b *batch) add(index int, page Page, req *Request, body json.RawMessage) {
	form := make(url.Values)
	for _, f := range fieldsOf(body) {
		form.Set(f.name, f.value)
	}
	if page != b.page {
		form.Set("access_token", page.Token.Reveal())
		if proof := page.proof(); proof != "" {
			form.Set("appsecret_proof", proof)
		}
		b.hide.pages = append(b.hide.pages, page)
	}
	b.hide.bodies = append(b.hide.bodies, body)
	b.parts = append(b.parts, batchPart{http.MethodPost, page.ID + "/messages", form.Encode(), index, page, req})
}

func (b *batch) call(c *Client) *call {
	body, _ := json.Marshal(map[string]any{"batch": b.parts, "include_headers": true}) // strings
	return &call{
		reading: b.reading(),
		page:    b.page, method: http.MethodPost, body: jsonPayload(body), limit: c.cfg.MediaTimeout,
	}
}

// reading is that of the whole answer, when it is none of a batch.
func (b *batch) reading() reading {
	return reading{pageID: b.page.ID, hide: b.hide, wants: "list of answers"}
}

// settle gives each send its result. With another number of answers than sends nobody knows which belongs to which.
func (b *batch) settle(a answer, failed *Error) {
	var answers []json.RawMessage
	if failed == nil && a.whole && a.status < 300 && json.Unmarshal(a.body, &answers) == nil && answers != nil {
		if len(answers) != len(b.parts) {
			failed = &Error{Kind: KindUnknownOutcome, Status: a.status, Message: fmt.Sprintf(
				"%d answers to %d sends", len(answers), len(b.parts))}
		}
	} else if failed == nil {
		_, failed = a.interpret(b.reading())
	}
	for i, p := range b.parts {
		result := &b.results[p.index]
		if failed != nil {
			own := *failed
			result.Err = &own
			continue
		}
		result.Response, result.Err = b.one(p, answers[i])
	}
}

// one reads the answer to a send: null, or the parts of an HTTP response with a body that is JSON within a string.
func (b *batch) one(p batchPart, raw json.RawMessage) (*Response, error) {
	var entry map[string]json.RawMessage
	if json.Unmarshal(raw, &entry) != nil || entry == nil {
		return nil, &Error{Kind: KindUnknownOutcome, Message: "the batch has no answer to this send"}
	}
	sub := answer{
		status: numberOf(entry["code"]), header: headerOf(entry["headers"]), body: []byte(textOf(entry["body"])), whole: true,
	}
	var sent Response
	res, e := sub.interpret(sent.reading(p.page.ID, p.req, b.hide))
	if e != nil {
		return nil, e
	}
	sent.Usage, sent.TraceID = res.usage, res.trace
	return &sent, nil
}

// headerOf reads a list of names and values. What cannot be read is left out.
func headerOf(raw json.RawMessage) http.Header {
	var list []struct{ Name, Value string }
	_ = json.Unmarshal(raw, &list) // without headers the limits are unknown
	h := make(http.Header, len(list))
	for _, field := range list {
		h.Add(strings.TrimSpace(field.Name), field.Value)
	}
	return h
}
