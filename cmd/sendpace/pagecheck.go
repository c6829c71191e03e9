package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/sendpace/sendpace/config"
	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker/pace"
)

func (a *app) pageCheckCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [PAGE_ID...]",
		Short: "Ask the platform whether the tokens of pages work",
		Long: "check makes one call for each configured page, or for those that are named, and says what is wrong with its token\n" +
			"and what to do. Whether a token may send, only a send shows: where one was refused for want of a permission, the\n" +
			"page is on hold, and check says why. Nothing is sent. It exits with 1 unless all pages can send.",
		Example: "  sendpace page check\n  sendpace page check 1001 --json",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.config(cmd)
			if err != nil {
				return err
			}
			pages, err := pagesNamed(cfg, args)
			if err != nil {
				return err
			}
			return a.checkPages(cmd.Context(), cfg, pages, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a page")
	a.queueFlags(cmd)
	return cmd
}

// pagesNamed are the configured pages with these ids, or all.
func pagesNamed(cfg *config.Config, ids []string) ([]config.Page, error) {
	if len(cfg.Pages) == 0 {
		return nil, errNoPages
	}
	if len(ids) == 0 {
		return cfg.Pages, nil
	}
	var pages []config.Page
	for _, id := range ids {
		page, ok := cfg.Page(id)
		if !ok {
			return nil, misuse("sendpace config check lists the pages", "page %s is not configured", id)
		}
		pages = append(pages, page)
	}
	return pages, nil
}

// pageFinding is what was found out about one page.
type pageFinding struct {
	PageID string `json:"page_id"`
	Name   string `json:"name,omitempty"`
	OK     bool   `json:"ok"`
	// Problem is why it cannot send, Code and Subcode are the platform's, and Advice is what to do.
	Problem string `json:"problem,omitempty"`
	Code    int    `json:"code,omitempty"`
	Subcode int    `json:"subcode,omitempty"`
	Advice  string `json:"advice,omitempty"`

	blamed bool // the token, or what it may do, is at fault
}

func (a *app) checkPages(ctx context.Context, cfg *config.Config, pages []config.Page, asJSON bool) error {
	client, err := newSender(cfg)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	holds, err := holdsOf(ctx, cfg, pages)
	if err != nil {
		a.say("holds are not shown: %s", err)
	}
	t, notes, bad, unknown := newTable("page", "name", "token"), []string{}, 0, 0
	for _, p := range pages {
		f := findOut(ctx, client, pageOf(p), holds)
		if verdict := verdictOf(f); verdict == notKnown {
			unknown++
		} else if !f.OK {
			bad++
		}
		if !f.OK {
			notes = append(notes, fmt.Sprintf("page %s: %s\n  %s", p.ID, f.Problem, f.Advice))
		}
		t.AppendRow(table.Row{f.PageID, f.Name, verdictOf(f)})
		if asJSON {
			if err := a.printJSON(f); err != nil {
				return err
			}
		}
	}
	if !asJSON {
		fmt.Fprintln(a.stdout, strings.TrimSpace(render(t)+"\n\n"+strings.Join(notes, "\n")))
	}
	switch {
	case bad > 0 && unknown > 0:
		return failure("see above", "%d of %d pages cannot send, and of %d it is not known", bad, len(pages), unknown)
	case bad > 0:
		return failure("see above", "%d of %d pages cannot send", bad, len(pages))
	case unknown > 0:
		return failure("see above", "of %d of %d pages it is not known whether they can send", unknown, len(pages))
	}
	return nil
}

func verdictOf(f pageFinding) string {
	switch {
	case f.OK:
		return "works"
	case f.Name != "":
		return "works, but the page is on hold"
	case f.blamed:
		return "does not work"
	}
	return notKnown
}

// notKnown is the verdict where the platform did not tell.
const notKnown = "not known"

