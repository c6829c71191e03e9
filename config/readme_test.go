package config_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReadmeTable holds the README's table of keys against the one in the package's documentation, which is tested against
// Default.
func TestReadmeTable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	want := pairs(regexp.MustCompile(`(?m)^//\t([a-z]+\.[a-z_]+)\s+(\S+)\s`), doc)
	got := pairs(regexp.MustCompile("(?m)^\\| `([a-z]+\\.[a-z_]+)` \\| `([^`]+)` \\|"), readme)
	require.NotEmpty(t, want)
	assert.Equal(t, want, got)
}

func pairs(row *regexp.Regexp, text []byte) map[string]string {
	found := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		found[m[1]] = m[2]
	}
	return found
}
