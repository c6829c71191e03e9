package pace

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
)

// Stand is how a job stands to the workers and to other jobs. [producer.Producer.Get] tells the rest of it.
type Stand struct {
	// Behind is the id of the job that goes before all others to the same recipient; empty if that is this one, or nobody's.
	Behind string `json:"behind,omitempty"`
	// Worker is the id of the worker that has the job in hand, and Since is when it was handed out; empty if none has it.
	Worker string    `json:"worker,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	// Sending is true if a send was started whose answer is not known yet.
	Sending bool `json:"sending,omitempty"`
	// Due is when the spacing of its conversation lets it go; zero unless it waits for that.
	Due time.Time `json:"due,omitzero"`
}

// ReadStand reads how a job stands. An empty queue name means [producer.DefaultQueue]. Of a job that is not there the answer is the
// zero value, and so it is of one whose id does not tell its recipient while it waits.
func ReadStand(ctx context.Context, rdb redis.UniversalClient, queue, id string) (Stand, error) {
	_, found, err := eachShard(ctx, rdb, queue, func(r statusReader) (Stand, error) { return r.stand(ctx, id) })
	if err != nil {
		return Stand{}, fmt.Errorf("pace: job %s: %w", id, err)
	}
	for _, s := range found {
		if s != (Stand{}) {
			return s, nil
		}
	}
	return Stand{}, nil
}

func (r statusReader) stand(ctx context.Context, id string) (Stand, error) {
	fields, err := r.rdb.HMGet(ctx, r.keys.Task(id), "state", "owner", "mark", "group").Result()
	if err != nil {
		return Stand{}, err
	}
	state, owner, mark, group := textOf(fields[0]), textOf(fields[1]), textOf(fields[2]), textOf(fields[3])
	s := Stand{Sending: mark != ""}
	switch state {
	case "active":
		worker, us, _ := strings.Cut(owner, ":")
		at, _ := strconv.ParseInt(us, 10, 64) // an owner of another kind has no time
		s.Worker, s.Since = worker, moment(at)
		return s, nil
	case "aggregating":
		return r.standInLine(ctx, s, id, group)
	}
	return s, nil
}

func (r statusReader) standInLine(ctx context.Context, s Stand, id, line string) (Stand, error) {
	of := splitLine(line)
	pipe := r.rdb.Pipeline()
	busy := pipe.HGet(ctx, r.keys.Busy(), of.PageID+":"+recipientHash(id))
	score := pipe.ZScore(ctx, r.keys.Line(line), id)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return Stand{}, err
	}
	if busy.Val() != id {
		s.Behind = busy.Val()
	}
	if of.Side == producer.SideLater {
		s.Due = moment(int64(score.Val() * 1e6))
	}
	return s, nil
}

// recipientHash is the recipient's hash in a job's id, as recipient_of in lib.lua reads it; empty for an id that is not of ours.
func recipientHash(id string) string {
	const head, whole = 27, 35
	if len(id) != whole || !strings.ContainsRune("-mrb", rune(id[head-1])) {
		return ""
	}
	return id[head:]
}

func textOf(field any) string {
	s, _ := field.(string)
	return s
}
