package broadcast

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Format is how an audience is written.
type Format string

const (
	// FormatCSV has a header with a column recipient (or psid), and further columns with the fields of the template. Values may be
	// quoted as in RFC 4180, also over several lines; the separator is a comma, or where the header has none a semicolon or a tab.
	FormatCSV Format = "csv"
	// FormatNDJSON has one JSON object a line, with a member recipient (or psid) and the fields of the template as strings, numbers
	// or truth values.
	FormatNDJSON Format = "ndjson"
)

// Audience is whom a broadcast goes to, and the fields of each person for the template. It is read as a stream, more than once, by
// one call at a time. A row, the header and blank lines included, is at most 64 KiB long. The text is UTF-8.
type Audience struct {
	src    io.ReadSeeker
	format Format
	close  func() error
}

// NewAudience reads an audience from src, which stays the caller's to close.
func NewAudience(src io.ReadSeeker, f Format) *Audience {
	return &Audience{src: src, format: f, close: func() error { return nil }}
}

// OpenAudience reads an audience from a file, whose name ends in .csv, .tsv, .ndjson or .jsonl. Close it in the end.
func OpenAudience(path string) (*Audience, error) {
	var format Format
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv", ".tsv":
		format = FormatCSV
	case ".ndjson", ".jsonl":
		format = FormatNDJSON
	default:
		return nil, fmt.Errorf("audience %s: its name must end in .csv, .tsv, .ndjson or .jsonl", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audience: %w", err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("audience %s: must be a file; it is read more than once", path), err, f.Close())
	}
	return &Audience{src: f, format: format, close: f.Close}, nil
}

// Close closes what [OpenAudience] has opened.
func (a *Audience) Close() error { return a.close() }

// open starts to read for a template.
func (a *Audience) open(t *template) (*rowReader, error) {
	if a.format != FormatCSV && a.format != FormatNDJSON {
		return nil, fmt.Errorf("audience: there is no format %q; use %q or %q", a.format, FormatCSV, FormatNDJSON)
	}
	size, err := a.src.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = a.src.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("audience: %w", err)
	}
	r := &rowReader{size: size, sum: sha256.New()}
	r.records = newRecordReader(io.TeeReader(a.src, r.sum))
	if a.format == FormatNDJSON {
		r.parser = ndjsonParser{fields: t.fields}
		return r, nil
	}
	r.parser, err = r.header(t)
	return r, err
}

// rowReader cuts an audience into groups of records, which are parsed later and elsewhere.
type rowReader struct {
	records *recordReader
	parser  parser
	size    int64
	sum     hash.Hash // of what was read
	row     int       // number of the last record
}

// parser reads one record of an audience. The error is what is wrong with that row.
type parser interface {
	parse(record []byte) (row, error)
}

// row is one person of an audience.
type row struct {
	recipient string
	values    []string // of the fields of the template
}

// header reads the first record of a CSV.
func (r *rowReader) header(t *template) (parser, error) {
	r.row = 1
	record, err := r.records.next(nil)
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("audience: empty; the first line names the columns, one of them recipient")
	case errors.Is(err, errLong):
		return nil, fmt.Errorf("audience: the header is %w", err)
	case err != nil:
		return nil, fmt.Errorf("audience: %w", err)
	}
	p, err := newCSVParser(record, t.fields)
	if err != nil {
		return nil, fmt.Errorf("audience: %w", err)
	}
	r.records.comma = p.comma
	return p, nil
}

// group is some records in a row.
type group struct {
	first   int // number of the first
	data    []byte
	ends    []int        // of each record, in data
	refused map[int]bool // those that are too long, by place; nil if there are none
	read    int64        // bytes of the audience up to here
}

func (g *group) len() int { return len(g.ends) }

// last is the number of the last record.
func (g *group) last() int { return g.first + g.len() - 1 }

// sum tells whether two groups have the same records.
func (g *group) sum(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.Write(g.data) // never fails
	for _, end := range g.ends {
		maphash.WriteComparable(&h, end)
	}
	return h.Sum64()
}

func (g *group) record(i int) []byte {
	start := 0
	if i > 0 {
		start = g.ends[i-1]
	}
	return g.data[start:g.ends[i]]
}

// fill reads up to n more records into g. It returns io.EOF behind the last one.
func (r *rowReader) fill(g *group, n int) error {
	*g = group{first: r.row + 1, data: g.data[:0], ends: g.ends[:0]}
	for g.len() < n && len(g.data) < maxGroup {
		data, err := r.records.next(g.data)
		switch {
		case errors.Is(err, errLong):
			if g.refused == nil {
				g.refused = map[int]bool{}
			}
			g.refused[g.len()] = true
		case errors.Is(err, io.EOF):
			if g.len() == 0 {
				return io.EOF
			}
			return nil
		case err != nil:
			return fmt.Errorf("row %d: %w", r.row+1, err)
		}
		r.row++
		g.data, g.ends = data, append(g.ends, len(data))
		g.read = r.records.read
	}
	return nil
}

// parse reads a group's record. blank is true for one with nothing in it.
func (r *rowReader) parse(g *group, i int) (parsed row, blank bool, err error) {
	if g.refused[i] {
		return row{}, false, errLong
	}
	record := g.record(i)
	if len(record) == 0 {
		return row{}, true, nil
	}
	parsed, err = r.parser.parse(record)
	return parsed, false, err
}
