package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/producer"
	"github.com/sendpace/sendpace/worker/pace"
)

func (a *app) whyJobCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "job ID",
		Short: "Say what holds a job back, or how it ended",
		Long: "job says what a job waits for: all that holds back its page, another message to the same person, the spacing of their\n" +
			"conversation, its time or its next try, and how many are before it; until when, and what to type.",
		Example: "  sendpace why job 06h0o17d4nhq7em5t2q9e4s5m0-o5a8u2k1",
		Args:    oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRedis(cmd, func(ctx context.Context, _ *config.Config, rdb redis.UniversalClient) error {
				w, now, err := readWhyJob(ctx, rdb, args[0])
				switch {
				case err != nil:
					return err
				case asJSON:
					return a.printJSON(w)
				}
				_, err = fmt.Fprint(a.stdout, w.text(now))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	a.queueFlags(cmd)
	return cmd
}

// readWhyJob looks at a job and at its page. now is the time by Redis.
func readWhyJob(ctx context.Context, rdb redis.UniversalClient, id string) (w answer, now time.Time, _ error) {
	p, err := producer.New(rdb, producer.Config{})
	if err != nil {
		return w, now, err
	}
	info, err := p.Get(ctx, id)
	switch {
	case errors.Is(err, producer.ErrNotFound):
		return w, now, failure("sendpace outcomes | grep "+oneLine(id)+" finds its end, if that is still kept", "%w", err)
	case err != nil:
		return w, now, err
	}
	stand, err := pace.ReadStand(ctx, rdb, "", id)
	if err != nil {
		return w, now, err
	}
	var behind producer.JobInfo
	if stand.Behind != "" {
		if behind, err = p.Get(ctx, stand.Behind); err != nil && !errors.Is(err, producer.ErrNotFound) {
			return w, now, err
		}
	}
	s, err := pace.ReadStatus(ctx, rdb, "")
	if err != nil {
		return w, now, err
	}
	known, err := readMailings(ctx, rdb, []pace.LineStatus{{Broadcast: info.Line.Broadcast}})
	if err != nil {
		return w, now, err
	}
	return whyJob(s, info, stand, behind, known), s.At, nil
}

// whyJob has neither the message's text nor the recipient.
func whyJob(s *pace.Status, i producer.JobInfo, stand pace.Stand, behind producer.JobInfo, known mailings) answer {
	w := answer{About: "job " + i.ID, State: string(i.State), Obstacles: []obstacle{}}
	if i.Job.PageID != "" {
		w.State += ", page " + i.Job.PageID
	}
	if i.CancelAsked {
		w.State += ", to be cancelled"
	}
	if i.LastError != "" && (i.State == producer.StateWaiting || i.State == producer.StateInHand) {
		w.Before = failedText(i.Attempts) + ", and is on its way again: " + oneLine(i.LastError)
	}
	switch i.State {
	case producer.StateEnded:
		w.State, w.Obstacles = endedState(i), endedObstacles(i)
		return w
	case producer.StateScheduled:
		w.Obstacles = append(w.Obstacles, obstacle{
			What: "it is not to be sent before its send_at", Until: i.At, Stops: true, Change: "sendpace job cancel " + i.ID + " gives it up",
		})
	case producer.StateRetrying:
		w.Obstacles = append(w.Obstacles, obstacle{
			What:  failedText(i.Attempts) + ", and waits to be tried again: " + oneLine(i.LastError),
			Until: i.At, Stops: true, Change: "wait; sendpace job retry " + i.ID + " sends it now, and job cancel gives it up",
		})
	case producer.StateInHand:
		w.Obstacles = append(fleetObstacles(s), handObstacle(s, stand))
		return w
	case producer.StateWaiting:
		w.Obstacles = append(w.Obstacles, orderObstacles(stand, behind)...)
	}
	v, err := findPage(s, pageOfJob(i))
	if err != nil {
		w.Obstacles = append(w.Obstacles, fleetObstacles(s)...)
		return w
	}
	page := jobPageObstacles(s, v, i, known)
	if i.State == producer.StateWaiting {
		due := expected(s, v, i, page, w.Obstacles)
		w.State += placeText(s, i, due)
		page = append(page, jobLineObstacles(s, v, i, known, due)...)
	}
	w.Obstacles = append(w.Obstacles, page...)
	return w
}

// expected is when the turn of a job comes that waits in a line, with what stops or slows its page and what holds back the job
// alone; zero if that is not known.
func expected(s *pace.Status, v pageView, i producer.JobInfo, page, own []obstacle) time.Time {
	lasts := func(c obstacle) bool { return c.Stops && c.Until.IsZero() }
	if i.ETA.IsZero() || slices.ContainsFunc(page, lasts) {
		return time.Time{}
	}
	begin, due := s.At, i.ETA
	for _, pause := range []*pace.PauseStatus{v.Pause, s.App} {
		if pause != nil && s.At.Add(pause.Left).After(begin) {
			begin = s.At.Add(pause.Left)
		}
	}
	if due.After(begin) {
		due = begin.Add(v.Slowed(due.Sub(begin), s.At))
	}
	for _, l := range v.Lines {
		if l.Name == i.Line.String() && (l.Limit == "budget" || l.Limit == "app budget") && l.Next.After(s.At) {
			due = due.Add(l.Next.Sub(s.At))
		}
	}
	for _, c := range slices.Concat(page, own) {
		if c.Stops && c.Until.After(due) {
			due = c.Until
		}
	}
	return due
}

// failedText tells how often a job failed that was tried. What is not the message's fault counts as no attempt.
func failedText(attempts int) string {
	if attempts == 0 {
		return "it was tried, which counts as no attempt"
	}
	return "it failed " + times(attempts)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func endedState(i producer.JobInfo) string {
	if i.Outcome == nil {
		return "it has ended, and asynq keeps it"
	}
	return fmt.Sprintf("it has ended: %s", i.Outcome.Kind)
}

func endedObstacles(i producer.JobInfo) []obstacle {
	o := i.Outcome
	switch {
	case o != nil && (o.Kind == producer.Sent || o.Kind == producer.Cancelled):
		return []obstacle{}
	case o == nil:
		return []obstacle{{What: "archived by hand; " + oneLine(i.LastError), Stops: true, Change: "sendpace job retry " + i.ID}}
	}
	again := "sendpace dead replay " + i.ID
	if o.Kind == producer.Expired {
		again += " --expires 2h"
	}
	return []obstacle{{What: oneLine(o.Reason), Since: o.EndedAt, Stops: true, Change: again}}
}

func handObstacle(s *pace.Status, stand pace.Stand) obstacle {
	c := obstacle{What: "a worker has it, and waits for its slot", Since: stand.Since}
	if stand.Sending {
		c.What = "a worker sends it, or waits for its next step or the answer"
	}
	for _, w := range s.Workers {
		if w.ID == stand.Worker {
			return c
		}
	}
	c.What = "the worker that had it is not alive"
	c.Change = "wait: another worker takes it over within 15 seconds"
	return c
}

// placeText says where in its line a job stands, and when its turn comes.
func placeText(s *pace.Status, i producer.JobInfo, due time.Time) string {
	if i.Place == 0 {
		return "; it is in no line, and next"
	}
	text := fmt.Sprintf("; place %d in line %s", i.Place, i.Line)
	if !due.IsZero() {
		text += ", expected by " + stamp(due) + " UTC, in " + span(max(0, due.Sub(s.At)))
	}
	return text
}

// orderObstacles are what holds back this job alone.
func orderObstacles(stand pace.Stand, behind producer.JobInfo) []obstacle {
	var obstacles []obstacle
	if stand.Behind != "" {
		c := obstacle{
			What:  "another message to the same person goes first: job " + stand.Behind,
			Stops: true, Change: "sendpace why job " + stand.Behind + ", or sendpace job cancel " + stand.Behind,
		}
		if behind.State != "" {
			c.What += ", " + string(behind.State)
			if behind.State == producer.StateRetrying {
				c.What += ": " + oneLine(behind.LastError)
			}
			c.Until = behind.At
			if c.Until.IsZero() {
				c.Until = behind.ETA
			}
		}
		obstacles = append(obstacles, c)
	}
	if !stand.Due.IsZero() {
		obstacles = append(obstacles, obstacle{
			What: "the same person has just got a message", Until: stand.Due, Stops: true, Change: "thread_interval in the configuration",
		})
	}
	return obstacles
}

// pageOfJob is the page that a job waits at.
func pageOfJob(i producer.JobInfo) string {
	if i.Line.PageID != "" {
		return i.Line.PageID
	}
	return i.Job.PageID
}

// jobPageObstacles are what stops or slows the page of a job, and the broadcast in whose line it waits.
func jobPageObstacles(s *pace.Status, v pageView, i producer.JobInfo, known mailings) []obstacle {
	obstacles := append(fleetObstacles(s), slowObstacles(s, v.PageStatus)...)
	for _, l := range v.Lines {
		if l.Name != i.Line.String() {
			continue
		}
		if c, ok := broadcastObstacle(s, l, known[l.Broadcast]); ok {
			c.What = "it is part of broadcast " + l.Broadcast + ", " + c.What
			obstacles = append(obstacles, c)
		}
	}
	return obstacles
}

// jobLineObstacles are the limit that the line of a job waits for, unless its broadcast says it. due is when the job's turn comes.
func jobLineObstacles(s *pace.Status, v pageView, i producer.JobInfo, known mailings, due time.Time) []obstacle {
	var obstacles []obstacle
	for _, l := range v.Lines {
		c, ok := lineObstacle(s, v, l)
		if !ok || l.Name != i.Line.String() || l.Limit == "order" || l.Limit == "thread" {
			continue
		}
		if _, said := broadcastObstacle(s, l, known[l.Broadcast]); said && l.Limit == "broadcast" {
			continue
		}
		switch l.Limit {
		case "page", "bulk", "media", "replies":
			rate := rateName(l.Limit, v.Temporary.Over(v.Configured))
			c.What, c.Until = "its line waits for "+rate, due
			if before := i.Place - 1; before > 0 {
				c.What = plural(int(before), "job") + " before it in its line, at " + rate
			}
			c.Since, _ = producer.IDTime(i.ID)
		}
		obstacles = append(obstacles, c)
	}
	return obstacles
}
