package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sendpace/sendpace/config"
)

// app is what every command shares: the process's surroundings, passed in so that tests can stand in for them.
type app struct {
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	environ []string
	path    string // --config
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "sendpace",
		Short:         "Send Messenger messages from a queue, each page at its own pace",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetHelpCommand(helpCommand())
	root.AddCommand(
		a.auditCommand(), a.broadcastCommand(), a.configCommand(), a.deadCommand(), a.demoCommand(), a.enqueueCommand(),
		a.gatewayCommand(), a.jobCommand(),
		a.monitorCommand(), a.outcomesCommand(), a.pageCommand(), a.probeCommand(), a.sandboxCommand(), a.statusCommand(), a.suppressedCommand(), a.versionCommand(),
		a.whyCommand(), a.workerCommand(),
	)
	strict(root)
	a.completions(root)
	return root
}

// strict makes wrong use of cmd and of all below it a usageError.
func strict(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		var number *strconv.NumError
		text := err.Error()
		if errors.As(err, &number) { // it names a function of Go
			text = strings.Replace(text, number.Error(), number.Err.Error(), 1)
		}
		return misuse("see "+c.CommandPath()+" --help", "%s", text)
	})
	if cmd.HasSubCommands() && cmd.RunE == nil {
		cmd.SuggestionsMinimumDistance = 2
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = needsCommand
	} else if cmd.Args == nil {
		cmd.Args = takesNothing
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// helpCommand is cobra's, but that asking for a command that is not there is wrong use.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [command]",
		Short:   "Say what a command does",
		Example: "  sendpace help page rate",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return needsCommand(target, rest)
			}
			return target.Help()
		},
	}
}

func takesNothing(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return misuse("see "+cmd.CommandPath()+" --help", "%s takes no argument, but got %q", name(cmd), args[0])
}

// needsCommand answers a call of a command that only holds others.
func needsCommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	slices.Sort(names)
	if len(args) == 0 {
		return misuse(cmd.CommandPath()+" "+strings.Join(names, "|"), "a command is missing")
	}
	hint := "the commands are " + strings.Join(names, ", ")
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + cmd.CommandPath() + " " + near[0] + "?"
	}
	return misuse(hint, "there is no command %q", strings.TrimSpace(name(cmd)+" "+args[0]))
}

// name is the command as one types it behind sendpace.
func name(cmd *cobra.Command) string {
	_, rest, _ := strings.Cut(cmd.CommandPath(), " ")
	return rest
}

// configFlag gives a command --config.
func (a *app) configFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.path, "config", "",
		"configuration `file` (default ./"+config.DefaultPath+" if it is there)")
}

// queueFlags gives a command --config and --redis.
func (a *app) queueFlags(cmd *cobra.Command) {
	a.configFlag(cmd)
	cmd.Flags().String("redis", "", "`url` of the queue's Redis, in place of redis.url")
	bind(cmd, "redis", "redis.url")
}

// bind lets a flag override a key of the configuration.
func bind(cmd *cobra.Command, flag, key string) {
	if err := config.Bind(cmd.Flags(), flag, key); err != nil {
		panic(err) // the names are constants: every test run would meet it
	}
}

// config loads the configuration for a command. Of its warnings it passes on those about variables that are not read;
// the others are for the commands that act on what they warn of.
func (a *app) config(cmd *cobra.Command) (*config.Config, error) {
	cfg, warnings, err := a.configWarnings(cmd)
	for _, w := range warnings {
		if strings.HasPrefix(w.Key, "SENDPACE_") {
			a.warn(w)
		}
	}
	return cfg, err
}

func (a *app) configWarnings(cmd *cobra.Command) (*config.Config, []config.Warning, error) {
	return config.Load(config.Source{Path: a.path, Env: a.environ, Flags: cmd.Flags()})
}

func (a *app) warn(w config.Warning) { a.say("warning: %s", w) }

// say tells the person at the terminal something that is not the command's result.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.stderr, "sendpace: "+format+"\n", args...)
}

// interactive tells whether a person watches w.
func interactive(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// finish reports err and returns the exit code.
func (a *app) finish(err error) int {
	if err == nil {
		return 0
	}
	a.say("%s", err)
	var advice *hinted
	if errors.As(err, &advice) && advice.hint != "" {
		fmt.Fprintf(a.stderr, "  %s\n", advice.hint)
	}
	var badConfig *config.Error
	if errors.Is(err, errMisuse) || errors.As(err, &badConfig) {
		return 2
	}
	return 1
}
