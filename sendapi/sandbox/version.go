package sandbox

import (
	"strconv"
	"strings"

	"github.com/sendpace/sendpace/sendapi"
)

// version is a version of the Graph API. The zero value is none.
type version struct{ major, minor int }

// Versions of November 2026, https://developers.facebook.com/docs/graph-api/changelog. productTemplates is the first
// that has the product template.
var (
	oldestVersion    = version{21, 0}
	newestVersion    = parseVersion(sendapi.DefaultVersion)
	productTemplates = version{8, 0}
)

// parseVersion reads v26.0.
func parseVersion(text string) version {
	major, minor, _ := strings.Cut(strings.TrimPrefix(text, "v"), ".")
	var v version
	v.major, _ = strconv.Atoi(major)
	v.minor, _ = strconv.Atoi(minor)
	return v
}

// String returns v26.0.
func (v version) String() string { return "v" + strconv.Itoa(v.major) + "." + strconv.Itoa(v.minor) }

func (v version) before(other version) bool {
	return v.major < other.major || v.major == other.major && v.minor < other.minor
}

// served returns the version that answers a call: the oldest where the path has an expired one or none. A server of an
// older version, which Config.AllowRemoved asks for, answers with the one that it is asked for.
func (s *Server) served(asked version) version {
	if asked == (version{}) || !s.cfg.AllowRemoved && asked.before(oldestVersion) {
		return oldestVersion
	}
	return asked
}
