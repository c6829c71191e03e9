package pace

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/taskmsg"
)

const (
	// auditChunk is how many jobs are looked at in one round trip.
	auditChunk = 200
	// scanChunk is how many keys Redis looks at in one round trip.
	scanChunk = 1000
)

// broadcastCounts are the fields of a broadcast that are counted in jobs.
var broadcastCounts = []string{
	"accepted", string(producer.Sent), string(producer.Failed), string(producer.Expired), string(producer.Cancelled),
	string(producer.Unknown),
}

// broadcastIDs are those of all broadcasts that were counted.
func (a *auditor) broadcastIDs(ctx context.Context, node redis.UniversalClient) ([]string, error) {
	var ids []string
	err := scan(ctx, node, a.keys.Broadcast("*"), func(keys []string) error {
		for _, key := range keys {
			ids = append(ids, strings.TrimPrefix(key, a.keys.Broadcast("")))
		}
		return nil
	})
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// broadcasts accounts for broadcasts by their counts alone.
func (a *auditor) broadcasts(ctx context.Context, ids []string) ([]BroadcastAudit, error) {
	var all []BroadcastAudit
	for chunk := range slices.Chunk(ids, auditChunk) {
		pipe := a.rdb.Pipeline()
		cmds := make([]*redis.SliceCmd, len(chunk))
		for i, id := range chunk {
			cmds[i] = pipe.HMGet(ctx, a.keys.Broadcast(id), broadcastCounts...)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, err
		}
		for i, id := range chunk {
			n := map[string]int64{}
			for j, value := range cmds[i].Val() {
				text, _ := value.(string)
				n[broadcastCounts[j]], _ = strconv.ParseInt(text, 10, 64) // Redis counted it
			}
			b := BroadcastAudit{ID: id, Accepted: n["accepted"], Ends: endsOf(n)}
			b.Open = b.Accepted - b.ended()
			b.Missing = min(0, b.Open)
			all = append(all, b)
		}
	}
	return all, nil
}

// lookAtEach looks at each job and at each id in a collection, in small steps, so that sending goes on meanwhile.
func (a *auditor) lookAtEach(ctx context.Context, node redis.UniversalClient) error {
	open := map[string]bool{} // of the broadcast; Redis may show a task twice
	err := scan(ctx, node, a.keys.Task("*"), func(keys []string) error {
		ids := make([]string, len(keys))
		for i, key := range keys {
			ids[i] = strings.TrimPrefix(key, a.keys.Task(""))
		}
		if a.query.Broadcast != "" {
			if err := a.noteOpen(ctx, keys, open); err != nil {
				return err
			}
		}
		return a.look(ctx, "", ids)
	})
	if err == nil && a.query.Broadcast != "" {
		err = a.compare(ctx, int64(len(open)))
	}
	if err != nil {
		return err
	}
	return a.collections(ctx)
}

// compare holds the open jobs of a broadcast that were found one after the other against its counts before and after. A job
// that was open all the time was found, and one that was found was open at some time.
func (a *auditor) compare(ctx context.Context, found int64) error {
	after, err := a.broadcasts(ctx, []string{a.query.Broadcast})
	if err != nil {
		return err
	}
	b := &a.report.Broadcasts[0]
	lowest, highest := b.Accepted-after[0].ended(), after[0].Accepted-b.ended()
	b.Found = &found
	switch {
	case found < lowest:
		b.Missing = lowest - found
	case found > highest:
		b.Missing = highest - found
	}
	return nil
}

// noteOpen notes the jobs of the broadcast that have not ended. Only those that were counted as accepted are among them.
func (a *auditor) noteOpen(ctx context.Context, keys []string, open map[string]bool) error {
	pipe := a.rdb.Pipeline()
	cmds := make([]*redis.SliceCmd, len(keys))
	for i, key := range keys {
		cmds[i] = pipe.HMGet(ctx, key, "acc", "msg")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	for i, cmd := range cmds {
		counted, _ := cmd.Val()[0].(string)
		raw, _ := cmd.Val()[1].(string)
		if counted == "1" && broadcastOf(raw) == a.query.Broadcast {
			open[keys[i]] = true
		}
	}
	return nil
}

// broadcastOf reads the broadcast of a task, empty if it has none.
func broadcastOf(raw string) string {
	var job struct {
		Broadcast string `json:"broadcast"`
	}
	m, err := taskmsg.Read(raw)
	if err != nil || json.Unmarshal(m.Payload(), &job) != nil {
		return ""
	}
	return job.Broadcast
}

// collections looks at the ids in all of asynq's collections.
func (a *auditor) collections(ctx context.Context) error {
	k := a.keys
	for _, key := range []string{k.Pending(), k.Active()} {
		ids, err := a.rdb.LRange(ctx, key, 0, -1).Result()
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(ids, auditChunk) {
			if err := a.look(ctx, key, chunk); err != nil {
				return err
			}
		}
	}
	lines, err := a.rdb.SMembers(ctx, k.Groups()).Result()
	if err != nil {
		return err
	}
	sets := []string{k.Scheduled(), k.Retry(), k.Archived(), k.Completed()}
	for _, line := range lines {
		sets = append(sets, k.Line(line))
	}
	for _, key := range sets {
		if err := a.sortedSet(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditor) sortedSet(ctx context.Context, key string) error {
	for cursor := uint64(0); ; {
		found, next, err := a.rdb.ZScan(ctx, key, cursor, "", auditChunk).Result()
		if err != nil {
			return err
		}
		var ids []string
		for i := 0; i < len(found); i += 2 { // each with its score
			ids = append(ids, found[i])
		}
		if err := a.look(ctx, key, ids); err != nil {
			return err
		}
		if cursor = next; next == 0 {
			return nil
		}
	}
}

// look notes those jobs that are not in exactly one collection.
func (a *auditor) look(ctx context.Context, where string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	k := a.keys
	args := []any{k.Task(""), k.Line(""), where}
	for _, id := range ids {
		args = append(args, id)
	}
	got, err := placesScript.Run(ctx, a.rdb,
		[]string{k.Pending(), k.Active(), k.Scheduled(), k.Retry(), k.Archived(), k.Completed()}, args...).StringSlice()
	switch {
	case err != nil:
		return err
	case len(got)%4 != 0:
		return fmt.Errorf("the script answered %d values", len(got))
	}
	for ; len(got) > 0; got = got[4:] {
		a.misplaced(Misplaced{JobID: got[0], What: got[1], PageID: got[2], Where: got[3]})
	}
	return nil
}

// scan calls f with the keys that match a pattern, a part of them at a time. A key may come twice, if Redis makes room.
func scan(ctx context.Context, node redis.UniversalClient, pattern string, f func(keys []string) error) error {
	for cursor := uint64(0); ; {
		keys, next, err := node.Scan(ctx, cursor, pattern, scanChunk).Result()
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(keys, auditChunk) {
			if err := f(chunk); err != nil {
				return err
			}
		}
		if cursor = next; next == 0 {
			return nil
		}
	}
}
