package sandbox

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The bodies of the oldest calls go first; the calls stay.
func TestRecordBoundsItsBodies(t *testing.T) {
	t.Parallel()
	r := newRecord(4)
	r.room = 10
	sizes := func() (n []int) {
		for _, c := range r.all(func(*Call) bool { return true }) {
			n = append(n, len(c.Body))
		}
		return n
	}
	for _, row := range []struct {
		size int
		want []int
	}{
		{4, []int{4}},
		{5, []int{4, 5}},
		{0, []int{4, 5, 0}},
		{3, []int{0, 5, 0, 3}},
		{2, []int{5, 0, 3, 2}},
		{1, []int{0, 3, 2, 1}},
		{11, []int{0, 0, 0, 11}},
		{1, []int{0, 0, 0, 1}},
		{9, []int{0, 0, 1, 9}},
	} {
		r.add(Call{Body: make([]byte, row.size)})
		assert.Equal(t, row.want, sizes(), "after a body of %d", row.size)
	}
	assert.Equal(t, 0, r.room)
	assert.Equal(t, 5, r.dropped())
}
