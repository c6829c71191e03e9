package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
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
	// maxUpload leaves a file that is too large the room to be told so.
	maxUpload = sendapi.MaxFileBytes + maxBody
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

var versionPart = regexp.MustCompile(`^v[0-9]+\.[0-9]+$`)

// newOperation returns nil for a path that is no edge. The token may be in the query, as in the platform's samples.
func newOperation(method, path, query string) *operation {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	op := &operation{method: method, node: "me"}
	if versionPart.MatchString(parts[0]) {
		op.version, parts = parseVersion(parts[0]), parts[1:]
	}
	if len(parts) > 0 && parts[0] != "" {
		op.node = parts[0]
	}
	if len(parts) > 1 {
		op.call.Edge = parts[1]
	}
	if len(parts) > 2 || newestVersion.before(op.version) || op.node != "me" && !isPage(op.node) {
		return nil
	}
	if op.method == http.MethodPost && op.node == "me" && op.call.Edge == "" {
		op.call.Edge = batchEdge
	} else if edges[op.method+" "+op.call.Edge] == nil {
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

// credentialsInJSON takes the token and the proof out of the members of the body, where some of the platform's samples have
// them. Without them the body is recorded byte for byte.
func (op *operation) credentialsInJSON() {
	var members map[string]json.RawMessage
	if !bytes.Contains(op.call.Body, []byte("access_token")) && !bytes.Contains(op.call.Body, []byte("appsecret_proof")) ||
		json.Unmarshal(op.call.Body, &members) != nil {
		return
	}
	all := len(members)
	for name, into := range map[string]*string{"access_token": &op.token, "appsecret_proof": &op.proof} {
		_ = json.Unmarshal(members[name], into) // anything but a string is none
		delete(members, name)
	}
	if len(members) < all {
		op.call.Body, _ = json.Marshal(members) // as it came
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
		op.credentialsInJSON()
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
		if errors.Is(err, io.EOF) {
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
	op.call.Body = sendapi.JoinFields(form)
}
