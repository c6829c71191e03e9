package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
)

func (a *app) enqueueCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "enqueue --file jobs.ndjson",
		Short:   "Put the jobs of a file into the queue",
		Example: "  sendpace enqueue --file jobs.ndjson\n  sendpace dead export --code 100 | sendpace enqueue --file -",
		Long: "enqueue reads one job a line, as JSON:\n\n" +
			`  {"page_id":"1001","request":{"recipient":{"id":"PSID"},` +
			`"messaging_type":"UPDATE","message":{"text":"Hello"}}}` +
			"\n\nLines that cannot be accepted are listed and left out; the others are stored, in their order.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuse("sendpace enqueue --file "+args[0], "enqueue takes no argument, but got %q", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return misuse("sendpace enqueue --file jobs.ndjson, or --file - for standard input",
					"--file is missing")
			}
			return a.enqueueFile(cmd, file)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "`file` with one job a line; - is standard input")
	a.queueFlags(cmd)
	return cmd
}

func (a *app) enqueueFile(cmd *cobra.Command, name string) error {
	in, size, err := a.openJobs(name)
	if err != nil {
		return err
	}
	defer in.Close()
	return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error {
		e := &enqueuer{producer: p, progress: a.newProgress("jobs", size)}
		err := e.run(ctx, newLineReader(in))
		e.progress.stop()
		fmt.Fprintln(a.stdout, e.summary())
		return err
	})
}

// openJobs opens the input. A size of 0 means that it is not known.
func (a *app) openJobs(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(a.stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, failure("check --file; - is standard input", "%s: %w", name, cause(err))
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a directory")
	}
	if err != nil {
		return nil, 0, errors.Join(failure("check --file", "%s: %w", name, cause(err)), f.Close())
	}
	return f, info.Size(), nil
}

// cause takes the path out of an error that is going to be printed beside it.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// enqueuer puts a file into the queue and counts what became of its lines.
type enqueuer struct {
	producer *producer.Producer
	progress *progressBar
	accepted int
	repeats  int
	refused  int
	last     int // the last line that was dealt with
}

// run ends with the input, with ctx, or when Redis is in trouble: then all later lines would meet the same.
func (e *enqueuer) run(ctx context.Context, in *lineReader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := in.batches(ctx)
	for {
		select {
		case <-ctx.Done():
			return e.stopped("interrupted")
		case batch, ok := <-batches:
			switch {
			case !ok && ctx.Err() != nil:
				return e.stopped("interrupted")
			case !ok && !errors.Is(in.err, io.EOF):
				return e.stopped("the input broke off: %w", in.err)
			case !ok:
				return e.verdict()
			}
			// The batch is written whole: half of one would leave open which of its jobs are stored.
			if err := e.enqueue(context.WithoutCancel(ctx), batch.lines); err != nil {
				return failure(fmt.Sprintf("what follows line %d may be stored, as far as Redis got; only with keys is it safe to enqueue it again",
					e.last), "Redis is in trouble: %w", err)
			}
			e.progress.set(batch.read, e.accepted)
		}
	}
}

// enqueue stores the good lines and reports the others in the order of the file. The error is Redis's.
func (e *enqueuer) enqueue(ctx context.Context, lines []jobLine) error {
	var jobs []producer.Job
	for _, line := range lines {
		if line.err == nil {
			jobs = append(jobs, line.job)
		}
	}
	results := e.producer.EnqueueMany(ctx, jobs)
	for _, line := range lines {
		err := line.err
		if err == nil {
			var result producer.Result
			result, results = results[0], results[1:]
			err = result.Err
			if result.Repeat {
				e.repeats++
			}
		}
		var problems sendapi.Problems
		if err != nil && line.err == nil && !errors.As(err, &problems) {
			return err
		}
		e.count(line.number, err)
	}
	return nil
}

func (e *enqueuer) count(number int, err error) {
	e.last = number
	if err == nil {
		e.accepted++
		return
	}
	e.refused++
	e.progress.line("line %d: %s", number, strings.ReplaceAll(err.Error(), "\n", "; "))
}

func (e *enqueuer) verdict() error {
	if e.refused == 0 {
		return nil
	}
	return failure("correct those lines and enqueue them alone; the others are stored",
		"%d of %d jobs were refused", e.refused, e.refused+e.accepted)
}

func (e *enqueuer) stopped(format string, args ...any) error {
	hint := fmt.Sprintf("what follows line %d is not stored; a job's key keeps it from being stored twice", e.last)
	return failure(hint, format, args...)
}

func (e *enqueuer) summary() string {
	s := fmt.Sprintf("%d accepted, %d refused", e.accepted, e.refused)
	if e.repeats > 0 {
		s += fmt.Sprintf(" (%d of the accepted were there already, by their key)", e.repeats)
	}
	return s
}
