package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCompletion(t *testing.T) {
	t.Parallel()
	url, rdb := startRedis(t)
	put(t, rdb, "4711")
	people, message := writeFile(t, "people.csv", "recipient\n4321\n"), writeFile(t, "m.json", `{"messaging_type":"UPDATE","message":{"text":"x"}}`)
	require.Equal(t, 0, on(url, "broadcast", "start", "sale", "--page", "4711", "--audience", people, "--template", message, "--yes").code)
	config := writeFile(t, "c.yaml", pagesFile)
	for args, want := range map[string]string{
		"page show --config " + config + " ":              "1001 1002",
		"page pause --config " + config + " ":             "1001 1002 app",
		"page hold --config " + config + " ":              "1001 1002 app",
		"page release --config " + config + " ":           "1001 1002 app",
		"page show --config " + config + " 1001 ":         "",
		"why page --config " + config + " ":               "1001 1002",
		"job cancel --config " + config + " --page ":      "1001 1002",
		"why page --redis " + url + " ":                   "4711",
		"why page --redis redis://127.0.0.1:1 ":           "",
		"why page --config absent.yaml ":                  "",
		"outcomes --kind ":                                "sent failed expired cancelled unknown",
		"dead list --kind ":                               "failed expired unknown",
		"worker --log-level ":                             "trace debug info warn error",
		"dead replay --redis " + url + " --page ":         "4711",
		"audit --config " + config + " --page ":           "1001 1002",
		"broadcast status --redis " + url + " ":           "sale",
		"broadcast cancel --redis " + url + " ":           "sale",
		"broadcast pause --redis " + url + " sale ":       "",
		"broadcast report --redis redis://127.0.0.1:1 ":   "",
		"dead list --redis " + url + " --broadcast ":      "sale",
		"suppressed list --config " + config + " --page ": "1001 1002",
	} {
		got := sendpace("", nil, append([]string{"__completeNoDesc"}, strings.Split(args, " ")...)...)
		assert.Equal(t, 0, got.code, args)
		words := strings.Fields(got.out)
		assert.Equal(t, ":4", words[len(words)-1], "%s: no file names", args)
		assert.Equal(t, want, strings.Join(words[:len(words)-1], " "), args)
	}
}
