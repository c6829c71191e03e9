package producer

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/google/uuid"
)

// Line names the waiting jobs of one page and lane. Audio and video have lines of their own, since the platform limits
// them to a lower rate.
type Line struct {
	PageID string
	Lane   Lane
	Media  bool
}

// String is the asynq group of the line: "<page>:<lane>", with ":media" behind it for audio and video.
func (l Line) String() string {
	s := l.PageID + ":" + string(l.Lane)
	if l.Media {
		s += ":media"
	}
	return s
}

// ParseLine reads the name of a line. ok is false for a group that is none.
func ParseLine(group string) (l Line, ok bool) {
	page, rest, _ := strings.Cut(group, ":")
	lane, media, hasMedia := strings.Cut(rest, ":")
	l = Line{PageID: page, Lane: Lane(lane), Media: hasMedia}
	ok = validPageID(page) && (l.Lane == LaneRealtime || l.Lane == LaneBulk) && (!hasMedia || media == "media")
	return l, ok
}

// Route is where a job belongs and whom it is for: what a worker needs to know of a task before it may be sent.
type Route struct {
	Line      Line
	Recipient string // as RecipientHash makes it
}

// Route works out the job's line and recipient. The error is a [sendapi.Problems] if the request cannot be read or is
// not valid.
func (j Job) Route() (Route, error) {
	req, problems := j.request()
	if !validPageID(j.PageID) {
		problems = append(problems, pageProblem)
	}
	if len(problems) > 0 {
		return Route{}, problems
	}
	lane := j.Lane
	if lane != LaneRealtime && lane != LaneBulk {
		lane = laneOf(req)
	}
	return Route{
		Line:      Line{PageID: j.PageID, Lane: lane, Media: req.Media()},
		Recipient: RecipientHash(j.PageID, req.Recipient.Address()),
	}, nil
}

// sortable is base32 whose text sorts as its bytes do.
var sortable = base32.HexEncoding.WithPadding(base32.NoPadding)

// RecipientHash is a short hash, 8 characters, of a recipient's address at a page. Two recipients that share one are
// merely not sent to at the same time.
func RecipientHash(pageID, address string) string {
	sum := sha256.Sum256([]byte(pageID + "\x00" + address))
	return strings.ToLower(sortable.EncodeToString(sum[:5]))
}

// newID makes a job's id: a time-ordered UUID (version 7) as 26 characters whose text sorts by time, also within one
// millisecond of one process, a dash, and the recipient's hash, by which the pacer keeps a recipient's messages in order
// without reading their payload.
func newID(recipient string) string {
	u := uuid.Must(uuid.NewV7())
	return strings.ToLower(sortable.EncodeToString(u[:])) + "-" + recipient
}
