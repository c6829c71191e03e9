package main

import "github.com/spf13/cobra"

func (a *app) jobCommand() *cobra.Command {
	group := &cobra.Command{Use: "job", Short: "Look at jobs, cancel them, or send them again"}
	group.AddCommand(a.jobShowCommand(), a.jobCancelCommand(), a.jobResendCommand(), a.jobRetryCommand())
	return group
}
