package broadcast

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report is what became of a broadcast.
type Report struct {
	*Status
	// At is when the report was made.
	At time.Time `json:"at"`
	// Reasons are why messages failed, the most frequent first.
	Reasons []Reason `json:"reasons,omitempty"`
	// Course is how many were sent over time, in spans of Step, from the first span in which any was to the last, those without any
	// included; no more than 10,000 of them.
	Course []Point       `json:"course,omitempty"`
	Step   time.Duration `json:"step_ns"`
}

// maxCourse bounds a report's course.
const maxCourse = 10_000

// Reason is one way in which messages failed.
type Reason struct {
	// Code and Subcode are the platform's error; 0 for what it has no code for.
	Code    int `json:"code"`
	Subcode int `json:"subcode"`
	// Text is what was said the first time.
	Text string `json:"text"`
	// Count is how many failed so.
	Count int `json:"count"`
}

// Report tells what became of a broadcast so far. The error is [ErrNotFound] if there is none of that name.
func (c *Client) Report(ctx context.Context, name string) (*Report, error) {
	c, r, err := c.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("broadcast %s: %w", name, err)
	}
	s, err := c.status(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("broadcast %s: %w", name, err)
	}
	course, step := fill(r.course(), r.bucket())
	return &Report{Status: s, At: time.Now().UTC(), Reasons: r.reasons(), Course: course, Step: step}, nil
}

func (r *record) reasons() []Reason {
	var list []Reason
	for field := range r.fields {
		codes, ok := strings.CutPrefix(field, "reason:")
		if !ok {
			continue
		}
		reason := Reason{Text: r.fields["text:"+codes], Count: int(r.number(field))}
		if n, err := fmt.Sscanf(codes, "%d/%d", &reason.Code, &reason.Subcode); err == nil && n == 2 {
			list = append(list, reason)
		}
	}
	slices.SortFunc(list, func(a, b Reason) int {
		return cmp.Or(b.Count-a.Count, a.Code-b.Code, a.Subcode-b.Subcode)
	})
	return list
}

// fill puts in the spans in which nothing was sent. If there are too many, each takes several together.
func fill(sparse []Point, step time.Duration) ([]Point, time.Duration) {
	if len(sparse) == 0 {
		return nil, step
	}
	first := sparse[0].At
	for total := sparse[len(sparse)-1].At.Sub(first); total/step >= maxCourse; {
		step *= 2
	}
	course := make([]Point, int(sparse[len(sparse)-1].At.Sub(first)/step)+1)
	for i := range course {
		course[i].At = first.Add(time.Duration(i) * step)
	}
	for _, p := range sparse {
		course[int(p.At.Sub(first)/step)].Sent += p.Sent
	}
	return course, step
}
