package gateway

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

// operation is a part of a batch, as it is asked for.
type operation struct {
	Method      string          `json:"method"`
	RelativeURL string          `json:"relative_url"`
	Body        string          `json:"body"`
	DependsOn   json.RawMessage `json:"depends_on"`
	Files       json.RawMessage `json:"attached_files"`
}

// entry is the answer to one.
type entry struct {
	Code    int     `json:"code"`
	Headers []field `json:"headers,omitempty"`
	Body    string  `json:"body"`
}

type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// batch stores each send of a batch as a job, in their order, and answers each by itself: one that is refused does not stop the
// others.
// https://developers.facebook.com/docs/graph-api/batch-requests
func (h *Handler) batch(c *call) reply {
	p, f := h.read(c)
	if f != nil {
		return f.reply()
	}
	if _, f := h.now.Load().access.look(p.token); f != nil { // each send counts, and not the batch beside them
		return f.reply()
	}
	operations, headers, f := readBatch(p.body)
	if f != nil {
		return f.reply()
	}
	b := storing{h: h, answers: make([]reply, len(operations))}
	for i, o := range operations {
		job, f := h.jobOfOperation(o, p.token, c.r.Header)
		if f != nil {
			b.answers[i] = f.reply()
			continue
		}
		if job.Key != "" { // one key for all would make one job of them
			job.Key += "-" + strconv.Itoa(i)
		}
		b.jobs, b.places = append(b.jobs, job), append(b.places, i)
	}
	b.store(c)
	return answerWith(http.StatusOK, entriesOf(b.answers, headers))
}

// storing is the jobs of a batch, and where their answers go.
type storing struct {
	h       *Handler
	jobs    []producer.Job
	places  []int
	answers []reply
}

func (b *storing) store(c *call) {
	ctx, cancel := b.h.storeContext(c.r)
	defer cancel()
	for i, result := range b.h.queue.EnqueueMany(ctx, b.jobs) {
		b.answers[b.places[i]] = b.h.enqueued(b.jobs[i], result.Receipt, result.Err, "")
	}
}

func readBatch(body json.RawMessage) (operations []operation, headers bool, f *failure) {
	list := memberOf(body, "batch")
	var text string
	if json.Unmarshal(list, &text) == nil {
		list = json.RawMessage(text)
	}
	if json.Unmarshal(list, &operations) != nil || len(operations) == 0 {
		return nil, false, invalid("batch must be a JSON array of operations")
	}
	if len(operations) > sendapi.MaxBatch {
		f := invalid("too many requests in batch message; the maximum batch size is %d", sendapi.MaxBatch)
		f.kind = "GraphBatchException"
		return nil, false, f
	}
	wanted := strings.Trim(string(memberOf(body, "include_headers")), `"`)
	return operations, wanted != "false", nil
}

// jobOfOperation gives an operation the credential of the batch, unless it has its own.
func (h *Handler) jobOfOperation(o operation, token string, header http.Header) (producer.Job, *failure) {
	if given(o.DependsOn) || given(o.Files) {
		return producer.Job{}, invalid("the gateway knows neither depends_on nor attached_files; what is sent to one person keeps its order")
	}
	path, query, _ := strings.Cut(o.RelativeURL, "?")
	parts := withoutVersion(strings.FieldsFunc(path, func(r rune) bool { return r == '/' }))
	if !strings.EqualFold(o.Method, http.MethodPost) || len(parts) != 2 || parts[1] != "messages" {
		return producer.Job{}, invalid("a batch can only POST to messages here")
	}
	form, formErr := url.ParseQuery(o.Body)
	queried, queryErr := url.ParseQuery(query)
	if formErr != nil || queryErr != nil {
		return producer.Job{}, invalid("the body and the query of an operation must be URL-encoded")
	}
	p := params{body: sendapi.JoinFields(form)}
	if f := p.settle(queried); f != nil {
		return producer.Job{}, f
	}
	if p.token == "" {
		p.token = token
	}
	return h.newJob(parts[0], p, header)
}

func given(value json.RawMessage) bool { return value != nil && string(value) != "null" }

func entriesOf(answers []reply, headers bool) []entry {
	entries := make([]entry, len(answers))
	for i, a := range answers {
		entries[i] = entry{Code: a.status, Body: string(a.body)}
		for _, name := range slices.Sorted(maps.Keys(a.header)) {
			if headers {
				entries[i].Headers = append(entries[i].Headers, field{name, a.header.Get(name)})
			}
		}
	}
	return entries
}
