package sendapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

// talkative repeats all that it got in a refusal: cut off, taken out of its form, and as it came.
func talkative(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	plain, _ := url.QueryUnescape(string(body))
	cut := ""
	if i := strings.Index(plain, privateText); i >= 0 {
		cut = plain[:i+15]
	}
	all := fmt.Sprintf("%s %s %s %s %v %s", cut, plain, body, secret, r.Header, r.RequestURI)
	quoted, _ := json.Marshal(all)
	refusal := fmt.Sprintf(`{"error":{"code":100,"message":%s,"type":%[1]s,"fbtrace_id":%[1]s}}`, quoted)
	header := strings.NewReplacer("\n", "", "\r", "").Replace(all)
	w.Header().Set("X-FB-Trace-ID", header)
	if r.URL.Path == "/v26.0/" {
		entry, _ := json.Marshal([]any{map[string]any{
			"code": 400, "body": refusal, "headers": []map[string]string{{"name": "X-FB-Trace-ID", "value": header}},
		}})
		_, _ = w.Write(entry)
		return
	}
	answering(400, refusal)(w, r)
}

// What a hostile or talkative server says must not carry a request into a log.
func TestNoSecretInAnyError(t *testing.T) {
	t.Parallel()
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, refused.Close())
	down, err := sendapi.NewClient(sendapi.Config{BaseURL: "http://" + refused.Addr().String()})
	require.NoError(t, err)
	t.Cleanup(down.CloseIdleConnections)
	drop := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	misfit, _ := json.Marshal(map[string]string{"id": token + privateText})
	for server, c := range map[string]*sendapi.Client{
		"talkative": clientFor(t, http.HandlerFunc(talkative), sendapi.Config{}),
		"too long":  clientFor(t, http.HandlerFunc(talkative), sendapi.Config{MaxResponseBytes: 100}),
		"down":      down,
		"dropping":  clientFor(t, drop, sendapi.Config{}),
		"redirect":  clientFor(t, http.RedirectHandler("https://example.com/?"+token, http.StatusFound), sendapi.Config{}),
		"odd":       clientFor(t, answering(200, `["`+token+privateText+`"]`), sendapi.Config{}),
		"ids":       clientFor(t, answering(200, string(misfit)), sendapi.Config{}),
	} {
		for name, call := range anyCall {
			err := call(t.Context(), c)
			if err == nil && server == "ids" {
				continue // a persona's id is what the platform says
			}
			assertLeaksNothing(t, err, name+", "+server)
		}
	}
}
