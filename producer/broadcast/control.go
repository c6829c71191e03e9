package broadcast

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
)

// ErrEnded means that there is nothing left to control.
var ErrEnded = errors.New("it has come to its end before")

// List tells how far all broadcasts have come, the newest first. One is known for 90 days after its end. Rate, ETA and Late are
// left out: see [Client.Status].
func (c *Client) List(ctx context.Context) ([]*Status, error) {
	all, err := c.each(ctx)
	if err != nil {
		return nil, fmt.Errorf("broadcasts: %w", err)
	}
	list := []*Status{}
	for _, one := range all {
		records, err := one.readAll(ctx)
		if err != nil {
			return nil, fmt.Errorf("broadcasts: %w", err)
		}
		for _, r := range records {
			list = append(list, r.status())
		}
	}
	slices.SortStableFunc(list, func(a, b *Status) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// readAll reads the broadcasts that there are, the newest first, and forgets the names of those that are not kept any more.
func (c *Client) readAll(ctx context.Context) ([]*record, error) {
	names, err := c.rdb.ZRevRangeWithScores(ctx, c.keys.Broadcasts(), 0, -1).Result()
	if err != nil || len(names) == 0 {
		return nil, err
	}
	pipe := c.rdb.Pipeline()
	cmds := make([]*redis.MapStringStringCmd, len(names))
	for i, z := range names {
		cmds[i] = pipe.HGetAll(ctx, c.keys.Broadcast(z.Member.(string))) //nolint:forcetypeassert,revive // go-redis makes strings
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var records []*record
	for i, z := range names {
		name, fields := z.Member.(string), cmds[i].Val() //nolint:forcetypeassert,revive // as above
		if fields["digest"] == "" {
			if err := c.rdb.ZRem(ctx, c.keys.Broadcasts(), name).Err(); err != nil {
				return nil, err
			}
			continue
		}
		r, err := newRecord(name, fields)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r.created = time.Unix(int64(z.Score), 0).UTC()
		records = append(records, r)
	}
	return records, nil
}

// Pause stops the sending of a broadcast. Messages that are on their way arrive. why is shown to whoever asks for its status, at
// most 300 characters of it; empty means that a person paused it. It returns the state that the broadcast is in then.
func (c *Client) Pause(ctx context.Context, name, why string) (State, error) {
	if why == "" {
		why = "paused by hand"
	}
	return c.act(ctx, name, "pause", func(*Client, *record) (any, any, error) { return fmt.Sprintf("%.300s", why), 0, nil })
}

// Resume lets a paused broadcast go on: with its test share as long as that was not judged, or else with everybody, also where it was
// paused because too many of the test share failed. If all of the share was dealt with while it was paused by hand, it is judged now,
// and the broadcast may be paused at once. For one with a time to finish by, the pace is chosen anew.
func (c *Client) Resume(ctx context.Context, name string) (State, error) {
	return c.act(ctx, name, "resume", func(c *Client, r *record) (any, any, error) {
		f, err := c.choosePace(ctx, r)
		return "", f.Every.Microseconds(), err
	})
}

// act changes the state of a broadcast, with arguments for the script that may depend on what there is.
func (c *Client) act(ctx context.Context, name, what string, args func(*Client, *record) (any, any, error)) (State, error) {
	c, r, err := c.find(ctx, name)
	if err != nil {
		return "", fmt.Errorf("broadcast %s: %w", name, err)
	}
	first, second, err := args(c, r)
	if err != nil {
		return "", fmt.Errorf("broadcast %s: %w", name, err)
	}
	state, err := c.control(ctx, name, r.line(), what, first, second)
	if err != nil {
		return state, fmt.Errorf("broadcast %s: %w", name, err)
	}
	return state, nil
}

func (r *record) line() string {
	return producer.Line{PageID: r.fields["page"], Lane: producer.LaneBulk, Broadcast: r.name}.String()
}

// Cancel ends a broadcast for good: nothing more of it is sent, and its jobs end as cancelled. Those that a worker has in hand are
// asked not to be sent. Called again, it goes on where an error stopped it.
func (c *Client) Cancel(ctx context.Context, name string) (producer.CancelCount, error) {
	none := func(*Client, *record) (any, any, error) { return "", 0, nil }
	state, err := c.act(ctx, name, "cancel", none)
	switch {
	case errors.Is(err, ErrEnded) && state == StateCancelled:
		return producer.CancelCount{}, nil
	case err != nil:
		return producer.CancelCount{}, err
	}
	_, r, err := c.find(ctx, name)
	if err != nil {
		return producer.CancelCount{}, fmt.Errorf("broadcast %s: %w", name, err)
	}
	n, err := c.producer.CancelBroadcast(ctx, name, r.fields["page"])
	if err != nil {
		return n, fmt.Errorf("broadcast %s: %w", name, err)
	}
	return n, nil
}
