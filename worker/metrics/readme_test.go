package metrics_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer/gateway"
	"github.com/sendpace/sendpace/worker/metrics"
)

// TestReadmeNamesEveryMetric holds the README's table against what is exported.
func TestReadmeNamesEveryMetric(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	w, _ := newWorker(t, metrics.Config{})
	exported := map[string]bool{}
	for _, s := range []samples{scrape(t, w.Handler()), scrape(t, metrics.NewGateway("", gateway.Routes()).Handler())} {
		for series := range s {
			name, _, _ := strings.Cut(series, "{")
			if strings.HasPrefix(name, "sendpace_") {
				exported[regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")] = true
			}
		}
	}
	named := map[string]bool{}
	for _, name := range regexp.MustCompile("`(sendpace_\\w+)`").FindAllStringSubmatch(string(readme), -1) {
		named[name[1]] = true
	}
	assert.Equal(t, exported, named)
}
