package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
)

// texts returns the messages of a line in their order.
func texts(t *testing.T, rdb redis.UniversalClient, line string) []string {
	t.Helper()
	tasks, err := asynq.NewInspectorFromRedisClient(rdb).
		ListAggregatingTasks(producer.DefaultQueue, line, asynq.PageSize(10_000))
	require.NoError(t, err)
	list := make([]string, len(tasks))
	for i, task := range tasks {
		var body struct {
			Request struct{ Message struct{ Text string } }
		}
		require.NoError(t, json.Unmarshal(task.Payload, &body))
		list[i] = body.Request.Message.Text
	}
	return list
}

func TestABadLineNeverStopsTheGoodOnes(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	config := writeFile(t, "c.yaml", pagesFile)
	jobs := writeFile(t, "jobs.ndjson", "\ufeff"+job("1001", "1", "first")+
		"{bad\n"+
		"\n \t\r\n"+
		job("77", "1", "no such page")+
		job("1001", "1", strings.Repeat("x", 2001))+
		strings.Repeat("y", 3<<20)+"\n"+
		`{"page_id":"1001","request":{"message":{"text":"to nobody"}}}`+"\n"+
		`{"page_id":"1001","colour":"red","request":{}}`+"\n"+
		strings.Replace(job("1001", "1", "a key in Latin-1"), "{", "{\"key\":\"caf\xe9\",", 1)+
		strings.TrimSuffix(job("1001", "2", "second"), "\n")+"\r\n"+
		strings.TrimSuffix(job("1001", "3", "third"), "\n"))
	got := sendpace("", nil, "enqueue", "--config", config, "--redis", url, "--file", jobs)
	assert.Equal(t, 1, got.code)
	assert.Equal(t, "3 accepted, 7 refused\n", got.out)
	lines := strings.Split(got.err, "\n")
	for i, want := range []string{
		"line 2: job: invalid JSON at byte 2",
		"line 5: page_id: page 77 is not configured",
		"line 6: request.message.text: 2,001 characters; the limit is 2,000",
		"line 7: longer than 1048576 bytes; a job has at most 262144",
		"line 8: request.recipient",
		`line 9: job: unknown field "colour"`,
		"line 10: not UTF-8; save the file as UTF-8",
		"sendpace: 7 of 10 jobs were refused",
		"  correct those lines and enqueue them alone; the others are stored",
	} {
		assert.True(t, strings.HasPrefix(lines[i], want), "got:  %s\nwant: %s", lines[i], want)
	}
	assert.Equal(t, []string{"first", "second", "third"}, texts(t, rdb, "1001:bulk"))
}

func TestEnqueueKeepsTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	var file strings.Builder
	var want []string
	for i := range 1200 {
		file.WriteString(job("5", fmt.Sprint(i%7), fmt.Sprint(i)))
		want = append(want, fmt.Sprint(i))
	}
	got := sendpace(file.String(), []string{"SENDPACE_REDIS_URL=" + url}, "enqueue", "--file", "-")
	assert.Equal(t, ran{code: 0, out: "1200 accepted, 0 refused\n"}, got)
	assert.Equal(t, want, texts(t, rdb, "5:bulk"))
}

func TestAKeyIsAcceptedTwiceAndStoredOnce(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	line := strings.Replace(job("5", "1", "once"), "{", `{"key":"order-17",`, 1)
	got := sendpace(line+line, nil, "enqueue", "--redis", url, "--file", "-")
	want := "2 accepted, 0 refused (1 of the accepted were there already, by their key)\n"
	assert.Equal(t, ran{code: 0, out: want}, got)
	assert.Equal(t, []string{"once"}, texts(t, rdb, "5:bulk"))
}

func TestALineMayUseEveryField(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	line := `{"page_id":"5","lane":"bulk","broadcast":"autumn","requests":[{"recipient":{"id":"1"},"sender_action":"typing_on"},` +
		`{"recipient":{"id":"1"},"message":{"text":"Hello"}}],"key":"k","send_at":"2026-01-01T00:00:00Z",` +
		`"expires_at":"2126-01-01T00:00:00Z","max_attempts":3,"on_unknown":"never","retention":"36h0m0s","meta":{"order":17}}`
	got := sendpace(line, nil, "enqueue", "--redis", url, "--file", "-")
	assert.Equal(t, ran{out: "1 accepted, 0 refused\n"}, got)
	tasks, err := asynq.NewInspectorFromRedisClient(rdb).ListAggregatingTasks(producer.DefaultQueue, "5:bulk:@autumn")
	require.NoError(t, err)
	require.Len(t, tasks, 1)
	assert.JSONEq(t, line, string(tasks[0].Payload))
}

