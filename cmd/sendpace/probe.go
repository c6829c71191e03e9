package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

const (
	// probeWait is above probeTimeout, so that who is not ready can say why.
	probeWait = 2 * probeTimeout
	// maxSaid bounds what is read of that, in bytes.
	maxSaid = 1000
)

func (a *app) probeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "probe URL",
		Short: "Ask a worker or a gateway whether it is ready",
		Long: "probe exits with 0 if the URL answers with a status of the kind 200, and says what it answers if not. It is for health\n" +
			"checks in an image that has no shell and no other program.",
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
		why, _ := io.ReadAll(io.LimitReader(res.Body, maxSaid))
		return fmt.Errorf("it answers %s: %s", res.Status, oneLine(strings.TrimSpace(string(why))))
	}
	return nil
}
