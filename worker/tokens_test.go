package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
)

// tokenSender sends for whoever has a token that is good.
type tokenSender struct {
	mu     sync.Mutex
	good   map[sendapi.Secret]bool
	checks atomic.Int32
	away   atomic.Bool   // checks find out nothing
	block  chan struct{} // what a refused call waits for, if there is one
	called chan struct{}
}

func newTokenSender(good ...sendapi.Secret) *tokenSender {
	s := &tokenSender{good: map[sendapi.Secret]bool{}, called: make(chan struct{}, 1000)}
	for _, token := range good {
		s.good[token] = true
	}
	return s
}

var errExpiredToken = &sendapi.Error{Kind: sendapi.KindAuth, Scope: sendapi.ScopePage, Code: 190, Subcode: 463, TraceID: "Atrace"}

func (s *tokenSender) judge(page sendapi.Page) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.good[page.Token] {
		return errExpiredToken
	}
	return nil
}

func (s *tokenSender) SendRaw(_ context.Context, page sendapi.Page, _ json.RawMessage) (*sendapi.Response, error) {
	s.called <- struct{}{}
	err := s.judge(page)
	if err != nil {
		if s.block != nil {
			<-s.block
		}
		return nil, err
	}
	return &sendapi.Response{MessageID: "m", TraceID: "Bsent"}, nil
}

func (s *tokenSender) CheckPage(_ context.Context, page sendapi.Page) (*sendapi.PageInfo, error) {
	s.checks.Add(1)
	if s.away.Load() {
		return nil, &sendapi.Error{Kind: sendapi.KindTransient}
	}
	return &sendapi.PageInfo{ID: page.ID}, s.judge(page)
}

// tokenFleet is a page with one job, and workers that come and go.
func tokenFleet(t *testing.T) *fleet {
	t.Helper()
	f := newFleet(t, map[string]pace.Rates{"1001": rate(50)}, 0)
	f.enqueue("1001", 1, 1)
	return f
}

