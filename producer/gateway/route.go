package gateway

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// route is one thing that the gateway does.
type route struct {
	method, pattern string
	serve           func(*Handler, *call) reply
	open            bool // it needs no credential, and no place among the calls in hand
	slow            bool // the platform may have to fetch a file
}

// routes is all of them, as openapi.json has them. The version in a path may be left out, as with the platform.
var routes = []route{
	{method: http.MethodPost, pattern: "/{version}/{page}/messages", serve: (*Handler).send},
	{method: http.MethodPost, pattern: "/{version}/{page}/message_attachments", serve: (*Handler).upload, slow: true},
	{method: http.MethodPost, pattern: "/{version}", serve: (*Handler).batch},
	{method: http.MethodPost, pattern: "/{version}/me", serve: (*Handler).batch},
	{method: http.MethodGet, pattern: "/jobs/{id}", serve: (*Handler).showJob},
	{method: http.MethodDelete, pattern: "/jobs/{id}", serve: (*Handler).cancelJob},
	{method: http.MethodGet, pattern: "/openapi.json", serve: (*Handler).openAPI, open: true},
	{method: http.MethodGet, pattern: "/livez", serve: (*Handler).alive, open: true},
	{method: http.MethodGet, pattern: "/readyz", serve: (*Handler).ready, open: true},
}

// noRoute stands for calls to no route.
const noRoute = "none"

// name is the route for logs and metrics.
func (r *route) name() string { return r.method + " " + r.pattern }

// Routes returns the names of all routes, and that of calls to none, for labels that must be complete.
func Routes() []string {
	list := []string{noRoute}
	for i := range routes {
		list = append(list, routes[i].name())
	}
	return list
}

// findRoute returns the route of a call and the variable part of its path.
func findRoute(method, path string) (*route, string, *failure) {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	var allowed []string
	for i := range routes {
		arg, ok := routes[i].match(parts)
		switch {
		case ok && routes[i].method == method:
			return &routes[i], arg, nil
		case ok:
			allowed = append(allowed, routes[i].method)
		}
	}
	if len(allowed) == 0 {
		return nil, "", unknownPath
	}
	slices.Sort(allowed)
	return nil, "", wrongMethod(strings.Join(slices.Compact(allowed), ", "))
}

var versionPart = regexp.MustCompile(`^v[0-9]{1,3}\.[0-9]{1,3}$`)

func (r *route) match(parts []string) (arg string, ok bool) {
	pattern := strings.Split(r.pattern[1:], "/")
	if pattern[0] == "{version}" {
		pattern = pattern[1:]
		parts = withoutVersion(parts)
	}
	if len(pattern) != len(parts) {
		return "", false
	}
	for i, want := range pattern {
		switch {
		case want[0] == '{':
			arg = parts[i]
		case want != parts[i]:
			return "", false
		}
	}
	return arg, true
}

func withoutVersion(parts []string) []string {
	if len(parts) > 0 && versionPart.MatchString(parts[0]) {
		return parts[1:]
	}
	return parts
}
