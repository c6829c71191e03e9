package sendapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func header(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestParseUsage(t *testing.T) {
	t.Parallel()
	got := parseUsage(header(
		"x-app-usage", `{"call_count":28,"total_time":25.5,"total_cputime":103}`,
		"x-business-use-case-usage", `{"9":[{"type":"ads_insights","call_count":1}],`+
			`"1001":[{"type":"messenger","call_count":100,"total_cputime":20,"total_time":10,`+
			`"estimated_time_to_regain_access":5},{"type":"pages","call_count":50}]}`,
	))
	assert.Equal(t, Usage{
		App: Load{Known: true, Calls: 28, CPU: 103, Elapsed: 25.5},
		Business: []BusinessUsage{
			{ObjectID: "1001", Type: "messenger", Load: Load{true, 100, 20, 10}, Wait: 5 * time.Minute},
			{ObjectID: "1001", Type: "pages", Load: Load{true, 50, 0, 0}},
			{ObjectID: "9", Type: "ads_insights", Load: Load{true, 1, 0, 0}},
		},
	}, got)
	assert.Equal(t, 103.0, got.App.Max())
	assert.Equal(t, 5*time.Minute, got.Wait("1001"))
	assert.Equal(t, 5*time.Minute, got.Wait("me"), "any object when the page's id is not known")
	assert.Equal(t, 100.0, got.Messaging("1001").Max())
	assert.Zero(t, got.Wait("9"), "ads do not concern messages")
	assert.False(t, got.Messaging("1002").Known)
	assert.Equal(t, Load{true, 7, 0, 0}, parseUsage(header("X-Page-Usage", `{"call_count":7}`)).Messaging("1001"))
}

func TestUsageThatCannotBeReadIsUnknown(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		``, `{}`, `[]`, `null`, `1`, `{`, `{"call_count":"many"}`, `{"call_count":null}`, `{"1001":7}`,
		`{"1001":[{"call_count":1e999}]}`, `{"1001":[[]]}`,
	} {
		u := parseUsage(header("X-App-Usage", value, "X-Page-Usage", value, "X-Business-Use-Case-Usage", value))
		assert.Equal(t, Usage{}, u, value)
	}
}

func TestUsageIsBounded(t *testing.T) {
	t.Parallel()
	entry := `{"type":"messenger","call_count":1,"estimated_time_to_regain_access":1e300}`
	u := parseUsage(header("X-Business-Use-Case-Usage", `{"1":[`+entry+strings.Repeat(","+entry, 1000)+`]}`))
	assert.Len(t, u.Business, maxEntries)
	assert.Equal(t, longestWait, u.Wait("1"))
	assert.Zero(t, parseUsage(header("X-Business-Use-Case-Usage",
		`{"1":[{"type":"pages","estimated_time_to_regain_access":-5}]}`)).Wait("1"))
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "30": 30 * time.Second, " 1.5 ": 1500 * time.Millisecond, "-3": 0, "NaN": 0, "soon": 0,
		"1e99": longestWait, "Mon, 23 Nov 2026 10:02:00 GMT": 2 * time.Minute, "Mon, 23 Nov 2020 10:02:00 GMT": 0,
	} {
		assert.Equal(t, want, retryAfter(header("Retry-After", value), now), "%q", value)
	}
}

func FuzzUsage(f *testing.F) {
	f.Add(`{"call_count":28,"total_time":25,"total_cputime":3}`)
	f.Add(`{"1001":[{"type":"messenger","call_count":100,"estimated_time_to_regain_access":5}]}`)
	f.Add(`{"1001":[{}],"":null}`)
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{
			"X-App-Usage": {value}, "X-Page-Usage": {value}, "X-Business-Use-Case-Usage": {value},
			"Retry-After": {value},
		}
		u := parseUsage(h)
		if !u.App.Known {
			assert.Equal(t, Load{}, u.App)
		}
		for _, wait := range []time.Duration{u.Wait("me"), retryAfter(h, time.Now())} {
			assert.GreaterOrEqual(t, wait, time.Duration(0))
			assert.LessOrEqual(t, wait, longestWait)
		}
		assert.LessOrEqual(t, len(u.Business), maxEntries)
	})
}
