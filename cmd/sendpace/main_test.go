package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/sendapi/sandbox"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	redis.SetLogger(silence{})
	goleak.VerifyTestMain(m)
}

// output is a command's stdout or stderr, which a test can wait for.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func newOutput() *output { return &output{wrote: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.wrote <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// wait returns the first group of the pattern once it was written.
func (o *output) wait(t *testing.T, pattern string) string {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(o.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-o.wrote:
		case <-limit:
			require.Fail(t, "not written within 30 s", "%s\ngot: %s", pattern, o)
		}
	}
}

// process is a command that runs beside the test.
type process struct {
	out, err *output
	stop     func() int // as Ctrl-C does; returns the exit code
}

func start(t *testing.T, stdin io.Reader, env []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{out: newOutput(), err: newOutput()}
	code := make(chan int, 1)
	go func() { code <- run(ctx, args, stdin, p.out, p.err, env) }()
	p.stop = sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	t.Cleanup(func() { p.stop() })
	return p
}

// ran is a command that has ended.
type ran struct {
	code     int
	out, err string
}

func sendpace(stdin string, env []string, args ...string) ran {
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(stdin), &stdout, &stderr, env)
	return ran{code, stdout.String(), stderr.String()}
}

// startRedis returns the address of a Redis of the test's own. What it cannot show is shown on a real one, in worker.
func startRedis(t *testing.T) (url string, rdb redis.UniversalClient) {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	require.NoError(t, server.StartAddr("127.0.0.1:0"))
	rdb = redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() {
		assert.NoError(t, rdb.Close())
		server.Close()
	})
	return "redis://" + server.Addr(), rdb
}

