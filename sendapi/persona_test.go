package sendapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func TestPersonas(t *testing.T) {
	t.Parallel()
	_, c := start(t, sandbox.Config{Rate: -1})
	var made []sendapi.Persona
	for i := range 230 { // three calls to list them
		p := sendapi.Persona{Name: fmt.Sprintf("Agent %d", i), PictureURL: "https://example.com/a.png"}
		var err error
		p.ID, err = c.CreatePersona(t.Context(), page, p)
		require.NoError(t, err)
		made = append(made, p)
	}
	all, err := listed(t.Context(), c, page)
	require.NoError(t, err)
	assert.Equal(t, made, all)
	for first, err := range c.Personas(t.Context(), page) {
		require.NoError(t, err)
		assert.Equal(t, made[0], first)
		break
	}

	one, err := c.Persona(t.Context(), page, made[7].ID)
	require.NoError(t, err)
	assert.Equal(t, made[7], *one)
	require.NoError(t, c.DeletePersona(t.Context(), page, made[7].ID))
	_, err = c.Persona(t.Context(), page, made[7].ID)
	assert.ErrorIs(t, err, sendapi.KindInvalid, "no person is at fault")
	assert.ErrorIs(t, c.DeletePersona(t.Context(), page, made[7].ID), sendapi.KindInvalid)
	all, err = listed(t.Context(), c, page)
	require.NoError(t, err)
	assert.Len(t, all, len(made)-1)
}

func TestPersonasThatAreRefusedHere(t *testing.T) {
	t.Parallel()
	srv, c := start(t, sandbox.Config{})
	for want, p := range map[string]sendapi.Persona{
		"Name: required; PictureURL: required":     {},
		"Name: 51 characters; the limit is 50":     {Name: strings.Repeat("x", 51), PictureURL: "https://e.com/a"},
		"PictureURL: must be an http or https URL": {Name: "Ann", PictureURL: "a.png"},
		"ID: the platform gives it":                {ID: "1", Name: "Ann", PictureURL: "https://e.com/a"},
	} {
		_, err := c.CreatePersona(t.Context(), page, p)
		assert.EqualError(t, err, "invalid: "+want)
	}
	_, err := c.Persona(t.Context(), page, "me")
	assert.EqualError(t, err, "invalid: id: must be decimal digits")
	assert.EqualError(t, c.DeletePersona(t.Context(), page, "1/2"), "invalid: id: must be decimal digits")
	assert.Empty(t, srv.Calls())
}

// A list without end, or one that turns in a circle, ends.
func TestPersonaListIsBounded(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := clientFor(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		answering(200, `{"data":[{"id":"1"}],"paging":{"next":"http://x/","cursors":{"after":"A"}}}`)(w, r)
	}), sendapi.Config{})
	all, err := listed(t.Context(), c, page)
	assert.EqualError(t, err, "invalid: more than 10,000 personas; the rest is not listed")
	assert.Len(t, all, 100)
	assert.EqualValues(t, 100, calls.Load())
}

func TestPersonaAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]sendapi.Kind{
		`{"data":[]}`: "", `{"data":[{"id":7,"name":"x"}],"paging":7}`: "",
		`{"data":[],"paging":{"next":"x"}}`: "",
		`{}`:                                sendapi.KindTransient, `{"data":{}}`: sendapi.KindTransient, `[]`: sendapi.KindTransient,
		`{"error":{"code":190}}`: sendapi.KindAuth,
	} {
		c := clientFor(t, answering(200, body), sendapi.Config{})
		_, err := listed(t.Context(), c, page)
		if want == "" {
			assert.NoError(t, err, body)
		} else {
			assert.ErrorIs(t, err, want, body)
		}
	}
	for _, body := range []string{`{}`, `{"success":false}`, `{"success":"true"}`, `<html>`} {
		c := clientFor(t, answering(200, body), sendapi.Config{})
		assert.ErrorIs(t, c.DeletePersona(t.Context(), page, "7"), sendapi.KindTransient, body)
		_, err := c.CreatePersona(t.Context(), page, sendapi.Persona{Name: "Ann", PictureURL: "https://example.com/a"})
		assert.ErrorIs(t, err, sendapi.KindUnknownOutcome, "there may be one now: %s", body)
	}
}
