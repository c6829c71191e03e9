package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer"
)

func (a *app) jobShowCommand() *cobra.Command {
	var page, key string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID | --page PAGE --key KEY",
		Short: "Tell where a job is, or how it ended",
		Long: "show tells a job's state, its line and place there, its attempts and, if it has ended and is kept (retention),\n" +
			"its outcome. --json prints the job as well, with recipient and text: that is your users' data.",
		Example: "  sendpace job show 06h0o17d4nhq7em5t2q9e4s5m0-o5a8u2k1\n" +
			"  sendpace job show --page 1001 --key order-17",
		Args: func(cmd *cobra.Command, args []string) error { return oneJobOrKey(cmd, args, page, key) },
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withProducer(cmd, func(ctx context.Context, p *producer.Producer) error {
				named, get := key, func() (producer.JobInfo, error) { return p.GetKey(ctx, page, key) }
				if len(args) > 0 {
					named, get = args[0], func() (producer.JobInfo, error) { return p.Get(ctx, args[0]) }
				}
				info, err := get()
				switch {
				case errors.Is(err, producer.ErrNotFound):
					return failure("sendpace outcomes --json | grep "+oneLine(named)+" finds its end, if that is still kept", "%w", err)
				case err != nil:
					return err
				case asJSON:
					return a.printJSON(viewOf(info))
				}
				_, err = fmt.Fprintln(a.stdout, jobText(info))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&page, "page", "", "the `id` of the page")
	cmd.Flags().StringVar(&key, "key", "", "the job of the page with this `key`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the job itself")
	a.queueFlags(cmd)
	return cmd
}

// oneJob makes sure that a command has one job id.
func oneJob(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misuse(cmd.CommandPath()+" ID", "%s takes one job id, but got %d arguments", name(cmd), len(args))
	}
	return nil
}

// oneJobOrKey makes sure that a command has one job id, or a page with a key.
func oneJobOrKey(cmd *cobra.Command, args []string, page, key string) error {
	hint := "name the job by its id, or with --page and --key"
	switch {
	case len(args) > 0 && key != "":
		return misuse(hint, "%s needs one way of naming the job, but got 2", name(cmd))
	case len(args) > 0 && page != "":
		return misuse(hint, "--page does not go with a job id")
	case key != "" && page == "":
		return misuse(hint, "--page is missing")
	case key == "" && page != "":
		return misuse(hint, "--key is missing")
	case key == "":
		return oneJob(cmd, args)
	}
	return nil
}

// jobView is a job as JSON.
type jobView struct {
	ID          string            `json:"id"`
	State       producer.State    `json:"state"`
	Line        string            `json:"line,omitempty"`
	Place       int64             `json:"place,omitempty"`
	ETA         time.Time         `json:"eta,omitzero"`
	Stopped     producer.Stop     `json:"stopped,omitempty"`
	At          time.Time         `json:"at,omitzero"`
	Attempts    int               `json:"attempts"`
	LastError   string            `json:"last_error,omitempty"`
	CancelAsked bool              `json:"cancel_asked,omitempty"`
	Outcome     *producer.Outcome `json:"outcome,omitempty"`
	Job         producer.Job      `json:"job"`
}

func viewOf(i producer.JobInfo) jobView {
	v := jobView{
		ID: i.ID, State: i.State, Place: i.Place, ETA: i.ETA, Stopped: i.Stopped, At: i.At, Attempts: i.Attempts, LastError: i.LastError,
		CancelAsked: i.CancelAsked, Outcome: i.Outcome, Job: i.Job,
	}
	if i.Line.PageID != "" {
		v.Line = i.Line.String()
	}
	return v
}

// jobText has neither the message's text nor the recipient.
func jobText(i producer.JobInfo) string {
	t := newTable("job", i.ID)
	row := func(name, value string) {
		if value != "" {
			t.AppendRow(table.Row{name, oneLine(value)})
		}
	}
	v := viewOf(i)
	state := string(i.State)
	if i.CancelAsked {
		state += ", to be cancelled"
	}
	row("state", state)
	row("page", i.Job.PageID)
	row("line", v.Line)
	if i.Place > 0 {
		row("place in line", fmt.Sprint(i.Place))
	}
	if !i.ETA.IsZero() {
		row("expected by (UTC)", stamp(i.ETA))
	}
	if i.Stopped == producer.StopBroadcast {
		row("its broadcast is", "stopped")
	} else {
		row("its page is stopped by", string(i.Stopped))
	}
	if !i.At.IsZero() {
		row("wanted at (UTC)", stamp(i.At))
	}
	row("broadcast", i.Job.Broadcast)
	row("key", i.Job.Key)
	row("failed attempts", fmt.Sprint(i.Attempts))
	row("last error", i.LastError)
	if o := i.Outcome; o != nil {
		row("outcome", string(o.Kind))
		row("ended (UTC)", stamp(o.EndedAt))
		row("messages", strings.Join(o.MessageIDs, " "))
		row("reason", o.Reason)
	}
	return render(t)
}
