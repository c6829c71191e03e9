package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Above these rates the platform changes its behaviour:
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/overview/rate-limiting
const (
	inboxStops   = 40
	sendRefused  = 300
	mediaRefused = 10
)

func (l *loader) warn(key, format string, args ...any) {
	l.warnings = append(l.warnings, Warning{Key: key, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) pages(raw any) {
	entries, _ := raw.([]any)
	first, tokens := map[string]int{}, map[string]int{}
	for i, entry := range entries {
		values, _ := entry.(map[string]any)
		if values == nil {
			continue // pageList has said what is wrong
		}
		prefix := fmt.Sprintf("pages[%d]", i)
		page := l.page(prefix, values)
		if before, dup := first[page.ID]; dup && page.ID != "" {
			l.problem(prefix+".id", "is the same as that of pages[%d]; make one entry of the two", before)
			continue
		}
		first[page.ID] = i
		l.cfg.Pages = append(l.cfg.Pages, page)
		if before, dup := tokens[page.AccessToken.Reveal()]; dup && !page.AccessToken.IsZero() {
			l.warn(prefix+".access_token", "is that of pages[%d] too, and a page has one of its own; sendpace page check tells whose it is", before)
		} else {
			tokens[page.AccessToken.Reveal()] = i
		}
		l.warnRates(prefix, page.Rates)
	}
}

func (l *loader) page(prefix string, values map[string]any) Page {
	var entry pageEntry
	for _, f := range pageFields {
		raw, given := values[f.name]
		if !given {
			continue
		}
		if problem := f.set(&entry, raw); problem != "" {
			l.problem(prefix+"."+f.name, "%s", problem)
		}
	}
	if !l.mentioned(prefix+".id", values) {
		l.problem(prefix+".id", "is missing; type the page's number")
	}
	if !l.mentioned(prefix+".access_token", values) && !l.mentioned(prefix+".access_token_file", values) {
		l.problem(prefix+".access_token", "is missing; type access_token: ${VAR}, or access_token_file: FILE")
	}
	l.secretFile(prefix+".access_token", &entry.page.AccessToken, entry.tokenFile, l.mentioned(prefix+".access_token", values), secret)
	l.secretFile(prefix+".app_secret", &entry.page.AppSecret, entry.secretFile, l.mentioned(prefix+".app_secret", values), secret)
	return entry.page
}

// mentioned tells whether a page's key is in the file: with a value, or with a problem that was reported already.
func (l *loader) mentioned(key string, values map[string]any) bool {
	_, given := values[key[strings.LastIndex(key, ".")+1:]]
	return given || l.hasProblem(key)
}

func (l *loader) hasProblem(key string) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool { return p.Key == key })
}

// secretFile fills in a secret from the file that key_file names, if it names one. given tells whether the secret itself is there.
func (l *loader) secretFile(key string, to *Secret, name string, given bool, parse parser[Secret]) {
	if name == "" {
		return
	}
	if given {
		l.problem(key, "is given twice, here and as a file; take one of the two away")
		return
	}
	*to = l.readSecret(key+"_file", l.named(key+"_file", name), parse)
}

// readSecret reads the file that a key names.
func (l *loader) readSecret(key, name string, parse parser[Secret]) Secret {
	data, err := readCapped(name, maxSecretFile)
	if err != nil {
		l.problem(key, "the file %s; check its name and who may read it", err)
		return Secret{}
	}
	value, problem := parse(string(data))
	if problem != "" {
		l.problem(key, "what is in the file %s", problem)
	}
	return value
}

// login completes the monitor's login.
func (l *loader) login() {
	m := &l.cfg.Monitor
	given := func(key string, s Secret) bool { return !s.IsZero() || l.hasProblem(key) }
	const password, token = "monitor.password", "monitor.token"
	l.secretFile(password, &m.Password, m.PasswordFile, given(password, m.Password), atLeast(minPassword))
	l.secretFile(token, &m.Token, m.TokenFile, given(token, m.Token), atLeast(minAPIKey))
	known := !l.hasProblem(password) && !l.hasProblem(password+"_file") && !l.hasProblem("monitor.user")
	switch {
	case known && m.User != "" && m.Password.IsZero():
		l.problem(password, "is missing, and monitor.user is there; type password: ${VAR}, or password_file: FILE")
	case known && m.User == "" && !m.Password.IsZero():
		l.problem("monitor.user", "is missing, and monitor.password is there; type a name")
	}
}

// together checks what single keys cannot show.
func (l *loader) together() {
	w := l.cfg.Worker
	broken := l.hasProblem("worker.shutdown_timeout") || l.hasProblem("worker.send_timeout")
	if !broken && w.ShutdownTimeout <= w.SendTimeout {
		l.problem("worker.shutdown_timeout", "must be above worker.send_timeout, which is %s, "+
			"or a shutdown cuts off sends in flight", short(w.SendTimeout))
	}
	if u, err := url.Parse(l.cfg.Graph.BaseURL); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		l.warn("graph.base_url", "access tokens travel unencrypted; use https:// outside of tests")
	}
	l.warnRates("defaults", l.cfg.Defaults)
}

func (l *loader) warnRates(prefix string, r Rates) {
	for _, w := range r.Warnings() {
		l.warn(prefix+"."+w.Key, "%s", w.Text)
	}
}

// Warnings are what the platform does at these rates that nobody wants; the keys are those of a page.
func (r Rates) Warnings() []Warning {
	var found []Warning
	warn := func(key, format string, limit int) {
		found = append(found, Warning{Key: key, Text: fmt.Sprintf(format, limit)})
	}
	switch {
	case r.Rate > sendRefused:
		warn("rate", "above %d a second the platform refuses sends", sendRefused)
	case r.Rate > inboxStops:
		warn("rate", "above %d a second the page's inbox stops showing new messages", inboxStops)
	}
	if r.MediaRate > mediaRefused {
		warn("media_rate", "above %d a second the platform refuses audio and video", mediaRefused)
	}
	return found
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
