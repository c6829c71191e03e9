package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sendpace/sendpace/sendapi"
)

// formMemory is how much of a multipart body stays in memory; what is more goes into a temporary file.
const formMemory = 64 << 10

// params are the parameters of a call: those of its body as one JSON object, and the credential, which is not in it.
type params struct {
	body  json.RawMessage
	token string
	file  *multipart.FileHeader // what came in the part filedata
}

// isUpload tells whether a file may come along.
func isUpload(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "multipart/form-data"
}

// read takes the parameters from a call in each of the platform's forms: a JSON object, form fields of which each is JSON text
// or a plain string, or such fields beside a file; and from the query, as the platform's samples have them too.
// https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (h *Handler) read(c *call) (params, *failure) {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return params{}, invalid("the query cannot be read; each parameter is a name, =, and URL-encoded text")
	}
	p := params{token: authorization(c.r.Header)}
	var f *failure
	if isUpload(c.r) {
		f = h.readParts(c, &p)
	} else {
		f = h.readBody(c, &p)
	}
	if f == nil {
		f = p.settle(query)
	}
	return p, f
}

func (h *Handler) readBody(c *call, p *params) *failure {
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, h.cfg.MaxBody))
	if err != nil {
		return unreadable(err)
	}
	kind := c.r.Header.Get("Content-Type")
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); strings.Contains(kind, "json") || bytes.HasPrefix(trimmed, []byte("{")) {
		p.body = body
		return nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return invalid("the form fields cannot be read; each is a name, =, and URL-encoded JSON text")
	}
	p.body = sendapi.JoinFields(form)
	return nil
}

// readParts leaves large files on disk until the call ends.
func (h *Handler) readParts(c *call, p *params) *failure {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, sendapi.MaxFileBytes+h.cfg.MaxBody)
	if err := c.r.ParseMultipartForm(formMemory); err != nil {
		return unreadable(err)
	}
	fields := int64(0)
	for _, values := range c.r.MultipartForm.Value {
		for _, value := range values {
			fields += int64(len(value))
		}
	}
	if fields > h.cfg.MaxBody {
		return unreadable(&http.MaxBytesError{Limit: h.cfg.MaxBody})
	}
	for name, files := range c.r.MultipartForm.File {
		if name != "filedata" || len(files) > 1 {
			return invalid("a message has at most one file, in the part filedata")
		}
		p.file = files[0]
	}
	p.body = sendapi.JoinFields(c.r.MultipartForm.Value)
	return nil
}

func unreadable(err error) *failure {
	if long, ok := errors.AsType[*http.MaxBytesError](err); ok {
		f := invalid("the body is larger than %d bytes", long.Limit)
		f.status = http.StatusRequestEntityTooLarge
		return f
	}
	return invalid("the body cannot be read: it breaks off, came too slowly, or is not of its Content-Type")
}

// settle makes one body of all parameters, without the credentials: those of the query count where the body has none of the name.
// The token is taken from where it is: the header goes first, then the query, then the body. Proofs are left out too: workers
// make their own. A body to which nothing of this applies stays as it came, byte for byte.
func (p *params) settle(query url.Values) *failure {
	members, ok := membersOf(p.body)
	if !ok {
		return invalid("the body must be a JSON object, or form fields")
	}
	inBody, named := "", map[string]bool{}
	kept := make([]member, 0, len(members))
	for _, m := range members {
		named[m.name] = true
		if m.name == "access_token" {
			_ = json.Unmarshal(m.value, &inBody) // anything but a string is none
		}
		if !slices.Contains(credentialNames, m.name) {
			kept = append(kept, m)
		}
	}
	changed := len(kept) < len(members)
	queried, _ := membersOf(sendapi.JoinFields(query)) // an object
	for _, m := range queried {
		if !slices.Contains(credentialNames, m.name) && !named[m.name] {
			kept, changed = append(kept, m), true
		}
	}
	for i := range kept {
		if kept[i].name == "recipient" && quoteID(&kept[i].value) {
			changed = true
		}
	}
	if changed {
		p.body = objectOf(kept)
	}
	p.token = cmp.Or(p.token, query.Get("access_token"), inBody)
	return nil
}
