package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// probeWait is above probeTimeout, so that who is not ready can say why.
const probeWait = 2 * probeTimeout

func (a *app) probeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "probe URL",
		Short: "Ask a worker or a gateway whether it is ready",
		Long: "probe exits with 0 if the URL answers with a status of the kind 200. It is for health checks in an image that has no\n" +
			"shell and no other program.",
		Example: "  sendpace probe http://127.0.0.1:9100/readyz",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && strings.HasPrefix(args[0], "http://") {
				return nil
			}
			return misuse("sendpace probe http://127.0.0.1:9100/readyz", "probe takes one URL that begins with http://")
		},
		RunE: func(cmd *cobra.Command, args []string) error { return probe(cmd.Context(), args[0]) },
	}
}

func probe(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return misuse("sendpace probe http://127.0.0.1:9100/readyz", "the URL cannot be read: %s", err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}
