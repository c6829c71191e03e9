package pace

import (
	_ "embed" // the scripts are files, so that they read and test as Lua
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer/rediskeys"
)

var (
	//go:embed lib.lua
	linesLua string
	//go:embed broadcasts.lua
	broadcastsLua string
	//go:embed limits.lua
	limitsLua string
	//go:embed setback.lua
	setbackLua string
	//go:embed lines.lua
	handOutLua string
	//go:embed take.lua
	takeLua string
	//go:embed admit.lua
	admitLua string
	//go:embed late.lua
	lateLua string
	//go:embed unused.lua
	unusedLua string
	//go:embed permit.lua
	permitLua string
	//go:embed settle.lua
	settleLua string
	//go:embed beat.lua
	beatLua string
	//go:embed reap.lua
	reapLua string
	//go:embed pause.lua
	pauseLua string
	//go:embed release.lua
	releaseLua string
	//go:embed sweep.lua
	sweepLua string
	//go:embed rates.lua
	ratesLua string
	//go:embed explain.lua
	explainLua string
	//go:embed audit.lua
	auditLua string
	//go:embed temporary.lua
	temporaryLua string
	//go:embed places.lua
	placesLua string
)

// libLua is what the scripts share.
var libLua = linesLua + broadcastsLua + limitsLua + setbackLua + rediskeys.EndsLua

var (
	takeScript      = redis.NewScript(withParts(handOutLua + takeLua))
	admitScript     = redis.NewScript(withParts(admitLua))
	lateScript      = redis.NewScript(withParts(lateLua))
	unusedScript    = redis.NewScript(withParts(unusedLua))
	permitScript    = redis.NewScript(withParts(permitLua))
	settleScript    = redis.NewScript(withParts(settleLua))
	beatScript      = redis.NewScript(beatLua)
	reapScript      = redis.NewScript(withParts(reapLua))
	pauseScript     = redis.NewScript(withParts(pauseLua))
	releaseScript   = redis.NewScript(withParts(releaseLua))
	sweepScript     = redis.NewScript(withParts(sweepLua))
	temporaryScript = redis.NewScript(withParts(temporaryLua))
	ratesScript     = redis.NewScript(ratesLua)
	explainScript   = redis.NewScript(withParts(explainLua))
	auditScript     = redis.NewScript(withParts(auditLua))
	placesScript    = redis.NewScript(withParts(placesLua))
)

// readEach decodes the lists that a script answers for each of n jobs. See each in lib.lua.
func readEach(cmd *redis.Cmd, n int) ([]answered[[]string], error) {
	lists, err := cmd.Slice()
	if err != nil {
		return nil, err
	}
	if len(lists) != n {
		return nil, fmt.Errorf("pace: script answered for %d of %d jobs", len(lists), n)
	}
	got := make([]answered[[]string], n)
	for i, list := range lists {
		values, _ := list.([]any)
		for _, v := range values {
			text, _ := v.(string)
			got[i].answer = append(got[i].answer, text)
		}
		if a := got[i].answer; len(a) == 2 && a[0] == "error" {
			got[i].err = errors.New(a[1])
		}
	}
	return got, nil
}

// reply is what admit and permit answer: a verb, and the verb's own values; admit the server's time before them.
type reply struct {
	now  int64
	verb string
	args []string
}

// arity is how many values follow each verb.
var arity = map[string]int{
	"slot": 2, "head": 1, "tail": 1, "park": 1,
	"go": 4, "gone": 0, "known": 1, "cancelled": 0, "paused": 0, "suppressed": 0, "unknown": 1, "rests": 0,
}

// readTimedReply is for an answer that begins with the server's time.
func readTimedReply(parts []string) (reply, error) {
	if len(parts) == 0 {
		return reply{}, errors.New("pace: script answered nothing")
	}
	r, err := readReply(parts[1:])
	if err == nil {
		r.now, err = strconv.ParseInt(parts[0], 10, 64)
	}
	return r, err
}

// readReply is the one place where such an answer is decoded.
func readReply(parts []string) (reply, error) {
	if len(parts) == 0 {
		return reply{}, errors.New("pace: script answered nothing")
	}
	r := reply{verb: parts[0], args: parts[1:]}
	if n, ok := arity[r.verb]; !ok || n != len(r.args) {
		return reply{}, fmt.Errorf("pace: script answered %q with %d values", r.verb, len(r.args))
	}
	return r, nil
}

// us reads the value i as microseconds.
func (r reply) us(i int) (int64, error) {
	if i >= len(r.args) {
		return 0, fmt.Errorf("pace: %q without value %d", r.verb, i)
	}
	return strconv.ParseInt(r.args[i], 10, 64)
}

// taken is what take answers.
type taken struct {
	now  int64
	verb string // when to ask again
	wait time.Duration
	jobs []takenJob
}

// takenJob is one job that was handed out. A task that no line could be told of has no line and no slot.
type takenJob struct {
	id, msg, line string
	slot          int64 // us
	number        int64 // of the slot, for late.lua
}

// readTaken is the one place where an answer of take is decoded.
func readTaken(cmd *redis.Cmd) (taken, error) {
	const fixed, each = 3, 5
	parts, err := cmd.StringSlice()
	if err != nil {
		return taken{}, err
	}
	if len(parts) < fixed || (len(parts)-fixed)%each != 0 || !slices.Contains([]string{"again", "lookout", "standby", "task"}, parts[1]) {
		return taken{}, fmt.Errorf("pace: take answered %d values", len(parts))
	}
	got := taken{verb: parts[1]}
	var wait int64
	got.now, err = strconv.ParseInt(parts[0], 10, 64)
	if err == nil {
		wait, err = strconv.ParseInt(parts[2], 10, 64)
	}
	got.wait = time.Duration(wait) * time.Microsecond
	for rest := parts[fixed:]; len(rest) > 0 && err == nil; rest = rest[each:] {
		job := takenJob{id: rest[0], msg: rest[1], line: rest[2]}
		if job.slot, err = strconv.ParseInt(rest[3], 10, 64); err == nil {
			job.number, err = strconv.ParseInt(rest[4], 10, 64)
		}
		got.jobs = append(got.jobs, job)
	}
	return got, err
}
