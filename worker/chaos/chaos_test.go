package chaos

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of all random choices; 0 draws one")
	scaleFlag = flag.String("scale", "small", "how long and how hard: small (a minute), cut (3 minutes) or full (15 minutes)")
)

// scale is the size of a run.
type scale struct {
	pages, recipients, jobs, workers int
	// span is how long jobs are enqueued and pranks are played.
	span                                      time.Duration
	kills, stalls, redisKills, breaks, faults int
	// drain bounds the time after that until each job has ended. The longest that one may wait is a pause of a minute that
	// the platform asked for in the last moment, behind another to the same recipient.
	drain time.Duration
}

// scales are by the flag: the first on a single server, the second on a cluster and with sentinels.
var scales = map[string][2]scale{
	"small": {
		{4, 40, 300, 3, 10 * time.Second, 2, 0, 1, 2, 8, 150 * time.Second},
		{4, 40, 300, 3, 10 * time.Second, 2, 0, 1, 2, 8, 150 * time.Second},
	},
	"cut": {
		{10, 150, 3000, 4, 45 * time.Second, 8, 1, 1, 6, 50, 150 * time.Second},
		{10, 150, 1500, 3, 25 * time.Second, 4, 1, 1, 4, 20, 150 * time.Second},
	},
	"full": {
		{20, 500, 20_000, 5, 180 * time.Second, 24, 4, 3, 20, 150, 180 * time.Second},
		{20, 500, 20_000, 5, 120 * time.Second, 12, 2, 2, 10, 80, 180 * time.Second},
	},
}

// storiesPerRule bounds what a failing run prints.
const storiesPerRule = 4

func TestChaosSingleServer(t *testing.T) {
	t.Parallel()
	testChaos(t, single(t), 0)
}

func TestChaosCluster(t *testing.T) {
	t.Parallel()
	testChaos(t, cluster(t), 1)
}

func TestChaosSentinels(t *testing.T) {
	t.Parallel()
	testChaos(t, sentinels(t), 1)
}

func testChaos(t *testing.T, s *store, size int) {
	t.Helper()
	sizes, ok := scales[*scaleFlag]
	require.True(t, ok, "no such scale: %s", *scaleFlag)
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to draw the same again: go test ./worker/chaos -run '^%s$' -args -scale %s -seed %d", t.Name(), *scaleFlag, seed)
	r := newRun(t, s, sizes[size])
	record := r.play(drafts(rand.New(rand.NewPCG(seed, 1)), r.scale), r.pranks(rand.New(rand.NewPCG(seed, 2))))
	assert.NoError(t, errors.Join(r.errs...))
	report := Judge(record)
	t.Log(report)
	if *scaleFlag != "small" { // a short run on a busy machine may have nothing to show
		assert.NotZero(t, report.Windows, "no window could be judged")
		assert.NotZero(t, report.Stops, "no stop could be judged")
	}
	if len(report.Violations) > 0 {
		t.Errorf("broken: %v\n%s", count(report.Violations), r.stories(record, report.Violations))
	}
}

// stories tells of some of the jobs that each rule was broken with.
func (r *run) stories(record Record, broken []Violation) string {
	var b strings.Builder
	told, ofRule := map[string]bool{}, map[string]int{}
	for _, v := range broken {
		if ofRule[v.Rule] < storiesPerRule {
			ofRule[v.Rule]++
			fmt.Fprintln(&b, v)
			if !told[v.Label] {
				told[v.Label] = true
				b.WriteString(record.Story(v.Label) + r.logged(record, v.Label))
			}
		}
	}
	return b.String()
}

// count is how many violations there are of each rule.
func count(vs []Violation) map[string]int {
	n := map[string]int{}
	for _, v := range vs {
		n[v.Rule]++
	}
	return n
}