// holdsOf are the pages on hold. A token can be checked without Redis.
func holdsOf(ctx context.Context, cfg *config.Config, pages []config.Page) (map[string]pace.Reason, error) {
	rdb, closeRedis, err := openRedis(ctx, cfg.Redis)
	if err != nil {
		return nil, err
	}
	defer func() { _ = closeRedis() }() // it was only read
	pacer, err := pace.New(rdb, pace.Config{})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(pages))
	for i, p := range pages {
		ids[i] = p.ID
	}
	return pacer.Holds(ctx, ids)
}

func findOut(ctx context.Context, client *sendapi.Client, page sendapi.Page, holds map[string]pace.Reason) pageFinding {
	f := pageFinding{PageID: page.ID, OK: true}
	info, err := client.CheckPage(ctx, page)
	hold, held := holds[page.ID]
	var e *sendapi.Error
	switch {
	case errors.As(err, &e):
		f.OK, f.Problem, f.Code, f.Subcode, f.Advice = false, e.Error(), e.Code, e.Subcode, adviceOn(e)
		f.blamed = e.Kind == sendapi.KindAuth || e.Kind == sendapi.KindPolicy
	case err != nil:
		f.OK, f.Problem, f.Advice = false, err.Error(), "try again"
	case held:
		f.Name, f.OK, f.Problem, f.Code, f.Subcode = info.Name, false, "on hold: "+hold.Text, hold.Code, hold.Subcode
		f.Advice = adviceOnHold(hold) + "sendpace page release " + page.ID
	default:
		f.Name = info.Name
	}
	if f.Name == "" && info != nil {
		f.Name = info.ID
	}
	return f
}

// adviceOn says what to do about an error of a check.
func adviceOn(e *sendapi.Error) string {
	switch {
	case e.Kind == sendapi.KindAuth && e.Code == 0:
		return "put the Page access token of this page into the configuration"
	case e.Kind == sendapi.KindAuth, e.Kind == sendapi.KindPolicy:
		return adviceOnCode(e.Code, e.Subcode)
	case e.Kind == sendapi.KindRateLimit:
		return "the platform limits calls at the moment; try again later"
	}
	return "this says nothing about the token; check graph.base_url and the network, and try again"
}

// adviceOnHold says what comes before the release of a page whose token works.
func adviceOnHold(hold pace.Reason) string {
	switch {
	case hold.Code == 190, hold.Code == 102, hold.Code == 33, hold.Subcode == 33, hold.MissingToken:
		return "its token works now: "
	}
	return adviceOnCode(hold.Code, hold.Subcode) + "; then: "
}

const newToken = "make a new Page access token and put it into the configuration; workers take it without a restart"

// adviceOnCode says what to do about a code of the platform that stops a page.
// https://developers.facebook.com/docs/graph-api/guides/error-handling
func adviceOnCode(code, subcode int) string {
	switch {
	case code == 190 && subcode == 463:
		return "the token has expired: " + newToken + ". One made from a long-lived user token does not expire"
	case code == 190 && subcode == 460:
		return "its user has changed the password: let them log in again, and " + newToken
	case code == 190 && subcode == 458:
		return "its user has removed the app: let them add it again, and " + newToken
	case code == 190 && (subcode == 492 || subcode == 464 || subcode == 459):
		return "its user has lost the role on the page, or must log in to Facebook first: put that right, and " + newToken
	case code == 190, code == 102:
		return newToken
	case code == 33, subcode == 33:
		return "check the page's id; if it is right, the token is not one of this page any more: " + newToken
	case code == 100:
		return "check app_secret: it must be that of the app that the token was made with"
	case code == 10904:
		return "messages are turned off: turn them on in the settings of the page"
	case code == 368, code == 2022, code == 10 && (subcode == 1893063 || subcode == 1404170):
		return "the platform restricts the page: see Page Quality, or Support Home, of the page"
	case code == 3, code == 10, code >= 200 && code < 300:
		return "a permission is missing: the token needs pages_messaging, with Advanced Access for people without a role in the app, " +
			"and the app must be live; then " + newToken
	}
	return "see what the platform says, and " + newToken
}
