package sandbox_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/sendapi/sandbox"
)

// Everything at once, for the race detector; and no call is lost from the log or in it twice.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	srv := newServer(t, sandbox.Config{
		Rate: -1, ThreadRate: 1e5, PageCalls: 1e9, AppCalls: 1e9, Tokens: map[string]string{"1001": "t", "1002": "t2"},
	})
	const callers, each = 4, 100
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for range each {
				post(srv, "/1001/messages", "t", fmt.Sprintf(`{"recipient":{"id":"%d"},"message":{"text":"x"}}`, caller))
			}
		})
	}
	all.Go(func() {
		for i := range each {
			assert.NoError(t, srv.SetPage("1002", sandbox.Page{Token: fmt.Sprint(i), Usage: 10}))
			assert.NoError(t, srv.SetPerson("1002", fmt.Sprint(i), sandbox.Person{Reach: sandbox.ReachGone}))
			srv.Fail("1002", sandbox.Fault{Code: 2, Chance: 0.5})
			post(srv, "/me/messages", fmt.Sprint(i), hello)
			srv.Clear("1002")
			srv.ResetPage("1002")
			srv.ResetPerson("1002", "")
		}
	})
	all.Go(func() {
		for range each {
			for _, path := range []string{"pages", "faults", "calls", "log?all=true&limit=10", "people?page=1002&person=7"} {
				assert.Equal(t, 200, control(srv, http.MethodGet, "/sandbox/"+path, "").Code)
			}
		}
	})
	all.Wait()
	n := 0
	for c := range srv.Log(sandbox.Query{PageID: "1001"}) {
		assert.Equal(t, 200, c.Status)
		n++
	}
	assert.Equal(t, callers*each, n)
	assert.Len(t, srv.Calls(), (callers+1)*each)
}
