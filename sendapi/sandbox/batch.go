package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sendpace/sendpace/sendapi"
)

// batchEdge stands for POST to the root, or to /me.
const batchEdge = "batch"

// part is one operation of a batch, as it is asked for.
type part struct {
	Method      string `json:"method"`
	RelativeURL string `json:"relative_url"`
	Body        string `json:"body"`
	DependsOn   any    `json:"depends_on"`
	Files       any    `json:"attached_files"`
}

// entry is its answer; null when there is none.
type entry struct {
	Code    int     `json:"code"`
	Headers []field `json:"headers,omitempty"`
	Body    string  `json:"body"`
}

type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// batch performs each operation by itself: each is recorded, and counts against the limits. One that is dropped leaves a
// null in the answer, as one that the platform had no time for; when all are, the connection is dropped.
// https://developers.facebook.com/docs/graph-api/batch-requests
func (s *Server) batch(op *operation, unreadable string) reply {
	if unreadable != "" {
		return s.perform(op, unreadable)
	}
	if r := s.authorize(op); r.refuses() {
		return s.refuse(r.codes, r.why)
	}
	parts, headers, why := readBatch(op.call.Body)
	if why != "" {
		return s.refuse(codes{100, 0}, why)
	}
	if len(parts) > sendapi.MaxBatch {
		return s.refuseAs(codes{100, 0}, "too many requests in batch message; the maximum batch size is 50", "GraphBatchException", false)
	}
	answer := reply{status: http.StatusOK, drop: true}
	entries := make([]*entry, len(parts))
	for i, p := range parts {
		one := s.performPart(op, p)
		answer.calls = append(answer.calls, one.calls...)
		answer.delay = max(answer.delay, one.delay)
		if one.drop {
			continue
		}
		answer.drop = false
		entries[i] = &entry{Code: one.status, Body: string(one.body)}
		if headers {
			entries[i].Headers = fieldsOf(one.header)
		}
	}
	answer.body, _ = json.Marshal(entries) // strings and numbers
	return answer
}

func readBatch(body json.RawMessage) (parts []part, headers bool, why string) {
	var outer struct {
		Batch   json.RawMessage `json:"batch"`
		Headers any             `json:"include_headers"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return nil, false, "the parameters of the batch are no JSON object"
	}
	var text string
	if json.Unmarshal(outer.Batch, &text) == nil {
		outer.Batch = json.RawMessage(text)
	}
	if json.Unmarshal(outer.Batch, &parts) != nil || len(parts) == 0 {
		return nil, false, "batch must be a JSON array of operations"
	}
	return parts, outer.Headers != false && outer.Headers != "false", ""
}

// performPart gives an operation the token and proof of the batch, unless it has its own.
func (s *Server) performPart(batch *operation, p part) reply {
	if p.DependsOn != nil || p.Files != nil {
		return s.refuse(codes{100, 0}, "the sandbox knows neither depends_on nor attached_files")
	}
	path, query, _ := strings.Cut(p.RelativeURL, "?")
	one := newOperation(strings.ToUpper(p.Method), path, query)
	if one == nil || one.call.Edge == batchEdge {
		return s.refuse(codes{100, 33}, "unsupported request: the sandbox knows "+knownEdges)
	}
	form, err := url.ParseQuery(p.Body)
	one.fields(form)
	if one.token == "" {
		one.token, one.proof = batch.token, batch.proof
	}
	one.call.At = batch.call.At
	s.resolve(one)
	unreadable := ""
	if err != nil {
		unreadable = "the body of the operation is not URL-encoded"
	}
	return s.perform(one, unreadable)
}

func fieldsOf(h http.Header) []field {
	var fields []field
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fields = append(fields, field{name, h.Get(name)})
	}
	return fields
}