// with starts a worker for these pages.
func (f *fleet) with(s *tokenSender, pages map[string]sendapi.Page) *worker.Worker {
	f.t.Helper()
	w, err := worker.New(f.rdb, s, worker.Config{
		Pages: pages, Rates: rate(50), PageRates: f.rates, Checker: s, ShutdownTimeout: 5 * time.Second,
	})
	require.NoError(f.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	f.t.Cleanup(func() { cancel(); require.NoError(f.t, <-done) })
	return w
}

func pagesWith(token sendapi.Secret) map[string]sendapi.Page {
	return map[string]sendapi.Page{"1001": {ID: "1001", Token: token}}
}

// awaitHold waits until page 1001 is on hold, and returns why.
func (f *fleet) awaitHold() (why pace.Reason) {
	f.t.Helper()
	p, err := pace.New(f.rdb, pace.Config{})
	require.NoError(f.t, err)
	require.Eventually(f.t, func() bool {
		holds, err := p.Holds(context.Background(), []string{"1001"})
		why = holds["1001"]
		return err == nil && len(holds) == 1
	}, 10*time.Second, 10*time.Millisecond)
	return why
}

func TestANewTokenIsCheckedAndThePageReleased(t *testing.T) {
	t.Parallel()
	f, s := tokenFleet(t), newTokenSender("EAABnew")
	w := f.with(s, pagesWith("EAABold"))
	why := f.awaitHold()
	assert.Regexp(t, `^[0-9a-f]{8}$`, why.TokenMark)
	assert.Zero(t, s.checks.Load(), "the token that was refused is not checked")
	require.NoError(t, w.SetPages(t.Context(), pagesWith("EAABnew"), f.rates))
	assert.Equal(t, producer.Sent, f.outcome().Kind)
	assert.EqualValues(t, 1, s.checks.Load())
	assert.NotContains(t, f.dump(), "EAAB", "no token is in Redis")
}

// While the platform does not answer, a check says nothing: it is made again.
func TestACheckThatFindsOutNothingIsMadeAgain(t *testing.T) {
	t.Parallel()
	f, s := tokenFleet(t), newTokenSender("EAABnew")
	w := f.with(s, pagesWith("EAABold"))
	f.awaitHold()
	s.away.Store(true)
	require.NoError(t, w.SetPages(t.Context(), pagesWith("EAABnew"), f.rates))
	require.Eventually(t, func() bool { return s.checks.Load() > 0 }, 10*time.Second, time.Millisecond)
	s.away.Store(false)
	assert.Equal(t, producer.Sent, f.outcome().Kind)
}

// A hold for another reason than the token, and one of an older version, is a person's to release.
func TestANewTokenReleasesNoOtherHold(t *testing.T) {
	t.Parallel()
	f, s := tokenFleet(t), newTokenSender("EAABnew")
	p, err := pace.New(f.rdb, pace.Config{})
	require.NoError(t, err)
	require.NoError(t, p.Hold(t.Context(), "1001", pace.Reason{Text: "policy (page): code 368"}))
	w := f.with(s, pagesWith("EAABold"))
	require.Eventually(t, func() bool { return w.Ready(t.Context()) == nil }, 10*time.Second, time.Millisecond)
	require.NoError(t, w.SetPages(t.Context(), pagesWith("EAABnew"), f.rates))
	require.NoError(t, w.SetPages(t.Context(), pagesWith("EAABnew"), map[string]pace.Rates{"1001": rate(7)}))
	require.Eventually(t, func() bool {
		st, err := pace.ReadStatus(t.Context(), f.rdb, "")
		return err == nil && st.Pages[0].Configured.Page == 7
	}, 10*time.Second, 10*time.Millisecond, "new rates apply")
	assert.Zero(t, s.checks.Load())
	f.awaitHold()
}

// Calls that were on their way with the old token, when the new one came, hold nothing: their jobs go again.
func TestARefusalOfAReplacedTokenHoldsNothing(t *testing.T) {
	t.Parallel()
	f, s := tokenFleet(t), newTokenSender("EAABnew")
	s.block = make(chan struct{})
	w := f.with(s, pagesWith("EAABold"))
	<-s.called
	require.NoError(t, w.SetPages(t.Context(), pagesWith("EAABnew"), f.rates))
	close(s.block)
	o := f.outcome()
	assert.Equal(t, []any{producer.Sent, 1}, []any{o.Kind, o.Attempts})
	assert.Zero(t, s.checks.Load())
}

// Two workers, of which only one has the new token yet: the page may be held once more, and sends for good when both have it.
func TestWorkersGetANewTokenOneAfterTheOther(t *testing.T) {
	t.Parallel()
	f, s := tokenFleet(t), newTokenSender("EAABnew")
	first, second := f.with(s, pagesWith("EAABold")), f.with(s, pagesWith("EAABold"))
	f.awaitHold()
	require.NoError(t, first.SetPages(t.Context(), pagesWith("EAABnew"), f.rates))
	f.enqueue("1001", 40, 40)
	require.NoError(t, second.SetPages(t.Context(), pagesWith("EAABnew"), f.rates))
	f.assertOneOutcomeEach(41)
	assert.LessOrEqual(t, s.checks.Load(), int32(2), "each worker checks a token once")
}

func TestAPageThatIsAddedEndsItsHold(t *testing.T) {
	t.Parallel()
	f, s := tokenFleet(t), newTokenSender("EAABnew")
	w := f.with(s, map[string]sendapi.Page{"7": {ID: "7", Token: "t"}})
	assert.True(t, f.awaitHold().MissingToken)
	require.NoError(t, w.SetPages(t.Context(), pagesWith("EAABnew"), f.rates))
	assert.Equal(t, producer.Sent, f.outcome().Kind)
}

func TestWhatIsWrongChangesNothing(t *testing.T) {
	t.Parallel()
	f, s := tokenFleet(t), newTokenSender("EAABgood")
	w := f.with(s, pagesWith("EAABgood"))
	err := w.SetPages(t.Context(), pagesWith("EAABbad"), map[string]pace.Rates{"1001": {}})
	require.ErrorContains(t, err, "PageRates[1001]: each rate must be above 0")
	assert.Equal(t, producer.Sent, f.outcome().Kind)
}

func TestReady(t *testing.T) {
	t.Parallel()
	f, s := tokenFleet(t), newTokenSender("EAABgood")
	w, err := worker.New(f.rdb, s, worker.Config{Pages: pagesWith("EAABgood"), Rates: rate(50), ShutdownTimeout: 5 * time.Second})
	require.NoError(t, err)
	assert.ErrorContains(t, w.Ready(t.Context()), "not started")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	require.Eventually(t, func() bool { return w.Ready(t.Context()) == nil }, 10*time.Second, time.Millisecond)
	gone, end := context.WithCancel(t.Context())
	end()
	assert.ErrorContains(t, w.Ready(gone), "Redis")
	cancel()
	require.NoError(t, errors.Join(<-done))
	assert.ErrorContains(t, w.Ready(t.Context()), "stopping")
}
