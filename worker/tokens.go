package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

// Checker tells whether a page's token works. [sendapi.Client] is the one to use.
type Checker interface {
	CheckPage(ctx context.Context, page sendapi.Page) (*sendapi.PageInfo, error)
}

// checkAgain is how long after a check that found out nothing, as with the platform away, there is another one.
const checkAgain = 10 * time.Second

// pageBook is the pages with their tokens, replaced as a whole.
type pageBook struct {
	pages atomic.Pointer[map[string]sendapi.Page]
}

func newPageBook(pages map[string]sendapi.Page) *pageBook {
	b := new(pageBook)
	b.set(pages)
	return b
}

func (b *pageBook) set(pages map[string]sendapi.Page) {
	pages = maps.Clone(pages)
	b.pages.Store(&pages)
}

func (b *pageBook) get(id string) (page sendapi.Page, ok bool) {
	page, ok = (*b.pages.Load())[id]
	return page, ok
}

func (b *pageBook) ids() []string { return slices.Collect(maps.Keys(*b.pages.Load())) }

// SetPages replaces the pages and their tokens, and the rates by page id, while the worker runs or before. Sends in flight go on
// with the token that they have. A page that is on hold because of its token is released once the new one works; a page that is
// not in pages any more is held when its next job comes. The error is one of validation,
// and then nothing has changed, or Redis's: the rates are not those given then, and it is to be called again.
func (w *Worker) SetPages(ctx context.Context, pages map[string]sendapi.Page, rates map[string]pace.Rates) error {
	cfg := w.cfg
	cfg.PageRates = maps.Clone(rates)
	if cfg.PageRates == nil {
		cfg.PageRates = map[string]pace.Rates{}
	}
	if err := cfg.validate(); err != nil {
		return err
	}
	w.pages.set(pages)
	select {
	case w.reloaded <- struct{}{}:
	default: // it will look
	}
	return w.setRates(ctx, cfg.PageRates)
}

// setRates sets the limits of the fleet if these rates are others than those set last; nil sets those again.
func (w *Worker) setRates(ctx context.Context, rates map[string]pace.Rates) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if rates == nil {
		rates = w.rated
	} else if maps.Equal(w.rated, rates) {
		return nil
	}
	cfg := w.cfg
	cfg.PageRates = rates
	for _, s := range w.shards {
		if err := s.pacer.SetRates(ctx, cfg.limits()); err != nil {
			return fmt.Errorf("worker: %w", err)
		}
	}
	w.rated = rates
	return nil
}

// freePages releases pages whose new token works, when the worker starts and after each SetPages, until ctx ends.
func (w *Worker) freePages(ctx context.Context) {
	tried := map[string]string{}
	for {
		var again <-chan time.Time
		if !w.free(ctx, tried) {
			again = time.After(checkAgain)
		}
		select {
		case <-ctx.Done():
			return
		case <-w.reloaded:
		case <-again:
		}
	}
}

// free makes one pass. It returns false if another one may find out more. tried has the mark of the last token of a page that was
// checked: one that works but may not send, or that another worker does not have yet, would be tried over and over.
func (w *Worker) free(ctx context.Context, tried map[string]string) bool {
	if w.releaseTokens(ctx) != nil {
		return false
	}
	if w.cfg.Checker == nil {
		return true
	}
	holds, err := w.shards[0].pacer.Holds(ctx, w.pages.ids())
	if err != nil {
		return false
	}
	done := true
	for id, why := range holds {
		page, ok := w.pages.get(id)
		if mark := markOf(page); ok && why.TokenMark != "" && why.TokenMark != mark && tried[id] != mark {
			if w.freePage(ctx, page) {
				tried[id] = mark
			} else {
				done = false
			}
		}
	}
	return done
}

// freePage releases a page if its token works. It returns false if that could not be found out.
func (w *Worker) freePage(ctx context.Context, page sendapi.Page) bool {
	log := w.cfg.Log.With().Str("page", page.ID).Logger()
	_, err := w.cfg.Checker.CheckPage(ctx, page)
	switch {
	case errors.Is(err, sendapi.KindAuth), errors.Is(err, sendapi.KindPolicy):
		log.Warn().Err(err).Msg("still on hold: its new token does not work either")
		return true
	case err == nil:
		_, err = w.shards[0].pacer.Release(ctx, page.ID)
	}
	if err != nil {
		log.Warn().Err(err).Msg("still on hold: its new token could not be checked; there will be another try")
		return false
	}
	log.Info().Msg("released: its new token works")
	return true
}

// markOf tells one token, with its app secret, from another without telling anything of either: of a digest only the first 32 bits
// are kept.
func markOf(page sendapi.Page) string {
	sum := sha256.Sum256([]byte("sendpace token\x00" + page.Token.Reveal() + "\x00" + page.AppSecret.Reveal()))
	return hex.EncodeToString(sum[:4])
}
