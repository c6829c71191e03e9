package producer_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The Go code of the README is a part of an example, which is compiled and run.
func TestReadmeShowsAnExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	examples, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	found := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, found)
	for _, block := range found {
		var code strings.Builder
		for line := range strings.Lines(block[1]) {
			code.WriteString("\t" + line)
		}
		assert.Contains(t, string(examples), code.String())
	}
}
