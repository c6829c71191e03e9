package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker for releases: -ldflags "-X main.version=v1.2.3".
var version string

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of Sendpace, Go and asynq",
		Example: "  sendpace version",
		RunE: func(*cobra.Command, []string) error {
			info := buildInfo()
			_, err := fmt.Fprintf(a.stdout, "sendpace %s\ncommit   %s\ngo       %s\nasynq    %s\n",
				ownVersion(info), commit(info), runtime.Version(), dependency(info, "github.com/hibiken/asynq"))
			return err
		},
	}
}

const unknown = "unknown"

// buildInfo is empty where the program does not know.
func buildInfo() *debug.BuildInfo {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info
	}
	return &debug.BuildInfo{}
}

func ownVersion(info *debug.BuildInfo) string {
	switch {
	case version != "":
		return version
	case info.Main.Version != "":
		return info.Main.Version
	}
	return unknown
}

func commit(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	switch {
	case revision == "":
		return unknown
	case settings["vcs.modified"] == "true":
		return revision + " with changes"
	}
	return revision
}

func dependency(info *debug.BuildInfo, path string) string {
	for _, dep := range info.Deps {
		if dep.Path == path {
			return dep.Version
		}
	}
	return unknown
}
