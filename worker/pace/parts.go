package pace

import (
	"regexp"
	"strings"
)

// parts are what the scripts share: functions and constants of Lua, each in the order of libLua.
var parts = partsOf(libLua)

// part is one of them.
type part struct{ name, text string }

var (
	comments = regexp.MustCompile(`(?m)\s*--.*$`)
	names    = regexp.MustCompile(`\.?[A-Za-z_]\w*`) // with a dot, those of fields
	begins   = regexp.MustCompile(`(?m)^local (?:function )?(\w+)`)
)

// partsOf splits a script of which each line that is not indented begins or ends one.
func partsOf(lua string) []part {
	lua = comments.ReplaceAllString(lua, "")
	at := append(begins.FindAllStringSubmatchIndex(lua, -1), []int{len(lua)})
	all := make([]part, len(at)-1)
	for i := range all {
		all[i] = part{name: lua[at[i][2]:at[i][3]], text: lua[at[i][0]:at[i+1][0]]}
	}
	return all
}

// seldom is a function of a script that makes others when the first of them is needed, and partsHere the place in it for the shared
// parts that only those need.
var seldom = regexp.MustCompile(`(?ms)^local function seldom\(\)\n.*?^end\n`)

const partsHere = "  -- here: the shared parts that nothing else needs\n"

// withParts gives a script the shared parts that it needs, and no others: Redis makes each function anew whenever a script runs, and
// clears it away later, which takes longer than most commands.
func withParts(lua string) string {
	all, always := needed(lua), needed(lua)
	if strings.Contains(lua, partsHere) {
		always = needed(seldom.ReplaceAllString(lua, ""))
	}
	var before, here strings.Builder
	for _, p := range parts {
		switch {
		case always[p.name]:
			before.WriteString(p.text)
		case all[p.name]:
			here.WriteString(p.text)
		}
	}
	return before.String() + strings.Replace(lua, partsHere, here.String(), 1)
}

// needed are the names of the parts that a script needs.
func needed(lua string) map[string]bool {
	found := map[string]bool{}
	note := func(text string) {
		for _, name := range names.FindAllString(text, -1) {
			found[name] = true
		}
	}
	note(comments.ReplaceAllString(lua, ""))
	for i := len(parts) - 1; i >= 0; i-- { // a part needs only earlier ones
		if found[parts[i].name] {
			note(parts[i].text)
		}
	}
	return found
}
