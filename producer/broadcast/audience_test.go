package broadcast

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readRow is a row as a test reads it: its number, its recipient and values, or what is wrong with it.
type readRow struct {
	number int
	text   string
}

// readAll reads an audience for a template with the fields name and city.
func readAll(format Format, text string) ([]readRow, error) {
	return readFrom(NewAudience(strings.NewReader(text), format), 3)
}

func readFrom(a *Audience, size int) ([]readRow, error) {
	rows, err := a.open(&template{fields: []string{"name", "city"}})
	if err != nil {
		return nil, err
	}
	var list []readRow
	var g group
	for {
		if err := rows.fill(&g, size); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return list, err
		}
		for i := range g.len() {
			r, blank, err := rows.parse(&g, i)
			text := strings.Join(append([]string{r.recipient}, r.values...), "|")
			switch {
			case err != nil:
				text = "error: " + err.Error()
			case blank:
				text = "blank"
			}
			list = append(list, readRow{g.first + i, text})
		}
	}
}

func TestReadCSV(t *testing.T) {
	t.Parallel()
	const head = "recipient,name,city\n"
	long := strings.Repeat("x", maxRecord)
	for name, tt := range map[string]struct {
		text string
		want []readRow
	}{
		"plain":                {head + "1,Ann,Rome\n2,Bob,\n", []readRow{{2, "1|Ann|Rome"}, {3, "2|Bob|"}}},
		"no line end":          {head + "1,Ann,Rome", []readRow{{2, "1|Ann|Rome"}}},
		"Windows":              {"\ufeffrecipient,name,city\r\n1,Ann,Rome\r\n\r\n2,B,C\r\n", []readRow{{2, "1|Ann|Rome"}, {3, "blank"}, {4, "2|B|C"}}},
		"other columns":        {"x,city,psid,name\nq, Rome ,\t1 ,Ann\n", []readRow{{2, "1|Ann| Rome "}}},
		"recipient over psid":  {"psid,recipient,name,city\n8,1,a,b\n", []readRow{{2, "1|a|b"}}},
		"semicolons":           {"recipient;name;city\n1;Ann, A.;Rome\n", []readRow{{2, "1|Ann, A.|Rome"}}},
		"tabs":                 {"recipient\tname\tcity\n1\tAnn\tRome\n", []readRow{{2, "1|Ann|Rome"}}},
		"quotes":               {"\"recipient\",\"name\",city\n\"1\",\"Ann \"\"A\"\", x\",\"\"\n", []readRow{{2, `1|Ann "A", x|`}}},
		"lines in quotes":      {head + "1,\"a\n\nb\r\n\"\"\",c\n2,d,e\n", []readRow{{2, "1|a\n\nb\r\n\"|c"}, {3, "2|d|e"}}},
		"white space is empty": {head + "1,  ,\"\t\"\n", []readRow{{2, "1||"}}},
		"too few and too many": {head + "1,a\n2,a,b,c\n3,a,b\n",
			[]readRow{{2, "error: 2 values; the header has 3 columns"}, {3, "error: 4 values; the header has 3 columns"}, {4, "3|a|b"}}},
		"a quote inside": {head + "1,5\" pipe,b\n2,a,b\n", []readRow{
			{2, "error: value 2 has a quote inside; put the value in quotes, and write the quote twice"}, {3, "2|a|b"}}},
		"behind a quote": {head + "1,\"a\"x,b\n2,a,b\n", []readRow{
			{2, "error: a quoted value goes on behind its quote; a quote inside is written twice"}, {3, "2|a|b"}}},
		"bad UTF-8":     {head + "1,M\xfcller,b\n2,a,b\n", []readRow{{2, "error: not UTF-8; save the file as UTF-8"}, {3, "2|a|b"}}},
		"a long row":    {head + "1," + long + ",b\n2,a,b\n", []readRow{{2, "error: longer than 65536 bytes"}, {3, "2|a|b"}}},
		"only a header": {head, nil},
		"only blanks":   {head + "\n\n", []readRow{{2, "blank"}, {3, "blank"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readAll(FormatCSV, tt.text)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestBadCSVs(t *testing.T) {
	t.Parallel()
	const utf16 = "\xff\xfer\x00"
	long := strings.Repeat("x", maxRecord)
	for text, want := range map[string]string{
		"":                                  "audience: empty; the first line names the columns, one of them recipient",
		"\ufeff":                            "audience: empty; the first line names the columns, one of them recipient",
		utf16:                               "audience: this is UTF-16; save it as UTF-8",
		"id,name,city\n":                    "audience: there is no column recipient (or psid); the columns are \"id, name, city\"",
		"recipient,name\n":                  "audience: the template has {{.city}}, but there is no column city; the columns are \"recipient, name\"",
		"r\x00e\x00c\x00":                   "audience: this is UTF-16; save it as UTF-8",
		"\x00r\x00e\x00c":                   "audience: this is UTF-16; save it as UTF-8",
		"recipient,name,city\r1,a,b\r":      "audience: its lines end in CR alone; save it with LF or CRLF",
		`{"recipient":"1"}` + "\n":          "audience: this is NDJSON, not CSV",
		"recipient\x1b[31m,name\n":          `the columns are "recipient\x1b[31m, name"`,
		"recipient,name,city,name\n":        `audience: the column "name" is there twice`,
		"recipient,n\xe9,city\n":            "audience: not UTF-8; save the file as UTF-8",
		"recipient,\"name\n":                "audience: header: a quoted value does not end",
		"recipient," + long:                 "audience: the header is longer than 65536 bytes",
		"recipient,name,city\n1,\"a,b\n2\n": "row 2: a quoted value does not end within 65536 bytes",
		"recipient,name,city\n1,a,b\n1,\"" + long + "\"\n": "row 3: a quoted value does not end within 65536 bytes",
	} {
		_, err := readAll(FormatCSV, text)
		assert.ErrorContains(t, err, want, "%.60q", text)
	}
	_, err := readAll("xml", "")
	assert.EqualError(t, err, `audience: there is no format "xml"; use "csv" or "ndjson"`)
}

func TestReadNDJSON(t *testing.T) {
	t.Parallel()
	got, err := readAll(FormatNDJSON, "\ufeff"+`{"recipient":"1","name":"Ann \"A\"","city":null,"more":{"x":[1]}}`+"\r\n\n"+
		`{"psid":" 12345678901234567 ","name":7.50,"city":true}`+"\n"+
		`{"recipient":12345678901234567}`+"\n"+
		`{"name":"x"}`+"\n"+
		`{"recipient":"1","name":{"first":"x"}}`+"\n"+
		`{"recipient":["1"]}`+"\n"+
		"null\n[1]\n{\"recipient\":\n"+
		"{\"recipient\":\"\xff\"}\n"+
		strings.Repeat("x", maxRecord+1)+"\n"+
		`{"recipient":"9","name":"\u00e9\n","city":"  "}`)
	require.NoError(t, err)
	const object = "error: not a JSON object"
	assert.Equal(t, []readRow{
		{1, `1|Ann "A"|`}, {2, "blank"}, {3, "12345678901234567|7.50|true"}, {4, "12345678901234567||"},
		{5, "error: there is no recipient (or psid)"}, {6, "error: name: must be a string, a number, true or false"},
		{7, "error: recipient: must be a string, a number, true or false"}, {8, object},
		{9, "error: a list; write one JSON object a line, and nothing around them"}, {10, object},
		{11, "error: not UTF-8; save the file as UTF-8"}, {12, "error: longer than 65536 bytes"}, {13, "9|é\n|"},
	}, got)
	got, err = readAll(FormatNDJSON, "")
	require.NoError(t, err)
	assert.Empty(t, got)
}

// unsteady is a file that breaks off in the middle.
type unsteady struct {
	io.Reader
	io.Seeker
}

func TestAnAudienceThatBreaksOff(t *testing.T) {
	t.Parallel()
	text := strings.NewReader("recipient,name,city\n1,a,b\n")
	broken := io.MultiReader(io.LimitReader(text, 22), iotest.ErrReader(errors.New("the disk is gone")))
	_, err := readFrom(NewAudience(unsteady{broken, text}, FormatCSV), 10)
	assert.ErrorContains(t, err, "row 2: the disk is gone")
}

func TestOpenAudience(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, want := range map[string]string{
		"people.xlsx": "people.xlsx: its name must end in .csv, .tsv, .ndjson or .jsonl",
		"absent.csv":  "no such file",
		"dir.csv":     "dir.csv: must be a file; it is read more than once",
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "dir.csv"), 0o700))
		_, err := OpenAudience(filepath.Join(dir, name))
		assert.ErrorContains(t, err, want)
	}
	for _, name := range []string{"a.CSV", "a.jsonl"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		a, err := OpenAudience(path)
		require.NoError(t, err)
		assert.NoError(t, a.Close())
	}
}

// What encoding/csv reads without an error is read the same way, but for what is said otherwise.
func FuzzCSV(f *testing.F) {
	f.Add("recipient,name,city\n1,Ann,Rome\n", 1)
	f.Add("recipient,name,city\n1,\"a\n\"\"b\",\n\n2,,\n", 2)
	f.Add("recipient;name;city\r\n1;\"x\";\"y\"\"\"\r\n", 3)
	f.Add("recipient,name,city\n1,a\"b,c\n\"", 500)
	f.Fuzz(func(t *testing.T, text string, size int) {
		rows, err := readFrom(NewAudience(strings.NewReader(text), FormatCSV), max(1, size%600))
		for i, r := range rows {
			require.Equal(t, i+2, r.number)
		}
		body, ours := strings.CutPrefix(text, "recipient,name,city\n")
		theirs, theirErr := csv.NewReader(strings.NewReader(body)).ReadAll()
		if !ours || err != nil || theirErr != nil || strings.Contains(body, "\r") || len(text) > maxRecord {
			return
		}
		var got, want []string
		for _, r := range rows {
			if r.text != "blank" {
				got = append(got, r.text)
			}
		}
		for _, values := range theirs {
			for i, v := range values {
				if strings.TrimSpace(v) == "" {
					values[i] = ""
				}
			}
			values[0] = strings.TrimSpace(values[0])
			want = append(want, strings.Join(values, "|"))
		}
		if len(theirs) > 0 && len(theirs[0]) == 3 && strings.ToValidUTF8(body, "") == body {
			assert.Equal(t, want, got, "%q", text)
		}
	})
}

func FuzzNDJSON(f *testing.F) {
	f.Add([]byte(`{"recipient":"1","name":"Ann"}` + "\n"))
	f.Add([]byte("\ufeff{}\r\n\n[1]\n{\"recipient\":1e5}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := readFrom(NewAudience(bytes.NewReader(data), FormatNDJSON), 2)
		if err == nil {
			lines := bytes.Count(bytes.TrimSuffix(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\n")), []byte("\n")) + 1
			assert.LessOrEqual(t, len(rows), lines)
		}
	})
}