// writeFile returns the path of a file of the test's own.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const pagesFile = `
pages:
- {id: 1001, access_token: EAABfirst, rate: 200, bulk_rate: 100}
- {id: 1002, access_token: EAABsecond, app_secret: shhh}
`

// job is a line of an enqueue file.
func job(page, psid, text string) string {
	return `{"page_id":"` + page + `","request":{"recipient":{"id":"` + psid + `"},"messaging_type":"UPDATE",` +
		`"message":{"text":"` + text + `"}}}` + "\n"
}

func TestWrongUseExitsWith2AndSaysWhatToType(t *testing.T) {
	t.Parallel()
	config := writeFile(t, "c.yaml", pagesFile)
	bad := writeFile(t, "bad.yaml", "defaults: {rate: -1}\nrediss: {}")
	for args, want := range map[string]string{
		"":                                "a command is missing\n  sendpace audit|broadcast|completion|config|",
		"moniter":                         "there is no command \"moniter\"\n  did you mean sendpace monitor?\n",
		"xyzzy":                           "there is no command \"xyzzy\"\n  the commands are audit, broadcast, completion, config, ",
		"help moniter":                    "there is no command \"moniter\"\n  did you mean sendpace monitor?\n",
		"config":                          "a command is missing\n  sendpace config check\n",
		"config chek":                     "there is no command \"config chek\"\n  did you mean sendpace config check?\n",
		"version now":                     "version takes no argument, but got \"now\"\n  see sendpace version --help\n",
		"version --short":                 "unknown flag: --short\n  see sendpace version --help\n",
		"--verbose":                       "unknown flag: --verbose\n  see sendpace --help\n",
		"sandbox --latency 5":             "invalid argument \"5\" for \"--latency\" flag",
		"sandbox --latency -5s":           "--latency must be 0 to 4m\n  see sendpace sandbox --help\n",
		"sandbox --rate -1 --window ajar": "--rate must be 0, or 0.0001 to 100000 a second; --window must be open or closed",
		"sandbox --drop 2 --fail -1":      "--fail must be 0 to 1; --drop must be 0 to 1",
		"sandbox --window-length 0":       "--window-length must be above 0",
		"enqueue":                         "--file is missing\n  sendpace enqueue --file jobs.ndjson, or --file - ",
		"enqueue jobs.ndjson":             "enqueue takes no argument, but got \"jobs.ndjson\"\n  sendpace enqueue --file jobs.ndjson\n",
		"page release":                    "page release takes one page id, but got 0 arguments\n  sendpace page release 1001\n",
		"page release 1 2":                "page release takes one page id, but got 2 arguments\n",
		"page release all":                "\"all\" is no page id: it has 1 to 32 digits\n",
		"page hold 9 --config " + config:  "page 9 is not configured\n  sendpace config check lists the pages\n",
		"page pause 1001":                 "--for is missing\n  such as --for 2h; sendpace page hold ",
		"page pause 1001 --for 1ms":       "--for must be 1s to 30d\n  sendpace page hold ",
		"page pause 1001 --for soon":      "invalid argument \"soon\" for \"--for\" flag",
		"page hold all":                   "\"all\" is no page id: it has 1 to 32 digits\n  sendpace page list ",
		"page hold 1 --why " + strings.Repeat("x", 501): "--why must be text of at most 500 bytes",
		"page show":                           "page show takes one page id, but got 0 arguments\n  sendpace page show 1001\n",
		"page rate 1001 --for 2h":             "--rate, --bulk or --media is missing\n  such as sendpace page rate ",
		"page rate 1001 --bulk 2":             "--for is missing\n  for good, change the configuration ",
		"page rate 1001 --bulk 2 --for 1000h": "--for must be 1s to 30d\n",
		"page rate 1001 --bulk 0 --for 2h":    "--bulk must be from one a day, 0.0000116, to 100000 a second\n",
		"page rate 1001 --media NaN --for 2h": "--media must be from one a day",
		"page rate 1001 --rate 1e9 --for 2h":  "--rate must be from one a day",
		"page rate 1001 --reset --for 2h":     "--reset goes alone\n  sendpace page rate 1001 --reset\n",
		"page rate app --bulk 2 --for 2h":     "rates are those of one page\n",
		"page rate":                           "page rate takes one page id, but got 0 arguments\n",
		"why":                                 "a command is missing\n  sendpace why job|page\n",
		"why page":                            "why page takes one page id, but got 0 arguments\n  sendpace why page 1001\n",
		"why job a b":                         "why job takes one job id, but got 2 arguments\n  sendpace why job ID\n",
		"dead":                                "a command is missing\n  sendpace dead export|list|replay|show\n",
		"dead list --kind sent":               "--kind: no dead job is sent\n  dead jobs are failed, expired or unknown\n",
		"dead list --kind lost":               "--kind: there is no outcome \"lost\"\n",
		"dead list --until soon":              "--until \"soon\" is neither a time nor a span\n  such as --until 2h ",
		"dead list --limit -1":                "--limit must be 0, for all, or more\n",
		"dead replay x --page 1":              "--page does not go with job ids\n  name jobs by ",
		"dead replay --expires -1h":           "--expires must be above 0\n",
		"dead show":                           "dead show takes one job id, but got 0 arguments\n  sendpace dead show ID\n",
		"job":                                 "a command is missing\n  sendpace job cancel|resend|retry|show\n",
		"job resend --failed --code x":        "--code \"x\" is no code\n  such as --code 551 or --code 100/2018001\n",
		"dead list --limit x":                 "invalid argument \"x\" for \"--limit\" flag: invalid syntax\n  see sendpace dead list --help\n",
		"job retry":                           "job retry takes one job id, but got 0 arguments\n  sendpace job retry ID\n",
		"job retry x --expires -1h":           "--expires must be above 0\n",
		"job show":                            "job show takes one job id, but got 0 arguments\n  sendpace job show ID\n",
		"job show x --key k":                  "job show needs one way of naming the job, but got 2\n  name the job by its id, or with --page and --key\n",
		"job show --key k":                    "--page is missing\n  name the job by ",
		"job show --page 1":                   "--key is missing\n  name the job by ",
		"job show x --page 1":                 "--page does not go with a job id\n",
		"job cancel":                          "job cancel needs one way of naming the jobs, but got 0\n  name jobs by ",
		"job cancel x --all":                  "job cancel needs one way of naming the jobs, but got 2\n",
		"job cancel --key k":                  "--page is missing\n  name jobs by ",
		"job cancel x --page 1":               "--page does not go with job ids\n",
		"job resend":                          "--failed is missing\n  sendpace job resend --failed\n",
		"outcomes --kind lost":                "--kind: there is no outcome \"lost\"\n  the outcomes are sent, failed, ",
		"outcomes --since soon":               "--since \"soon\" is neither a time nor a span\n  such as --since 2h ",
		"suppressed list":                     "--page is missing\n  sendpace suppressed list --page 1001\n",
		"probe":                               "probe takes one URL that begins with http://\n  sendpace probe ",
		"probe file:///x":                     "probe takes one URL that begins with http://\n",
		"audit now":                           "audit takes no argument, but got \"now\"\n",
		"worker":                              "no page is configured, so there is nothing to send from\n  add pages ",
		"status --redis embedded":             "redis.url: an embedded Redis lives and dies with its process",
		"status --redis nonsense":             "configuration: redis.url: must begin with redis://",
		"broadcast":                           "a command is missing\n  sendpace broadcast cancel|list|pause|report|resume|start|status\n",
		"broadcast start":                     "broadcast start takes the name of one broadcast, but got 0 arguments\n",
		"broadcast start x":                   "--page is missing\n  sendpace broadcast start NAME --page 1001 --audience ",
		"broadcast start x --page 1":          "--audience is missing\n",
		"broadcast start x --page 1 --audience a.csv":                                              "--template is missing\n",
		"broadcast start x --page 1 --audience a.csv --template t --test-limit 5":                  "--test is missing\n  such as --test 2 ",
		"broadcast start x --page 1 --audience a.csv --template t --window 09:00-20:00":            "--zone is missing\n  such as --window ",
		"broadcast start x --page 1 --audience a.csv --template t --zone UTC":                      "--window is missing\n",
		"broadcast start x --page 1 --audience a.csv --template t --window 9 --zone UTC":           "window \"9\": write it as ",
		"broadcast start x --page 1 --audience a.csv --template t --window 09:00-20:00 --zone Bln": "time zone \"Bln\": there is none",
		"broadcast start x --page 1 --audience a.csv --template t --finish-by tomorrow":            "--finish-by \"tomorrow\" is no time\n  such as ",
		"broadcast cancel x": "cancel all of broadcast x that was not sent yet: there is no terminal to ask at\n  add --yes ",
		"config check --config " + bad: "" + bad + ": 2 problems\n" +
			"  rediss: there is no such key; did you mean redis?\n  defaults.rate: must be a number above 0",
		"config check --config absent.yaml": "absent.yaml: there is no such file; check --config or SENDPACE_CONFIG\n",
		"monitor --addr 0.0.0.0:8080":       "the monitor has no login, and 0.0.0.0:8080 can be reached from ",
		"monitor --addr :8080":              "the monitor has no login, and :8080 can be reached from other machines",
		"monitor --addr 8080":               "configuration: monitor.addr: must be host:port, such as 127.0.0.1:8080",
		"demo --addr 0.0.0.0:0":             "the demo's --addr must be one of this machine alone\n",
	} {
		got := sendpace("", nil, strings.Fields(args)...)
		assert.Equal(t, 2, got.code, "%q: %s", args, got.err)
		assert.True(t, strings.HasPrefix(got.err, "sendpace: "+want), "%q\ngot:  %s\nwant: %s", args, got.err, want)
		assert.Empty(t, got.out, args)
		assert.NotContains(t, got.err, "Usage:", args)
	}
}

func TestFailuresExitWith1(t *testing.T) {
	t.Parallel()
	const nobody = "redis://:hunter2@127.0.0.1:1"
	jobs := writeFile(t, "jobs.ndjson", job("1", "2", "x"))
	for args, want := range map[string]string{
		"status --redis " + nobody:                      "Redis at redis://127.0.0.1:1 does not answer: dial tcp 127.0.0.1:1: ",
		"enqueue --redis " + nobody + " --file " + jobs: "Redis at redis://127.0.0.1:1 does not answer: ",
		"enqueue --file absent.ndjson":                  "absent.ndjson: no such file or directory\n  check --file; - is ",
		"enqueue --file .":                              ".: is a directory\n  check --file\n",
		"sandbox --addr 127.0.0.1:99999":                "listen tcp: address 99999: invalid port\n  choose another port",
	} {
		got := sendpace("", nil, strings.Fields(args)...)
		assert.Equal(t, 1, got.code, "%q: %s", args, got.err)
		assert.True(t, strings.HasPrefix(got.err, "sendpace: "+want), "%q\ngot:  %s\nwant: %s", args, got.err, want)
		assert.NotContains(t, got.err, "hunter2")
	}
}

func TestHelpGoesToStdout(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"help"}, {"help", "enqueue"}, {"enqueue", "--help"}} {
		got := sendpace("", nil, args...)
		assert.Equal(t, 0, got.code, args)
		assert.Contains(t, got.out, "Usage:\n  sendpace", args)
		assert.Empty(t, got.err, args)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	got := sendpace("", nil, "version")
	assert.Equal(t, 0, got.code)
	assert.Regexp(t, `^sendpace \S+\ncommit   \S.*\ngo       go1\.\S+\nasynq    v0\.\S+\n$`, got.out)
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", pagesFile)
	env := []string{"SENDPACE_DEFAULTS_RATE=45", "SENDPACE_REDIS_ULR=x"}
	got := sendpace("", env, "config", "check", "--config", path, "--redis", "redis://:hunter2@cache:6380/1")
	assert.Equal(t, 0, got.code, got.err)
	assert.Equal(t, `redis  redis://cache:6380/1
