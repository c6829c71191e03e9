package broadcast

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// maxRecord bounds a row, in bytes, and maxGroup is about how many bytes of rows are held together.
	maxRecord = 64 << 10
	maxGroup  = 256 << 10
)

var (
	errLong = fmt.Errorf("longer than %d bytes", maxRecord)
	errOpen = fmt.Errorf("a quoted value does not end within %d bytes, so nobody can tell where the next row begins; "+
		"a quote inside a value is written twice", maxRecord)
	errUTF16 = errors.New("this is UTF-16; save it as UTF-8")
)

// recordReader cuts a text into records: lines, but for those of a CSV whose quoted values hold line ends.
type recordReader struct {
	in    *bufio.Reader
	comma byte // of a CSV; 0 for records that are lines, as in NDJSON and for the header
	read  int64
}

func newRecordReader(in io.Reader) *recordReader {
	return &recordReader{in: bufio.NewReaderSize(in, 128<<10)}
}

// next appends the next record, without its line end, to buf. The error is io.EOF behind the last one; errLong for a record that
// is passed over, buf is then as it was.
func (r *recordReader) next(buf []byte) ([]byte, error) {
	if r.read == 0 {
		if err := r.mark(); err != nil {
			return buf, err
		}
	}
	start, q := len(buf), quotes{comma: r.comma, fresh: true}
	for {
		from := len(buf)
		var long bool
		var err error
		buf, long, err = r.line(buf, start+maxRecord)
		switch {
		case errors.Is(err, io.EOF) && len(buf) == start:
			return buf, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return buf[:start], err
		}
		open := r.comma != 0 && q.scan(buf[from:])
		switch {
		case open && (long || err != nil):
			return buf[:start], errOpen
		case long:
			return buf[:start], errLong
		case !open:
			return bytes.TrimSuffix(bytes.TrimSuffix(buf, []byte("\n")), []byte("\r")), nil
		}
	}
}

// mark passes over a byte order mark. UTF-16 without one has a zero byte in each of the first signs, which no name of a column and no
// JSON has.
func (r *recordReader) mark() error {
	head, err := r.in.Peek(3)
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")), bytes.IndexByte(head, 0) >= 0:
		return errUTF16
	case string(head) == "\ufeff":
		r.read = 3
		_, err = r.in.Discard(3)
		return err
	case errors.Is(err, io.EOF): // less than a mark
		return nil
	}
	return err
}

// line appends a line with its end. Of one that would make buf longer than limit the rest is passed over.
func (r *recordReader) line(buf []byte, limit int) (_ []byte, long bool, err error) {
	for {
		part, err := r.in.ReadSlice('\n')
		r.read += int64(len(part))
		if room := limit - len(buf); len(part) > room {
			part, long = part[:room], true
		}
		buf = append(buf, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return buf, long, err
		}
	}
}

// quotes follows where a CSV record is inside a quoted value.
type quotes struct {
	comma byte
	in    bool
	fresh bool // at the start of a value
}

// scan goes through a part of a record and returns whether it ends inside quotes. A quote elsewhere than at the start of a value
// is a sign like any other. A quote that is written twice leaves and enters again.
func (q *quotes) scan(part []byte) bool {
	if !q.in && bytes.IndexByte(part, '"') < 0 {
		return false
	}
	closed := false // the last sign ended a quoted value, or was the first half of two
	for _, c := range part {
		switch {
		case q.in:
			q.in = c != '"'
			closed = !q.in
			continue
		case c == '"' && (q.fresh || closed):
			q.in = true
		}
		q.fresh, closed = c == q.comma, false
	}
	return q.in
}
