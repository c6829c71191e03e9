package pace

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// rates reads what SetRates wrote, for the pages that have limits of their own and for all others.
func (r statusReader) rates(ctx context.Context, pages []string) (rateTable, error) {
	keys := []string{r.keys.Rates("default")}
	for _, id := range pages {
		keys = append(keys, r.keys.Rates(id))
	}
	texts, err := r.rdb.MGet(ctx, keys...).Result()
	if err != nil {
		return rateTable{}, err
	}
	t := rateTable{pages: map[string]Rates{}}
	for i, value := range texts {
		text, ok := value.(string)
		if !ok {
			continue
		}
		rates, appBudget, margin := decodeRates(text)
		if i == 0 {
			t.others, t.appBudget, t.margin, t.known = rates, appBudget, margin, true
			continue
		}
		t.pages[pages[i-1]] = rates
	}
	return t, nil
}

// rateTable is what SetRates wrote.
type rateTable struct {
	known     bool // a worker has set the rates
	margin    float64
	appBudget int64
	others    Rates
	pages     map[string]Rates
}

func (t rateTable) of(page string) Rates {
	if r, ok := t.pages[page]; ok {
		return r
	}
	return t.others
}

// decodeRates turns what encode wrote back into the rates as configured, to the precision that they have.
func decodeRates(text string) (r Rates, appBudget int64, margin float64) {
	f := strings.Fields(text)
	if len(f) != 8 {
		return Rates{}, 0, 0
	}
	var n [7]int64
	for i := range n {
		n[i], _ = strconv.ParseInt(f[i], 10, 64)
	}
	margin, _ = strconv.ParseFloat(f[7], 64)
	rate := func(us int64) float64 { return rateOf(us, margin) }
	return Rates{
		Page: rate(n[0]), Bulk: rate(n[1]), Media: rate(n[2]), Replies: rate(n[3]),
		Thread: time.Duration(n[4]) * time.Microsecond, Budget: n[5],
	}, n[6], margin
}

// loadExplain makes sure that Redis knows the script of explain: one that it does not know would break a transaction.
func (r statusReader) loadExplain(ctx context.Context) error {
	known, err := explainScript.Exists(ctx, r.rdb).Result()
	if err == nil && (len(known) == 0 || !known[0]) {
		err = explainScript.Load(ctx, r.rdb).Err()
	}
	return err
}

// explain asks how fast a page may be sent and what its lines wait for.
func (r statusReader) explain(ctx context.Context, pipe redis.Pipeliner, page string, lines []string) *redis.Cmd {
	args := []any{r.keys.Own(""), r.keys.Line(""), page}
	for _, line := range lines {
		args = append(args, line)
	}
	return explainScript.EvalSha(ctx, pipe, []string{r.keys.Pause(App)}, args...)
}

// explanation is what explain answers.
type explanation struct {
	stage, stageScope        string
	stageEnd                 time.Time
	percent, usage, appUsage int
	usageAt, appUsageAt      time.Time
	spent, appSpent          int64
	limits                   []binding
}

// binding is what binds a line, and when that lets its next job go; the zero time if that is not known.
type binding struct {
	limit string
	next  time.Time
}

// limit is what binds the line i of those that were asked for.
func (e explanation) limit(i int) binding {
	if i >= len(e.limits) {
		return binding{}
	}
	return e.limits[i]
}

// readExplanation decodes the answer of explain. There is none before a worker has set the rates.
func readExplanation(cmd *redis.Cmd) (explanation, error) {
	e := explanation{stage: "steady", percent: 100}
	if cmd == nil {
		return e, nil
	}
	parts, err := cmd.StringSlice()
	if err != nil {
		return e, err
	}
	const fixed = 10
	if len(parts) < fixed || len(parts)%2 != 0 {
		return e, fmt.Errorf("explain answered %d values", len(parts))
	}
	n := make([]int64, len(parts))
	for i, text := range parts {
		if i == 1 || i == 6 || i >= fixed && i%2 == 0 {
			continue // a name
		}
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return e, fmt.Errorf("explain answered %q: %w", text, err)
		}
	}
	e.percent, e.stage, e.usage, e.appUsage = int(n[0]), parts[1], int(n[2]), int(n[3])
	e.spent, e.appSpent, e.stageScope, e.stageEnd = n[4], n[5], parts[6], moment(n[7])
	e.usageAt, e.appUsageAt = moment(n[8]), moment(n[9])
	for i := fixed; i < len(parts); i += 2 {
		e.limits = append(e.limits, binding{limit: parts[i], next: moment(n[i+1])})
	}
	return e, nil
}

// moment is a time of Redis; 0 us stand for none.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
