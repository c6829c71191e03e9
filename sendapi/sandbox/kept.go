package sandbox

import (
	"slices"
	"sync"
	"time"

	"github.com/sendpace/sendpace/sendapi"
)

// maxKept bounds what is kept of each kind; the oldest goes first.
const maxKept = 10_000

// kept is what the pages stored. Its zero value is ready.
type kept struct {
	mu       sync.Mutex
	files    shelf[storedFile]
	personas shelf[persona]
}

// storedFile is what an attachment id stands for.
type storedFile struct {
	page string
	kind sendapi.AttachmentType
	at   time.Time
}

// persona is a name under which a page writes. One that was deleted is still known, since its old messages show it.
type persona struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Picture string `json:"profile_picture_url"`
	page    string
	deleted bool
}

func (k *kept) addFile(id string, f storedFile) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files.put(id, f)
}

// file returns what was uploaded under an attachment id. It can be sent by its own page only.
func (k *kept) file(id string) (storedFile, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, ok := k.files.byID[id]
	return f, ok
}

func (k *kept) addPersona(p persona) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.personas.put(p.ID, p)
}

// persona returns deleted ones too.
func (k *kept) persona(id string) (persona, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.personas.byID[id]
	return p, ok
}

// deletePersona reports whether there was one.
func (k *kept) deletePersona(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.personas.byID[id]
	if !ok || p.deleted {
		return false
	}
	p.deleted = true
	k.personas.byID[id] = p
	return true
}

// personasOf lists a page's personas in the order of their making, from behind the one with the id after. more says that
// there are others.
func (k *kept) personasOf(page, after string, most int) (found []persona, more bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	from := slices.Index(k.personas.order, after) + 1 // 0 for one that is not known
	found = []persona{}
	for _, id := range k.personas.order[from:] {
		p := k.personas.byID[id]
		if p.page != page || p.deleted {
			continue
		}
		if len(found) == most {
			return found, true
		}
		found = append(found, p)
	}
	return found, false
}

// shelf keeps the newest things by id.
type shelf[T any] struct {
	byID  map[string]T
	order []string
}

func (s *shelf[T]) put(id string, value T) {
	if s.byID == nil {
		s.byID = make(map[string]T)
	}
	if len(s.order) == maxKept {
		delete(s.byID, s.order[0])
		s.order = s.order[1:]
	}
	s.byID[id] = value
	s.order = append(s.order, id)
}
