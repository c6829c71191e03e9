package sandbox

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/sendpace/sendpace/sendapi"
)

const (
	// maxBody is far above any request that passes validation, and above a batch of 50.
	maxBody = 8 << 20
	// maxUpload is a file of the largest size with what a multipart body puts around it.
	maxUpload = 25<<20 + maxBody
)

// operation is one call to one edge: a request of its own, or a part of a batch.
type operation struct {
	call         Call // what is recorded; its Body is the parameters as one JSON object
	method       string
	node         string  // the first part of the path: a page, me, or a persona
	version      version // of the path
	query        url.Values
	token, proof string
	file         *file // what came in the part filedata
}

// file is what is kept of an uploaded file.
type file struct {
	contentType string
	size        int64
}

// action is what an edge makes of an operation that may call it.
type action struct {
	recipient string           // for the record
	media     bool             // it counts against the media limit
	request   *sendapi.Request // what is sent, where the edge sends; nil elsewhere
	refused   refusal          // what is wrong with the operation itself
	run       func() reply     // once nothing stands in its way
}

// edges are what can be called, by method and the name below a node; a node itself has the name "".
var edges = map[string]func(*Server, *operation) action{
	"POST messages": (*Server).messages,
}

// knownEdges is what a caller of anything else is told.
const knownEdges = "POST /{version}/{page-id}/messages"

var versionPart = regexp.MustCompile(`^v[0-9]+\.[0-9]+$`)

// route finds the edge that a request is for.
func (s *Server) route(r *http.Request) (*operation, bool) {
	op := newOperation(r.Method, r.URL.Path, r.URL.RawQuery)
	if op == nil {
		return nil, false
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		op.token = bearer
	}
	return op, true
}

// newOperation returns nil for a path that is no edge. The token may be in the query, as in the platform's samples.
func newOperation(method, path, query string) *operation {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	op := &operation{method: method}
	if versionPart.MatchString(parts[0]) {
		op.version, parts = parseVersion(parts[0]), parts[1:]
	}
	if len(parts) > 0 {
		op.node = parts[0]
	}
	if len(parts) > 1 {
		op.call.Edge = parts[1]
	}
	known := edges[op.method+" "+op.call.Edge] != nil
	if len(parts) > 2 || !known || newestVersion.before(op.version) || op.node != "me" && !isPage(op.node) {
		return nil
	}
	op.query, _ = url.ParseQuery(query) // what cannot be read is left out
	op.credentials(op.query)
	return op
}

// credentials takes the token and the proof out of parameters, so that they are not recorded.
func (op *operation) credentials(from url.Values) {
	if token := from.Get("access_token"); token != "" {
		op.token = token
	}
	if proof := from.Get("appsecret_proof"); proof != "" {
		op.proof = proof
	}
	from.Del("access_token")
	from.Del("appsecret_proof")
}

// resolve finds the page of an operation: /me/ is that of the token.
func (s *Server) resolve(op *operation) {
	op.call.PageID = op.node
	if known, ok := s.credentials.pageOf(op.token); ok && op.node == "me" {
		op.call.PageID = known
	}
}

// read takes the parameters from the body: a JSON object, form fields each of whose values is JSON text or a
// plain string, or such fields with a file.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (op *operation) read(w http.ResponseWriter, r *http.Request) (unreadable string) {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "multipart/form-data" {
		return op.readParts(multipart.NewReader(http.MaxBytesReader(w, r.Body, maxUpload), params["boundary"]))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return "the request could not be read, or is too large"
	}
	if strings.HasSuffix(kind, "json") {
		op.call.Body = body
		return ""
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "the form fields could not be read"
	}
	op.fields(form)
	return ""
}

// readParts reads a multipart body. The file is counted, not kept.
func (op *operation) readParts(parts *multipart.Reader) (unreadable string) {
	const broken = "the parts of the request could not be read, or are too large"
	form := make(url.Values)
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			op.fields(form)
			return ""
		}
		if err != nil {
			return broken
		}
		if part.FormName() == "filedata" {
			size, err := io.Copy(io.Discard, part)
			if err != nil {
				return broken
			}
			op.file = &file{contentType: part.Header.Get("Content-Type"), size: size}
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, maxBody))
		if err != nil {
			return broken
		}
		form.Set(part.FormName(), string(value))
	}
}

// fields makes one JSON object of form fields.
func (op *operation) fields(form url.Values) {
	op.credentials(form)
	members := make(map[string]json.RawMessage, len(form))
	for name := range form {
		value := form.Get(name)
		if text := strings.TrimSpace(value); text != "" && strings.ContainsRune(`{["`, rune(text[0])) && json.Valid([]byte(text)) {
			members[name] = json.RawMessage(text)
		} else {
			members[name], _ = json.Marshal(value) // a string
		}
	}
	op.call.Body, _ = json.Marshal(members) // valid JSON, each of them
}
