package sendapi

// removal says since when the platform refuses something, and what replaces it.
type removal struct{ since, instead string }

// What the platform has removed, each with its source. Tags of one year went together.
var (
	// https://developers.facebook.com/docs/messenger-platform/reference/send-api
	removedIn2026 = removal{
		"on Apr 27 2026", "use a utility message, HUMAN_AGENT or the Marketing Messages API",
	}
	// https://developers.facebook.com/docs/messenger-platform/changelog/archive
	removedIn2020 = removal{
		"on Mar 4 2020", "use a message within the 24 hours, a utility message or HUMAN_AGENT",
	}
	// https://developers.facebook.com/docs/messenger-platform/marketing-messages
	removedRecurring = removal{"on Feb 10 2026", "use the Marketing Messages API"}
	// Deprecated with v4.0 of the Graph API; when the last server refused it is not documented.
	removedList      = removal{"with v4.0, of Jul 29 2019", "use the generic template"}
	removedOpenGraph = removal{"with v4.0, of Jul 29 2019", "use a generic template with a button that opens the URL"}
	removedShare     = removal{"in 2020", "set sharable on the template"}
	removedPayment   = removal{"after a beta of 2018 in the USA", "use a button that opens a page for payment"}
)

// removed reports a refusal, or a warning under AllowRemoved.
func (c *checker) removed(key, what string, r removal) {
	c.report(key, Problem{
		Message: what + " was removed " + r.since + "; " + r.instead + " instead",
		Warning: c.allowRemoved,
	})
}
