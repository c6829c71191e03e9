package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // many images have no time zones

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/producer/broadcast"
)

func (a *app) broadcastStartCommand() *cobra.Command {
	o := &broadcastOptions{}
	cmd := &cobra.Command{
		Use:   "start NAME --page PAGE --audience FILE --template FILE",
		Short: "Check a broadcast for each person of its audience, store it, and let it go",
		Long: "start reads the audience from a CSV file, whose header has a column recipient (or psid) and others for the\n" +
			"placeholders, or from NDJSON with such members in each line. The template is the JSON body of a Send API call without its\n" +
			"recipient, or a list of such bodies; its strings may have placeholders:\n\n" +
			`  {"messaging_type":"UPDATE","message":{"text":"Hello {{or .first_name \"friend\"}}, see {{.shop}}."}}` + "\n\n" +
			"Every row is checked before anything is stored; a person who stands in several gets one message. --dry-run stops there,\n" +
			"and tells how long it would take. Interrupted, killed or run twice: the same command goes on where it was, and nobody is\n" +
			"missed or messaged twice. Nothing is sent before all is stored. The command asks first, or takes --yes.",
		Example: "  sendpace broadcast start spring-sale --page 1001 --audience people.csv --template message.json --dry-run\n" +
			"  sendpace broadcast start spring-sale --page 1001 --audience people.csv --template message.json \\\n" +
			"    --default first_name=friend --window 09:00-20:00 --zone Europe/Berlin --test 2 --test-limit 10\n" +
			"  sendpace broadcast start news --page 1001 --audience people.ndjson --template message.json --weight 3 \\\n" +
			"    --at 2026-12-01T09:00:00Z --finish-by 2026-12-03T20:00:00Z --yes",
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("test-limit") && o.test == 0 {
				return misuse("such as --test 2 --test-limit 10", "--test is missing")
			}
			spec, err := o.spec(args[0])
			if err != nil {
				return err
			}
			return a.startBroadcast(cmd, spec, o)
		},
	}
	o.flags(cmd)
	a.queueFlags(cmd)
	return cmd
}

// broadcastOptions are the flags of broadcast start.
type broadcastOptions struct {
	page, audience, template string
	defaults                 map[string]string
	at, finishBy, expires    string
	window, zone             string
	test, testLimit          float64
	weight                   int
	skipBad, dryRun, yes     bool
	json                     bool
}

func (o *broadcastOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.page, "page", "", "the `id` of the page that sends")
	f.StringVar(&o.audience, "audience", "", "`file` with the people: .csv, .tsv, .ndjson or .jsonl")
	f.StringVar(&o.template, "template", "", "`file` with the message")
	f.StringToStringVar(&o.defaults, "default", nil, "`field=value` for rows that lack it; may be repeated")
	f.Lookup("default").DefValue = "" // help would print brackets
	f.StringVar(&o.at, "at", "", "not before this `time`, such as 2026-12-01T09:00:00Z")
	f.StringVar(&o.window, "window", "", "only between these `times` of the day, such as 09:00-20:00; needs --zone")
	f.StringVar(&o.zone, "zone", "", "the audience's time `zone`, such as Europe/Berlin")
	f.StringVar(&o.finishBy, "finish-by", "", "choose the pace so that all is sent by this `time`; who is not reached by then gets nothing")
	f.StringVar(&o.expires, "expires", "", "send nothing after this `time`")
	f.Float64Var(&o.test, "test", 0, "`percent` of the people, picked at random, who get it first")
	f.Float64Var(&o.testLimit, "test-limit", 10, "pause if more than this `percent` of the test share fail")
	f.IntVar(&o.weight, "weight", 1, "1 to 100: its part of the page's pace beside other broadcasts")
	f.BoolVar(&o.skipBad, "skip-bad", false, "leave out the rows that have problems")
	f.BoolVar(&o.dryRun, "dry-run", false, "check only, and tell how long it would take; --json shows the first person's message too")
	f.BoolVar(&o.json, "json", false, "print the plan as JSON")
	yesFlag(cmd, &o.yes)
}