graph  https://graph.facebook.com/v26.0
page       rate  bulk rate  media rate  app secret
────────────────────────────────────────────────────
1001      200/s      100/s        10/s  no
1002       45/s      0.9/s        10/s  yes
defaults   45/s      0.9/s        10/s  -
OK
`, got.out)
	assert.Equal(t, `sendpace: warning: SENDPACE_REDIS_ULR: this variable is not read; did you mean SENDPACE_REDIS_URL?
sendpace: warning: pages[0].rate: above 40 a second the page's inbox stops showing new messages
sendpace: warning: defaults.rate: above 40 a second the page's inbox stops showing new messages
`, got.err)
	for _, secret := range []string{"EAAB", "shhh", "hunter2"} {
		assert.NotContains(t, got.out+got.err, secret)
	}
}

func TestSandbox(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "c.yaml", pagesFile)
	p := start(t, nil, nil, "sandbox", "--addr", "127.0.0.1:0", "--latency", "0s", "--config", path)
	base := p.out.wait(t, `answers at (http://\S+);`)
	for token, want := range map[string]int{"EAABfirst": 200, "stranger": 400} {
		assert.Equal(t, want, post(t, base+"/v26.0/1001/messages", token))
	}
	assert.Equal(t, 0, p.stop(), p.err)
	assert.Regexp(t, `(?m)^page  calls  accepted  refused .*\n─+\n1001      2         1        1 `, p.out)
}

