package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/sendpace/sendpace/producer"
)

const (
	// maxLine is the longest line that is looked at. It is well above a job's own limit, so that a job that is a
	// little too long is refused as such.
	maxLine = 1 << 20
	// batchJobs and batchBytes bound what is held in memory at once: one batch that is read and one that is written.
	batchJobs  = 500
	batchBytes = 8 << 20
)

// jobLine is one line of an enqueue file: a job, or why it is none.
type jobLine struct {
	number int
	job    producer.Job
	err    error
}

// jobBatch is a group of lines, in order.
type jobBatch struct {
	lines []jobLine
	read  int64 // bytes of the input up to here
}

// lineReader reads an enqueue file.
type lineReader struct {
	in     *bufio.Reader
	number int
	read   int64
	err    error
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, 256<<10)}
}

// batches hands out the lines in groups, in order, until the input or ctx ends. A group is cut short where the next
// line would have to be waited for, so that what comes slowly through a pipe is not held back.
func (l *lineReader) batches(ctx context.Context) <-chan jobBatch {
	out := make(chan jobBatch)
	go func() {
		defer close(out)
		for l.err == nil {
			select {
			case out <- l.batch():
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (l *lineReader) batch() jobBatch {
	var lines []jobLine
	for start := l.read; len(lines) < batchJobs && l.read-start < batchBytes && l.err == nil; {
		if line, ok := l.next(); ok {
			lines = append(lines, line)
		}
		if len(lines) > 0 && l.in.Buffered() == 0 {
			break
		}
	}
	return jobBatch{lines: lines, read: l.read}
}

// next reads one line. ok is false if it is blank.
func (l *lineReader) next() (line jobLine, ok bool) {
	l.number++
	text, tooLong := l.line()
	line.number = l.number
	if tooLong {
		line.err = fmt.Errorf("longer than %d bytes; a job has at most %d", maxLine, producer.MaxJobBytes)
		return line, true
	}
	if l.number == 1 {
		text = bytes.TrimPrefix(text, []byte("\ufeff")) // some editors begin a file with it
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return line, false
	}
	if !utf8.Valid(text) { // JSON would change it: two keys could become one
		line.err = errors.New("not UTF-8; save the file as UTF-8")
		return line, true
	}
	line.job, line.err = producer.ParseJob(text)
	return line, true
}

// line returns the next line, or reads past it without keeping it if it is too long.
func (l *lineReader) line() (text []byte, tooLong bool) {
	for {
		part, err := l.in.ReadSlice('\n')
		l.read += int64(len(part))
		if tooLong = tooLong || len(text)+len(part) > maxLine; tooLong {
			text = nil
		} else {
			text = append(text, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		l.err = err
		return text, tooLong
	}
}
