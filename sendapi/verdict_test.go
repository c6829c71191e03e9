package sendapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The kinds by code are written out here a second time, from the documentation's point of view, so that a slip in
// the table is seen: a code that is missing in either place fails.
var documented = map[Kind][]string{
	KindRateLimit: {
		"4", "4/2018022", "9/2018352", "17", "17/2446079", "32", "341", "613", "613/1996", "613/2018338",
		"613/2534040", "2018144",
	},
	KindTransient:      {"1", "2", "1200", "1200/2018024"},
	KindUnknownOutcome: {"1/1357046"},
	KindRecipient: {
		"4/2018354", "10/2018108", "10/1893015", "10/2018336", "33", "100/33", "100/2018001", "100/2534014",
		"200/1545041", "551", "551/1545041", "10903", "2300052",
	},
	KindWindow: {"10/2018278", "10/2018065", "10/2534022"},
	KindInvalid: {
		"1/2018382", "100", "100/2018008", "100/2018012", "100/2018014", "100/2018032", "100/2018034",
		"100/2018047", "100/2018109", "100/2018294", "100/2018320", "100/2018328", "100/2534015", "100/2534025",
		"506", "613/1893016", "803", "10303", "10900", "36000", "2018173", "2018175", "2018182", "2018183",
		"2018184", "2018185", "2018186", "2018187", "2018188", "2018218", "2018247", "9000001",
	},
	KindAttachment: {"100/2018074"},
	KindAuth: {
		"1/99", "2/2018344", "3", "10", "10/2018028", "10/2534077", "100/2018164", "100/2534013", "102", "190",
		"190/458", "190/459", "190/460", "190/463", "190/464", "190/467", "190/492", "200", "200/2018021",
		"200/2018027", "200/2018028", "200/2534041", "230", "299", "10904", "36103",
	},
	KindPolicy:        {"10/1404170", "10/1893063", "100/2534029", "368", "2022"},
	KindThreadControl: {"100/2534037", "2018171", "2018234", "2018300", "2018321"},
}

func TestVerdictTable(t *testing.T) {
	t.Parallel()
	want := make(map[string]Kind)
	for kind, list := range documented {
		for _, code := range list {
			want[code] = kind
		}
	}
	seen := make(map[string]bool)
	for _, r := range slices.Concat(rules, numbers) {
		name := fmt.Sprint(r.code)
		if r.subcode != 0 {
			name += fmt.Sprintf("/%d", r.subcode)
		}
		assert.False(t, seen[name], "two rows for %s", name)
		seen[name] = true
		assert.Equal(t, want[name], r.kind, "kind of %s", name)
		for status := 100; status < 600; status++ {
			for _, hint := range []bool{false, true} {
				if got := judge(status, r.code, r.subcode, hint); got != r.verdict {
					assert.Equal(t, r.verdict, got, "the code goes before the status: %s with %d, %v", name, status, hint)
				}
			}
		}
		assert.True(t, r.source == inferred || strings.HasPrefix(r.source, "https://"), "source of %s", name)
		assertScope(t, r.verdict, name)
		again := r.kind == KindTransient || r.kind == KindUnknownOutcome || r.kind == KindRateLimit
		assert.False(t, again && r.retries > 0, "%s is tried again anyway", name)
	}
	for _, r := range ranges {
		assert.Contains(t, r.source, "https://", "%d to %d", r.from, r.to)
		assertScope(t, r.verdict, r.from)
	}
	for code := range want {
		assert.True(t, seen[code], "no row for %s", code)
	}
}

func assertScope(t *testing.T, v verdict, name any) {
	t.Helper()
	scoped := v.kind == KindRateLimit || v.kind == KindAuth || v.kind == KindPolicy
	assert.Equal(t, scoped, v.scope != "", "scope of %v: %q with %q", name, v.scope, v.kind)
	assert.Contains(t, Kinds(), v.kind)
}

func TestVerdictScopes(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes]Scope{
		{4, 0}: ScopeApp, {341, 0}: ScopeApp, {613, 1996}: ScopeApp,
		{32, 0}: ScopePage, {613, 0}: ScopePage, {613, 7}: ScopePage, {613, 2534040}: ScopePage, {80006, 0}: ScopePage,
		{613, 2018338}: ScopeThread, {2018144, 0}: ScopeThread,
		{17, 0}: ScopeToken, {190, 463}: ScopePage, {100, 2018164}: ScopeApp,
	} {
		assert.Equal(t, want, judge(400, code.code, code.subcode, false).scope, "%v", code)
	}
}

func TestVerdictLookup(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		status, code, subcode int
		hint                  bool
		want                  Kind
	}{
		"a bare number as code":           {400, 2018300, 0, false, KindThreadControl},
		"a bare number as subcode":        {400, 10, 2018300, false, KindThreadControl},
		"a bare number as unknown's":      {400, 77, 2018321, false, KindThreadControl},
		"unknown subcode":                 {400, 190, 999, false, KindAuth},
		"permission family":               {403, 273, 0, false, KindAuth},
		"use case limits, first":          {400, 80000, 0, false, KindRateLimit},
		"use case limits, last":           {400, 80014, 2446079, false, KindRateLimit},
		"after the use case limits":       {400, 80015, 0, false, KindInvalid},
		"WhatsApp":                        {400, 131047, 0, false, KindInvalid},
		"unknown code":                    {400, 77, 0, false, KindInvalid},
		"unknown code, hint":              {400, 77, 0, true, KindTransient},
		"unknown code, 500":               {500, 77, 0, false, KindTransient},
		"unknown code, 429":               {429, 77, 0, false, KindRateLimit},
		"unknown code, 403":               {403, 77, 0, false, KindAuth},
		"known code, hint":                {400, 100, 0, true, KindInvalid},
		"an error without a code at all":  {400, 0, 0, false, KindInvalid},
		"the number of another code's":    {400, 1, 2018278, false, KindTransient},
		"success status, error all alike": {200, 613, 0, false, KindRateLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, row.want, judge(row.status, row.code, row.subcode, row.hint).kind)
		})
	}
}

func TestVerdictOfEveryStatus(t *testing.T) {
	t.Parallel()
	special := map[int]verdict{
		401: auth, 403: auth, 404: auth, 405: auth, 407: auth, 410: auth, 413: invalid, 429: pageLimit,
	}
	for status := 100; status < 1000; status++ {
		want, ok := special[status]
		switch {
		case ok:
		case 300 <= status && status < 500:
			want = transient
		default:
			want = unknown
		}
		assert.Equal(t, want, judgeStatus(status), "%d %s", status, http.StatusText(status))
		assertScope(t, judgeStatus(status), status)
		assertScope(t, judgeUnknown(status, false), status)
	}
}