func TestSandboxFlags(t *testing.T) {
	t.Parallel()
	const sent, limited = "sent", "rate limit"
	for flags, want := range map[string]struct {
		first, second string
		usage         float64 // that the second answer says
		wait          time.Duration
	}{
		"--jitter 1ms --media-rate 1":        {first: sent, second: sent},
		"--rate 0.001":                       {sent, limited, 100, 0},
		"--rate 0.001 --block 1h":            {sent, limited, 100, time.Hour},
		"--thread-rate 0.001":                {first: sent, second: limited},
		"--engaged-users 1 --usage 90":       {sent, sent, 90, 0},
		"--engaged-users 1":                  {sent, sent, 1, 0},
		"--window closed":                    {first: "window", second: "window"},
		"--fail 1 --drop 1 --seed 4":         {first: "transient", second: "transient"},
		"--drop 1":                           {first: "unknown outcome", second: "unknown outcome"},
		"--allow-removed --window-length 1h": {first: sent, second: sent},
	} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"sandbox", "--addr", "127.0.0.1:0", "--latency", "0s"}, strings.Fields(flags)...)
			p := start(t, nil, nil, args...)
			client, err := sendapi.NewClient(sendapi.Config{BaseURL: p.out.wait(t, `answers at (http://\S+);`)})
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			var got []string
			var usage sendapi.Usage
			for range 2 {
				res, err := client.Send(t.Context(), sendapi.Page{ID: "1001", Token: "t"}, sendapi.Text(sendapi.ID("7"), "hi"))
				var e *sendapi.Error
				if errors.As(err, &e) {
					got, usage = append(got, e.Kind.Error()), e.Usage
				} else {
					got, usage = append(got, sent), res.Usage
				}
			}
			assert.Equal(t, []string{want.first, want.second}, got)
			assert.Equal(t, want.usage, usage.Messaging("1001").Max())
			assert.Equal(t, want.wait, usage.Wait("1001"))
			assert.Equal(t, 0, p.stop(), p.err)
		})
	}
}

func TestSandboxSummary(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "nothing was received", sandboxSummary(nil))
	assert.Equal(t, `page  calls  accepted  refused     rate  most in a second
───────────────────────────────────────────────────────────
1         1         1        0        -                 1
2        70        60       10  49.75/s                50`, sandboxSummary(map[string]sandbox.PageCalls{
		"2": {Count: 70, Accepted: 60, Refused: 10, Pace: sandbox.Pace{Rate: 49.749, WorstSecond: 50}},
		"1": {Count: 1, Accepted: 1, Pace: sandbox.Pace{WorstSecond: 1}},
	}))
}

// leaves are the commands below cmd that do something.
func leaves(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasSubCommands() {
		return []*cobra.Command{cmd}
	}
	var all []*cobra.Command
	for _, sub := range cmd.Commands() {
		all = append(all, leaves(sub)...)
	}
	return all
}

func TestEveryCommandShowsExamplesThatCanBeTyped(t *testing.T) {
	t.Parallel()
	for _, cmd := range leaves((&app{}).root()) {
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			own := 0
			for line := range strings.SplitSeq(strings.ReplaceAll(cmd.Example, "\\\n", ""), "\n") {
				_, typed, ok := strings.Cut(line, "sendpace ")
				if !ok {
					continue // another program's
				}
				typed = regexp.MustCompile(`\$\([^)]*\)|'[^']*'`).ReplaceAllString(typed, "x")
				typed, _, _ = strings.Cut(typed, " | ")
				typed, _, _ = strings.Cut(typed, " > ")
				found, rest, err := (&app{}).root().Find(strings.Fields(typed))
				require.NoError(t, err, line)
				require.NoError(t, found.ParseFlags(rest), line)
				require.NoError(t, found.ValidateArgs(found.Flags().Args()), line)
				if found.CommandPath() == cmd.CommandPath() {
					own++
				}
			}
			assert.NotZero(t, own, "--help shows no example of it")
		})
	}
}
