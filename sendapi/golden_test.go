package sendapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/sendapi"
)

var update = flag.Bool("update", false, "write testdata/golden from the values of the tests; read the diff")

// goldenRow is a request and what Check has to say about it, refusals with an exclamation mark before them. Its JSON is
// testdata/golden/<name>.json.
type goldenRow struct {
	req      *sendapi.Request
	problems []string
}

func goldenRows() map[string]goldenRow {
	rows := map[string]goldenRow{}
	for _, part := range []map[string]goldenRow{
		goldenMessages(), goldenOptions(), goldenButtons(), goldenTemplates(), goldenLaterTemplates(), goldenAirline(),
	} {
		for name, row := range part {
			if _, twice := rows[name]; twice {
				panic("two golden rows are called " + name)
			}
			rows[name] = row
		}
	}
	return rows
}

// golden returns the rows that can be sent, each with its JSON in one line.
func golden() map[string]struct {
	req  *sendapi.Request
	json string
} {
	rows := map[string]struct {
		req  *sendapi.Request
		json string
	}{}
	for name, row := range goldenRows() {
		if row.req.Validate() == nil {
			data, _ := row.req.MarshalJSON() // TestGolden compares it
			rows[name] = struct {
				req  *sendapi.Request
				json string
			}{row.req, string(data)}
		}
	}
	return rows
}

func goldenFile(name string) string { return filepath.Join("testdata", "golden", name+".json") }

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, row := range goldenRows() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			written, err := row.req.MarshalJSON()
			require.NoError(t, err)
			var indented bytes.Buffer
			require.NoError(t, json.Indent(&indented, written, "", "  "), string(written))
			indented.WriteByte('\n')
			if *update {
				require.NoError(t, os.WriteFile(goldenFile(name), indented.Bytes(), 0o600))
			}
			file, err := os.ReadFile(goldenFile(name))
			require.NoError(t, err)
			assert.Equal(t, string(file), indented.String(), "members, their order and their values")

			read, err := sendapi.ParseRequest(file)
			require.NoError(t, err)
			assert.Equal(t, row.req, read, "what was written must read back as the same value")
			assert.Equal(t, row.problems, marked(read.Check()))
		})
	}
}

func TestGoldenFilesAllHaveARow(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(goldenFile("*"))
	require.NoError(t, err)
	rows := goldenRows()
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		assert.Contains(t, rows, name, "testdata has a file that no test reads")
	}
}

// Each value of each enumeration of the platform is in a golden file.
func TestGoldenIsComplete(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(goldenFile("*"))
	require.NoError(t, err)
	var all []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		all = append(all, data...)
	}
	for key, values := range sendapi.Vocabulary() {
		for _, value := range values {
			member := `"` + key + `": "` + value + `"`
			assert.True(t, bytes.Contains(all, []byte(member)), "no golden file has %s", member)
		}
	}
	for _, kind := range sendapi.RecipientKinds() {
		assert.True(t, bytes.Contains(all, []byte(`"`+kind+`": `)), "no golden file is addressed by %s", kind)
	}
}

// marked writes problems as "path: message", with an exclamation mark before refusals.
func marked(problems sendapi.Problems) (lines []string) {
	for _, p := range problems {
		line := p.String()
		if !p.Warning {
			line = "! " + line
		}
		lines = append(lines, line)
	}
	return lines
}