func TestNothingToEnqueue(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	got := sendpace("\n\n", nil, "enqueue", "--redis", url, "--file", "-")
	assert.Equal(t, ran{out: "0 accepted, 0 refused\n"}, got)
}

func TestInterruptedEnqueueSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	stdin, feed := io.Pipe()
	p := start(t, stdin, nil, "enqueue", "--redis", url, "--file", "-")
	_, err := io.WriteString(feed, job("5", "1", "a")+job("5", "2", "b"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return rdb.ZCard(context.Background(), "asynq:{messenger}:g:5:bulk").Val() == 2
	}, 30*time.Second, time.Millisecond, "what comes slowly is not held back")
	assert.Equal(t, 1, p.stop())
	require.NoError(t, feed.Close())
	assert.Equal(t, "2 accepted, 0 refused\n", p.out.String())
	assert.Contains(t, p.err.String(), "sendpace: interrupted\n  what follows line 2 is not stored")
}

func TestInputThatBreaksOff(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	broken := io.MultiReader(strings.NewReader(job("5", "1", "a")), brokenReader{})
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"enqueue", "--redis", url, "--file", "-"}, broken, &out, &errs, nil)
	assert.Equal(t, 1, code)
	assert.Equal(t, "1 accepted, 0 refused\n", out.String())
	assert.Contains(t, errs.String(), "the input broke off: disk on fire\n  what follows line 1 is not stored")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, fmt.Errorf("disk on fire") }

func TestRedisThatGoesAwayStopsTheFile(t *testing.T) {
	t.Parallel()
	_, rdb := startRedis(t)
	closed := redis.NewClient(rdb.(*redis.Client).Options())
	require.NoError(t, closed.Close())
	p, err := producer.New(closed, producer.Config{})
	require.NoError(t, err)
	var stderr bytes.Buffer
	e := &enqueuer{producer: p, progress: &progressBar{out: &stderr}}
	err = e.run(context.Background(), newLineReader(strings.NewReader("{bad\n"+job("5", "1", "a")+"{bad\n")))
	require.ErrorContains(t, err, "Redis is in trouble: enqueue: ")
	require.ErrorContains(t, err, "redis: client is closed")
	var said *hinted
	require.ErrorAs(t, err, &said)
	assert.Equal(t, "what follows line 1 may be stored, as far as Redis got; only with keys is it safe to enqueue it again", said.hint)
	assert.Equal(t, "0 accepted, 1 refused", e.summary())
	assert.Equal(t, 1, e.last)
	assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), "one trouble is not told line by line")
}

func TestALongLineIsNotKept(t *testing.T) {
	t.Parallel()
	r := newLineReader(io.MultiReader(io.LimitReader(repeat('x'), 64<<20), strings.NewReader("\n{}\n")))
	text, tooLong := r.line()
	assert.True(t, tooLong)
	assert.Zero(t, cap(text))
	text, tooLong = r.line()
	assert.False(t, tooLong)
	assert.Equal(t, "{}\n", string(text))
}

type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// FuzzLines holds for any input: each line that is not blank comes out once, in order, with its number.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n{}"), 1)
	f.Add([]byte("\n\n \n"), 3)
	f.Add([]byte(job("1", "2", "x")), 7)
	f.Fuzz(func(t *testing.T, data []byte, chunk int) {
		var want []int
		for i, line := range bytes.Split(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				want = append(want, i+1)
			}
		}
		var got []int
		in := newLineReader(&chunked{data: data, size: 1 + max(0, chunk)%97})
		for batch := range in.batches(context.Background()) {
			for _, line := range batch.lines {
				got = append(got, line.number)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || in.read != int64(len(data)) {
			t.Fatalf("lines of %q: got %v, want %v; %d bytes read", data, got, want, in.read)
		}
	})
}

// chunked gives its data in small pieces, as a pipe may.
type chunked struct {
	data []byte
	size int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:min(c.size, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}
