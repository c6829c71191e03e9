package broadcast

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/producer/rediskeys"
)

// Config is how a [Client] works. The zero value is ready to use.
type Config struct {
	// Queue is the asynq queue to write to, as in [producer.Config]. Empty means [producer.DefaultQueue].
	Queue string
	// Pages, where there are any, are the pages that may send. Empty means every page.
	Pages []string
	// StreamLength is about how many outcome records are kept when a broadcast is cancelled. Default:
	// [producer.DefaultStreamLength].
	StreamLength int64
	// OnProgress is called as an audience is checked and stored, some hundred rows at a time, from one goroutine. nil means not.
	OnProgress func(Progress)
}

// Stage is what is being done with an audience.
type Stage string

const (
	// StageCheck is for the look at each row before anything is stored.
	StageCheck Stage = "checking"
	// StageLoad is for the storing of jobs.
	StageLoad Stage = "storing"
)

// Progress is how far an audience has been dealt with.
type Progress struct {
	Stage Stage
	// Rows is the number of the last row that was dealt with.
	Rows int
	// Bytes of Total are read.
	Bytes, Total int64
}

// Client starts broadcasts, follows and controls them. It keeps no state: all of it is in Redis. It is safe for concurrent use.
type Client struct {
	rdb      redis.UniversalClient
	producer *producer.Producer
	cfg      Config
	keys     rediskeys.Keys // of the shard that it works in; see in
}

// New makes a client that works through rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient, cfg Config) (*Client, error) {
	p, err := producer.New(rdb, producer.Config{Queue: cfg.Queue, Pages: cfg.Pages, StreamLength: cfg.StreamLength})
	if err != nil {
		return nil, err
	}
	return &Client{rdb: rdb, producer: p, cfg: cfg}, nil
}

// in is the client for one shard.
func (c *Client) in(queue string) *Client {
	one := *c
	one.keys = rediskeys.Keys{Queue: queue}
	return &one
}

// each is the client for each shard.
func (c *Client) each(ctx context.Context) ([]*Client, error) {
	shards, err := c.producer.Shards(ctx)
	if err != nil {
		return nil, err
	}
	var all []*Client
	for _, queue := range shards.Queues() {
		all = append(all, c.in(queue))
	}
	return all, nil
}

// home is the client for the shard of a page.
func (c *Client) home(ctx context.Context, page string) (*Client, error) {
	shards, err := c.producer.Shards(ctx)
	if err != nil {
		return nil, err
	}
	return c.in(shards.QueueOf(page)), nil
}

// holder is the client for the shard that has the broadcast of that name.
func (c *Client) holder(ctx context.Context, name string) (*Client, error) {
	all, err := c.each(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 1:
		return all[0], nil
	}
	pipe := c.rdb.Pipeline()
	digests := make([]*redis.StringCmd, len(all))
	for i, one := range all {
		digests[i] = pipe.HGet(ctx, one.keys.Broadcast(name), "digest")
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	for i, digest := range digests {
		if digest.Val() != "" {
			return all[i], nil
		}
	}
	return nil, ErrNotFound
}

// free makes sure that no other shard has the name: with several, one script cannot see to that, and of two starts at the same
// moment, with different pages, both could go ahead.
func (c *Client) free(ctx context.Context, name string) error {
	all, err := c.each(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.keys == c.keys {
			continue
		}
		fields, err := c.rdb.HGetAll(ctx, one.keys.Broadcast(name)).Result()
		switch {
		case err != nil:
			return err
		case fields["digest"] != "":
			return ErrOther
		case len(fields) > 0:
			return ErrTaken
		}
	}
	return nil
}

func (c *Client) progress(p Progress) {
	if c.cfg.OnProgress != nil {
		c.cfg.OnProgress(p)
	}
}

// ErrNotFound means that there is no broadcast of that name. One that was made by enqueueing jobs, and not by this package, is none.
var ErrNotFound = errors.New("there is no such broadcast")

// checkPage makes sure that the page may send.
func (c *Client) checkPage(id string) error {
	if id == "" {
		return errors.New("page: missing; it is the page that sends")
	}
	if !producer.IsPageID(id) {
		return fmt.Errorf("page %q: must be the page's number, at most 32 digits", id)
	}
	if len(c.cfg.Pages) > 0 && !slices.Contains(c.cfg.Pages, id) {
		return fmt.Errorf("page %s is not configured; add it to pages, with its token", id)
	}
	return nil
}
