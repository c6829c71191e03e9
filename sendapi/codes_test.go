package sendapi_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sendpace/sendpace/sendapi"
)

func TestCodes(t *testing.T) {
	t.Parallel()
	codes := sendapi.Codes()
	assert.True(t, slices.IsSorted(codes))
	assert.Len(t, slices.Compact(slices.Clone(codes)), len(codes), "each once")
	for _, code := range []int{4, 190, 230, 551, 613, 2018144, 80000, 80006, 80014} {
		assert.Contains(t, codes, code)
	}
	assert.NotContains(t, codes, 131026, "of WhatsApp's thousand none is documented for Messenger")
	assert.Less(t, len(codes), 100, "they are labels")
}