// spec reads what the flags say.
func (o *broadcastOptions) spec(name string) (broadcast.Spec, error) {
	s := broadcast.Spec{
		Name: name, PageID: o.page, Defaults: o.defaults, TestShare: o.test, Weight: o.weight, SkipBad: o.skipBad,
	}
	if o.test > 0 {
		s.TestLimit = o.testLimit
	}
	if err := o.required(); err != nil {
		return s, err
	}
	if err := o.times(&s); err != nil {
		return s, err
	}
	if o.window != "" {
		var err error
		if s.Window, err = broadcast.ParseWindow(o.window, o.zone); err != nil {
			return s, misuse(windowHint, "%w", err)
		}
	}
	var err error
	if s.Template, err = os.ReadFile(o.template); err != nil {
		return s, failure("check --template", "%s: %w", o.template, cause(err))
	}
	return s, nil
}

const windowHint = "such as --window 09:00-20:00 --zone Europe/Berlin"

// required makes sure that all flags are there that are needed.
func (o *broadcastOptions) required() error {
	const hint = "sendpace broadcast start NAME --page 1001 --audience people.csv --template message.json"
	switch {
	case o.page == "":
		return misuse(hint, "--page is missing")
	case o.audience == "":
		return misuse(hint, "--audience is missing")
	case o.template == "":
		return misuse(hint, "--template is missing")
	case o.window == "" && o.zone != "":
		return misuse(windowHint, "--window is missing")
	case o.window != "" && o.zone == "":
		return misuse(windowHint, "--zone is missing")
	}
	return nil
}

// times reads the flags that are times.
func (o *broadcastOptions) times(s *broadcast.Spec) error {
	for _, f := range []struct {
		name, text string
		to         *time.Time
	}{{"at", o.at, &s.StartAt}, {"finish-by", o.finishBy, &s.FinishBy}, {"expires", o.expires, &s.ExpiresAt}} {
		var err error
		if *f.to, err = parseTime(f.text); err != nil {
			return misuse("such as --"+f.name+" 2026-12-01T09:00:00Z", "--%s %q is no time", f.name, f.text)
		}
	}
	return nil
}

// parseTime reads a time; empty is the zero time.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, text)
}

func (a *app) startBroadcast(cmd *cobra.Command, spec broadcast.Spec, o *broadcastOptions) error {
	audience, err := broadcast.OpenAudience(o.audience)
	if err != nil {
		return failure("check --audience", "%w", err)
	}
	defer audience.Close()
	bar := &stageBar{app: a}
	return a.withBroadcasts(cmd, bar.set, func(ctx context.Context, c *broadcast.Client) error {
		plan, err := c.Plan(ctx, spec, audience)
		bar.stop()
		switch {
		case ctx.Err() != nil:
			return failure("nothing was stored", "interrupted")
		case err != nil:
			return err
		}
		if err := a.showPlan(spec, plan, o.json); err != nil {
			return err
		}
		var bad *broadcast.ProblemsError
		if err := plan.Err(); errors.As(err, &bad) {
			return failure("correct the rows, or leave them out with --skip-bad; nothing was stored", "there are problems in %s", plural(bad.Bad, "row"))
		} else if err != nil || o.dryRun {
			return err
		}
		if err := a.confirm(o.yes, fmt.Sprintf("send broadcast %s to %d people of page %s", spec.Name, plan.People, spec.PageID)); err != nil {
			return err
		}
		started, err := c.Start(ctx, plan)
		bar.stop()
		return a.tellStarted(ctx, spec.Name, started, err)
	})
}

