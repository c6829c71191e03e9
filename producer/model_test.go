package producer_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
)

// Random operations against a model: what was accepted is what waits and what has ended, at any time.
func TestAcceptedIsWaitingAndEnded(t *testing.T) {
	onEach(t, func(t *testing.T, rdb redis.UniversalClient) {
		seed := uint64(time.Now().UnixNano())
		m := &model{
			fleet: fleet{t, rdb}, p: newProducer(t, rdb), rng: rand.New(rand.NewPCG(seed, 0)),
			jobs: map[string]*modelJob{}, keys: map[string]string{},
		}
		for step := range 150 {
			m.step()
			m.check(fmt.Sprintf("seed %d, step %d", seed, step))
			if t.Failed() {
				return
			}
		}
	})
}

type modelJob struct {
	page, broadcast string
	state           producer.State
	sent            bool // ended by a worker
}

type model struct {
	fleet
	p    *producer.Producer
	rng  *rand.Rand
	jobs map[string]*modelJob
	keys map[string]string // by page and key
}

// pick returns a job that has not ended, or "".
func (m *model) pick() string {
	for id, j := range m.jobs {
		if j.state != producer.StateEnded {
			return id
		}
	}
	return ""
}

func (m *model) step() {
	switch m.rng.IntN(8) {
	case 0, 1, 2:
		m.enqueue()
	case 3:
		m.work()
	case 4:
		m.cancel(m.pick())
	case 5:
		for name, id := range m.keys {
			page, key, _ := strings.Cut(name, " ")
			got, err := m.p.CancelKey(bg, page, key)
			require.NoError(m.t, err)
			m.expect(id, got)
			break
		}
	case 6:
		m.cancelAll(fmt.Sprint(m.rng.IntN(3)+1), "")
	case 7:
		m.cancelAll("", fmt.Sprint("b", m.rng.IntN(2)))
	}
}

func (m *model) enqueue() {
	job := text(fmt.Sprint(m.rng.IntN(3)+1), fmt.Sprint(m.rng.IntN(5)), "x")
	state := producer.StateWaiting
	if m.rng.IntN(2) == 0 {
		job.Broadcast = fmt.Sprint("b", m.rng.IntN(2))
	}
	if m.rng.IntN(2) == 0 {
		job.Key = fmt.Sprint("k", m.rng.IntN(20))
	}
	if m.rng.IntN(4) == 0 {
		job.SendAt, state = time.Now().Add(time.Hour), producer.StateScheduled
	}
	receipt, err := m.p.Enqueue(bg, job)
	require.NoError(m.t, err)
	name := job.PageID + " " + job.Key
	first, repeat := m.keys[name]
	assert.Equal(m.t, repeat, receipt.Repeat, name)
	if repeat {
		assert.Equal(m.t, first, receipt.ID, name)
		return
	}
	if job.Key != "" {
		m.keys[name] = receipt.ID
	}
	m.jobs[receipt.ID] = &modelJob{page: job.PageID, broadcast: job.Broadcast, state: state}
}

// work lets a worker do something with a job.
func (m *model) work() {
	id := m.pick()
	if id == "" {
		return
	}
	j := m.jobs[id]
	switch m.rng.IntN(3) {
	case 0:
		m.take(id)
		j.state = producer.StateInHand
	case 1:
		m.move(id, "retry")
		j.state = producer.StateRetrying
	case 2:
		m.takeOut(id)
		m.rdb.Del(bg, keys.Task(id))
		j.state, j.sent = producer.StateEnded, true
	}
}

func (m *model) cancel(id string) {
	if id == "" {
		return
	}
	got, err := m.p.Cancel(bg, id)
	require.NoError(m.t, err)
	m.expect(id, got)
}

// expect compares the result with the model's, and lets the model follow.
func (m *model) expect(id string, got producer.CancelResult) {
	j := m.jobs[id]
	switch j.state {
	case producer.StateInHand:
		assert.Equal(m.t, producer.CancelInHand, got)
	case producer.StateEnded: // a job with a key is kept if it was cancelled
		assert.Contains(m.t, []producer.CancelResult{producer.CancelTooLate, producer.CancelNotFound}, got)
	default:
		assert.Equal(m.t, producer.CancelDone, got)
		j.state = producer.StateEnded
	}
}

func (m *model) cancelAll(page, broadcast string) {
	var want producer.CancelCount
	for _, j := range m.jobs {
		switch {
		case page != "" && j.page != page, broadcast != "" && j.broadcast != broadcast, j.state == producer.StateEnded:
		case j.state == producer.StateInHand:
			want.InHand++
		default:
			want.Cancelled++
			j.state = producer.StateEnded
		}
	}
	var got producer.CancelCount
	var err error
	if page != "" {
		got, err = m.p.CancelPage(bg, page)
	} else {
		got, err = m.p.CancelBroadcast(bg, broadcast, "")
	}
	require.NoError(m.t, err)
	assert.Equal(m.t, want, got, "page %q, broadcast %q", page, broadcast)
}

func (m *model) check(at string) {
	pages, waiting, sent, records := map[string]int{}, map[string]int{}, map[string]int{}, 0
	for name, text := range m.rdb.HGetAll(bg, keys.Outcomes()).Val() {
		n, err := strconv.Atoi(text)
		require.NoError(m.t, err)
		pages[name] = n
	}
	want := map[string]int{}
	for _, j := range m.jobs {
		want[j.page+":accepted"]++
		switch {
		case j.sent:
			sent[j.page]++
		case j.state == producer.StateEnded:
			want[j.page+":cancelled"]++
			records++
		}
	}
	assert.Equal(m.t, want, pages, at)
	assert.EqualValues(m.t, records, m.rdb.XLen(bg, keys.Stream()).Val(), at)
	collections := m.collections()
	for id, j := range m.jobs {
		in := collections[id]
		if j.state == producer.StateEnded {
			assert.Subset(m.t, []string{keys.Completed()}, in, at)
			continue
		}
		assert.Len(m.t, in, 1, at)
		waiting[j.page]++
	}
	for page, n := range pages {
		name, kind, _ := strings.Cut(page, ":")
		if kind == "accepted" {
			assert.Equal(m.t, n, waiting[name]+pages[name+":cancelled"]+sent[name], "%s: page %s", at, name)
		}
	}
	if id := m.pick(); id != "" {
		info, err := m.p.Get(bg, id)
		require.NoError(m.t, err, at)
		assert.Equal(m.t, m.jobs[id].state, info.State, at)
	}
}
