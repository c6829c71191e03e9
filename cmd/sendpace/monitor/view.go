package monitor

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fleet is what the page shows of the moment. Spans of time are as a person reads them, such as 2h10m, and "-" where there is none.
type Fleet struct {
	// At is the Redis server's time.
	At time.Time `json:"at"`
	// Rate is what all pages send, a second.
	Rate float64 `json:"rate"`
	// The counts are as in [pace.Status].
	Waiting   int64 `json:"waiting"`
	Pending   int64 `json:"pending"`
	Active    int64 `json:"active"`
	Retrying  int64 `json:"retrying"`
	Scheduled int64 `json:"scheduled"`
	Archived  int64 `json:"archived"`
	// Outcomes counts the jobs that ended, by outcome.
	Outcomes map[string]int64 `json:"outcomes"`
	Workers  []Worker         `json:"workers"`
	// Notes say what needs a person, and what there is to know about all pages.
	Notes []Note `json:"notes"`
	// Stop is the pause or hold of all pages, nil if there is none.
	Stop *Stop `json:"stop,omitempty"`
	// Pages are in the order in which they are shown.
	Pages []Page `json:"pages"`
	// Errors are how the last jobs ended that failed, the newest first.
	Errors []Ended `json:"errors"`
}

// Worker is a process that sends.
type Worker struct {
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	Version string `json:"version"`
	Up      string `json:"up"`
	Leads   bool   `json:"leads"`
}

// Note is a sentence for a person. Bad is true for what stops sending.
type Note struct {
	Text string `json:"text"`
	Bad  bool   `json:"bad"`
}

// Stop is a pause or a hold.
type Stop struct {
	Hold  bool      `json:"hold"`
	Why   string    `json:"why"`
	Code  int       `json:"code,omitempty"`
	Since time.Time `json:"since"`
	// Left is how long a pause lasts.
	Left string `json:"left"`
}

// Page is one page.
type Page struct {
	ID    string `json:"id"`
	State string `json:"state"`
	// Urgency is how much the state needs a person: 3 for what lasts until one acts, 2 for what goes by, 1 for a page that works,
	// 0 for an idle one.
	Urgency int `json:"urgency"`
	// Rate is what is sent now, a second; Limit, Bulk and Media are what is allowed, 0 if that is not known.
	Rate  float64 `json:"rate"`
	Limit float64 `json:"limit"`
	Bulk  float64 `json:"bulk"`
	Media float64 `json:"media"`
	// Temporary says which rates hold for a time only, and for how long; empty for none.
	Temporary string `json:"temporary,omitempty"`
	// Usage is that of the platform's allowance, in percent; 0 if the platform did not name one.
	Usage int `json:"usage"`
	// Spent of Budget sends of a day are made; 0 if there is no budget.
	Budget   int64            `json:"budget,omitempty"`
	Spent    int64            `json:"spent,omitempty"`
	Waiting  int64            `json:"waiting"`
	Oldest   string           `json:"oldest"`
	ETA      string           `json:"eta"`
	Lines    []Line           `json:"lines"`
	Stop     *Stop            `json:"stop,omitempty"`
	Outcomes map[string]int64 `json:"outcomes"`
}

// Line is what waits in one lane of a page.
type Line struct {
	Name    string  `json:"name"`
	Waiting int64   `json:"waiting"`
	Oldest  string  `json:"oldest"`
	Rate    float64 `json:"rate"`
	ETA     string  `json:"eta"`
	// Limit is what the next job waits for.
	Limit string `json:"limit"`
}

// Ended is how a job ended that failed, without the job.
type Ended struct {
	At   time.Time `json:"at"`
	Page string    `json:"page"`
	Kind string    `json:"kind"`
	Why  string    `json:"why"`
}

// Broadcast is how far a broadcast is.
type Broadcast struct {
	Name    string    `json:"name"`
	Page    string    `json:"page"`
	State   string    `json:"state"`
	Why     string    `json:"why,omitempty"`
	Created time.Time `json:"created"`
	People  int       `json:"people"`
	Sent    int       `json:"sent"`
	Failed  int       `json:"failed"` // and expired, cancelled or unknown
	Left    int       `json:"left"`
}

const (
	// maxPages and maxBroadcasts bound what a browser has to show. The filter reaches the other pages.
	maxPages      = 300
	maxBroadcasts = 20
)

// fleetAnswer is a fleet as the browser gets it.
type fleetAnswer struct {
	*Fleet
	Pages []Page `json:"pages"`
	// All is how many pages there are, and Found how many of them the filter leaves.
	All   int  `json:"all"`
	Found int  `json:"found"`
	Act   bool `json:"act"`
}

func (h *Handler) showFleet(w http.ResponseWriter, r *http.Request) {
	f, err := h.fleet.get(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	wanted := strings.ToLower(strings.TrimSpace(r.URL.Query().Get("q")))
	found := slices.DeleteFunc(slices.Clone(f.Pages), func(p Page) bool {
		return !strings.Contains(p.ID, wanted) && !strings.Contains(p.State, wanted)
	})
	answer(w, http.StatusOK, fleetAnswer{
		Fleet: f, Pages: found[:min(len(found), maxPages)], All: len(f.Pages), Found: len(found), Act: h.mayAct(),
	})
}

func (h *Handler) showBroadcasts(w http.ResponseWriter, r *http.Request) {
	list, err := h.broadcasts.get(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, list[:min(len(list), maxBroadcasts)])
}
