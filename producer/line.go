package producer

import (
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sendpace/sendpace/sendapi"
)

// Line names waiting jobs of one page and lane. Jobs are enqueued into the lane's own line, those of a broadcast in the bulk lane
// into the broadcast's. Workers take those that something else than their line's turn holds up aside into a side line of the lane,
// so that the others can go ahead.
type Line struct {
	PageID string
	Lane   Lane
	// Side is empty for a line that jobs are enqueued into.
	Side Side
	// Broadcast is whose line it is; empty for all others. A broadcast has a line in the bulk lane alone, and no side lines.
	Broadcast string
}

// Side is which side line of its lane a line is; empty for the lane's own.
type Side string

const (
	// SideMedia holds jobs with audio or video.
	SideMedia Side = "media"
	// SideReply holds private replies.
	SideReply Side = "reply"
	// SideLater holds jobs whose recipient has just got a message.
	SideLater Side = "later"
)

var sides = []Side{"", SideMedia, SideReply, SideLater}

// String is the asynq group of the line: "<page>:<lane>", with ":<side>" behind it for a side line, and ":@<broadcast>" for one of
// a broadcast.
func (l Line) String() string {
	s := l.PageID + ":" + string(l.Lane)
	switch {
	case l.Side != "":
		s += ":" + string(l.Side)
	case l.Broadcast != "":
		s += ":@" + l.Broadcast
	}
	return s
}

// ParseLine reads the name of a line. ok is false for a group that is none.
func ParseLine(group string) (l Line, ok bool) {
	page, rest, _ := strings.Cut(group, ":")
	lane, part, parted := strings.Cut(rest, ":")
	l = Line{PageID: page, Lane: Lane(lane)}
	if !IsPageID(page) || l.Lane != LaneRealtime && l.Lane != LaneBulk {
		return l, false
	}
	if name, ok := strings.CutPrefix(part, "@"); ok {
		l.Broadcast = name
		return l, l.Lane == LaneBulk && broadcastID.MatchString(name)
	}
	l.Side = Side(part)
	return l, slices.Contains(sides, l.Side) && parted == (part != "")
}

// Class is what a job's limits depend on beside its lane. It stands in the job's id.
type Class byte

const (
	// ClassPlain is subject to no further limit.
	ClassPlain Class = '-'
	// ClassMedia has audio or video in it.
	ClassMedia Class = 'm'
	// ClassReply is a private reply to a comment or a post.
	ClassReply Class = 'r'
	// ClassBoth is a private reply with audio or video in it.
	ClassBoth Class = 'b'
)

// classOf is the class of a job that makes these calls. All have one recipient, so the first says whether it is a reply.
func classOf(reqs []*sendapi.Request) Class {
	to := reqs[0].Recipient
	reply := to.CommentID != "" || to.PostID != ""
	media := false
	for _, req := range reqs {
		media = media || req.Media()
	}
	switch {
	case reply && media:
		return ClassBoth
	case reply:
		return ClassReply
	case media:
		return ClassMedia
	}
	return ClassPlain
}

// laneOf is the lane of a job that names none: realtime if every message is an answer that somebody waits for. A sender
// action counts as one, but between messages it goes where they go.
func laneOf(reqs []*sendapi.Request) Lane {
	for _, req := range reqs {
		if !req.Answer() {
			return LaneBulk
		}
	}
	return LaneRealtime
}

// Route is where a job belongs, what it is and whom it is for: what a worker needs to know of a task before it may be sent.
type Route struct {
	Line      Line
	Class     Class
	Recipient string // as RecipientHash makes it
}

// Route works out the job's line, class and recipient. The error is a [sendapi.Problems] if a request cannot be read or is
// not valid.
func (j Job) Route() (Route, error) {
	var ps problems
	reqs := j.requests(&ps)
	if !IsPageID(j.PageID) {
		ps.found = append(ps.found, pageProblem)
	}
	if len(ps.found) > 0 {
		return Route{}, ps.found
	}
	return j.route(reqs), nil
}

// route is Route for a job whose requests are valid.
func (j Job) route(reqs []*sendapi.Request) Route {
	lane := j.Lane
	if lane != LaneRealtime && lane != LaneBulk {
		lane = laneOf(reqs)
	}
	line := Line{PageID: j.PageID, Lane: lane}
	if lane == LaneBulk && broadcastID.MatchString(j.Broadcast) {
		line.Broadcast = j.Broadcast
	}
	return Route{
		Line:      line,
		Class:     classOf(reqs),
		Recipient: RecipientHash(j.PageID, reqs[0].Recipient.Address()),
	}
}

// sortable is base32 whose text sorts as its bytes do.
var sortable = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// RecipientHash is a short hash, 8 characters, of a recipient's address at a page. Two recipients that share one are
// merely not sent to at the same time.
func RecipientHash(pageID, address string) string {
	sum := sha256.Sum256([]byte(pageID + "\x00" + address))
	return sortable.EncodeToString(sum[:5])
}

// newID makes a job's id: a time-ordered UUID (version 7) as 26 characters whose text sorts by time, also within one
// millisecond of one process, the class, and the recipient's hash. The pacer goes by the last two without reading a payload.
func newID(r Route) string {
	u := uuid.Must(uuid.NewV7())
	return sortable.EncodeToString(u[:]) + string(rune(r.Class)) + r.Recipient
}

// IDTime is when the job with this id was made, to the millisecond. ok is false for an id that is not of a [Producer].
func IDTime(id string) (at time.Time, ok bool) {
	const text = 26 // characters of a UUID, as newID writes it
	raw, err := sortable.DecodeString(id[:min(text, len(id))])
	if err != nil || len(raw) != len(uuid.UUID{}) || uuid.UUID(raw).Version() != 7 {
		return time.Time{}, false
	}
	return time.Unix(uuid.UUID(raw).Time().UnixTime()), true
}
