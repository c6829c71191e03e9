package bench

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sendpace/sendpace/sendapi"
	"github.com/sendpace/sendpace/worker"
	"github.com/sendpace/sendpace/worker/pace"
	"github.com/sendpace/sendpace/worker/pace/alarm"
)

var (
	small   = flag.Bool("small", false, "a twentieth of the work: to see that it runs; the figures mean nothing")
	out     = flag.String("out", "", "`file` to write the results to; sections that this run does not measure stay as they are")
	own     = flag.Bool("own", false, "Sendpace alone, without what it is compared with")
	profile = flag.String("profile", "", "`directory` for CPU profiles of the workers")
)

// scaled is n, or a twentieth of it in a small run.
func scaled(n int) int {
	if *small {
		return n / 20
	}
	return n
}

// processEnv makes a run of this test binary a worker process. Its value is a workerConfig as JSON.
const processEnv = "SENDPACE_BENCH_PROCESS"

// workerConfig is the configuration of a worker process.
type workerConfig struct {
	System       system
	Redis, Graph string
	// Far is how much later each answer of Redis comes, as over a network.
	Far time.Duration
	// Workers is how many of them the process has; 0 means 1.
	Workers int
	// Pages is how many there are, counted from firstPage.
	Pages     int
	Rates     pace.Rates
	PageRates map[string]pace.Rates
	// Profile is the file for a CPU profile; empty for none.
	Profile string
}

// system is what takes the jobs from the queue.
type system string

const (
	sendpace  system = "Sendpace"
	bareAsynq system = "bare asynq"
	retrying  system = "asynq + redis_rate, retrying"
	waiting   system = "asynq + redis_rate, waiting"
)

// firstPage is the id of the first page; the others count up from it.
const firstPage = 1_000_001

func pageID(i int) string { return strconv.Itoa(firstPage + i) }

func TestMain(m *testing.M) {
	if text := os.Getenv(processEnv); text != "" {
		if err := runProcess(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	code := m.Run()
	if err := results.write(*out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runProcess(text string) error {
	var p workerConfig
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return err
	}
	if p.Profile != "" {
		file, err := os.Create(filepath.Clean(p.Profile))
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := sendapi.NewClient(sendapi.Config{BaseURL: p.Graph})
	if err != nil {
		return err
	}
	o := &redis.UniversalOptions{Addrs: []string{p.Redis}}
	worker.DurableRetries(o)
	if p.Far > 0 {
		o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return farConn{conn, p.Far}, err
		}
	}
	rdb := redis.NewUniversalClient(o)
	defer rdb.Close()
	if p.System == sendpace {
		return p.runSendpace(ctx, rdb, client)
	}
	return p.runAsynq(ctx, rdb, client)
}

// farConn is a connection over which what arrives comes later.
type farConn struct {
	net.Conn
	by time.Duration
}

func (c farConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	alarm.Sleep(c.by)
	return n, err
}

func (p workerConfig) runSendpace(ctx context.Context, rdb redis.UniversalClient, client *sendapi.Client) error {
	pages := make(map[string]sendapi.Page, p.Pages)
	for i := range p.Pages {
		pages[pageID(i)] = page(pageID(i))
	}
	ended := make(chan error)
	for range max(1, p.Workers) {
		w, err := worker.New(rdb, client, worker.Config{Pages: pages, Rates: p.Rates, PageRates: p.PageRates, Margin: 0.005})
		if err != nil {
			return err
		}
		go func() { ended <- w.Run(ctx) }()
	}
	var err error
	for range max(1, p.Workers) {
		err = errors.Join(err, <-ended)
	}
	return err
}

// page is a page with its token; the sandbox takes any.
func page(id string) sendapi.Page {
	return sendapi.Page{ID: id, Token: sendapi.Secret("EAAtoken" + id)}
}