func (a *app) tellStarted(ctx context.Context, name string, s broadcast.Started, err error) error {
	final := slices.ContainsFunc(
		[]error{broadcast.ErrOther, broadcast.ErrTaken, broadcast.ErrCancelled, broadcast.ErrChanged},
		func(known error) bool { return errors.Is(err, known) })
	switch {
	case ctx.Err() != nil:
		return failure("nothing is sent yet; the same command goes on where it stopped, and sendpace broadcast cancel "+name+" gives it up",
			"interrupted")
	case err != nil && !final:
		return failure("nothing is sent yet; the same command goes on where it stopped", "%w", err)
	case err != nil:
		return err
	}
	if s.Repeat {
		a.say("it was started before; its settings are those of the first start")
	}
	fmt.Fprintf(a.stdout, "%s: %s\nsendpace broadcast status %s shows how far it is\n", name, s.State, name)
	return nil
}

// stageBar shows how far the audience is checked, and then stored.
type stageBar struct {
	app   *app
	stage broadcast.Stage
	bar   *progressBar
}

func (s *stageBar) set(p broadcast.Progress) {
	if s.bar == nil || s.stage != p.Stage {
		s.stop()
		what := map[broadcast.Stage]string{broadcast.StageCheck: "rows checked", broadcast.StageLoad: "rows stored"}[p.Stage]
		s.bar, s.stage = s.app.newProgress(what, p.Total), p.Stage
	}
	s.bar.set(p.Bytes, p.Rows)
}

func (s *stageBar) stop() {
	if s.bar != nil {
		s.bar.stop()
		s.bar = nil
	}
}

func (a *app) showPlan(spec broadcast.Spec, p *broadcast.Plan, asJSON bool) error {
	if asJSON {
		return a.printJSON(p)
	}
	for _, problem := range p.Problems {
		fmt.Fprintf(a.stdout, "row %d: %s\n", problem.Row, oneLine(problem.Message))
	}
	if more := p.Bad - len(p.Problems); more > 0 {
		fmt.Fprintf(a.stdout, "and %d more\n", more)
	}
	_, err := fmt.Fprintln(a.stdout, planText(spec, p))
	return err
}

// planText has neither the message's text nor a recipient.
func planText(spec broadcast.Spec, p *broadcast.Plan) string {
	t := newTable("broadcast", spec.Name)
	row := func(name, format string, args ...any) { t.AppendRow(table.Row{name, fmt.Sprintf(format, args...)}) }
	row("people", "%d", p.People)
	row("duplicates, passed over", "%d", p.Duplicates)
	row("rows with problems", "%d", p.Bad)
	for _, field := range slices.Sorted(maps.Keys(p.Defaulted)) {
		row("default of "+field+" used", "%s", times(p.Defaulted[field]))
	}
	if p.Test > 0 {
		row("test share", "%d people; paused if more than %g %% fail", p.Test, spec.TestLimit)
	}
	if spec.Window.String() != "" {
		row("window", "%s", spec.Window)
	}
	f := p.Forecast
	row("begins (UTC)", "%s", stamp(f.Start))
	switch {
	case f.Interval == 0:
		row("pace", "not known before a worker has run")
	case f.Every > 0:
		row("pace", "one person each %s, to finish by %s", roundSpan(f.Every), stamp(spec.FinishBy))
	default:
		row("pace", "the page's: %s", heldPace(f.Interval))
	}
	if len(f.Beside) > 0 {
		row("shares the pace with", "%s", strings.Join(f.Beside, ", "))
	}
	if f.Late > 0 {
		row("NOT REACHED IN TIME", "%d people", f.Late)
	}
	if !f.End.IsZero() {
		row("ends (UTC)", "%s, after %s", stamp(f.End), span(f.End.Sub(f.Start)))
	} else if f.Interval > 0 {
		row("ends", "not within five years")
	}
	return render(t)
}

// heldPace prints the time between two messages as a rate.
func heldPace(interval time.Duration) string { return fmt.Sprintf("%.3g/s", 1/interval.Seconds()) }

// roundSpan prints a span with three digits or so.
func roundSpan(d time.Duration) string {
	switch {
	case d > time.Minute:
		return span(d)
	case d > time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
