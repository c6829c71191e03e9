package chaos

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/sendapi/sandbox"
	"github.com/sendpace/sendpace/worker/pace"
)

// Record is all that is known of a run once it has ended.
type Record struct {
	// Jobs are all that were offered, each recipient's in the order in which they were enqueued.
	Jobs []Job
	// Calls are what the sandbox saw.
	Calls []Call
	// Outcomes are what the fleet reported.
	Outcomes []producer.Outcome
	// Counts are the fleet's own: how many jobs of a page were accepted and how many ended, by "<page>:<outcome>". Nil is
	// not judged.
	Counts map[string]string
	// Rates are the limits of each page.
	Rates map[string]pace.Rates
	// FirstPause is the shortest pause for which the platform gave no length.
	FirstPause time.Duration
	// Events are what was done to the fleet.
	Events []Event
}

// Job is one job as it was enqueued.
type Job struct {
	// ID is the fleet's name for it; empty if the producer never acknowledged it.
	ID string
	// Label is ours, and the job's key. It travels in each request, and so names the job in the sandbox's record.
	Label             string
	PageID, Recipient string
	Lane              producer.Lane
	Media             bool
	// Steps is how many requests it has.
	Steps int
	// Once is true for a job that must rather end as unknown than be sent twice.
	Once bool
	// Offered is when the producer was first called with it, Stored when the producer acknowledged it.
	Offered, Stored time.Time
	// SendAt and ExpiresAt are the job's own; zero: none.
	SendAt, ExpiresAt time.Time
}

// Call is one call with the job that it was made for.
type Call struct {
	sandbox.Call
	Label string
	Step  int
}

// Answered is true if the sandbox wrote an answer. Whether it arrived is another matter.
func (c Call) Answered() bool { return c.Status != 0 && !c.Done.IsZero() }

// labelled is the member that names a job in a request. The Send API ignores members that it does not know.
type labelled struct {
	Label string `json:"chaos_job"`
	Step  int    `json:"chaos_step"`
}

// Calls reads the labels of the sandbox's record.
func Calls(seen []sandbox.Call) ([]Call, error) {
	calls := make([]Call, len(seen))
	for i, c := range seen {
		var l labelled
		if json.Unmarshal(c.Body, &l) != nil || l.Label == "" {
			return nil, fmt.Errorf("a call at page %s that no job was made for", c.PageID)
		}
		calls[i] = Call{Call: c, Label: l.Label, Step: l.Step}
	}
	return calls, nil
}

// Event is something that was done to the fleet.
type Event struct {
	// What is for people. Events without it do not show in a story.
	What     string
	From, To time.Time
	// Blurs is true if calls may have arrived later than they were sent, by the way to the sandbox or by the sandbox itself.
	Blurs bool
	// Deafens is true if workers may have been unable to act on an answer.
	Deafens bool
	// Loses is true if something that Redis acknowledged in that time may be gone.
	Loses bool
	// Page is the one that it was done to; empty: to all.
	Page string
	// Frees is true if the page's pause or hold was ended by hand.
	Frees bool
}

func (e Event) overlaps(from, to time.Time) bool { return !e.From.After(to) && !e.To.Before(from) }

// effect is what an answer of the platform asks of a fleet.
type effect string

const (
	pausesPage   effect = "pauses the page"
	pausesApp    effect = "pauses the app"
	holdsPage    effect = "holds the page"
	endsJob      effect = "ends the job"
	tryAgain     effect = "is tried again"
	pausesThread effect = "pauses the recipient"
)

type codes struct{ code, subcode int }

// answer is one kind of refusal that a run provokes.
type answer struct {
	effect
	wait time.Duration // as the platform announces it; 0: it announces none
}

// answers are by the platform's documentation, not by what sendapi makes of them.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
var answers = map[codes]answer{
	{613, 0}:       {effect: pausesPage},
	{80006, 0}:     {pausesPage, time.Minute},
	{4, 0}:         {effect: pausesApp},
	{613, 2018338}: {effect: pausesThread},
	{2, 0}:         {effect: tryAgain},
	{1200, 0}:      {effect: tryAgain},
	{100, 2534037}: {effect: tryAgain}, // another app has the thread
	{190, 463}:     {effect: holdsPage},
	{368, 0}:       {effect: holdsPage},
	{551, 0}:       {effect: endsJob},
	{100, 2018001}: {effect: endsJob},
	{10, 2018278}:  {effect: endsJob},
}

func (c Call) answer() answer { return answers[codes{c.Code, c.Subcode}] }
