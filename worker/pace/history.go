package pace

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
)

const (
	// HistoryStep is the length of a [Span].
	HistoryStep = 10 * time.Second
	// HistoryLength is how far the history reaches back.
	HistoryLength = time.Hour
	// historySpans are kept, each in the place of the one an hour before it.
	historySpans = int64(HistoryLength / HistoryStep)
	// historyPages bounds the pages of a span: those that sent most are kept, and the history stays below some 10 MB.
	historyPages = 1000
	// historyTTL forgets the history of a fleet that is gone.
	historyTTL = 2 * HistoryLength
)

// Span is how fast jobs were sent within one [HistoryStep].
type Span struct {
	// At is when it began, by the Redis server's clock.
	At time.Time `json:"at"`
	// Rate is how many jobs of all pages were sent, a second.
	Rate float64 `json:"rate"`
	// Pages are the rates of the pages that sent any, at most the 1000 fastest.
	Pages map[string]float64 `json:"pages,omitempty"`
}

// sample is how many jobs had been sent at a moment.
type sample struct {
	at   time.Time
	sent map[string]int64 // by page
}

// record adds the spans that have ended to the history, if there are any, from what was sent since the last time. One worker at a
// time does, the one that reaps. It costs a command each beat, and two more each span, whatever is sent.
func (p *Pacer) record(ctx context.Context) error {
	now, err := p.rdb.Time(ctx).Result()
	if err != nil {
		return fmt.Errorf("pace: history: %w", err)
	}
	last := p.sampled
	if last != nil && spanOf(now) == spanOf(last.at) {
		return nil
	}
	counts, err := p.rdb.HGetAll(ctx, p.keys.Outcomes()).Result()
	if err != nil {
		return fmt.Errorf("pace: history: %w", err)
	}
	p.sampled = &sample{at: now, sent: map[string]int64{}}
	for page, by := range countsByPage(counts) {
		p.sampled.sent[page] = by[string(producer.Sent)]
	}
	if last == nil || !now.After(last.at) {
		return nil
	}
	return p.writeSpans(ctx, last, p.sampled)
}

// writeSpans writes the spans between two samples. A span begins with the first sample in it; where one was missed, all of the time
// between two samples has the rate that it had on the average.
func (p *Pacer) writeSpans(ctx context.Context, from, to *sample) error {
	span := Span{Pages: ratesBetween(from, to)}
	for _, rate := range span.Pages {
		span.Rate += rate
	}
	span.Rate = rounded(span.Rate)
	keepFastest(span.Pages, historyPages)
	var fields []any
	for n := max(spanOf(from.at), spanOf(to.at)-historySpans); n < spanOf(to.at); n++ {
		span.At = time.Unix(n*int64(HistoryStep/time.Second), 0).UTC()
		text, err := json.Marshal(span)
		if err != nil {
			return fmt.Errorf("pace: history: %w", err)
		}
		fields = append(fields, historyField(n), text)
	}
	_, err := p.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, p.keys.History(), fields...)
		pipe.Expire(ctx, p.keys.History(), historyTTL)
		return nil
	})
	if err != nil {
		return fmt.Errorf("pace: history: %w", err)
	}
	return nil
}

func ratesBetween(from, to *sample) map[string]float64 {
	seconds := to.at.Sub(from.at).Seconds()
	rates := map[string]float64{}
	for page, n := range to.sent {
		if rate := rounded(float64(n-from.sent[page]) / seconds); rate > 0 { // below 0: somebody has reset the counts
			rates[page] = rate
		}
	}
	return rates
}

func keepFastest(rates map[string]float64, most int) {
	if len(rates) <= most {
		return
	}
	pages := slices.SortedFunc(maps.Keys(rates), func(a, b string) int { return cmp.Compare(rates[b], rates[a]) })
	for _, page := range pages[most:] {
		delete(rates, page)
	}
}

// rounded keeps three decimals: one job in 100 seconds still shows.
func rounded(rate float64) float64 { return math.Round(1000*rate) / 1000 }

func spanOf(at time.Time) int64 { return at.Unix() / int64(HistoryStep/time.Second) }

func historyField(span int64) string { return strconv.FormatInt(span%historySpans, 10) }

// ReadHistory reads the spans of a fleet that began at or after since and are over, the oldest first; a zero since means all of the
// last hour. Those in which no worker ran are left out, and so are the first 10 to 20 seconds after another worker took the writing
// over. An empty queue name means [producer.DefaultQueue].
func ReadHistory(ctx context.Context, rdb redis.UniversalClient, queue string, since time.Time) ([]Span, error) {
	if queue == "" {
		queue = producer.DefaultQueue
	}
	_, each, err := eachShard(ctx, rdb, queue, func(r statusReader) ([]Span, error) { return r.history(ctx, since) })
	if err != nil {
		return nil, fmt.Errorf("pace: history: %w", err)
	}
	return mergeSpans(each), nil
}

// mergeSpans adds up what the shards sent in the same span.
func mergeSpans(each [][]Span) []Span {
	if len(each) == 1 {
		return each[0]
	}
	sums := map[int64]Span{}
	for _, span := range slices.Concat(each...) {
		n := spanOf(span.At)
		sum := Span{At: span.At, Rate: rounded(sums[n].Rate + span.Rate), Pages: maps.Clone(span.Pages)}
		if sum.Pages == nil {
			sum.Pages = map[string]float64{}
		}
		maps.Copy(sum.Pages, sums[n].Pages)
		sums[n] = sum
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Span) int { return a.At.Compare(b.At) })
}

func (r statusReader) history(ctx context.Context, since time.Time) ([]Span, error) {
	now, err := r.rdb.Time(ctx).Result()
	if err != nil {
		return nil, err
	}
	var fields []string
	first := max(spanOf(now)-historySpans, spanOf(since.Add(HistoryStep-time.Nanosecond)))
	for n := first; n < spanOf(now); n++ {
		fields = append(fields, historyField(n))
	}
	if len(fields) == 0 {
		return nil, nil
	}
	found, err := r.rdb.HMGet(ctx, r.keys.History(), fields...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	var spans []Span
	for i, value := range found {
		var span Span
		text, _ := value.(string)
		// What is of an hour before, or cannot be read, was not written this time.
		if json.Unmarshal([]byte(text), &span) == nil && spanOf(span.At) == first+int64(i) {
			spans = append(spans, span)
		}
	}
	return spans, nil
}
