package sandbox

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestShelfKeepsTheNewest(t *testing.T) {
	t.Parallel()
	var s shelf[int]
	for i := range maxKept + 3 {
		s.put(strconv.Itoa(i), i)
	}
	assert.Len(t, s.byID, maxKept)
	assert.Len(t, s.order, maxKept)
	_, oldest := s.byID["2"]
	assert.False(t, oldest)
	assert.Equal(t, maxKept+2, s.byID[strconv.Itoa(maxKept+2)])
}

// An attachment id belongs to the page that got it, however it came about.
func TestFilesByPage(t *testing.T) {
	t.Parallel()
	var k kept
	k.addFile("15", storedFile{page: "1001", kind: "image"})
	f, ok := k.file("15")
	assert.True(t, ok)
	assert.Equal(t, storedFile{page: "1001", kind: "image"}, f)
	_, ok = k.file("16")
	assert.False(t, ok)
}
