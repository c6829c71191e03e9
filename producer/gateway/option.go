package gateway

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sendpace/sendpace/producer"
)

const optionPrefix = "X-Sendpace-"

// option is a header that sets a field of the job.
type option struct {
	header string
	field  string // as the producer names it in its problems
	set    func(*producer.Job, string) error
}

// options is all of them, as openapi.json has them. What the producer checks is not checked here.
var options = []option{
	{"X-Sendpace-Lane", "lane", func(j *producer.Job, v string) error {
		j.Lane = producer.Lane(v)
		return nil
	}},
	{"X-Sendpace-Key", "key", func(j *producer.Job, v string) error {
		j.Key = v
		return nil
	}},
	{"X-Sendpace-Send-At", "send_at", func(j *producer.Job, v string) error { return setTime(&j.SendAt, v) }},
	{"X-Sendpace-Expires-At", "expires_at", func(j *producer.Job, v string) error { return setTime(&j.ExpiresAt, v) }},
	{"X-Sendpace-Broadcast", "broadcast", func(j *producer.Job, v string) error {
		j.Broadcast = v
		return nil
	}},
	{"X-Sendpace-Max-Attempts", "max_attempts", func(j *producer.Job, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return errors.New("must be a number from 1 to 100")
		}
		j.MaxAttempts = n
		return nil
	}},
	{"X-Sendpace-On-Unknown", "on_unknown", func(j *producer.Job, v string) error {
		j.OnUnknown = producer.UnknownPolicy(v)
		return nil
	}},
	{"X-Sendpace-Retention", "retention", func(j *producer.Job, v string) error {
		if j.Retention.UnmarshalText([]byte(v)) != nil {
			return errors.New("must be a time span such as 36h")
		}
		return nil
	}},
}

func setTime(to *time.Time, v string) (err error) {
	if *to, err = time.Parse(time.RFC3339, v); err != nil || to.IsZero() { // the zero time would count as none
		return errors.New("must be a time such as 2026-12-01T09:00:00Z")
	}
	return nil
}

// jobOf makes a job of what the headers ask for. A header that is not known is refused: it is a slip, and what it was meant to
// do would not happen.
func jobOf(h http.Header) (producer.Job, *failure) {
	var job producer.Job
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !strings.HasPrefix(name, optionPrefix) {
			continue
		}
		i := slices.IndexFunc(options, func(o option) bool { return o.header == name })
		switch {
		case i < 0:
			return job, invalid("%.60s: there is no such option; see /openapi.json", name)
		case len(h[name]) > 1:
			return job, invalid("%s: given more than once", name)
		case h[name][0] == "":
			return job, invalid("%s: is empty; leave it out", name)
		}
		if err := options[i].set(&job, h[name][0]); err != nil {
			return job, invalid("%s: %s", name, err)
		}
	}
	return job, nil
}
