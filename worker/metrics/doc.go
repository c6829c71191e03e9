// Package metrics exports what workers and gateways do to Prometheus. Beside it lie what reads the figures: dashboard.json for
// Grafana, and rules.yml with the alerts, tested by rules_test.yml (make rules).
//
// Every process counts what it does itself: jobs that it ended, calls of the API, commands of Redis. The figures of the whole
// queue (what waits, paces, pauses and holds) are exported by one worker at a time, the exporter, and only when it is scraped: the
// others are asked nothing but whether there is one. A worker that dies is replaced by another one within exporterFor.
//
// Labels are bounded. A page label has the pages of the configuration, and "other" for all others, or "all" where pages are not
// told apart. A code label has the codes that sendapi knows, "none" and "other". Every value is there from the start, with 0, so
// that an alert about a first occurrence sees it happen.
package metrics
